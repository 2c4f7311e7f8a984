import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, JsonObject } from '../meta/json.ts';
import type { Field, Struct, Type } from '../schema/schema.ts';
import { schemas } from '../schema/schemas.ts';
import { bytesOfBase64 } from './base64.ts';
import { joinBytes } from './framing.ts';
import { vectors, watchEvent } from './generated/vectors.ts';
import { hexOf } from './hex.ts';
import { parseJson, printJson, printPretty } from './json.ts';
import {
  decodeEnvelope,
  decodeProto,
  decodeWatchEvent,
  encodeEnvelope,
  encodeItem,
  encodeObject,
  encodeProto,
  encodeWatchEvent,
  hasMagic,
  listEnvelope,
  NESTING_MAX,
  ProtoError,
  transcodeItems,
  transcodeObject,
  transcodeProto,
} from './protobuf.ts';

function bytes(base64: string): Uint8Array {
  const b = bytesOfBase64(base64);
  assert.ok(typeof b !== 'number');
  return b;
}
const unhex = (s: string) => Uint8Array.from(s.match(/../g) ?? [], (x) => Number.parseInt(x, 16));

/** A struct of numbered fields, for shapes that no built-in kind has. */
function struct(...fields: (Partial<Field> & { name: string; type: Type })[]): Struct {
  const all = fields.map((f, i) => ({ number: i + 1, ...f }));
  return {
    name: 'test.Thing',
    fields: new Map(all.map((f) => [f.name, f])),
    numbers: new Map(all.map((f) => [f.number, f])),
  };
}

function structOf(o: JsonObject): Struct {
  const [group, version] = String(o.apiVersion).includes('/')
    ? String(o.apiVersion).split('/')
    : ['', String(o.apiVersion)];
  const s = schemas.kind({ group: group ?? '', version: version ?? '', kind: String(o.kind) });
  assert.ok(s, `${o.apiVersion} ${o.kind}`);
  return s;
}

/** A decoded value as Go prints it: nulls, and zero scalars that JSON omits, are left out. */
function asPrinted(v: Json | undefined, want: Json | undefined): Json | undefined {
  if (Array.isArray(v)) return v.map((x, i) => asPrinted(x, Array.isArray(want) ? want[i] : undefined) ?? null);
  if (typeof v !== 'object' || v === null) return v;
  const w = (typeof want === 'object' && want !== null && !Array.isArray(want) ? want : {}) as JsonObject;
  const members: [string, Json | undefined][] = [];
  for (const [k, x] of Object.entries(v)) {
    const unset = w[k] === undefined && (x === '' || x === 0 || x === false);
    if (!unset && x !== null) members.push([k, asPrinted(x, w[k])]);
  }
  return Object.fromEntries(members);
}

test('objects are written as the bytes of Kubernetes, and read back', () => {
  for (const v of vectors) {
    const o = parseJson(v.json) as JsonObject;
    const want = bytes(v.proto);
    assert.equal(hexOf(encodeObject(structOf(o), o)), hexOf(want), v.name);
    const e = decodeEnvelope(want);
    assert.deepEqual([e.apiVersion, e.kind], [o.apiVersion, o.kind]);
    const read: JsonObject = { apiVersion: e.apiVersion, kind: e.kind, ...decodeProto(structOf(o), e.raw) };
    assert.deepEqual(asPrinted(read, o), asPrinted(o, o), v.name);
    assert.equal(hexOf(encodeObject(structOf(o), read)), hexOf(want), v.name);
  }
});

