import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench, events } from './testing.ts';

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
const cm = (name: string, labels: Record<string, string> = {}) => ({ metadata: { name, labels } });
const seen = (list: Awaited<ReturnType<typeof events>>) =>
  list.map((e) => `${e.type} ${e.object.metadata.name ?? ''}`.trim());

test('a watch from nothing shows what is there and then what comes', async () => {
  const b = await bench();
  await b.ask('POST', CONFIGMAPS, cm('a'));
  const stream = await b.open('GET', `${CONFIGMAPS}?watch=1`);
  await b.ask('POST', CONFIGMAPS, cm('b'));
  await b.ask('POST', '/api/v1/namespaces/other/configmaps', cm('elsewhere'));
  await b.ask('DELETE', `${CONFIGMAPS}/a`);
  const got = await events(stream, 3);
  assert.deepEqual(seen(got), ['ADDED a', 'ADDED b', 'DELETED a']);
  assert.equal(got[2]?.object.metadata.resourceVersion, '6');
});

test('initial events end with the bookmark that says so', async () => {
  const b = await bench();
  await b.ask('POST', CONFIGMAPS, cm('a'));
  const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const got = await events(await b.open('GET', `${CONFIGMAPS}?${query}`), 2);
  assert.deepEqual(seen(got), ['ADDED a', 'BOOKMARK']);
  assert.deepEqual(got[1]?.object, {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { resourceVersion: '3', annotations: { 'k8s.io/initial-events-end': 'true' } },
  });
});

test('a watch resumes after a revision and sees an object leave its selector', async () => {
  const b = await bench();
  const { body } = await b.ask('POST', CONFIGMAPS, cm('a', { x: '1' }));
  const from = body.metadata.resourceVersion;
  const stream = await b.open('GET', `${CONFIGMAPS}?watch=1&resourceVersion=${from}&labelSelector=x%3D1`);
  await b.ask('PUT', `${CONFIGMAPS}/a`, cm('a', { x: '2' }));
  assert.deepEqual(seen(await events(stream, 1)), ['DELETED a']);
});

test('a revision that is gone is an ERROR event with 410', async () => {
  const b = await bench();
  await b.ask('POST', CONFIGMAPS, cm('a'));
  await b.store.compact(3);
  const stream = await b.open('GET', `${CONFIGMAPS}?watch=1&resourceVersion=1`);
  assert.equal(stream.status, 200);
  const [error] = await events(stream, 1);
  assert.deepEqual([error?.type, error?.object.code, error?.object.reason], ['ERROR', 410, 'Expired']);
});

test('a watch ends when its time is over, with a last bookmark', async () => {
  const b = await bench();
  const stream = await b.open(
    'GET',
    `${CONFIGMAPS}?watch=1&resourceVersion=2&timeoutSeconds=10&allowWatchBookmarks=true`,
  );
  b.world.pass(11_000);
  const got = await events(stream, 99);
  assert.deepEqual(seen(got), ['BOOKMARK']);
});

test('a bookmark to a slow reader is not before the events that wait for it', async () => {
  const b = await bench();
  const stream = await b.open(
    'GET',
    `${CONFIGMAPS}?watch=1&resourceVersion=2&allowWatchBookmarks=true&timeoutSeconds=20`,
  );
  for (const name of ['a', 'b', 'c'])
    await b.ask('POST', CONFIGMAPS, { ...cm(name), data: { text: 'x'.repeat(600_000) } });
  b.world.pass(18_000);
  const got = await events(stream, 4);
  assert.deepEqual(seen(got), ['ADDED a', 'ADDED b', 'BOOKMARK', 'ADDED c']);
  const revisions = got.map((e) => Number(e.object.metadata.resourceVersion));
  assert.deepEqual(
    revisions,
    [...revisions].sort((x, y) => x - y),
  );
});

test('each minute a quiet watch is written to, so that the platform learns who has gone: a bookmark, else a blank, in protobuf nothing', async () => {
  const b = await bench();
  const quiet = async (query: string, headers: Record<string, string> = {}) => {
    const stream = await b.open('GET', `${CONFIGMAPS}?watch=1&resourceVersion=2&timeoutSeconds=190${query}`, headers);
    b.world.pass(185_000);
    await b.ask('POST', CONFIGMAPS, cm(`c${b.world.now()}`));
    b.world.pass(10_000);
    return stream;
  };
  const text = await (await quiet('')).text();
  assert.match(text, /^ {3}\{"type":"ADDED".*\}\n$/);
  const marked = await events(await quiet('&allowWatchBookmarks=true'), 99);
  assert.deepEqual(
    marked.map((e) => e.type),
    ['ADDED', 'BOOKMARK', 'BOOKMARK', 'BOOKMARK', 'ADDED', 'BOOKMARK'],
  );
  const proto = new Uint8Array(
    await (await quiet('', { accept: 'application/vnd.kubernetes.protobuf' })).arrayBuffer(),
  );
  for (let at = 0; at < proto.length; at += 4 + new DataView(proto.buffer).getUint32(at))
    assert.ok(new DataView(proto.buffer).getUint32(at) > 0);
});

test('a watch as a table names its columns once', async () => {
  const b = await bench();
  await b.ask('POST', CONFIGMAPS, cm('a'));
  await b.ask('POST', CONFIGMAPS, cm('b'));
  const accept = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
  const got = await events(await b.open('GET', `${CONFIGMAPS}?watch=1`, accept), 2);
  assert.deepEqual(
    got.map((e) => [e.object.kind, e.object.columnDefinitions === null]),
    [
      ['Table', false],
      ['Table', true],
    ],
  );
});
