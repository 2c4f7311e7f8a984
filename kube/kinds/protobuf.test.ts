import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinBytes } from '../codec/framing.ts';
import { hexOf } from '../codec/hex.ts';
import { parseJson, printJson } from '../codec/json.ts';
import { encodeItem, encodeObject, transcodeItems, transcodeObject } from '../codec/protobuf.ts';
import type { Json, JsonObject } from '../meta/json.ts';
import { apiVersionOf } from '../meta/object.ts';
import type { Struct, Type } from '../schema/schema.ts';
import { schemas } from '../schema/schemas.ts';
import { kinds } from './index.ts';

// Stored text goes to the bytes that its object has: random objects of every kind, members in any order.

/** Objects of each kind. */
const EACH = 12;
const DEPTH_MAX = 7;
/** Fewer would mean that kinds were lost. */
const KINDS_MIN = 70;

/** Park and Miller's generator: a failure comes again. */
let seed = 20261121;
function random(n: number): number {
  seed = (seed * 48271) % 2147483647;
  return seed % n;
}
const one = <T>(of: readonly T[]): T => of[random(of.length)] as T;

const TEXTS = [
  '',
  'a',
  'abc',
  'abcd',
  'app.kubernetes.io/name',
  'x'.repeat(31),
  'y'.repeat(127),
  'z'.repeat(129),
  'w'.repeat(17_000),
  'quote " and \\ backslash',
  'ends in a backslash \\',
  '\\"',
  'line\nbreak\ttab\u0000\u0001\u001f\u007f',
  '\u2028\u2029\ufeff',
  'é',
  'ü'.repeat(90),
  '漢字かな',
  '\u{1f600}\u{10ffff}',
  '\ud800',
  'a\udc00b',
  '__proto__',
  'constructor',
  '{"not":"json"}',
  '[],:{}',
  '7',
  '2026-11-21T09:15:00Z',
];
const KEYS = ['a', 'b', 'Z', '10', '9', 'é', '\uffee', '\u{1f600}', 'with "quotes"', '__proto__', 'tab\t', 'k/k', ''];
const TIMES = [
  '2026-11-21T09:15:00Z',
  '1969-12-31T23:59:59Z',
  '2024-02-29T00:00:00Z',
  '2026-11-21T09:15:00.123456Z',
  '2026-11-21T09:15:00+02:00',
  '0001-01-01T00:00:00Z',
  '2026-12-31T23:59:59Z',
];
const FORMATS: Record<string, readonly Json[]> = {
  time: TIMES,
  'micro-time': TIMES,
  duration: ['1h30m', '0s', '-1µs', '250ms'],
  quantity: ['100m', '1Gi', '0', '1e3', 5, 1.5],
  'int-or-string': [0, 80, -1, 2147483647, '25%', 'http', 'é"'],
  byte: ['', 'AP8=', 'aGVsbG8=', 'eHg='.replace('eHg=', 'eHh4'.repeat(400))],
};
const INTEGERS: readonly Json[] = [0, 1, -1, 127, 128, 300, 65536, 2147483647, -2147483648];
const LONG: readonly Json[] = [4294967296, 999999999999999, 9007199254740991, -9007199254740991, 9007199254740993n];
const LONGEST: readonly Json[] = [9223372036854775807n, -9223372036854775808n];
const ANY: readonly Json[] = [
  {},
  [],
  'text',
  7,
  false,
  { 'f:metadata': { 'f:labels': { '.': {}, 'k:{"a":"b"}': {} } } },
  { a: [1, 'two', null, { deep: [[[]]] }], b: 'é\n' },
];