test('a list made in pieces has the bytes of the whole', () => {
  const list = parseJson(vectors.find((v) => v.name === 'a PodList')?.json ?? '') as JsonObject;
  const podStruct = structOf({ apiVersion: 'v1', kind: 'Pod' });
  const whole = (items: Json[]) => hexOf(encodeObject(structOf(list), { ...list, items }));
  const between = (items: Uint8Array[]) => {
    const size = items.reduce((n, p) => n + p.length, 0);
    const [head, tail] = listEnvelope(structOf(list), list, size);
    return hexOf(joinBytes([head, ...items, tail]));
  };
  const items = list.items as JsonObject[];
  assert.equal(between(items.map((i) => encodeItem(podStruct, i))), whole(items));
  // Lines longer and shorter than a piece, cut into parts anywhere.
  const long = { metadata: { name: 'long', annotations: { a: 'é'.repeat(150_000) } } };
  const many = [
    ...Array.from({ length: 300 }, (_, i) => items[i % items.length] as JsonObject),
    long,
    ...items,
    long,
    long,
  ];
  const text = new TextEncoder().encode(many.map((i) => printJson(i)).join('\n'));
  for (const step of [text.length, 35, 100_000, 131_072, 200_001]) {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < text.length; at += step) parts.push(text.slice(at, at + step));
    assert.equal(between(transcodeItems(podStruct, parts)), whole(many), `parts of ${step}`);
  }
  assert.deepEqual(transcodeItems(podStruct, []), []);
});

test('a watch event holds an enveloped object and has no envelope of its own', () => {
  const want = bytes(watchEvent);
  const object = bytes(vectors.find((v) => v.name === 'a Service')?.proto ?? '');
  assert.equal(hexOf(encodeWatchEvent('ADDED', object)), hexOf(want));
  const event = decodeWatchEvent(want);
  assert.equal(event.type, 'ADDED');
  assert.equal(hexOf(event.object), hexOf(object));
});

test('an envelope is opened and closed', () => {
  const raw = Uint8Array.of(10, 1, 97);
  const b = encodeEnvelope('apps/v1', 'Deployment', raw);
  assert.ok(hasMagic(b));
  assert.equal(hexOf(b), `6b387300${'0a150a07617070732f7631120a4465706c6f796d656e74'}12030a01611a002200`);
  assert.deepEqual(decodeEnvelope(b), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    raw,
    contentEncoding: '',
    contentType: '',
  });
});

const int64: Type = { is: 'integer', bits: 64 };
const int32: Type = { is: 'integer', bits: 32 };
const string: Type = { is: 'string' };
const one = (type: Type, more: Partial<Field> = {}): Struct => struct({ name: 'v', type, ...more });

// Value, bytes. The bytes follow protobuf's encoding rules and gogo's: scalars that are no pointers are written even when zero.
const VALUES: [string, Struct, Json | undefined, string][] = [
  ['int64 zero', one(int64), 0, '0800'],
  ['int64 one byte', one(int64), 127, '087f'],
  ['int64 two bytes', one(int64), 300, '08ac02'],
  ['int64 of 2^32', one(int64), 4294967296, '088080808010'],
  ['int64 of 2^53 - 1', one(int64), 9007199254740991, '08ffffffffffffff0f'],
  ['int64 of 2^53', one(int64), 9007199254740992n, '088080808080808010'],
  ['the largest int64', one(int64), 9223372036854775807n, '08ffffffffffffffff7f'],
  ['the smallest int64', one(int64), -9223372036854775808n, '0880808080808080808001'],
  ['int64 -1', one(int64), -1, '08ffffffffffffffffff01'],
  ['int32 -1', one(int32), -1, '08ffffffffffffffffff01'],
  ['int32 smallest', one(int32), -2147483648, '0880808080f8ffffffff01'],
  ['int64 -2^53 + 1', one(int64), -9007199254740991, '0881808080808080f0ff01'],
  ['a pointer that is nil', one(int64, { nullable: true }), undefined, ''],
  ['a pointer to zero', one(int64, { nullable: true }), 0, '0800'],
  ['bool true', one({ is: 'boolean' }), true, '0801'],
  ['a double', one({ is: 'number' }), 1.5, '09000000000000f83f'],
  ['text', one(string), 'aé😀', '0a0761c3a9f09f9880'],
  ['text of 40 and more', one(string), 'x'.repeat(130), `0a8201${'78'.repeat(130)}`],
  ['wide text of 40 and more', one(string), 'é'.repeat(50), `0a64${'c3a9'.repeat(50)}`],
  ['bytes', one({ is: 'string', format: 'byte' }), 'AP8=', '0a0200ff'],
  ['empty bytes', one({ is: 'string', format: 'byte' }), '', '0a00'],
  ['no bytes', one({ is: 'string', format: 'byte' }), undefined, ''],
  ['time', one({ is: 'string', format: 'time' }), '1970-01-01T00:00:01Z', '0a0408011000'],
  ['time before 1970', one({ is: 'string', format: 'time' }), '1969-12-31T23:59:59Z', '0a0d08ffffffffffffffffff011000'],
  ['micro time', one({ is: 'string', format: 'micro-time' }), '1970-01-01T00:00:01.000002Z', '0a05080110d00f'],
  ['duration', one({ is: 'string', format: 'duration' }), '1µs', '0a0308e807'],
  ['quantity', one({ is: 'string', format: 'quantity' }), '1Gi', '0a050a03314769'],
  ['int-or-string as int', one({ is: 'string', format: 'int-or-string' }), 80, '0a060800105 01a00'.replace(' ', '')],
  ['int-or-string as text', one({ is: 'string', format: 'int-or-string' }), 'a', '0a07080110001a0161'],
  ['raw JSON', one({ is: 'any', proto: 'raw' }), { a: 1n }, '0a090a077b2261223a317d'],
  ['a list of texts', one({ is: 'list', items: string }), ['a', ''], '0a01610a00'],
  ['a list of integers', one({ is: 'list', items: int32 }), [1, -1], '080108ffffffffffffffffff01'],
  ['a wrapped list', one({ is: 'list', items: string, wrapped: true }), ['a'], '0a030a0161'],
  ['an empty wrapped list', one({ is: 'list', items: string, wrapped: true }), [], '0a00'],
  [
    'a map, sorted',
    one({ is: 'map', values: string }),
    { b: '', a: '1', 10: 'x' },
    '0a070a0231301201780a060a016112 01310a050a01621200'.replace(' ', ''),
  ],
  ['a map of lists', one({ is: 'map', values: { is: 'list', items: string } }), { a: ['x'] }, '0a080a016112030a0178'],
];

