import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../meta/json.ts';
import { parseJson } from './json.ts';
import { parseYaml, printYaml, YamlError } from './yaml.ts';

interface Case {
  yaml: string;
  /** What YAMLToJSON gives, key order aside. */
  json?: string;
  /** What YAMLToJSONStrict says beyond it. */
  strict?: string;
  error?: string;
}

// Recorded from sigs.k8s.io/yaml v1.6.0.
const CASES: readonly Case[] = [
  {
    yaml: 'a: 1\na: 2\nb:\n  c: 1\n  c: 2\n',
    json: '{"a":2,"b":{"c":2}}',
    strict: 'yaml: unmarshal errors:\n  line 2: key "a" already set in map\n  line 5: key "c" already set in map',
  },
  {
    yaml: 'a: yes\nb: on\nc: 0o17\nd: 017\ne: 0x1f\nf: 1_000\ng: 12345678901234567890\nh: 9007199254740993\ni: ~\nj: y\nk: 1.5\n',
    json: '{"a":true,"b":true,"c":15,"d":15,"e":31,"f":1000,"g":12345678901234567890,"h":9007199254740993,"i":null,"j":true,"k":1.5}',
  },
  { yaml: '1: a\ntrue: b\n1.5: d\n', json: '{"1":"a","1.5":"d","true":"b"}' },
  {
    yaml: 'a: 2001-01-01\nb: 2001-01-01T00:00:00Z\nc: !!binary aGVsbG8=\nd: 1e3\nf: 1:30\ng: -9223372036854775808\nh: 0b11\ni: 190:20:30\nj: 12e03\nk: +1\nl: .5\nm: 5.\nn: 0.\np: 00\nq: 08\nr: 1__0\ns: 0x_1\n',
    json: '{"a":"2001-01-01","b":"2001-01-01T00:00:00Z","c":"hello","d":1000,"f":"1:30","false":0,"g":-9223372036854775808,"h":3,"i":"190:20:30","j":12000,"k":1,"l":0.5,"m":5,"p":0,"q":8,"r":10,"s":1}',
  },
  {
    yaml: 'y: 1\nn: 2\nYES: 3\non: 4\n0x10: 5\n1e2: 6\n2001-01-01: 7\n~a: 8\n',
    json: '{"100":6,"16":5,"2001-01-01":7,"false":2,"true":4,"~a":8}',
    strict: 'yaml: unmarshal errors:\n  line 3: key true already set in map\n  line 4: key true already set in map',
  },
  {
    yaml: 'a: 2001-1-1\nb: 2001-01-01 10:00:00\nc: 2001-12-14t21:59:43.10-05:00\nd: 2001-02-30\n',
    json: '{"a":"2001-1-1","b":"2001-01-01 10:00:00","c":"2001-12-14t21:59:43.10-05:00","d":"2001-02-30"}',
  },
  {
    yaml: 'a: !!str 1\nb: !!int "3"\nc: !!float 1\nd: !!bool "yes"\ne: !!null ""\nf: !!str\n',
    json: '{"a":"1","b":3,"c":1,"d":true,"e":null,"f":""}',
  },
  { yaml: 'a: !!int x\n', error: 'yaml: cannot decode !!str `x` as a !!int' },
  { yaml: 'a: !!set {x}\n', json: '{"a":{"x":null}}' },
  { yaml: '- 1\n- a\n', json: '[1,"a"]' },
  {
    yaml: 'a: {b: 1, b: 2}\n',
    json: '{"a":{"b":2}}',
    strict: 'yaml: unmarshal errors:\n  line 1: key "b" already set in map',
  },
  {
    yaml: 'a: Null\nb: NULL\nc: nULL\nd: True\ne: tRUE\nf: Off\ng: No\nh: N\ni: Y\n',
    json: '{"a":null,"b":null,"c":"nULL","d":true,"e":"tRUE","f":false,"g":false,"h":false,"i":true}',
  },
  {
    yaml: 'x: &a {p: 1, q: 2}\ny:\n  <<: *a\n  q: 3\nz:\n  <<: [*a, {r: 5, p: 9}]\nw:\n  q: 7\n  <<: *a\n',
    json: '{"true":{"p":1,"q":3},"w":{"p":1,"q":2},"x":{"p":1,"q":2},"z":{"p":1,"q":2,"r":5}}',
    strict:
      'yaml: unmarshal errors:\n  line 4: key "q" already set in map\n  line 1: key "p" already set in map\n  line 1: key "q" already set in map',
  },
  { yaml: '<<: 1\n', error: 'yaml: map merge requires map or sequence of maps as the value' },
  { yaml: 'a:   # c\n  b\n', json: '{"a":"b"}' },
  { yaml: '\ufeffa: 1\n', json: '{"a":1}' },
  { yaml: 'a: "\\x41\\u00e9\\U0001F600\\e"\n', json: '{"a":"A\u00e9\ud83d\ude00\\u001b"}' },
  { yaml: 'a: >-\n  x\n  y\n\n  z\n', json: '{"a":"x y\\nz"}' },
  { yaml: 'a: !!timestamp 2001-01-01\n', json: '{"a":"2001-01-01"}' },
  { yaml: 'a: 1\r\nb: 2\r\n', json: '{"a":1,"b":2}' },
  { yaml: '? a\n', json: '{"a":null}' },
  { yaml: 'a: [1, 2,]\n', json: '{"a":[1,2]}' },
  { yaml: '---\n', json: 'null' },
  { yaml: '--- 1\n--- 2\n', json: '1' },
  {
    yaml: 'a: 1 # c\nb: x#y\nc: http://x:8080/y\nd: - 1\n',
    error: 'yaml: line 4: block sequence entries are not allowed in this context',
  },
  { yaml: 'a: 1\n b: 2\n', error: 'yaml: line 2: mapping values are not allowed in this context' },
  { yaml: 'a:\n- 1\n-2\n', error: "yaml: line 4: could not find expected ':'" },
  { yaml: "a: 'it''s'\n", json: '{"a":"it\'s"}' },
  { yaml: 'a: b\n c\n', json: '{"a":"b c"}' },
  { yaml: 'a: 1e400\n', json: '{"a":"1e400"}' },
  { yaml: 'a: .inf\n', error: 'json: unsupported value: +Inf' },
  { yaml: 'null: 1\n', error: 'unsupported map key of type: %!s(<nil>), key: <nil>, value: 1' },
  { yaml: 'a: *x\n', error: "yaml: unknown anchor 'x' referenced" },
  { yaml: 'a: 1.0e+3\n', json: '{"a":1000}' },
  { yaml: 'a: !!binary "@@"\n', error: 'yaml: !!binary value contains invalid base64 data' },
  { yaml: 'a: |+\n  x\n\n', json: '{"a":"x\\n\\n"}' },
  { yaml: '---\na: 1\n---\nb: [\n', json: '{"a":1}' },
  { yaml: 'a: 1\n---\nb: 2\n', json: '{"a":1}' },
  { yaml: 'a: @b\n', error: 'yaml: found character that cannot start any token' },
  { yaml: 'a: `b`\n', error: 'yaml: found character that cannot start any token' },
  { yaml: '\t a: 1', error: 'yaml: found character that cannot start any token' },
  { yaml: 'a: b: c', error: 'yaml: mapping values are not allowed in this context' },
  { yaml: "a: 'x\n", error: 'yaml: line 2: found unexpected end of stream' },
  { yaml: 'a: "\\q"', error: 'yaml: found unknown escape character' },
  { yaml: 'a:\n\t- b', error: 'yaml: line 2: found character that cannot start any token' },
  { yaml: '%FOO\n---\na: 1\n', error: 'yaml: found unknown directive name' },
  { yaml: 'a: !foo 1\n', json: '{"a":"1"}' },
  { yaml: 'a: &a [*a]\n', error: "yaml: anchor 'a' value contains itself" },
  { yaml: 'a: |\n  x\n y\n', error: 'yaml: line 2: did not find expected key' },
  { yaml: 'a: 1\n...\nb: 2\n', json: '{"a":1}' },
  { yaml: 'a: \u0001', error: 'yaml: control characters are not allowed' },
  { yaml: '', json: 'null' },
  { yaml: '# only\n', json: 'null' },
  { yaml: 'just text', json: '"just text"' },
  { yaml: 'a: 1\n  b: 2\nc: 3\n', error: 'yaml: line 2: mapping values are not allowed in this context' },
  { yaml: 'a:\n  b: 1\n c: 2\n', error: 'yaml: line 2: did not find expected key' },
  { yaml: 'a: [1, 2\nb: 3\n', error: "yaml: line 1: did not find expected ',' or ']'" },
  { yaml: 'a: {x: 1\nb: 2\n', error: "yaml: line 1: did not find expected ',' or '}'" },
  { yaml: 'key: value\nkey2\n', error: "yaml: line 3: could not find expected ':'" },
  { yaml: 'a: !<tag:yaml.org,2002:str> 1\n', json: '{"a":"1"}' },
  { yaml: '!!map {a: 1}\n', json: '{"a":1}' },
  { yaml: '- - 1\n  - 2\n- {x: [a, b]}\n', json: '[[1,2],{"x":["a","b"]}]' },
  { yaml: 'a: -\n', error: 'yaml: block sequence entries are not allowed in this context' },
  { yaml: 'a: &b\n', json: '{"a":null}' },
  { yaml: '*a : 1\n', error: "yaml: unknown anchor 'a' referenced" },
  {
    yaml: 'a: 1\nb: 2\na: 3\n',
    json: '{"a":3,"b":2}',
    strict: 'yaml: unmarshal errors:\n  line 3: key "a" already set in map',
  },
  {
    yaml: 'spec:\n  x: 1\n  y: 2\n  x: 3\n',
    json: '{"spec":{"true":2,"x":3}}',
    strict: 'yaml: unmarshal errors:\n  line 4: key "x" already set in map',
  },
  { yaml: 'a: "x\n  y"\n', json: '{"a":"x y"}' },
  { yaml: "a: 'b' c\n", error: 'yaml: did not find expected key' },
  { yaml: 'a: "b" c\n', error: 'yaml: did not find expected key' },
  { yaml: 'a: b\n- c\n', error: 'yaml: line 1: did not find expected key' },
  {
    yaml: '"a": 1\n\'a\': 2\na: 3\n',
    json: '{"a":3}',
    strict: 'yaml: unmarshal errors:\n  line 2: key "a" already set in map\n  line 3: key "a" already set in map',
  },
  { yaml: '1: a\n1.0: b\n"1": c\n', json: '{"1":"c"}' },
  { yaml: 'a: \'\'\nb: ""\nc:\n', json: '{"a":"","b":"","c":null}' },
  { yaml: 'a: [a b, c: d, {e}]\n', json: '{"a":["a b",{"c":"d"},{"e":null}]}' },
];

