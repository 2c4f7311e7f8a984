import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEnvelope, decodeProto } from '../kube/codec/protobuf.ts';
import { schemas } from '../kube/schema/schemas.ts';
import { type Bench, bench } from './testing.ts';

// What kube-apiserver does with compacted revisions can't be recorded in a short run: the words are those of etcd3/errors.go.

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
const cm = (name: string, v: string) => ({ metadata: { name }, data: { v } });
const revisionOf = (a: { body: { metadata: { resourceVersion?: unknown } } }) =>
  Number(a.body.metadata.resourceVersion);

/** Two objects, then one of them changed; the revision before that. */
async function story(): Promise<{ b: Bench; then: number; now: number }> {
  const b = await bench();
  await b.ask('POST', CONFIGMAPS, cm('one', '1'));
  const then = revisionOf(await b.ask('POST', CONFIGMAPS, cm('two', '1')));
  const now = revisionOf(await b.ask('PUT', `${CONFIGMAPS}/one`, cm('one', '2')));
  return { b, then, now };
}
const exact = (revision: number, rest = '') =>
  `${CONFIGMAPS}?resourceVersion=${revision}&resourceVersionMatch=Exact${rest}`;

test('a revision that has left history is 410, a whole list or the first page', async () => {
  const { b, then, now } = await story();
  await b.store.compact(now);
  for (const rest of ['', '&limit=1', '&labelSelector=a%3Db']) {
    const answer = await b.ask('GET', exact(then, rest));
    assert.equal(answer.code, 410);
    assert.deepEqual(answer.body, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'The resourceVersion for the provided list is too old.',
      reason: 'Expired',
      code: 410,
    });
  }
  assert.equal((await b.ask('GET', exact(now))).code, 200);
});

test('a continue token whose revision has left history is 410 and brings one that goes on at the newest', async () => {
  const { b, now } = await story();
  const first = await b.ask('GET', `${CONFIGMAPS}?limit=1`);
  await b.ask('POST', CONFIGMAPS, cm('three', '1'));
  await b.store.compact(now + 1);
  const expired = await b.ask('GET', `${CONFIGMAPS}?limit=1&continue=${first.body.metadata.continue}`);
  assert.deepEqual([expired.code, expired.body.reason], [410, 'Expired']);
  assert.match(
    String(expired.body.message),
    /^The provided continue parameter is too old to display a consistent list/,
  );
  const rest = await b.ask('GET', `${CONFIGMAPS}?continue=${expired.body.metadata.continue}`);
  const items = rest.body.items as { metadata: { name: string } }[];
  assert.deepEqual(
    items.map((i) => i.metadata.name),
    ['three', 'two'],
  );
});

test('the past in protobuf is what it was in JSON', async () => {
  const { b, then } = await story();
  const json = await b.ask('GET', exact(then));
  const response = await b.open('GET', exact(then), { accept: 'application/vnd.kubernetes.protobuf' });
  const { raw, kind } = decodeEnvelope(new Uint8Array(await response.arrayBuffer()));
  assert.equal(kind, 'ConfigMapList');
  const list = schemas.struct('io.k8s.api.core.v1.ConfigMapList');
  assert.ok(list);
  const decoded = decodeProto(list, raw) as { metadata: { resourceVersion: string }; items: { data: unknown }[] };
  const items = json.body.items as { data: unknown }[];
  assert.deepEqual(
    [decoded.metadata.resourceVersion, json.body.metadata.resourceVersion],
    [String(then), String(then)],
  );
  assert.deepEqual(
    decoded.items.map((i) => i.data),
    items.map((i) => i.data),
  );
  assert.deepEqual(items[0]?.data, { v: '1' });
});

test('who wrote a version is kept: the user, the impersonated one where one was', async () => {
  const { b } = await story();
  await b.ask('PUT', `${CONFIGMAPS}/one`, cm('one', '3'), { 'impersonate-user': 'jane' });
  const answer = await b.store.versions('configmaps/default/one');
  assert.ok(answer.ok);
  assert.deepEqual(
    answer.versions.map((v) => v.by),
    ['jane', 'admin', 'admin'],
  );
});

test('one object as it stood at a revision, before, after and while it was there', async () => {
  const { b, then, now } = await story();
  const one = (revision: number | string) =>
    b.ask('GET', `${CONFIGMAPS}/one?resourceVersion=${revision}&resourceVersionMatch=Exact`);
  const { body: gone } = await b.ask('DELETE', `${CONFIGMAPS}/one`);
  assert.equal(gone.status, 'Success');
  const seen = async (revision: number) => {
    const { code, body } = await one(revision);
    return [code, body.data ?? body.reason];
  };
  assert.deepEqual(await seen(then - 2), [404, 'NotFound']);
  assert.deepEqual(await seen(then), [200, { v: '1' }]);
  assert.equal((await one(then)).body.metadata.resourceVersion, String(then - 1));
  assert.deepEqual(await seen(now), [200, { v: '2' }]);
  assert.deepEqual(await seen(now + 1), [404, 'NotFound']);
  const future = await one(now + 9);
  assert.deepEqual(
    [future.code, future.body.message],
    [504, `Timeout: Too large resource version: ${now + 9}, current: ${now + 1}`],
  );
  await b.store.compact(now);
  assert.deepEqual(await seen(then), [410, 'Expired']);
});

test('a match that a GET does not know is as if it were not there, as upstream', async () => {
  const { b, then } = await story();
  for (const match of ['NotOlderThan', 'Frob']) {
    const { code, body } = await b.ask(
      'GET',
      `${CONFIGMAPS}/one?resourceVersion=${then}&resourceVersionMatch=${match}`,
    );
    assert.deepEqual([code, body.data], [200, { v: '2' }]);
  }
});