test('every kind of value has its bytes, and is read back', () => {
  for (const [name, s, value, want] of VALUES) {
    assert.equal(hexOf(encodeProto(s, { v: value })), want, name);
    const back = decodeProto(s, unhex(want)).v;
    const expected = typeof value === 'object' && value !== null && 'a' in value && value.a === 1n ? { a: 1 } : value;
    assert.deepEqual(back, expected, name);
  }
});

test('map keys are sorted by their bytes, not by UTF-16', () => {
  const s = one({ is: 'map', values: string });
  const b = encodeProto(s, { v: { '\u{1f600}': '2', '\uffee': '1' } });
  assert.deepEqual(Object.keys(decodeProto(s, b).v as JsonObject), ['\uffee', '\u{1f600}']);
});

test('a map may have a key named __proto__', () => {
  const s = one({ is: 'map', values: string });
  const map = decodeProto(s, unhex('0a0e0a095f5f70726f746f5f5f120178')).v as JsonObject;
  assert.deepEqual(Object.entries(map), [['__proto__', 'x']]);
});

test('absent members of a struct are written as zeros of its type', () => {
  const inner = struct(
    { name: 'a', type: string },
    { name: 'n', type: int64 },
    { name: 'p', type: int64, nullable: true },
  );
  const s = struct(
    { name: 'in', type: { is: 'struct', struct: () => inner } },
    { name: 'ptr', type: { is: 'struct', struct: () => inner }, nullable: true },
    { name: 'q', type: { is: 'string', format: 'quantity' } },
    { name: 't', type: { is: 'string', format: 'time' } },
    { name: 'i', type: { is: 'string', format: 'int-or-string' } },
  );
  assert.equal(hexOf(encodeProto(s, {})), '0a040a0010001a030a01302200' + '2a06080010001a00');
});