test('YAML is read as sigs.k8s.io/yaml reads it, errors included', () => {
  for (const { yaml, json, strict, error } of CASES) {
    const name = JSON.stringify(yaml);
    if (error !== undefined) {
      assert.throws(
        () => parseYaml(yaml),
        (e) => e instanceof YamlError && e.message === error,
        `${name}: ${error}`,
      );
      continue;
    }
    const body = parseYaml(yaml);
    assert.deepEqual(body.value, parseJson(json ?? ''), name);
    assert.equal(body.duplicates, strict ?? '', name);
  }
});

test('an int64 survives YAML both ways', () => {
  assert.deepEqual(parseYaml('a: 9223372036854775807\n').value, { a: 9223372036854775807n });
  assert.equal(printYaml({ a: -9223372036854775808n }), 'a: -9223372036854775808\n');
  assert.deepEqual(parseYaml('{"a": 9223372036854775807}').value, { a: 9223372036854775807n });
});

test('a JSON body under the YAML type says where a key came twice', () => {
  assert.deepEqual(parseYaml('{"a": 1,\n "a": 2}'), {
    value: { a: 2 },
    duplicates: 'yaml: unmarshal errors:\n  line 2: key "a" already set in map',
  });
});

test('documents that expand or nest without measure are refused', () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) =>
      `l${i}: &l${i} [${Array(9)
        .fill(i === 0 ? 'x' : `*l${i - 1}`)
        .join(', ')}]`,
  );
  assert.throws(() => parseYaml(`${levels.join('\n')}\n`), { message: 'yaml: document contains excessive aliasing' });
  assert.throws(() => parseYaml('a: '.concat('['.repeat(20000), ']'.repeat(20000))), YamlError);
  assert.throws(() => parseYaml('a: &a {b: *a}\n'), { message: "yaml: anchor 'a' value contains itself" });
  assert.throws(() => parseYaml('a: &a\n  <<: *a\n'), YamlError);
});

