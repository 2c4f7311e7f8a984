import { MAX_OPS, MAX_VALUE_BYTES, type Op, type PutOp, StoreError } from './store.ts';

const encoder = new TextEncoder();

/** Throws StoreError 'too-large' for what no store takes: too many ops, or a body over MAX_VALUE_BYTES in UTF-8. */
export function checkSize(ops: readonly Op[]): void {
  if (ops.length > MAX_OPS)
    throw new StoreError('too-large', `${ops.length} operations in one commit, at most ${MAX_OPS}`);
  for (const op of ops) {
    if (!isPut(op) || op.value === null) continue;
    const { text } = op.value;
    // A UTF-16 unit is at most 3 bytes: most bodies need no encoding to know.
    if (text.length * 3 > MAX_VALUE_BYTES && encoder.encode(text).length > MAX_VALUE_BYTES) {
      throw new StoreError('too-large', 'etcdserver: request is too large');
    }
  }
}

/** True for an op that writes or deletes a row. */
export function isPut(op: Op): op is PutOp {
  return 'key' in op;
}

/** A body and its facts with claimed values in place of their tokens. */
export function fillTokens(op: PutOp, tokens: readonly (readonly [string, string])[]): PutOp {
  if (tokens.length === 0 || op.value === null) return op;
  let { text } = op.value;
  let facts = op.facts;
  for (const [token, value] of tokens) {
    text = text.replaceAll(token, value);
    const fields = facts?.fields;
    if (!facts || !fields) continue;
    const filled: Record<string, string> = {};
    for (const name in fields) filled[name] = fields[name]?.replaceAll(token, value) ?? '';
    facts = { ...facts, fields: filled };
  }
  return facts ? { ...op, value: { ...op.value, text }, facts } : { ...op, value: { ...op.value, text } };
}