test('unknown fields are dropped, packed numbers read, a message that comes twice merged', () => {
  const inner = struct({ name: 'a', type: string, nullable: true }, { name: 'b', type: string, nullable: true });
  const s = struct(
    { name: 'in', type: { is: 'struct', struct: () => inner } },
    { name: 'n', type: { is: 'list', items: int32 } },
  );
  const b = unhex(
    '0a030a0161' +
      '0a03120162' +
      '1203010203' +
      '1004' +
      '980305' +
      'a1030000000000000000' +
      'a5030000000 0'.replace(' ', '') +
      'ab03a803 01ac03'.replace(' ', ''),
  );
  assert.deepEqual(decodeProto(s, b), { in: { a: 'a', b: 'b' }, n: [1, 2, 3, 4] });
});

const BAD: [string, Struct, string, string][] = [
  ['a cut varint', one(int64), '0880', 'unexpected EOF'],
  ['a varint that never ends', one(int64), `08${'80'.repeat(10)}01`, 'proto: integer overflow'],
  ['a length past the end', one(string), '0a05616263', 'unexpected EOF'],
  ['a huge length', one(string), '0affffffff0f', 'unexpected EOF'],
  ['a negative length', one(string), '0affffffffffffffffff01', 'proto: negative length found during unmarshaling'],
  ['a wrong wire type', one(string), '0801', 'proto: wrong wireType = 0 for field V'],
  ['field number 0', one(string), '0201', 'proto: Thing: illegal tag 0 (wire type 2)'],
  ['an end of group', one(string), '0c', 'proto: Thing: wiretype end group for non-group'],
  ['an unknown wire type', one(string), '17', 'proto: illegal wireType 7'],
  ['a cut unknown field', one(string), '1105', 'unexpected EOF'],
  ['an open group', one(string), '13', 'unexpected EOF'],
  ['a double that is cut', one({ is: 'number' }), '0901', 'unexpected EOF'],
];

test('bad bytes are refused in the words of generated Go code', () => {
  for (const [name, s, text, want] of BAD) {
    assert.throws(
      () => decodeProto(s, unhex(text)),
      (e) => e instanceof ProtoError && e.message === want,
      `${name}: ${want}`,
    );
  }
});

const BAD_ENVELOPES: [string, string][] = [
  ['', 'empty data'],
  ['7b7d', 'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]'],
  ['6b387300', 'empty body'],
  ['6b38730012ff', 'unexpected EOF'],
  ['6b38730014', 'proto: Unknown: wiretype end group for non-group'],
];

test('bad envelopes are refused in upstream words', () => {
  for (const [text, message] of BAD_ENVELOPES) assert.throws(() => decodeEnvelope(unhex(text)), { message });
});

test('messages may nest as deep as NESTING_MAX and no deeper', () => {
  const s: Struct = struct({ name: 'v', type: { is: 'struct', struct: () => s }, nullable: true });
  const nested = (depth: number) => {
    let v: JsonObject = {};
    for (let i = 0; i < depth; i++) v = { v };
    return encodeProto(s, v);
  };
  decodeProto(s, nested(NESTING_MAX));
  assert.throws(() => decodeProto(s, nested(NESTING_MAX + 1)), { message: 'proto: Thing: exceeded max nesting depth' });
});

test('cut and changed bytes end in a value or a ProtoError, never in anything else', () => {
  let seed = 7;
  const random = (n: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed % n;
  };
  for (const v of vectors) {
    const s = structOf(parseJson(v.json) as JsonObject);
    const good = decodeEnvelope(bytes(v.proto)).raw;
    for (let i = 0; i < 300; i++) {
      const b = good.slice(0, i % 2 === 0 ? good.length : random(good.length + 1));
      for (let n = i % 3; n >= 0 && b.length > 0; n--) b[random(b.length)] = random(256);
      try {
        decodeProto(s, b);
      } catch (e) {
        if (!(e instanceof ProtoError)) throw e;
      }
    }
  }
});

const MISFITS: [Struct, Json, string][] = [
  [one(string), 1, 'cannot encode number in field v'],
  [one(int64), 'x', 'cannot encode string in field v'],
  [one(int64), 1.5, 'cannot encode number in field v'],
  [one({ is: 'boolean' }), 'true', 'cannot encode string in field v'],
  [one({ is: 'list', items: string }), {}, 'cannot encode object in field v'],
  [one({ is: 'map', values: string }), [], 'cannot encode array in field v'],
  [one({ is: 'string', format: 'time' }), 'yesterday', 'cannot encode string in field v'],
  [one({ is: 'string', format: 'byte' }), 'A', 'illegal base64 data at input byte 0'],
];

