import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Json } from '../meta/json.ts';
import type { Type } from '../schema/schema.ts';
import { type FieldSet, ordered, setOf } from './fieldset.ts';
import { planOfStruct, rawPlanOfStruct } from './plan.ts';
import { structOf, widget } from './sample-types.ts';
import { compareSteps, compareTyped } from './typed-compare.ts';
import { fieldSetOf, reconcileSet } from './typed-fieldset.ts';
import { mergeTyped } from './typed-merge.ts';
import { extractItems, removeItems } from './typed-remove.ts';
import { typedProblem } from './typed-validate.ts';

const raw = rawPlanOfStruct(widget);
const text = (s: FieldSet) => JSON.stringify(ordered(s));
const part = (name: string) => ['f:spec', 'f:parts', `k:{"name":"${name}"}`];

describe('items of a set', () => {
  const object: Json = {
    metadata: { name: 'w' },
    spec: {
      size: 1,
      tags: ['x', 'y'],
      steps: ['s'],
      labels: { a: '1', b: '2' },
      parts: [
        { name: 'a', value: '1' },
        { name: 'b', value: '2' },
      ],
    },
  };
  const items = setOf([
    ['f:spec', 'f:tags', 'v:"x"'],
    [...part('a')],
    [...part('b'), 'f:value'],
    ['f:spec', 'f:labels', 'f:a'],
  ]);

  test('are removed, the rest stays', () => {
    assert.deepEqual(removeItems(raw, object, items), {
      metadata: { name: 'w' },
      spec: { size: 1, tags: ['y'], steps: ['s'], labels: { b: '2' }, parts: [{ name: 'b' }] },
    });
  });
  test('are extracted, the rest goes', () => {
    assert.deepEqual(extractItems(raw, object, items), {
      spec: { tags: ['x'], labels: { a: '1' }, parts: [{ name: 'a', value: '1' }, { value: '2' }] },
    });
  });
  test('nothing left is null', () => {
    assert.equal(removeItems(raw, { spec: { size: 1 } }, setOf([['f:spec']])), null);
  });
  test('the object is left alone', () => {
    const copy = structuredClone(object);
    removeItems(raw, object, items);
    mergeTyped(raw, object, { spec: { parts: [{ name: 'a', value: '3' }] } });
    assert.deepEqual(object, copy);
  });
});

describe('a stored set follows a changed type', () => {
  const string: Type = { is: 'string' };
  const inner = structOf('inner', { x: string, y: string });
  const kind = (atomic: boolean) =>
    structOf('Kind', {
      spec: {
        is: 'struct',
        struct: () =>
          structOf('spec', {
            map: { is: 'struct', struct: () => inner, atomic },
            list: { is: 'list', ...(atomic ? {} : { list: 'set' }), items: string },
          }),
      },
    });
  const granular = setOf([
    ['f:spec', 'f:map', 'f:x'],
    ['f:spec', 'f:list', 'v:"a"'],
  ]);
  const whole = setOf([
    ['f:spec', 'f:map'],
    ['f:spec', 'f:list'],
  ]);
  test('what became atomic is owned as a whole', () => {
    assert.equal(text(reconcileSet(planOfStruct(kind(true)), granular)), text(whole));
  });
  test('what stayed is the very same set', () => {
    assert.equal(reconcileSet(planOfStruct(kind(false)), granular), granular);
    assert.equal(reconcileSet(planOfStruct(kind(true)), whole), whole);
  });
});

describe('what differs', () => {
  const cases: [string, Json, Json, { removed?: string[][]; modified?: string[][]; added?: string[][] }][] = [
    ['nothing between equal objects', { spec: { size: 1, tags: ['a'] } }, { spec: { size: 1, tags: ['a'] } }, {}],
    ['a changed scalar', { spec: { size: 1 } }, { spec: { size: 2 } }, { modified: [['f:spec', 'f:size']] }],
    [
      'an atomic list as a whole',
      { spec: { steps: ['a'] } },
      { spec: { steps: ['a', 'b'] } },
      { modified: [['f:spec', 'f:steps']] },
    ],
    [
      'a set by value, in any order',
      { spec: { tags: ['a', 'b'] } },
      { spec: { tags: ['c', 'a'] } },
      { removed: [['f:spec', 'f:tags', 'v:"b"']], added: [['f:spec', 'f:tags', 'v:"c"']] },
    ],
    [
      'an item by its key, in any order',
      { spec: { parts: [{ name: 'a', value: '1' }, { name: 'b' }] } },
      { spec: { parts: [{ name: 'b' }, { name: 'a', value: '2' }] } },
      { modified: [[...part('a'), 'f:value']] },
    ],
    [
      'a new list with itself and its items',
      { spec: { size: 1 } },
      { spec: { size: 1, tags: ['a'] } },
      {
        added: [
          ['f:spec', 'f:tags'],
          ['f:spec', 'f:tags', 'v:"a"'],
        ],
      },
    ],
    [
      'a scalar that became an object',
      { spec: { any: 1 } },
      { spec: { any: { x: 1 } } },
      { modified: [['f:spec', 'f:any']], added: [['f:spec', 'f:any', 'f:x']] },
    ],
    [
      'keys that JavaScript knows too',
      { spec: { labels: {} } },
      { spec: { labels: { constructor: 'x', toString: 'y' } } },
      {
        added: [
          ['f:spec', 'f:labels', 'f:constructor'],
          ['f:spec', 'f:labels', 'f:toString'],
        ],
      },
    ],
  ];
  for (const [name, before, after, want] of cases) {
    test(name, () => {
      const got = compareTyped(planOfStruct(widget), before, after);
      for (const side of ['removed', 'modified', 'added'] as const)
        assert.equal(text(got[side]), text(setOf(want[side] ?? [])), side);
    });
  }
});

test('a map of many keys that comes or goes is compared in steps', () => {
  const keys = Array.from({ length: 3_000 }, (_, i) => `k${(i * 7) % 3_000}`);
  const wide: Json = { spec: { size: 1, labels: Object.fromEntries(keys.map((k) => [k, k])) } };
  const bare: Json = { spec: { size: 1 } };
  const want = setOf([['f:spec', 'f:labels'], ...keys.map((k) => ['f:spec', 'f:labels', `f:${k}`])]);
  for (const [before, after, side] of [
    [bare, wide, 'added'],
    [wide, bare, 'removed'],
  ] as const) {
    const steps = compareSteps(planOfStruct(widget), before, after);
    let step = steps.next();
    let count = 1;
    for (; !step.done; count++) step = steps.next();
    assert.equal(count, 4, side);
    assert.equal(JSON.stringify(step.value[side]), text(want), side);
  }
});

test('the fields of a configuration', () => {
  const got = fieldSetOf(raw, {
    spec: { labels: {}, tags: [], steps: [], size: null, any: { x: [1], y: {} }, parts: [{ name: 'a' }] },
  });
  const want = setOf([
    ['f:spec', 'f:labels'],
    ['f:spec', 'f:steps'],
    ['f:spec', 'f:size'],
    ['f:spec', 'f:any', 'f:x'],
    ['f:spec', 'f:any', 'f:y'],
    part('a'),
    [...part('a'), 'f:name'],
  ]);
  assert.equal(text(got), text(want));
});

test('several problems are listed', () => {
  const problem = typedProblem(raw, { spec: { size: 'x', flag: 1 } });
  assert.equal(
    problem,
    'errors:\n  .spec.size: expected numeric (int or float), got string\n  .spec.flag: expected boolean, got &{1}',
  );
});
