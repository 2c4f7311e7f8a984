import type { JsonObject } from '../meta/json.ts';
import type { Struct } from '../schema/schema.ts';
import { linesOf, PIECE_BYTES } from './json-lines.ts';
import { BackBuffer } from './proto-buffer.ts';
import { ProtoError } from './proto-error.ts';
import { ITEMS } from './proto-items.ts';
import { type Plan, planOf } from './proto-plan.ts';
import { readMessage } from './proto-read.ts';
import { Reader } from './proto-reader.ts';
import { beginLines, endOfLine, readLine, transcodeMessage, writeLine } from './proto-transcode.ts';
import { writeMessage } from './proto-write.ts';

export { ProtoError } from './proto-error.ts';
export { type Kept, transcodeItems } from './proto-items.ts';
export { NESTING_MAX } from './proto-read.ts';

/** `k8s` and the encoding style 0: what every Kubernetes protobuf body begins with (apimachinery pkg/runtime/serializer/protobuf). */
export const MAGIC = Uint8Array.of(0x6b, 0x38, 0x73, 0);

// One buffer serves all calls: writing is synchronous and never re-enters.
const out = new BackBuffer();

/** The protobuf body of a value, as Go's generated code writes it; apiVersion and kind are not in it. Throws ProtoError on a value that doesn't fit. */
export function encodeProto(struct: Struct, value: JsonObject): Uint8Array {
  out.reset();
  writeMessage(out, planOf(struct), value);
  return out.take();
}

/**
 * encodeObject of an object that is JSON text (a store's row), without making the object: about twice as fast. The text must be valid
 * JSON and should be compact, because raw JSON inside it is copied. Nothing is checked beyond what the writing needs.
 */
export function transcodeObject(struct: Struct, text: string, apiVersion: string, kind: string): Uint8Array {
  const length = out.hold(text);
  beginEnvelope();
  const end = out.written;
  transcodeMessage(out, planOf(struct), length);
  endEnvelope(end, apiVersion, kind);
  return out.take();
}

/** encodeProto of JSON text. */
export function transcodeProto(struct: Struct, text: string): Uint8Array {
  transcodeMessage(out, planOf(struct), out.hold(text));
  return out.take();
}

/** The value of a protobuf body, without apiVersion and kind. Zero scalars that came are kept; throws ProtoError on bad bytes. */
export function decodeProto(struct: Struct, bytes: Uint8Array): JsonObject {
  return readMessage(new Reader(bytes), planOf(struct), bytes.length, {}, 0);
}

/** runtime.Unknown: what stands around an object's body. */
export interface Envelope {
  apiVersion: string;
  kind: string;
  raw: Uint8Array;
  contentEncoding: string;
  contentType: string;
}

/** A whole response body: envelope and object in one pass. apiVersion and kind are the value's own unless given. */
export function encodeObject(struct: Struct, value: JsonObject, apiVersion?: string, kind?: string): Uint8Array {
  out.reset();
  beginEnvelope();
  const end = out.written;
  writeMessage(out, planOf(struct), value);
  endEnvelope(end, apiVersion ?? String(value.apiVersion ?? ''), kind ?? String(value.kind ?? ''));
  return out.take();
}

/** Puts an encoded object into its envelope. */
export function encodeEnvelope(apiVersion: string, kind: string, raw: Uint8Array): Uint8Array {
  out.reset();
  beginEnvelope();
  const end = out.written;
  out.raw(raw);
  endEnvelope(end, apiVersion, kind);
  return out.take();
}

/** contentEncoding and contentType, both empty: the last fields come first in a buffer that is written backwards. */
function beginEnvelope(): void {
  out.varint(0);
  out.varint(34);
  out.varint(0);
  out.varint(26);
}

function endEnvelope(end: number, apiVersion: string, kind: string): void {
  out.varint(out.written - end);
  endRaw(apiVersion, kind);
}

/** What stands before the length of `raw`. */
function endRaw(apiVersion: string, kind: string): void {
  out.varint(18);
  const type = out.written;
  out.string(kind);
  out.varint(18);
  out.string(apiVersion);
  out.varint(10);
  out.varint(out.written - type);
  out.varint(10);
  out.raw(MAGIC);
}