test('a value that does not fit its type is refused', () => {
  for (const [s, v, message] of MISFITS) assert.throws(() => encodeProto(s, { v }), { name: 'ProtoError', message });
});

test('JSON text goes to the same bytes as the object that it is', () => {
  for (const v of vectors) {
    const o = parseJson(v.json) as JsonObject;
    const text = printJson(o);
    assert.equal(
      hexOf(transcodeObject(structOf(o), text, String(o.apiVersion), String(o.kind))),
      hexOf(bytes(v.proto)),
      v.name,
    );
  }
});

const rich = struct(
  { name: 's', type: string },
  { name: 'n', type: int64, nullable: true },
  { name: 'd', type: { is: 'number' }, nullable: true },
  { name: 'b', type: { is: 'boolean' }, nullable: true },
  { name: 'm', type: { is: 'map', values: string } },
  { name: 'l', type: { is: 'list', items: { is: 'list', items: string, wrapped: true } } },
  { name: 't', type: { is: 'string', format: 'time' }, nullable: true },
  { name: 'mt', type: { is: 'string', format: 'micro-time' }, nullable: true },
  { name: 'q', type: { is: 'string', format: 'quantity' }, nullable: true },
  { name: 'x', type: { is: 'string', format: 'int-or-string' }, nullable: true },
  { name: 'y', type: { is: 'string', format: 'byte' } },
  { name: 'in', type: { is: 'struct', struct: (): Struct => rich }, nullable: true },
  { name: 'all', type: { is: 'list', items: { is: 'struct', struct: (): Struct => rich } } },
);
const TEXTS = [
  '{}',
  '{"unknown":{"s":"no"},"s":"a\\"\\n\\u00e9😀"}',
  '{"\\u0073":"escaped name"}',
  '{"s":"first","s":"last","n":1,"n":null}',
  '{"n":-9223372036854775808,"d":-1.5e3,"b":false}',
  '{"n":-0,"d":3,"b":true,"all":[]}',
  '{"n":123456789012345}',
  '{"n":1234567890123456}',
  '{"m":{"b":"2","a":"1","é":"\\t","\\"":""},"l":[["a","b"],[]]}',
  '{"m":{"a":"1","a":"2","a":"3"}}',
  '{"m":{"a":null}}',
  '{"t":"2026-02-28T23:59:59Z","mt":"2026-11-21T12:00:00.000001Z"}',
  '{"t":"2024-02-29T00:00:00Z"}',
  '{"t":"2026-12-31T00:00:00+02:00"}',
  '{"t":"0001-01-01T00:00:00Z"}',
  '{"q":"1Gi","x":"25%","y":"AP8="}',
  '{"q":5,"x":80}',
  '{"in":{"in":{"s":"deep","all":[{"s":"1"},{"in":{"s":"2"}},{}]}},"s":"outer","n":7}',
  `{"s":"${'x'.repeat(5000)}","all":[${Array(2000).fill('{"s":"a","n":1}').join(',')}]}`,
];

test('JSON text of every shape goes to the same bytes as its value, spaces or none', () => {
  for (const text of TEXTS) {
    const value = parseJson(text) as JsonObject;
    const want = hexOf(encodeProto(rich, value));
    assert.equal(hexOf(transcodeProto(rich, text)), want, text.slice(0, 200));
    assert.equal(hexOf(transcodeProto(rich, printPretty(value))), want, text.slice(0, 200));
  }
});

test('JSON text that does not fit is refused', () => {
  for (const text of ['{"s":1}', '{"n":"x"}', '{"n":1.5}', '{"m":[]}', '{"all":{}}', '{"in":[]}', '{"t":"x"}', '[]']) {
    assert.throws(() => transcodeProto(rich, text), { name: 'ProtoError' }, text);
  }
  assert.throws(() => transcodeProto(rich, '{"s":'), SyntaxError);
});
