import { transcodeEvents } from '../codec/protobuf.ts';
import { parseApiVersion } from '../meta/object.ts';
import { schemas } from '../schema/schemas.ts';
import { spliceItem, spliceObject } from './splice.ts';
import type { Batch, EventJoin, Revision, WatchEvent } from './store.ts';

type Head = [
  type: 'A' | 'M' | 'D',
  key: string,
  revision: number,
  version: string,
  schema: string,
  length: number,
  enc?: string,
];
interface FrameHead {
  r: number;
  i?: string;
  b?: string;
  a?: string;
  e: Head[];
}
const LETTER = { ADDED: 'A', MODIFIED: 'M', DELETED: 'D' } as const;
const TYPE = { A: 'ADDED', M: 'MODIFIED', D: 'DELETED' } as const;

/**
 * A batch as one text frame: a line of JSON, `{"r":revision,"i":id?,"b":before?,"a":at?,"e":[[type,key,revision,version,schema,length,enc?],...]}`, then the
 * bodies end to end. Bodies are neither escaped nor parsed on the way; lengths are in UTF-16 units.
 */
export function encodeBatch(batch: Batch): string {
  const heads: Head[] = [];
  let bodies = '';
  for (const e of batch.events) {
    const head: Head = [LETTER[e.type], e.key, e.revision, e.version, e.schema, e.value.length];
    if (e.enc !== undefined) head.push(e.enc);
    heads.push(head);
    bodies += e.value;
  }
  return `${JSON.stringify({ r: batch.revision, i: batch.id, b: batch.before, a: batch.at, e: heads })}\n${bodies}`;
}

/** The batch of a frame; throws SyntaxError for a malformed one. */
export function decodeBatch(frame: string): Batch {
  let at = frame.indexOf('\n');
  const { r, i, b, a, e } = JSON.parse(frame.slice(0, at)) as FrameHead;
  at++;
  const events: WatchEvent[] = [];
  for (const [letter, key, revision, version, schema, length, enc] of e) {
    const event: WatchEvent = {
      type: TYPE[letter],
      key,
      revision,
      value: frame.slice(at, at + length),
      version,
      schema,
    };
    if (enc !== undefined) event.enc = enc;
    events.push(event);
    at += length;
  }
  const batch: Batch = { revision: r, events };
  if (i !== undefined) batch.id = i;
  if (b !== undefined) batch.before = b;
  if (a !== undefined) batch.at = a;
  return batch;
}

const utf8 = new TextEncoder();
const ascii = new TextDecoder('latin1');
const NEWLINE = 10;
/** Digits of the largest revision. */
const REVISION_DIGITS = 16;

/**
 * A batch as it goes to the client: its revision in REVISION_DIGITS digits, its id and a space and the id before it where it has them, a newline, the events as lines of JSON or as protobuf
 * frames. Null where a row is of another version or schema, or encrypted.
 */
export function encodeJoined(batch: Batch, join: EventJoin): Uint8Array | null {
  const { kind, apiVersion, schema } = join;
  for (const e of batch.events) {
    if (e.version !== apiVersion || e.schema !== schema || e.enc !== undefined) return null;
  }
  let text = `${String(batch.revision).padStart(REVISION_DIGITS, '0')}${batch.id ?? ''}${batch.before === undefined ? '' : ` ${batch.before}`}\n`;
  if (join.as === 'protobuf') return inProtobuf(batch.events, join, utf8.encode(text));
  for (const e of batch.events) {
    text += `{"type":"${e.type}","object":${spliceObject(e.value, kind, apiVersion, e.revision)}}\n`;
  }
  return utf8.encode(text);
}

function inProtobuf(events: readonly WatchEvent[], join: EventJoin, head: Uint8Array): Uint8Array | null {
  const gv = parseApiVersion(join.apiVersion);
  const struct = gv ? schemas.kind({ ...gv, kind: join.kind }) : undefined;
  if (!struct) return null;
  const lines = events.map((e) => ({ type: e.type, text: spliceItem(e.value, e.revision) }));
  try {
    return transcodeEvents(struct, join.apiVersion, join.kind, lines, head);
  } catch {
    // A row that doesn't fit or can't be read breaks the watches that want protobuf, where they encode it, and no others.
    return null;
  }
}

/** The batch of encodeJoined()'s bytes, which it keeps. */
export function decodeJoined(frame: Uint8Array): Batch {
  let revision: Revision = 0;
  for (let i = 0; i < REVISION_DIGITS; i++) revision = revision * 10 + (frame[i] ?? 0) - 48;
  const end = frame.indexOf(NEWLINE, REVISION_DIGITS);
  const batch: Batch = { revision, events: [], joined: frame.subarray(end + 1) };
  const [id, before] = ascii.decode(frame.subarray(REVISION_DIGITS, end)).split(' ');
  if (id) batch.id = id;
  if (before) batch.before = before;
  return batch;
}
