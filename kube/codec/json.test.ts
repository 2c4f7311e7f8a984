import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../meta/json.ts';
import { JsonError, parseJson, printJson, printPretty, textOf, typeMetaOf } from './json.ts';
import { duplicateFields, SAFE_DEPTH } from './json-duplicates.ts';
import { parseBody } from './json-pieces.ts';
import { DEPTH_MAX } from './json-syntax.ts';

const messageOf = (f: () => unknown): string => {
  try {
    f();
  } catch (e) {
    assert.ok(e instanceof JsonError, String(e));
    return e.message;
  }
  return '';
};

// Recorded from Go 1.26 encoding/json.
const SYNTAX: [string, string][] = [
  ['', 'unexpected end of JSON input'],
  ['{', 'unexpected end of JSON input'],
  ['[1,', 'unexpected end of JSON input'],
  ['{"a":1,', 'unexpected end of JSON input'],
  ['"abc', 'unexpected end of JSON input'],
  ['[1,]', "invalid character ']' looking for beginning of value"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
  ['[1 2]', "invalid character '2' after array element"],
  ['tru', "invalid character ' ' in literal true (expecting 'e')"],
  ['nulx', "invalid character 'x' in literal null (expecting 'l')"],
  ['falsy', "invalid character 'y' in literal false (expecting 'e')"],
  ['"a\nb"', "invalid character '\\n' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12g"', "invalid character 'g' in \\u hexadecimal character escape"],
  ['01', "invalid character '1' after top-level value"],
  ['-', "invalid character ' ' in numeric literal"],
  ['1.x', "invalid character 'x' after decimal point in numeric literal"],
  ['1e', "invalid character ' ' in exponent of numeric literal"],
  ['{} {}', "invalid character '{' after top-level value"],
  ["'a'", "invalid character '\\'' looking for beginning of value"],
  ['\ufeff{}', "invalid character 'ï' looking for beginning of value"],
  ['{"a":é}', "invalid character 'Ã' looking for beginning of value"],
  ['\u0000', "invalid character '\\x00' looking for beginning of value"],
  ['\u00a0', "invalid character 'Â' looking for beginning of value"],
  ['\\', "invalid character '\\\\' looking for beginning of value"],
  ['apiVersion: v1\nkind: x', "invalid character 'a' looking for beginning of value"],
  ['{"a":1]', "invalid character ']' after object key:value pair"],
];

test('a text that is not JSON is refused in the words of Go', () => {
  for (const [text, want] of SYNTAX)
    assert.equal(
      messageOf(() => parseJson(text)),
      want,
      JSON.stringify(text),
    );
});

test('a body that is not JSON is refused as kube-apiserver does', () => {
  assert.equal(
    messageOf(() => parseBody('{')),
    "couldn't get version/kind; json parse error: unexpected end of JSON input",
  );
});

const NUMBERS: [string, Json][] = [
  ['[9007199254740991]', [9007199254740991]],
  ['[9007199254740992]', [9007199254740992n]],
  ['[-9223372036854775808]', [-9223372036854775808n]],
  ['{"a": 9223372036854775807 }', { a: 9223372036854775807n }],
  ['18446744073709551615', 18446744073709551615n],
  ['[1234567890123456789.5]', [Number('1234567890123456789.5')]],
  ['["9223372036854775807"]', ['9223372036854775807']],
  ['[0.12345678901234567]', [Number('0.12345678901234567')]],
  ['[1e30,12345678901234567e3]', [1e30, Number('12345678901234567e3')]],
  ['["x 9223372036854775807 y",1]', ['x 9223372036854775807 y', 1]],
];

test('integers outside 2^53 are bigint and every other number is a number', () => {
  for (const [text, want] of NUMBERS) assert.deepEqual(parseJson(text), want, text);
});

test('a long integer is found wherever it stands in a long text', () => {
  for (let pad = 0; pad < 40; pad++) {
    const text = `["${'1a'.repeat(pad)}",${'7'.repeat(pad % 15)}7,1234567890123456789]`;
    assert.equal((parseJson(text) as Json[])[2], 1234567890123456789n, text);
  }
});

test('what was read is written with the same digits', () => {
  for (const text of [
    '{"a":[9223372036854775807,-9007199254740993],"b":1.5,"__proto__":{"c":1}}',
    '[]',
    '"\\ud83d\\ude00"',
  ]) {
    assert.deepEqual(parseJson(printJson(parseJson(text))), parseJson(text));
  }
  assert.equal(printJson({ a: 9223372036854775807n, b: undefined }), '{"a":9223372036854775807}');
  assert.equal(printPretty({ a: [1n] }), '{\n  "a": [\n    1\n  ]\n}');
});

test('a member named __proto__ is a member', () => {
  const value = parseJson('{"__proto__":{"x":1},"n":9223372036854775807}') as Record<string, Json>;
  assert.deepEqual(Object.keys(value), ['__proto__', 'n']);
});

test('a lone surrogate and bytes that are not UTF-8 become U+FFFD', () => {
  assert.equal(parseJson('"\\ud800x"'), '\ufffdx');
  assert.equal(parseJson('"\\uD83D\\uDE00"'), '😀');
  assert.equal(textOf(Uint8Array.of(34, 0xff, 34)), '"\ufffd"');
  assert.equal(textOf(Uint8Array.of(0xef, 0xbb, 0xbf, 49)), '\ufeff1');
});

test('more than 10000 levels are refused, brackets in strings do not count', () => {
  const deep = (n: number) => '['.repeat(n) + ']'.repeat(n);
  assert.equal(
    messageOf(() => parseJson(deep(DEPTH_MAX + 1))),
    'exceeded max depth',
  );
  assert.equal(
    messageOf(() => parseJson(deep(DEPTH_MAX))),
    '',
  );
  assert.equal(
    messageOf(() => parseJson(`["${'['.repeat(30000)}\\""]`)),
    '',
  );
  assert.equal(
    messageOf(() => parseJson(`${'{"a":['.repeat(DEPTH_MAX)}}`)),
    'exceeded max depth',
  );
});

const STRUCT =
  'Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
const PREFIX = "couldn't get version/kind; json parse error: json: cannot unmarshal";
const TYPE_META: [string, string][] = [
  ['[]', `${PREFIX} array into ${STRUCT}`],
  ['"a"', `${PREFIX} string into ${STRUCT}`],
  ['1', `${PREFIX} number into ${STRUCT}`],
  ['true', `${PREFIX} bool into ${STRUCT}`],
  ['{"apiVersion":1}', `${PREFIX} number into Go struct field .apiVersion of type string`],
  ['{"kind":{}}', `${PREFIX} object into Go struct field .kind of type string`],
  ['{"apiVersion":"a/b/c"}', 'unexpected GroupVersion string: a/b/c'],
  ['{"apiVersion":"apps/v1","kind":null}', ''],
  ['null', ''],
];

test('a body without a usable apiVersion and kind is refused in upstream words', () => {
  for (const [text, want] of TYPE_META)
    assert.equal(
      messageOf(() => typeMetaOf(parseJson(text))),
      want,
      text,
    );
  assert.deepEqual(typeMetaOf(parseJson('{"apiVersion":"apps/v1","kind":"X"}')), { apiVersion: 'apps/v1', kind: 'X' });
});

// Recorded from sigs.k8s.io/json UnmarshalStrict.
const DUPLICATES: [string, string[]][] = [
  ['{"metadata":{"name":"a","labels":{"x":"\\":"}},"args":[":8080"]}', []],
  [
    '{"metadata":{"name":"a","name":"b","x":[[{"a":1,"a":2}]],"annotations":{"a.b/c":"1","a.b/c":"2"}}, "a":1,"a":2}',
    ['metadata.name', 'metadata.x[0][0].a', 'metadata.annotations.a.b/c', 'a'],
  ],
  [
    '{"spec":{"containers":[{"name":"1"},{"name":"a","name":"b","name":"c"}],"containers":[]}}',
    ['spec.containers[1].name', 'spec.containers'],
  ],
  ['{"a" : 1, "a"\n: 2}', ['a']],
  ['{"\\u0061":1,"a":2}', ['a']],
  ['{"k\\\\":1,"k\\\\":2,"v":"\\":"}', ['k\\\\']],
  ['{"v":":x","a":1,"a":1}', ['a']],
];

test('keys that come twice are reported by path, each once', () => {
  for (const [text, want] of DUPLICATES) {
    const expected = want.map((p) => `duplicate field "${p}"`);
    assert.deepEqual(duplicateFields(text, parseJson(text)), expected, text);
    assert.deepEqual(duplicateFields(text), expected, text);
  }
});

test('at most 100 duplicates are reported', () => {
  const text = `{${Array.from({ length: 300 }, (_, i) => `"k${i % 150}":1`).join(',')}}`;
  assert.equal(duplicateFields(text, parseJson(text)).length, 100);
});

test('a value too deep to walk is refused where its keys are counted', () => {
  const text = (n: number) => '{"a":'.repeat(n).concat('1', '}'.repeat(n));
  assert.deepEqual(duplicateFields(text(SAFE_DEPTH), parseJson(text(SAFE_DEPTH))), []);
  assert.equal(
    messageOf(() => duplicateFields(text(9999), parseJson(text(9999)))),
    'exceeded max depth',
  );
});
