import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeObject } from '../kube/codec/protobuf.ts';
import { kinds } from '../kube/kinds/index.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import { schemas } from '../kube/schema/schemas.ts';
import { ADMIN, type Bench, bench } from './testing.ts';

// No long work without everybody else's turn: counted are turns, and what is done between two of them.

const MAPS = '/api/v1/namespaces/default/configmaps';
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** Shapes looked up in one step: reading one takes 0.1 ms the first time. */
const LOOKUPS_MAX = 180;

test('documents are made in steps: none looks up many shapes', async () => {
  let lookups = 0;
  let most = 0;
  let turns = 0;
  const counted = <A extends unknown[], R>(f: (...a: A) => R) => {
    return (...a: A): R => {
      most = Math.max(most, ++lookups);
      return f(...a);
    };
  };
  const counting = { ...schemas, kind: counted(schemas.kind), struct: counted(schemas.struct) };
  // Other kinds than other tests in this isolate have: finished documents are kept.
  const own = kinds.filter((k) => k.plural !== 'podtemplates' && k.plural !== 'controllerrevisions');
  const b = await bench({ schemas: counting, kinds: own });
  const turn = async () => {
    turns++;
    lookups = 0;
  };
  const documents: [path: string, accept: string, turns: number][] = [
    ['/apis', AGGREGATED, 15],
    ['/api', AGGREGATED, 1],
    ['/openapi/v2', 'application/json', 60],
    ['/openapi/v3/api/v1', 'application/json', 10],
    ['/openapi/v3/apis/apps/v1', 'application/json', 10],
  ];
  for (const [path, accept, least] of documents) {
    lookups = most = turns = 0;
    const request = new Request(`https://test.example${path}`, { headers: { accept } });
    const r = await b.api.handle(request, { ...b.cluster, turn }, { user: ADMIN });
    assert.equal(r.status, 200, path);
    JSON.parse(await r.text());
    assert.ok(turns >= least, `${path}: ${turns} turns`);
    assert.ok(most <= LOOKUPS_MAX, `${path}: ${most} shapes in one step`);
  }
});

test('a document made in steps is what it would be in one', async () => {
  const b = await bench();
  const text = async (turn?: () => Promise<void>) => {
    const request = new Request('https://test.example/apis', { headers: { accept: AGGREGATED } });
    const r = await b.api.handle(request, { ...b.cluster, ...(turn ? { turn } : {}) }, { user: ADMIN });
    return { text: await r.text(), etag: r.headers.get('etag') };
  };
  const first = await text(() => new Promise((next) => queueMicrotask(next)));
  assert.deepEqual(await text(), first);
  assert.ok((JSON.parse(first.text) as { items: unknown[] }).items.length > 15);
});

const VALUES = 3_000;
const data = (value: string) => Object.fromEntries(Array.from({ length: VALUES }, (_, i) => [`key-${i}`, value]));
const map = (name: string, values = data('x'.repeat(30))) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: values,
});
const yaml = (name: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n${Object.entries(data('y'.repeat(30)))
    .map(([k, v]) => `  ${k}: ${v}\n`)
    .join('')}`;

/** A write, and how many turns others have at least while a large object is written. */
interface Case {
  name: string;
  method: string;
  path: string;
  type?: string;
  body?: string | Uint8Array;
  accept?: string;
  turns: number;
}
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
function protobufOf(object: object): Uint8Array {
  const struct = schemas.kind({ group: '', version: 'v1', kind: 'ConfigMap' });
  assert.ok(struct);
  return encodeObject(struct, object as KubeObject);
}
const label = '{"metadata":{"labels":{"a":"b"}}}';
const APPLY = '?fieldManager=m&force=true';
const cases: Case[] = [
  { name: 'create', method: 'POST', path: MAPS, body: JSON.stringify(map('a')), turns: 8 },
  { name: 'create in protobuf', method: 'POST', path: MAPS, type: PROTOBUF, body: protobufOf(map('p')), turns: 6 },
  { name: 'update', method: 'PUT', path: `${MAPS}/a`, body: JSON.stringify(map('a', data('z'.repeat(30)))), turns: 12 },
  {
    name: 'merge patch',
    method: 'PATCH',
    path: `${MAPS}/a`,
    type: 'application/merge-patch+json',
    body: label,
    turns: 9,
  },
  {
    name: 'strategic merge patch',
    method: 'PATCH',
    path: `${MAPS}/p`,
    type: 'application/strategic-merge-patch+json',
    body: label,
    turns: 9,
  },
  {
    name: 'JSON patch',
    method: 'PATCH',
    path: `${MAPS}/a`,
    type: 'application/json-patch+json',
    body: '[{"op":"add","path":"/data/more","value":"x"}]',
    turns: 9,
  },
  {
    name: 'apply of JSON',
    method: 'PATCH',
    path: `${MAPS}/a${APPLY}`,
    type: 'application/apply-patch+yaml',
    body: JSON.stringify(map('a')),
    turns: 18,
  },
  {
    name: 'apply of YAML that creates',
    method: 'PATCH',
    path: `${MAPS}/yaml${APPLY}`,
    type: 'application/apply-patch+yaml',
    body: yaml('yaml'),
    turns: 25,
  },
  { name: 'get as YAML', method: 'GET', path: `${MAPS}/yaml`, accept: 'application/yaml', turns: 5 },
  { name: 'list as YAML', method: 'GET', path: MAPS, accept: 'application/yaml', turns: 12 },
];

async function turnsOf(b: Bench, c: Case): Promise<number> {
  let turns = 0;
  const turn = async () => {
    turns++;
  };
  const headers = { 'content-type': c.type ?? 'application/json', accept: c.accept ?? '*/*' };
  const init = { method: c.method, headers, ...(c.body === undefined ? {} : { body: c.body as BodyInit }) };
  const request = new Request(`https://test.example${c.path}`, init);
  const r = await b.api.handle(request, { ...b.cluster, turn }, { user: ADMIN });
  const text = await r.text();
  assert.ok(r.status < 300, `${c.name}: ${r.status} ${text.slice(0, 300)}`);
  return turns;
}

test('a large object is written in stages, a small one without a break, but for the first of its kind', async () => {
  const b = await bench();
  const create = (name: string) =>
    turnsOf(b, { name, method: 'POST', path: MAPS, body: JSON.stringify(map(name, { a: 'b' })), turns: 0 });
  const first = await create('first');
  assert.ok(first >= 4, `${first} turns`);
  assert.equal(await create('small'), 0);
  for (const c of cases) {
    const turns = await turnsOf(b, c);
    assert.ok(turns >= c.turns, `${c.name}: ${turns} turns`);
  }
});
