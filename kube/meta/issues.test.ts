import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as issues from './issues.ts';

test('an issue reads as upstream prints it', () => {
  const cases: [issue: Parameters<typeof issues.issueText>[0], text: string][] = [
    [issues.required('spec.a'), 'spec.a: Required value'],
    [issues.required('spec.a', 'must be set'), 'spec.a: Required value: must be set'],
    [issues.invalid('a', 'x"y', 'no'), 'a: Invalid value: "x\\"y": no'],
    [issues.invalid('a', 5, 'no'), 'a: Invalid value: 5: no'],
    [issues.invalid('a', 9223372036854775807n, 'no'), 'a: Invalid value: 9223372036854775807: no'],
    [issues.invalid('a', ['<', true], 'no'), 'a: Invalid value: ["\\u003c",true]: no'],
    [issues.notSupported('a', 'x', ['b', 'c']), 'a: Unsupported value: "x": supported values: "b", "c"'],
    [issues.forbidden('a', 'may not'), 'a: Forbidden: may not'],
    [issues.duplicate('a[1]', 'x'), 'a[1]: Duplicate value: "x"'],
    [issues.tooLong('a', 1), 'a: Too long: may not be more than 1 byte'],
    [issues.tooMany('a', 3, 2), 'a: Too many: 3: must have at most 2 items'],
    [issues.notFound('a', 'x'), 'a: Not found: "x"'],
  ];
  for (const [issue, text] of cases) assert.equal(issues.issueText(issue), text);
});

test('several issues print in brackets, each text once', () => {
  const a = issues.required('a');
  assert.equal(issues.issuesText([a]), 'a: Required value');
  assert.equal(issues.issuesText([a, a]), 'a: Required value');
  assert.equal(issues.issuesText([a, issues.required('b')]), '[a: Required value, b: Required value]');
});

test('paths are built from names, indexes and keys', () => {
  assert.equal(issues.key(issues.child(issues.index(issues.child('', 'spec'), 0), 'm'), 'k'), 'spec[0].m[k]');
});

test('text is quoted as Go quotes it', () => {
  assert.equal(issues.quote('\x00\n\u200b é😀'), '"\\x00\\n\\u200b é😀"');
});