// Recorded from sigs.k8s.io/yaml JSONToYAML; value and what follows `k: `.
const TEXTS: [string, string][] = [
  ['x', 'x'],
  ['', '""'],
  ['true', '"true"'],
  ['yes', '"yes"'],
  ['y', '"y"'],
  ['on', '"on"'],
  ['null', '"null"'],
  ['~', '"~"'],
  ['123', '"123"'],
  ['0x1', '"0x1"'],
  ['0o17', '"0o17"'],
  ['017', '"017"'],
  ['1_000', '"1_000"'],
  ['+1', '"+1"'],
  ['.5', '".5"'],
  ['1e3', '"1e3"'],
  ['.inf', '".inf"'],
  ['1:30', '"1:30"'],
  ['2001-01-01', '"2001-01-01"'],
  ['2001-01-01T00:00:00Z', '"2001-01-01T00:00:00Z"'],
  [' x', "' x'"],
  ['a ', "'a '"],
  ['a: b', "'a: b'"],
  ['a:', "'a:'"],
  [':', "':'"],
  ['#x', "'#x'"],
  ['x #y', "'x #y'"],
  ['a#b', 'a#b'],
  ['- a', "'- a'"],
  ['-', "'-'"],
  ['*a', "'*a'"],
  ['&a', "'&a'"],
  ['!a', "'!a'"],
  ['@a', "'@a'"],
  ['%a', "'%a'"],
  ['`a', "'`a'"],
  ['|', "'|'"],
  ['>', "'>'"],
  ['{a', "'{a'"],
  ['[a', "'[a'"],
  ['a]', 'a]'],
  [',a', "',a'"],
  ['a,b', 'a,b'],
  ['---', "'---'"],
  ['=', '='],
  ['<<', '<<'],
  ["a'b", "a'b"],
  ['a"b', 'a"b'],
  ['é', 'é'],
  ['😀', '"\\U0001F600"'],
  ['a\tb', '"a\\tb"'],
  ['\u0001', '"\\x01"'],
  ['a\nb', '|-\n  a\n  b'],
  ['a\n', '|\n  a'],
  ['a\nb\n\n', '|+\n  a\n  b\n'],
  ['  a\nb', '|2-\n    a\n  b'],
];

