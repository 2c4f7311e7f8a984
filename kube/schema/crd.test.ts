import assert from 'node:assert/strict';
import { test } from 'node:test';
import { issueText } from '../meta/issues.ts';
import type { Json, JsonObject } from '../meta/json.ts';
import { customShape } from './crd.ts';
import { openApiV3 } from './openapi.ts';
import { schemas } from './schemas.ts';

// Results and texts were compared with kube-apiserver 1.37 serving the same CustomResourceDefinition.

const schema: JsonObject = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string', minLength: 2, maxLength: 5, pattern: '^[a-z]+$' },
        size: { type: 'integer', format: 'int32', minimum: 1, maximum: 10, default: 3 },
        ratio: { type: 'number', exclusiveMinimum: true, minimum: 0 },
        mode: { type: 'string', enum: ['A', 'B'] },
        ip: { type: 'string', format: 'ipv4' },
        nul: { type: 'string', nullable: true },
        any: { 'x-kubernetes-preserve-unknown-fields': true },
        port: { 'x-kubernetes-int-or-string': true },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set', maxItems: 3 },
        items: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k'],
          items: {
            type: 'object',
            required: ['k'],
            properties: { k: { type: 'string' }, v: { type: 'integer', maximum: 5 } },
          },
        },
        m: { type: 'object', additionalProperties: { type: 'integer' } },
        o: { type: 'object', properties: { a: { type: 'string', default: 'aa' } } },
        emb: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
        one: {
          type: 'object',
          properties: { x: { type: 'string' }, y: { type: 'string' } },
          oneOf: [{ required: ['x'] }, { required: ['y'] }],
        },
      },
    },
    status: { type: 'object', properties: { n: { type: 'integer', minimum: 0 } } },
  },
};
const gvk = { group: 'example.com', version: 'v1', kind: 'Widget' };
const shape = customShape(schemas, gvk, 'WidgetList', schema);
const widget = (spec: Json, rest: JsonObject = {}): JsonObject => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name: 'a' },
  spec,
  ...rest,
});
const read = (spec: Json) => shape.decode(widget(spec)).value.spec;
const check = (spec: Json, old?: Json) => {
  const ready = (s: Json) => shape.decode(widget(s)).value;
  return shape.validate(ready(spec), old === undefined ? null : ready(old)).map(issueText);
};

/** Every member of `expected` is in `actual`, equal or in turn holding its members. */
function assertHas(actual: unknown, expected: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(expected)) {
    const given = (actual as Record<string, unknown> | undefined)?.[name];
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      assertHas(given, value as Record<string, unknown>);
    else assert.deepEqual(given, value, name);
  }
}

test('unknown fields are dropped and named, nulls go, defaults come', () => {
  const d = shape.decode(
    widget({ name: 'ab', size: null, nul: null, o: { e: 2 }, zz: { y: 1 }, any: { x: [null] } }, { extra: 1 }),
  );
  assert.deepEqual(d.unknown, ['unknown field "extra"', 'unknown field "spec.o.e"', 'unknown field "spec.zz"']);
  assert.deepEqual(d.value.spec, { name: 'ab', size: 3, nul: null, o: { a: 'aa' }, any: { x: [null] } });
});

