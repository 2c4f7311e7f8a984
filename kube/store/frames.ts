import type { Batch, WatchEvent } from './store.ts';

type Head = [
  type: 'A' | 'M' | 'D',
  key: string,
  revision: number,
  version: string,
  schema: string,
  length: number,
  enc?: string,
];
const LETTER = { ADDED: 'A', MODIFIED: 'M', DELETED: 'D' } as const;
const TYPE = { A: 'ADDED', M: 'MODIFIED', D: 'DELETED' } as const;

/**
 * A batch as one text frame: a line of JSON, `{"r":revision,"e":[[type,key,revision,version,schema,length,enc?],...]}`, then the
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
  return `${JSON.stringify({ r: batch.revision, e: heads })}\n${bodies}`;
}

/** The batch of a frame; throws SyntaxError for a malformed one. */
export function decodeBatch(frame: string): Batch {
  let at = frame.indexOf('\n');
  const { r, e } = JSON.parse(frame.slice(0, at)) as { r: number; e: Head[] };
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
  return { revision: r, events };
}
