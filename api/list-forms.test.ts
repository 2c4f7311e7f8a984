import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEnvelope, decodeProto } from '../kube/codec/protobuf.ts';
import { parseYaml, printYaml } from '../kube/codec/yaml.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import { schemas } from '../kube/schema/schemas.ts';
import { PageCache } from '../kube/store/pagecache.ts';
import { bench } from './testing.ts';

const PATH = '/api/v1/namespaces/default/configmaps';
const PARTIAL = 'as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
const TABLE = 'application/json;as=Table;g=meta.k8s.io;v=v1';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

type Bench = Awaited<ReturnType<typeof bench>>;
interface List {
  kind: string;
  apiVersion: string;
  metadata: JsonObject;
  items: JsonObject[] | null;
}

/** What a list in one form says. */
async function listed(b: Bench, accept: string, query = ''): Promise<List> {
  const response = await b.open('GET', PATH + query, { accept });
  assert.equal(response.status, 200, accept);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (accept.startsWith(PROTOBUF)) {
    const { kind, apiVersion, raw } = decodeEnvelope(bytes);
    const name = kind.startsWith('Partial') ? `${META}.${kind}` : `io.k8s.api.core.v1.${kind}`;
    const struct = schemas.struct(name);
    assert.ok(struct, name);
    return { kind, apiVersion, ...withoutZeros(decodeProto(struct, raw)) } as unknown as List;
  }
  const text = new TextDecoder().decode(bytes);
  return (accept.startsWith('application/yaml') ? parseYaml(text).value : JSON.parse(text)) as List;
}

/** Protobuf carries zeros that JSON leaves out. */
function withoutZeros(o: JsonObject): JsonObject {
  const members = Object.entries(o).filter(([, v]) => v !== '' && v !== 0 && v !== null);
  return Object.fromEntries(
    members.map(([k, v]) => {
      if (Array.isArray(v)) return [k, v.map((x) => withoutZeros(x as JsonObject))];
      return [k, k === 'metadata' ? withoutZeros(v as JsonObject) : v];
    }),
  );
}

/** ConfigMaps with texts that need escapes; with long ones they are more than a page. */
async function filled(length = 8): Promise<Bench> {
  const b = await bench();
  const bodies = [
    '"quoted" \\ and\nmore',
    'é\u2028😀',
    ...Array.from({ length: 6 }, (_, i) => `x${i}`.repeat(length / 2)),
  ];
  for (const [i, k] of bodies.entries()) {
    const metadata = { name: `c${i}`, labels: { half: String(i % 2) }, annotations: { note: `{"n":"${i}"}\\` } };
    const made = await b.ask('POST', PATH, { metadata, data: { k } });
    assert.equal(made.code, 201, made.text);
  }
  return b;
}

test('a list says the same in every form, over several pages', async () => {
  const b = await filled(900_000);
  const json = await listed(b, 'application/json');
  const items = json.items ?? [];
  assert.ok(items.length >= 8 && json.kind === 'ConfigMapList');
  const metadata = items.map((i) => i.metadata);
  const yaml = await b.open('GET', PATH, { accept: 'application/yaml' });
  assert.equal(await yaml.text(), printYaml(json as unknown as JsonObject));
  assert.deepEqual(await listed(b, PROTOBUF), json);
  assert.deepEqual(await listed(b, 'application/json;pretty=1'), json);
  for (const type of ['application/json', 'application/yaml', PROTOBUF]) {
    const partial = await listed(b, `${type};${PARTIAL}`);
    assert.deepEqual([partial.kind, partial.apiVersion], ['PartialObjectMetadataList', 'meta.k8s.io/v1'], type);
    assert.deepEqual(partial.metadata, json.metadata, type);
    assert.deepEqual(
      partial.items?.map((i) => i.metadata),
      metadata,
      type,
    );
  }
  const table = (await listed(b, TABLE)) as unknown as JsonObject & { rows: JsonObject[] };
  assert.deepEqual([table.kind, table.metadata], ['Table', json.metadata]);
  assert.deepEqual(
    table.rows.map((r) => [(r.cells as unknown[])[0], (r.object as JsonObject).metadata]),
    metadata.map((m) => [(m as JsonObject).name, m]),
  );
});

test('a list whose pages are kept says the same, also when one of its rows has changed', async () => {
  const b = await filled();
  b.cluster.pages = new PageCache(1 << 20);
  for (const change of [undefined, undefined, 'first', 'second']) {
    if (change) await b.ask('PUT', `${PATH}/c3`, { metadata: { name: 'c3' }, data: { k: change } });
    const json = await listed(b, 'application/json');
    assert.deepEqual(json.items?.find((i) => (i.metadata as JsonObject).name === 'c3')?.data, {
      k: change ?? 'x1x1x1x1',
    });
    for (const form of [PROTOBUF, 'application/yaml', PROTOBUF]) assert.deepEqual(await listed(b, form), json, form);
    const partial = await listed(b, `${PROTOBUF};${PARTIAL}`);
    const metadata = json.items?.map((i) => i.metadata);
    assert.deepEqual(
      partial.items?.map((i) => i.metadata),
      metadata,
    );
    assert.deepEqual(
      (await listed(b, `application/json;${PARTIAL}`)).items?.map((i) => i.metadata),
      metadata,
    );
  }
});

test('a list that goes on has the same token and rest in every form', async () => {
  const b = await filled();
  const json = await listed(b, 'application/json', '?limit=3');
  assert.ok(json.metadata.continue && json.metadata.remainingItemCount);
  for (const form of ['application/yaml', PROTOBUF, `application/json;${PARTIAL}`, `${PROTOBUF};${PARTIAL}`, TABLE]) {
    assert.deepEqual((await listed(b, form, '?limit=3')).metadata, json.metadata, form);
    const rest: string = `?limit=3&continue=${String(json.metadata.continue)}`;
    const next = await listed(b, 'application/json', rest);
    assert.deepEqual((await listed(b, form, rest)).metadata, next.metadata, form);
  }
});

const NONE: [string, JsonObject][] = [
  ['application/json', { items: [] }],
  ['application/yaml', { items: [] }],
  [`application/json;${PARTIAL}`, { items: null }],
  [TABLE, { rows: [] }],
];
test('a list of none is empty in its own way', async () => {
  const b = await bench();
  for (const [form, want] of NONE) {
    const list = (await listed(b, form, '?labelSelector=no%3Dbody')) as unknown as JsonObject;
    const [[name, none]] = Object.entries(want) as [[string, unknown]];
    assert.deepEqual(list[name], none, form);
  }
  assert.equal((await listed(b, PROTOBUF, '?labelSelector=no%3Dbody')).items, undefined);
});

test('a list by a selector has the same items in every form', async () => {
  const b = await filled();
  const query = '?labelSelector=half%3D1';
  const json = await listed(b, 'application/json', query);
  assert.equal(json.items?.length, 4);
  assert.deepEqual(await listed(b, PROTOBUF, query), json);
  assert.deepEqual(await listed(b, 'application/yaml', query), json);
});
