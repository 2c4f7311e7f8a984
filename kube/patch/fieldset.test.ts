import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { excludeFields, includeFields } from './field-filter.ts';
import {
  decodeFields,
  difference,
  eachPath,
  equalSets,
  type FieldSet,
  hasPath,
  intersection,
  ordered,
  recursiveDifference,
  setOf,
  setOfFields,
  union,
} from './fieldset.ts';
import { canonicalElement, compareElements, printPath } from './path-element.ts';

/** A set from dotted paths of fields. */
const set = (...paths: string[]): FieldSet => setOfFields(paths.map((p) => p.split('.')));
const text = (s: FieldSet) => JSON.stringify(ordered(s));

describe('set operations', () => {
  const cases: [string, FieldSet, FieldSet][] = [
    ['union keeps members on both levels', union(set('a', 'b.c'), set('a.x', 'b')), set('a', 'a.x', 'b', 'b.c')],
    ['union with the empty set', union(set(), set('a')), set('a')],
    ['difference takes a member and leaves what is below', difference(set('a', 'a.b'), set('a')), set('a.b')],
    ['difference leaves a member whose children go', difference(set('a', 'a.b'), set('a.b')), set('a')],
    ['difference drops what became empty', difference(set('a.b.c'), set('a.b.c')), set()],
    ['recursive difference takes all below', recursiveDifference(set('a', 'a.b', 'c.d'), set('a', 'c.e')), set('c.d')],
    [
      'recursive difference goes into what is no member',
      recursiveDifference(set('a.b', 'a.c'), set('a.b')),
      set('a.c'),
    ],
    ['intersection keeps what both have', intersection(set('a', 'a.b', 'c'), set('a', 'a.x', 'd')), set('a')],
    ['intersection goes below members of one side', intersection(set('a', 'a.b'), set('a.b')), set('a.b')],
  ];
  for (const [name, got, want] of cases) {
    test(name, () => {
      assert.equal(text(got), text(want));
      assert.ok(equalSets(got, want));
    });
  }
  test('sets that differ only in membership are different', () => {
    assert.ok(!equalSets(set('a.b'), set('a', 'a.b')));
    assert.ok(!equalSets(set('a'), set('a.b')));
    assert.ok(!equalSets(set('a', 'b'), set('a')));
  });
  test('inputs are left alone', () => {
    const a = set('a', 'b.c');
    const before = text(a);
    union(a, set('b', 'd'));
    difference(a, set('a'));
    assert.equal(text(a), before);
  });
  test('a path is in the set only as a member', () => {
    const s = set('a.b', 'c');
    assert.ok(hasPath(s, ['f:a', 'f:b']) && hasPath(s, ['f:c']));
    assert.ok(!hasPath(s, ['f:a']) && !hasPath(s, ['f:x']) && !hasPath(s, []));
  });
});

describe('order', () => {
  test('fields, keys, values, indices; numbers by value', () => {
    const elements = [
      'i:10',
      'v:"a"',
      'k:{"port":443}',
      'f:b',
      'v:10',
      'k:{"port":80}',
      'i:9',
      'v:9',
      'f:a',
      'v:true',
      'v:"B"',
    ];
    assert.deepEqual(elements.sort(compareElements), [
      'f:a',
      'f:b',
      'k:{"port":80}',
      'k:{"port":443}',
      'v:9',
      'v:10',
      'v:"B"',
      'v:"a"',
      'v:true',
      'i:9',
      'i:10',
    ]);
  });
  test('keys of several fields by each in turn', () => {
    const [first, second] = ['k:{"port":80,"protocol":"TCP"}', 'k:{"port":80,"protocol":"UDP"}'];
    assert.ok(compareElements(first as string, second as string) < 0);
    assert.ok(compareElements('k:{"name":"a"}', 'k:{"name":"a","x":1}') < 0);
  });
  test('members come before what is below', () => {
    const seen: string[] = [];
    eachPath(set('b', 'a.c', 'a'), (p) => seen.push(printPath(p)));
    assert.deepEqual(seen, ['.a', '.b', '.a.c']);
  });
});

describe('FieldsV1 from outside', () => {
  const cases: [string, unknown, string][] = [
    ['the same when canonical', { 'f:a': { '.': {}, 'f:b': {} } }, '{"f:a":{".":{},"f:b":{}}}'],
    ['is sorted', { 'f:b': {}, 'f:a': { 'f:c': {}, '.': {} } }, '{"f:a":{".":{},"f:c":{}},"f:b":{}}'],
    [
      'spells elements in one way',
      { 'k:{ "b":1, "a":"x" }': {}, 'v: "y"': {} },
      '{"k:{\\"a\\":\\"x\\",\\"b\\":1}":{},"v:\\"y\\"":{}}',
    ],
    [
      'joins elements that are the same',
      { 'v:1': { 'f:a': {} }, 'v: 1': { 'f:b': {} } },
      '{"v:1":{"f:a":{},"f:b":{}}}',
    ],
    ['drops unknown kinds', { 'x:a': {}, 'f:a': { 'x:b': {} } }, '{"f:a":{}}'],
    ['takes null for a leaf', { 'f:a': null }, '{"f:a":{}}'],
    ['a member without children is a leaf', { 'f:a': { '.': {} } }, '{"f:a":{}}'],
    ['nothing is the empty set', undefined, '{}'],
  ];
  for (const [name, fields, want] of cases) {
    test(name, () => assert.equal(JSON.stringify(ordered(decodeFields(fields as FieldSet))), want));
  }
  for (const bad of ['', 'f', 'fa', 'k:{', 'v:', 'i:x', 'k:3']) {
    test(`refuses the element ${JSON.stringify(bad)}`, () => {
      assert.throws(() => decodeFields({ [bad]: {} }), SyntaxError);
    });
  }
  test('refuses what is no object', () => {
    assert.throws(() => decodeFields({ 'f:a': 3 }), SyntaxError);
  });
  test('unknown kinds of elements are no error', () => assert.equal(canonicalElement('x:{'), null));
});

test('paths print as upstream prints them', () => {
  const path = ['f:spec', 'f:ports', 'k:{"name":"a\\"","port":80}', 'v:"x"', 'v:1.5', 'v:true', 'i:3', 'f:a.b/c'];
  assert.equal(printPath(path), '.spec.ports[name="a\\"",port=80][="x"][=1.5][=true][3].a.b/c');
});

describe('filters of what a write may own', () => {
  test('excluded fields go with all below them', () => {
    assert.equal(
      text(excludeFields([['status'], ['spec', 'a']])(set('status.x', 'status', 'spec.a.b', 'spec.c'))),
      text(set('spec.c')),
    );
  });
  test('included patterns keep what is below and the way to it', () => {
    const resize = includeFields([
      ['spec', 'containers', '*', 'resources'],
      ['spec', 'containers', '*', 'resizePolicy'],
    ]);
    const c = 'k:{"name":"c"}';
    const whole = setOf([
      ['f:spec', 'f:containers', c],
      ['f:spec', 'f:containers', c, 'f:image'],
      ['f:spec', 'f:containers', c, 'f:resources', 'f:limits'],
      ['f:spec', 'f:paused'],
      ['f:metadata', 'f:labels'],
    ]);
    const kept = setOf([
      ['f:spec', 'f:containers', c],
      ['f:spec', 'f:containers', c, 'f:resources', 'f:limits'],
    ]);
    assert.equal(text(resize(whole)), text(kept));
    assert.equal(text(resize(set('metadata.labels'))), '{}');
  });
});
