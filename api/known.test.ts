import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../kube/meta/json.ts';
import { withMembers } from '../kube/store/members.ts';
import { RowCache } from '../kube/store/rowcache.ts';
import type { ClusterContext } from './attributes.ts';
import { ADMIN, type Bench, bench } from './testing.ts';

// Two processes on one store, each with rows as it last saw them.

const MAPS = '/api/v1/namespaces/default/configmaps';
const MAP = `${MAPS}/a`;

interface Process {
  reads: number;
  ask(method: string, path: string, body?: JsonObject, type?: string): Promise<{ code: number; body: JsonObject }>;
}
function processOf(b: Bench): Process {
  const store = withMembers(b.store, {
    read(range, o) {
      p.reads++;
      return b.store.read(range, o);
    },
  });
  const cluster: ClusterContext = { ...b.cluster, rows: new RowCache(1 << 20).of('test'), store: () => store };
  const p: Process = {
    reads: 0,
    async ask(method, path, body, type = 'application/merge-patch+json') {
      const headers = { 'content-type': method === 'PATCH' ? type : 'application/json' };
      const init = body ? { method, headers, body: JSON.stringify(body) } : { method, headers };
      const r = await b.api.handle(new Request(`https://test.example${path}`, init), cluster, { user: ADMIN });
      return { code: r.status, body: (await r.json()) as JsonObject };
    },
  };
  return p;
}
async function two(): Promise<[Process, Process]> {
  const b = await bench();
  const made = [processOf(b), processOf(b)] as [Process, Process];
  await made[0].ask('POST', MAPS, { metadata: { name: 'a' }, data: { x: '1' } });
  return made;
}
const code = async (p: Promise<{ code: number }>) => (await p).code;
const dataOf = async (p: Process) => (await p.ask('GET', MAP)).body.data;

test('a process that wrote an object patches, updates and deletes it without reading it', async () => {
  const [a] = await two();
  a.reads = 0;
  assert.equal(await code(a.ask('PATCH', MAP, { data: { y: '2' } })), 200);
  assert.equal(await code(a.ask('PUT', MAP, { metadata: { name: 'a' }, data: { z: '3' } })), 200);
  assert.equal(await code(a.ask('DELETE', MAP)), 200);
  assert.equal(a.reads, 0);
});

test('a patch of a row that another process has changed is made of what that process left', async () => {
  const [a, b] = await two();
  await b.ask('PATCH', MAP, { data: { y: '2' } });
  a.reads = 0;
  assert.deepEqual((await a.ask('PATCH', MAP, { data: { z: '3' } })).body.data, { x: '1', y: '2', z: '3' });
  assert.equal(a.reads, 0, 'the lost race brought the row');
  assert.deepEqual(await dataOf(b), { x: '1', y: '2', z: '3' });
});

test('a patch that changes nothing of the row as it was changes the row as it is', async () => {
  const [a, b] = await two();
  await b.ask('PATCH', MAP, { data: { x: '2' } });
  assert.deepEqual((await a.ask('PATCH', MAP, { data: { x: '1' } })).body.data, { x: '1' });
  assert.deepEqual(await dataOf(b), { x: '1' });
});

test('a refusal never rests on a row that is over', async () => {
  const [a, b] = await two();
  const { body } = await b.ask('PATCH', MAP, { data: { x: '2' } });
  const { resourceVersion } = body.metadata as JsonObject;
  const next = { metadata: { name: 'a', resourceVersion: resourceVersion as string }, data: { x: '3' } };
  assert.equal(await code(a.ask('PUT', MAP, next)), 200, 'the version is the newest');
  const test = [{ op: 'test', path: '/data/x', value: '4' }] as unknown as JsonObject;
  await b.ask('PATCH', MAP, { data: { x: '4' } });
  assert.equal(await code(a.ask('PATCH', MAP, test, 'application/json-patch+json')), 200);
  await b.ask('PATCH', MAP, { immutable: true });
  assert.equal(await code(a.ask('PATCH', MAP, { data: { x: '5' } })), 422, 'nor does a permission');
  await b.ask('DELETE', MAP);
  await b.ask('POST', MAPS, { metadata: { name: 'a' }, data: { x: '6' } });
  assert.equal(await code(a.ask('PATCH', MAP, { data: { x: '7' } })), 200, 'the immutable one is gone');
});

test('an object that has gone is not found, and one that came anew is another', async () => {
  const [a, b] = await two();
  await b.ask('DELETE', MAP);
  assert.equal(await code(a.ask('PATCH', MAP, { data: { y: '2' } })), 404);
  await a.ask('POST', MAPS, { metadata: { name: 'a' }, data: { x: '1' } });
  await b.ask('DELETE', MAP);
  assert.equal(await code(a.ask('DELETE', MAP)), 404);
  const { body } = await a.ask('POST', MAPS, { metadata: { name: 'a' } });
  const { uid } = body.metadata as JsonObject;
  await b.ask('DELETE', MAP);
  await b.ask('POST', MAPS, { metadata: { name: 'a' } });
  const options = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid: uid as string } };
  assert.equal(await code(a.ask('DELETE', MAP, options)), 409);
});

test('a deletion sees the finalizers that another process has set or taken away', async () => {
  const [a, b] = await two();
  await b.ask('PATCH', MAP, { metadata: { finalizers: ['example.com/wait'] } });
  await a.ask('DELETE', MAP);
  assert.equal(await code(b.ask('GET', MAP)), 200, 'it waits');
  await b.ask('PATCH', MAP, { metadata: { finalizers: null } });
  assert.equal(await code(b.ask('GET', MAP)), 404);
  await a.ask('POST', MAPS, { metadata: { name: 'a', finalizers: ['example.com/wait'] } });
  await b.ask('PATCH', MAP, { metadata: { finalizers: null } });
  assert.equal(await code(a.ask('DELETE', MAP)), 200);
  assert.equal(await code(b.ask('GET', MAP)), 404, 'nothing held it');
});

test('a dry run reads the row', async () => {
  const [a, b] = await two();
  await b.ask('PATCH', MAP, { data: { y: '2' } });
  const { body } = await a.ask('PATCH', `${MAP}?dryRun=All`, { data: { z: '3' } });
  assert.deepEqual(body.data, { x: '1', y: '2', z: '3' });
});
