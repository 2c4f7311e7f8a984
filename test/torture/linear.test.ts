import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Ask, Seen, Told } from './history.ts';
import { linearize, type Model, type Timed } from './linear.ts';
import { type KeyOp, register } from './register.ts';

const seen = (rev: number, w: string, v = w, p = ''): Seen => ({ rev, w, v, p });
const key = 'a/x';
/** An operation from `start` to `end`; null = its outcome never came. */
function op(
  start: number,
  end: number | null,
  id: string,
  ask: (Ask & { do: 'create' | 'get' | 'update' | 'patch' | 'delete' }) | { do: 'drop' },
  told: Told = { is: 'unknown', why: '' },
  rev?: number,
): Timed<KeyOp> {
  const o: KeyOp = { id, kind: 'configmaps', ask, told, ...(rev === undefined ? {} : { rev }) };
  return { start, end: end ?? Number.POSITIVE_INFINITY, op: o, ...(end === null ? { twin: ask.do } : {}) };
}
const done = (rev?: number): Told => ({ is: 'done', ...(rev === undefined ? {} : { rev }) });
const saw = (s: Seen): Told => ({ is: 'seen', seen: s });
const create = { do: 'create', key } as const;
const get = { do: 'get', key } as const;
const update = (expect?: number) => ({ do: 'update', key, ...(expect === undefined ? {} : { expect }) }) as const;
const patch = { do: 'patch', key } as const;
const remove = { do: 'delete', key } as const;
const none: Told = { is: 'none' };

const good: Record<string, Timed<KeyOp>[]> = {
  'operations one after the other': [
    op(1, 2, 'c', create, done(10)),
    op(3, 4, 'g', get, saw(seen(10, 'c'))),
    op(5, 6, 'd', remove, done()),
    op(7, 8, 'n', get, none),
  ],
  'a read beside a write may see either side of it': [
    op(1, 2, 'c', create, done(10)),
    op(3, 9, 'u', update(10), done(11)),
    op(4, 5, 'g1', get, saw(seen(10, 'c'))),
    op(6, 7, 'g2', get, saw(seen(11, 'u'))),
  ],
  'a patch keeps what the update before it wrote': [
    op(1, 2, 'c', create, done(10)),
    op(3, 4, 'u', update(), done(11)),
    op(5, 6, 'p', patch, done(12)),
    op(7, 8, 'g', get, saw(seen(12, 'p', 'u', 'p'))),
  ],
  'a write of unknown outcome may have taken effect': [
    op(1, 2, 'c', create, done(10)),
    op(3, null, 'u', update(10)),
    op(5, 6, 'g', get, saw(seen(11, 'u'))),
    op(7, 8, 'x', update(10), { is: 'conflict' }),
  ],
  'or much later, or never': [
    op(1, 2, 'c', create, done(10)),
    op(3, null, 'd1', remove),
    op(3, null, 'd2', remove),
    op(5, 6, 'g', get, saw(seen(10, 'c'))),
    op(7, 8, 'h', get, none),
    op(9, 10, 'c2', create, done(12)),
    op(11, 12, 'i', get, saw(seen(12, 'c2'))),
  ],
  'two creations of one name: one is told that it exists': [
    op(1, 5, 'a', create, { is: 'exists' }),
    op(2, 4, 'b', create, done(10)),
  ],
};
for (const [name, ops] of Object.entries(good))
  it(`has an order: ${name}`, () => assert.equal(linearize(register, ops).ok, true));