test('metadata is read as ObjectMeta, in embedded resources too', () => {
  const bad = shape.decode(widget({ name: 'ab' }, { metadata: { name: 'a', labels: { a: 1 } } }));
  assert.equal(bad.error, 'json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string');
  const extra = shape.decode(widget({ name: 'ab' }, { metadata: { name: 'a', foo: 1 } }));
  assert.deepEqual(extra.unknown, ['unknown field "metadata.foo"']);
  const embedded = shape.decode(widget({ name: 'ab', emb: { apiVersion: 5, kind: 'x' } }));
  assert.equal(embedded.error, 'spec.emb.apiVersion: Invalid value: 5: must be a string');
  assert.deepEqual(
    read({ name: 'ab', emb: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', foo: 1 }, a: null } }),
    {
      name: 'ab',
      emb: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, a: null },
      size: 3,
    },
  );
});

test('the schema is enforced with the texts of upstream', () => {
  const cases: [spec: Json, issues: string[]][] = [
    [{ name: 'ab' }, []],
    [{}, ['spec.name: Required value']],
    [{ name: 'a' }, ['spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long']],
    [{ name: 'abcdefgh' }, ['spec.name: Too long: may not be more than 5 bytes']],
    [{ name: 'AB' }, [`spec.name: Invalid value: "AB": spec.name in body should match '^[a-z]+$'`]],
    [{ name: 5 }, ['spec.name: Invalid value: "integer": spec.name in body must be of type string: "integer"']],
    [{ name: 'ab', size: 11 }, ['spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10']],
    [{ name: 'ab', ratio: 0 }, ['spec.ratio: Invalid value: 0: spec.ratio in body should be greater than 0']],
    [{ name: 'ab', mode: 'C' }, ['spec.mode: Unsupported value: "C": supported values: "A", "B"']],
    [{ name: 'ab', ip: '1.2.3' }, ['spec.ip: Invalid value: "1.2.3": spec.ip in body must be of type ipv4: "1.2.3"']],
    [
      { name: 'ab', port: true },
      ['spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"'],
    ],
    [
      { name: 'ab', tags: ['a', 'a', 'a', 'b'] },
      ['spec.tags: Too many: 4: must have at most 3 items', 'spec.tags[1]: Duplicate value: "a"'],
    ],
    [
      { name: 'ab', items: [{ k: 'a' }, { k: 'a', v: 9 }] },
      [
        'spec.items[1].v: Invalid value: 9: spec.items[1].v in body should be less than or equal to 5',
        'spec.items[1]: Duplicate value: {"k":"a"}',
      ],
    ],
    [
      { name: 'ab', m: { a: 'x' } },
      ['spec.m.a: Invalid value: "string": spec.m.a in body must be of type integer: "string"'],
    ],
    [{ name: 'ab', emb: { a: 1 } }, ['spec.emb.apiVersion: Required value', 'spec.emb.kind: Required value']],
    [
      { name: 'ab', one: {} },
      [
        '<nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found none valid',
        'spec.one.x: Required value',
      ],
    ],
  ];
  for (const [spec, texts] of cases) assert.deepEqual(check(spec), texts, JSON.stringify(spec));
});

test('what was wrong before may stay as it was', () => {
  const wrong = { name: 'A', items: [{ k: 'a', v: 9 }, { k: 'b' }] };
  assert.deepEqual(check({ ...wrong, size: 4 }, wrong), []);
  assert.deepEqual(check({ name: 'A', items: [{ k: 'b' }, { k: 'a', v: 9 }] }, wrong), []);
  assert.deepEqual(check({ ...wrong, name: 'B' }, wrong).length, 1);
  // Reordering a keyed list changes nothing, so that even a missing required field may stay missing.
  assert.deepEqual(check({ items: [{ k: 'b' }, { k: 'a' }] }, { items: [{ k: 'a' }, { k: 'b' }] }), []);
  assert.deepEqual(check({ name: 'ab', tags: ['a', 'a', 'b'] }, { name: 'ab', tags: ['a', 'a'] }), []);
});

test('the status subresource looks at status alone', () => {
  const value = widget({}, { status: { n: -1 } });
  assert.deepEqual(shape.validateStatus(value, null).map(issueText), [
    'status.n: Invalid value: -1: n in body should be greater than or equal to 0',
  ]);
});

test('integers outside 2^53 survive', () => {
  const any = shape.decode(widget({ name: 'ab', any: 9223372036854775807n, m: { a: 9223372036854775807n } }));
  assert.deepEqual(any.value.spec, { name: 'ab', any: 9223372036854775807n, m: { a: 9223372036854775807n }, size: 3 });
  assert.deepEqual(shape.validate(any.value, null), []);
});

test('a kind without a schema takes anything', () => {
  const free = customShape(schemas, gvk, 'WidgetList');
  const value = widget({ a: [{ b: null }] }, { other: 1 });
  const d = free.decode(value);
  assert.deepEqual(d.unknown, []);
  assert.deepEqual(d.value, value);
  assert.deepEqual(free.validate(d.value, null), []);
});

test('the struct serves merging and apply', () => {
  const spec = shape.struct.fields.get('spec')?.type;
  assert.ok(spec?.is === 'struct');
  const fields = spec.struct().fields;
  assertHas(fields.get('items')?.type, { is: 'list', list: 'map', keys: ['k'] });
  assert.deepEqual(fields.get('any')?.type, { is: 'any' });
  assert.deepEqual(fields.get('port')?.type, { is: 'string', format: 'int-or-string' });
  assert.ok(fields.get('emb')?.type.is === 'struct');
  assert.ok(shape.struct.fields.has('metadata'));
});

test('the published document refers to the kind by its reversed group', () => {
  const widgets = {
    ...gvk,
    plural: 'widgets',
    singular: 'widget',
    namespaced: true,
    verbs: ['get', 'list', 'patch'],
    shortNames: [],
    categories: [],
    storageVersionHash: '',
    subresources: new Map(),
  };
  const doc = openApiV3(schemas, 'example.com', 'v1', [widgets], shape.openapi);
  const published = (doc.components as { schemas: Record<string, JsonObject> }).schemas;
  assert.deepEqual(published['com.example.v1.Widget']?.['x-kubernetes-group-version-kind'], [
    { group: 'example.com', kind: 'Widget', version: 'v1' },
  ]);
  assert.ok(published['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta']);
});