function value(t: Type, depth: number): Json {
  switch (t.is) {
    case 'string':
      return t.format === undefined ? one(TEXTS) : one(FORMATS[t.format] ?? TEXTS);
    case 'integer':
      return one(t.bits === 64 ? [...INTEGERS, ...LONG, ...LONGEST] : INTEGERS);
    case 'number':
      return one([0, 1, -1.5, 1e300, 0.1]);
    case 'boolean':
      return random(2) === 0;
    case 'struct':
      return objectOf(t.struct(), depth + 1);
    case 'list': {
      const nullable = t.items.is === 'struct' || (t.items.is === 'string' && t.items.format === undefined);
      return Array.from({ length: random(4) }, () => (nullable && random(9) === 0 ? null : value(t.items, depth + 1)));
    }
    case 'map': {
      const keys = Array.from({ length: random(5) }, () => (random(3) === 0 ? one(KEYS) : `key-${random(50)}`));
      return Object.fromEntries(keys.map((k) => [k, value(t.values, depth + 1)]));
    }
    case 'any':
      return union(t.proto, depth);
  }
}

/** What a field of any JSON may hold: apiextensions' unions only some of it. */
function union(proto: string | undefined, depth: number): Json {
  const schema = depth > DEPTH_MAX ? {} : { type: 'string', items: { enum: ['a'] }, description: one(TEXTS) };
  if (proto === 'JSONSchemaPropsOrBool') return one([true, false, schema]);
  if (proto === 'JSONSchemaPropsOrArray') return one([schema, [schema, {}]]);
  if (proto === 'JSONSchemaPropsOrStringArray') return one([schema, ['a', 'b']]);
  return one(ANY);
}

function objectOf(struct: Struct, depth: number): JsonObject {
  const fields = [...struct.fields.values()].filter((f) => f.number > 0 && !f.inline);
  // Upwards sparser, so that an object ends.
  const wanted = fields.filter(() => random(depth < 2 ? 2 : depth < DEPTH_MAX ? depth + 2 : 60) === 0);
  const members = wanted.map((f): [string, Json] => [f.name, random(20) === 0 ? null : value(f.type, depth)]);
  if (random(3) === 0) members.push([one(['unknown', 'kinds', '']), one(ANY)]);
  for (let i = members.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [members[i], members[j]] = [members[j] as [string, Json], members[i] as [string, Json]];
  }
  return Object.fromEntries(members);
}

const structs = kinds.flatMap((k) =>
  k.served.map((ref) => ({ apiVersion: apiVersionOf(ref), kind: ref.kind, struct: schemas.kind(ref) as Struct })),
);

test('the stored text of an object of any kind goes to the bytes of the object', () => {
  for (const { apiVersion, kind, struct } of structs) {
    const lines: string[] = [];
    const items: Uint8Array[] = [];
    for (let i = 0; i < EACH; i++) {
      const first = seed;
      const text = printJson(objectOf(struct, 0));
      const object = parseJson(text) as JsonObject;
      const want = hexOf(encodeObject(struct, object, apiVersion, kind));
      const found = hexOf(transcodeObject(struct, text, apiVersion, kind));
      assert.equal(found, want, `${apiVersion} ${kind} of seed ${first}: ${text.slice(0, 500)}`);
      lines.push(text);
      items.push(encodeItem(struct, object));
    }
    const pieces = transcodeItems(struct, [new TextEncoder().encode(lines.join('\n'))]);
    assert.equal(hexOf(joinBytes(pieces)), hexOf(joinBytes(items)), `${apiVersion} ${kind} as a list`);
  }
  assert.ok(structs.length >= KINDS_MIN, `${structs.length} kinds`);
});

test('a kind has the same bytes whatever it was asked before', () => {
  // Members are looked for in the order in which they came last time.
  const struct = schemas.kind({ group: '', version: 'v1', kind: 'Pod' }) as Struct;
  const orders = [
    '{"metadata":{"name":"a","namespace":"n","uid":"u"},"spec":{"nodeName":"x","containers":[{"image":"i","name":"c"}]}}',
    '{"spec":{"containers":[{"name":"c","image":"i"}],"nodeName":"x"},"metadata":{"uid":"u","name":"a","namespace":"n"}}',
    '{"spec":{"nodeName":"no","nodeName":"x","containers":[{"name":"c","image":"i"}]},"metadata":{"name":"a","namespace":"n","uid":"u"}}',
  ];
  const results = [0, 1, 2, 0, 2, 1].map((i) => hexOf(transcodeObject(struct, orders[i] ?? '', 'v1', 'Pod')));
  assert.equal(new Set(results).size, 1);
});