const bad: Record<string, [ops: Timed<KeyOp>[], stuck: string]> = {
  'a stale read': [
    [op(1, 2, 'c', create, done(10)), op(3, 4, 'u', update(), done(11)), op(5, 6, 'g', get, saw(seen(10, 'c')))],
    'g',
  ],
  'a lost update: two writers expected the same revision and both were told yes': [
    [op(1, 2, 'c', create, done(10)), op(3, 5, 'u1', update(10), done(11)), op(4, 6, 'u2', update(10), done(12))],
    'u2',
  ],
  'a lost update: a patch over contents that had been replaced': [
    [
      op(1, 2, 'c', create, done(10)),
      op(3, 4, 'u', update(), done(11)),
      op(5, 6, 'p', patch, done(12)),
      op(7, 8, 'g', get, saw(seen(12, 'p', 'c', 'p'))),
    ],
    'g',
  ],
  'a reused revision': [
    [op(1, 2, 'c', create, done(10)), op(3, 4, 'u', update(), done(11)), op(5, 6, 'v', update(), done(11))],
    'v',
  ],
  'a deletion that was acknowledged and came back': [
    [op(1, 2, 'c', create, done(10)), op(3, 4, 'd', remove, done()), op(5, 6, 'g', get, saw(seen(10, 'c')))],
    'g',
  ],
  'an acknowledged creation that is gone': [[op(1, 2, 'c', create, done(10)), op(3, 4, 'g', get, none)], 'g'],
  'a write of unknown outcome that is seen, then unseen': [
    [
      op(1, 2, 'c', create, done(10)),
      op(3, null, 'u', update()),
      op(5, 6, 'g', get, saw(seen(11, 'u'))),
      op(7, 8, 'h', get, saw(seen(10, 'c'))),
    ],
    'h',
  ],
  'an effect before the operation started': [
    [op(1, 2, 'c', create, done(10)), op(3, 4, 'g', get, saw(seen(11, 'u'))), op(5, 6, 'u', update(), done(11))],
    'g',
  ],
  'a conflict where nobody else wrote': [
    [op(1, 2, 'c', create, done(10)), op(3, 4, 'u', update(10), { is: 'conflict' })],
    'u',
  ],
  'a deletion refused as not found that took effect': [
    [op(1, 2, 'c', create, done(10)), op(3, 4, 'd', remove, none), op(5, 6, 'g', get, none)],
    'd',
  ],
};
for (const [name, [ops, stuck]] of Object.entries(bad))
  it(`has none: ${name}`, () => {
    const verdict = linearize(register, ops);
    assert.equal(verdict.ok, false);
    if (verdict.ok === false) assert.equal(ops[verdict.stuck]?.op.id, stuck);
  });

const counter: Model<number, { by: number; reads: number | null }> = {
  start: 0,
  step: (n, o) => (o.reads === null ? n + o.by : n === o.reads ? n : undefined),
  print: String,
};
it('finds the one order of many that overlap', () => {
  const ops = Array.from({ length: 12 }, (_, i) => ({ start: 0, end: 100, op: { by: 2 ** i, reads: null } }));
  const read = { start: 1, end: 50, op: { by: 0, reads: 0b101010101010 } };
  const verdict = linearize(counter, [...ops, read]);
  assert.equal(verdict.ok, true);
  assert.equal(linearize(counter, [...ops, { ...read, op: { by: 0, reads: 2 ** 12 } }]).ok, false);
});
it('says so when it gives up', () => {
  const ops = Array.from({ length: 24 }, (_, i) => ({ start: 0, end: 100, op: { by: 2 ** i, reads: null } }));
  const read = { start: 1, end: 50, op: { by: 0, reads: -1 } };
  assert.equal(linearize(counter, [...ops, read], 10_000).ok, 'gave-up');
});
it('forty deletions of unknown outcome cost nothing: they are tried in order', () => {
  const ops = [op(1, 2, 'c', create, done(10))];
  for (let i = 0; i < 40; i++) ops.push(op(3, null, `d${i}`, remove));
  for (let i = 0; i < 40; i++) {
    ops.push(op(10 + 4 * i, 11 + 4 * i, `n${i}`, get, none));
    ops.push(op(12 + 4 * i, 13 + 4 * i, `c${i}`, create, done(20 + i)));
  }
  assert.equal(linearize(register, ops, 20_000).ok, true);
  const last = op(500, 501, 'x', get, none);
  assert.equal(linearize(register, [...ops, op(498, 499, 'y', get, saw(seen(59, 'c39'))), last], 20_000).ok, false);
});
