import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as s from './selectors.ts';

const labels = (text: string) => {
  const r = s.parseLabelSelector(text);
  return r.ok ? r.requirements.map((q) => [q.key, q.op, ...q.values].join(' ')) : r.error;
};

test('label selectors read as upstream reads them', () => {
  const cases: [text: string, want: string[] | string][] = [
    ['', []],
    ['a=b', ['a In b']],
    ['b==c,a!=d', ['a NotIn d', 'b In c']],
    ['a in (c, b,b),!x,y', ['a In b c', 'x DoesNotExist', 'y Exists']],
    ['a notin ()', ['a NotIn ']],
    ['a>1,b<2', ['a Gt 1', 'b Lt 2']],
    ['in in (in)', ['in In in']],
    ['a,', "found '', expected: identifier after ','"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    [
      'a>x',
      "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
    [
      '-a=1',
      "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ],
  ];
  for (const [text, want] of cases) assert.deepEqual(labels(text), want, text);
});

test('requirements match labels', () => {
  const cases: [selector: string, labels: Record<string, string>, matches: boolean][] = [
    ['', {}, true],
    ['a=b', { a: 'b' }, true],
    ['a=b', {}, false],
    ['a!=b', {}, true],
    ['a notin (b,c)', { a: 'c' }, false],
    ['!a', { a: '' }, false],
    ['a>9', { a: '10' }, true],
    ['a>9', { a: 'x' }, false],
    ['a>9223372036854775806', { a: '9223372036854775807' }, true],
  ];
  for (const [text, have, want] of cases) {
    const r = s.parseLabelSelector(text);
    assert.equal(r.ok && s.matchesLabels(r.requirements, have), want, text);
  }
});

test('a spec without a selector selects nothing, an empty one everything', () => {
  assert.equal(s.selects(undefined, { a: 'b' }), false);
  assert.equal(s.selects({}, { a: 'b' }), true);
  assert.equal(
    s.selects({ matchLabels: { a: 'b' }, matchExpressions: [{ key: 'c', operator: 'Exists' }] }, { a: 'b' }),
    false,
  );
  assert.equal(
    s.printSelector({ matchLabels: { b: '1' }, matchExpressions: [{ key: 'a', operator: 'In', values: ['y', 'x'] }] }),
    'a in (x,y),b=1',
  );
});

test('field selectors read, unescape and match', () => {
  const r = s.parseFieldSelector('metadata.name=a\\,b,spec.nodeName!=');
  assert.deepEqual(r, {
    ok: true,
    requirements: [
      { field: 'metadata.name', op: '=', value: 'a,b' },
      { field: 'spec.nodeName', op: '!=', value: '' },
    ],
  });
  assert.ok(r.ok && s.matchesFields(r.requirements, { 'metadata.name': 'a,b', 'spec.nodeName': 'n' }));
  assert.ok(r.ok && !s.matchesFields(r.requirements, { 'metadata.name': 'a,b' }));
  assert.deepEqual(s.parseFieldSelector('a'), { ok: false, error: "invalid selector: 'a'; can't understand 'a'" });
  assert.deepEqual(s.parseFieldSelector('a=b=c'), {
    ok: false,
    error: 'invalid field selector: unescaped character in value: 61',
  });
});