test('texts are quoted only where they must be, in the style of go-yaml', () => {
  for (const [value, want] of TEXTS) {
    assert.equal(printYaml({ k: value }), `k: ${want}\n`, JSON.stringify(value));
    assert.deepEqual(parseYaml(printYaml({ k: value, l: [value, { m: value }] })).value, {
      k: value,
      l: [value, { m: value }],
    });
  }
});

// Recorded as well.
const DOCUMENTS: [string, string][] = [
  ['[]', '[]\n'],
  ['{}', '{}\n'],
  ['null', 'null\n'],
  ['"x"', 'x\n'],
  ['[[1,2],[{"a":1}]]', '- - 1\n  - 2\n- - a: 1\n'],
  ['{"10":1,"9":2,"a10":1,"a9":2}', '"9": 2\n"10": 1\na9: 2\na10: 1\n'],
  [
    '{"y":1,"n":{"b":[],"a":[1,null,{"c":true,"d":{}}]}}',
    '"n":\n  a:\n  - 1\n  - null\n  - c: true\n    d: {}\n  b: []\n"y": 1\n',
  ],
  ['{"D":1e21,"N":100000,"O":1000000,"Q":1e-7,"f":1.5}', 'D: 1e+21\n"N": 100000\nO: 1000000\nQ: 1e-07\nf: 1.5\n'],
];

test('documents have the layout of go-yaml', () => {
  for (const [json, want] of DOCUMENTS) assert.equal(printYaml(parseJson(json)), want, json);
  const long = 'long line '.repeat(10);
  const folded = 'long line long line long line long line long line long line long line long line';
  assert.equal(printYaml({ B: `${long}end` }), `B: ${folded}\n  long line long line end\n`);
});

test('what is printed is read back, whatever the text', () => {
  const parts = ['a', ' ', '\n', ':', '#', '-', "'", '"', '\\', '\t', 'é', '😀', '1', '{', 'x'.repeat(45)];
  let seed = 5;
  const pick = () => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return parts[(seed >> 8) % parts.length] as string;
  };
  for (let i = 0; i < 2000; i++) {
    const s = Array.from({ length: i % 9 }, pick).join('');
    const value: Json = { [`k${i % 3 === 0 ? s : ''}`]: [s, { a: s, b: [[s]] }], z: 1 };
    assert.deepEqual(parseYaml(printYaml(value)).value, value, JSON.stringify(s));
  }
});