/** Opens an envelope. The texts of its errors are those of upstream's serializer. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length === 0) throw new ProtoError('empty data');
  if (!hasMagic(bytes)) {
    throw new ProtoError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  }
  if (bytes.length === MAGIC.length) throw new ProtoError('empty body');
  const r = new Reader(bytes);
  r.at = MAGIC.length;
  const e: Envelope = { apiVersion: '', kind: '', raw: bytes.subarray(0, 0), contentEncoding: '', contentType: '' };
  const end = bytes.length;
  while (r.at < end) {
    const tag = r.varint(end);
    if (tag === 10) readTypeMeta(r, r.limit(end), e);
    else if (tag === 18) {
      const to = r.limit(end);
      e.raw = bytes.subarray(r.at, to);
      r.at = to;
    } else if (tag === 26) e.contentEncoding = r.string(r.limit(end));
    else if (tag === 34) e.contentType = r.string(r.limit(end));
    else if ((tag & 7) === 4) throw new ProtoError('proto: Unknown: wiretype end group for non-group');
    else if (tag < 8) throw new ProtoError(`proto: Unknown: illegal tag 0 (wire type ${tag})`);
    else r.skip(tag & 7, end);
  }
  return e;
}

function readTypeMeta(r: Reader, end: number, e: Envelope): void {
  while (r.at < end) {
    const tag = r.varint(end);
    if (tag === 10) e.apiVersion = r.string(r.limit(end));
    else if (tag === 18) e.kind = r.string(r.limit(end));
    else r.skip(tag & 7, end);
  }
}

/** True when a body is Kubernetes protobuf whatever its Content-Type says. */
export function hasMagic(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x6b && bytes[1] === 0x38 && bytes[2] === 0x73 && bytes[3] === 0;
}

/** One entry of a list's `items`, as transcodeItems makes many. */
export function encodeItem(struct: Struct, value: JsonObject): Uint8Array {
  out.reset();
  writeMessage(out, planOf(struct), value);
  out.varint(out.written);
  out.varint(ITEMS);
  return out.take();
}

/** What stands before and behind the items of a list in protobuf, which are `size` bytes. `struct` and `list` give its metadata. */
export function listEnvelope(struct: Struct, list: JsonObject, size: number): [head: Uint8Array, tail: Uint8Array] {
  out.reset();
  beginEnvelope();
  const tail = out.take();
  out.reset();
  writeMessage(out, planOf(struct), { ...list, items: undefined });
  out.varint(out.written + size);
  endRaw(String(list.apiVersion ?? ''), String(list.kind ?? ''));
  return [out.take(), tail];
}

/**
 * metav1.WatchEvent in protobuf: `object` is a whole enveloped body (encodeObject). The event itself has no envelope:
 * upstream's stream serializer is the raw one. framing.ts puts the length before it.
 */
export function encodeWatchEvent(type: string, object: Uint8Array): Uint8Array {
  out.reset();
  out.raw(object);
  endEvent(0, type);
  return out.take();
}

/** What stands around an event's object, which was written since `end`. */
function endEvent(end: number, type: string): void {
  out.varint(out.written - end);
  out.varint(10);
  out.varint(out.written - end);
  out.varint(18);
  out.string(type);
  out.varint(10);
}

/** Watch events of objects that are JSON texts (one line each), each with its length before it, end to end behind `before`. */
export function transcodeEvents(
  struct: Struct,
  apiVersion: string,
  kind: string,
  events: readonly { type: string; text: string }[],
  before: Uint8Array = NOTHING,
): Uint8Array {
  let text = '';
  for (const e of events) text += `${e.text}\n`;
  writeEvents(planOf(struct), apiVersion, kind, out.hold(text), (line) => events[line]?.type ?? '');
  out.raw(before);
  return out.take();
}

/** ADDED events of all rows of a page that the store joined, a row on a line; in pieces. */
export function transcodeAdded(
  struct: Struct,
  apiVersion: string,
  kind: string,
  parts: readonly Uint8Array[],
): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (const piece of linesOf(parts, PIECE_BYTES)) {
    writeEvents(planOf(struct), apiVersion, kind, out.hold(piece), () => 'ADDED');
    pieces.push(out.take());
  }
  return pieces;
}

/** The events of all lines of the held text. */
function writeEvents(
  plan: Plan,
  apiVersion: string,
  kind: string,
  length: number,
  type: (line: number) => string,
): void {
  const records: number[] = [];
  beginLines();
  for (let at = 0; at < length; at = endOfLine() + 1) records.push(readLine(out, plan, at, length));
  for (let line = records.length - 1; line >= 0; line--) {
    const event = out.written;
    beginEnvelope();
    const end = out.written;
    writeLine(out, plan, records[line] as number);
    endEnvelope(end, apiVersion, kind);
    endEvent(event, type(line));
    out.uint32(out.written - event);
  }
}
const NOTHING = new Uint8Array(0);

/** Reverse of encodeWatchEvent. */
export function decodeWatchEvent(bytes: Uint8Array): { type: string; object: Uint8Array } {
  const r = new Reader(bytes);
  const end = bytes.length;
  const event = { type: '', object: bytes.subarray(0, 0) };
  while (r.at < end) {
    const tag = r.varint(end);
    if (tag === 10) event.type = r.string(r.limit(end));
    else if (tag === 18) readRawExtension(r, r.limit(end), event);
    else r.skip(tag & 7, end);
  }
  return event;
}

function readRawExtension(r: Reader, end: number, event: { object: Uint8Array }): void {
  while (r.at < end) {
    const tag = r.varint(end);
    if (tag === 10) {
      const to = r.limit(end);
      event.object = r.bytes.subarray(r.at, to);
      r.at = to;
    } else r.skip(tag & 7, end);
  }
}
