import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, JsonObject } from '../meta/json.ts';
import type { Struct, Type } from '../schema/schema.ts';
import { everyPath } from './every-path.ts';
import { ordered, printFields } from './fieldset.ts';
import { type Plan, planOfStruct } from './plan.ts';
import { structOf } from './sample-types.ts';

const string: Type = { is: 'string' };
const of = (s: Struct): Type => ({ is: 'struct', struct: () => s });
/** A Go struct: zero values count as absent. */
function native(s: Struct): Struct {
  return { ...s, numbers: new Map([...s.fields.values()].map((field, i) => [i + 1, field])) };
}

/** A plan that nothing has been walked along. */
function fresh(): Plan {
  const port = native(structOf('port', { port: { is: 'integer', bits: 32 }, protocol: [string, 'TCP'], name: string }));
  const item = native(
    structOf('item', {
      name: string,
      value: string,
      from: of(native(structOf('from', { key: string, optional: { is: 'boolean' } }))),
      ports: { is: 'list', list: 'map', keys: ['port', 'protocol'], items: of(port) },
      args: { is: 'list', items: string },
    }),
  );
  return planOfStruct(
    native(
      structOf('spec', {
        size: { is: 'integer', bits: 32 },
        labels: { is: 'map', values: string },
        any: { is: 'any' },
        tags: { is: 'list', list: 'set', items: string },
        items: { is: 'list', list: 'map', keys: ['name'], items: of(item) },
      }),
    ),
  );
}

/** Numbers from 0 up to n, the same in each run. */
function dice(seed: number): (n: number) => number {
  let x = seed;
  return (n) => {
    x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (x >> 8) % n;
  };
}

function value(roll: (n: number) => number): JsonObject {
  const maybe = (o: JsonObject, name: string, v: () => Json) => {
    if (roll(3) > 0) o[name] = v();
  };
  const o: JsonObject = {};
  const names = (n: number, from = 'abcdef') =>
    Array.from({ length: n }, (_, i) => from[(i + roll(2)) % from.length] as string);
  const port = (i: number) => ({ port: i + roll(2) * 8, ...(roll(2) ? { protocol: roll(2) ? 'UDP' : 'TCP' } : {}) });
  const item = (name: string) => {
    const of: JsonObject = { name };
    maybe(of, 'value', () => ['', 'x', null][roll(3)] as Json);
    maybe(of, 'from', () => [{}, { key: 'k' }, { key: '', optional: false }, null][roll(4)] as Json);
    maybe(of, 'ports', () => Array.from({ length: roll(3) }, (_, i) => port(i)));
    maybe(of, 'args', () => names(roll(3)));
    return of;
  };
  maybe(o, 'size', () => roll(3));
  maybe(o, 'labels', () => Object.fromEntries(names(roll(4)).map((n) => [n, n])));
  maybe(o, 'any', () => [1, 'x', [1, 2], { a: { b: 1 } }, {}, null][roll(6)] as Json);
  maybe(o, 'tags', () => [...new Set(names(roll(4)))]);
  maybe(o, 'items', () => [...new Set(names(roll(4)))].map(item));
  return o;
}

test('paths are the same whatever shapes were seen before', () => {
  const seen = fresh();
  const roll = dice(7);
  let shared = 0;
  const nodes = new Set();
  for (let i = 0; i < 3_000; i++) {
    const v = value(roll);
    const got = everyPath(seen, v);
    const text = JSON.stringify(ordered(everyPath(fresh(), v)));
    assert.equal(printFields(ordered(got)), text, JSON.stringify(v));
    assert.equal(JSON.stringify(ordered(got)), text);
    if (nodes.has(got)) shared++;
    nodes.add(got);
  }
  assert.ok(shared > 100, `${shared} of 3,000 were of a shape seen before`);
});

test('values of one shape have one node, which nobody can change', () => {
  const plan = fresh();
  const v = (size: number, value: string) => ({ size, items: [{ name: 'a', value }], labels: { app: value } });
  const first = everyPath(plan, v(1, 'x'));
  assert.equal(everyPath(plan, v(2, 'y')), first);
  assert.notEqual(everyPath(plan, v(0, 'y')), first, 'a zero counts as absent');
  assert.ok(Object.isFrozen(first) && Object.isFrozen(first['f:items']));
});

test('wide values and many shapes are told right, though not kept', () => {
  const plan = fresh();
  const wide = { items: Array.from({ length: 200 }, (_, i) => ({ name: `n${i}` })) };
  assert.equal(Object.keys(everyPath(plan, wide)['f:items'] as JsonObject).length, 201);
  for (let i = 0; i < 5_000; i++) {
    const set = everyPath(plan, { labels: { [`l${i}`]: 'x', [`m${i}`]: 'x' } });
    assert.deepEqual(Object.keys(set['f:labels'] as JsonObject), ['.', `f:l${i}`, `f:m${i}`]);
  }
});

test('items without their key are refused as ever', () => {
  assert.throws(
    () => everyPath(fresh(), { items: [{ name: 'a' }, null] }),
    /element 1: associative list with keys may not have a null element/,
  );
});
