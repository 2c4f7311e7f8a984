import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lengthReader } from '../kube/codec/framing.ts';
import { parseJson } from '../kube/codec/json.ts';
import { decodeEnvelope, decodeProto, decodeWatchEvent, encodeObject } from '../kube/codec/protobuf.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import { schemas } from '../kube/schema/schemas.ts';
import { ADMIN, bench, events } from './testing.ts';

const PODS = '/api/v1/namespaces/default/pods';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const pod = (name: string) => ({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }] } });
const struct = (name: string) => {
  const s = schemas.struct(name);
  assert.ok(s, name);
  return s;
};
const POD = 'io.k8s.api.core.v1.Pod';

test('a protobuf client creates, reads and lists', async () => {
  const b = await bench();
  const body = encodeObject(struct(POD), { apiVersion: 'v1', kind: 'Pod', ...pod('x') });
  const headers = { 'content-type': PROTOBUF, accept: `${PROTOBUF}, application/json` };
  const request = new Request(`https://test.example${PODS}`, { method: 'POST', headers, body: body.slice() });
  const created = await b.api.handle(request, b.cluster, { user: ADMIN });
  assert.deepEqual([created.status, created.headers.get('content-type')], [201, PROTOBUF]);
  const { kind, raw } = decodeEnvelope(new Uint8Array(await created.arrayBuffer()));
  const object = decodeProto(struct(POD), raw) as { metadata: JsonObject; spec: JsonObject };
  assert.deepEqual([kind, object.metadata.name, object.spec.restartPolicy], ['Pod', 'x', 'Always']);
  const json = await b.ask('GET', `${PODS}/x`);
  assert.equal(json.body.metadata.uid, object.metadata.uid);
  const list = await b.open('GET', PODS, { accept: PROTOBUF });
  const listed = decodeEnvelope(new Uint8Array(await list.arrayBuffer()));
  const { items } = decodeProto(struct(`${POD}List`), listed.raw) as { items: { metadata: JsonObject }[] };
  assert.deepEqual([listed.kind, items.map((i) => i.metadata.name)], ['PodList', ['x']]);
});

test('a list in protobuf that is longer than what is kept of it comes whole', async () => {
  const b = await bench();
  const path = '/api/v1/namespaces/default/configmaps';
  const names = Array.from({ length: 20 }, (_, i) => `c${String(i).padStart(2, '0')}`);
  for (const name of names) await b.ask('POST', path, { metadata: { name }, data: { k: name.repeat(300_000) } });
  const list = await b.open('GET', path, { accept: PROTOBUF });
  const { raw } = decodeEnvelope(new Uint8Array(await list.arrayBuffer()));
  type ConfigMap = { metadata: JsonObject; data: { k: string } };
  const { items } = decodeProto(struct('io.k8s.api.core.v1.ConfigMapList'), raw) as unknown as { items: ConfigMap[] };
  const mine = items.filter((i) => names.includes(String(i.metadata.name)));
  assert.deepEqual(
    mine.map((i) => [i.metadata.name, i.data.k === String(i.metadata.name).repeat(300_000)]),
    names.map((name) => [name, true]),
  );
});

test('a protobuf watch is frames of events around whole objects', async () => {
  const b = await bench();
  await b.ask('POST', PODS, pod('x'));
  const stream = await b.open('GET', `${PODS}?watch=1`, { accept: PROTOBUF });
  assert.equal(stream.headers.get('content-type'), `${PROTOBUF};stream=watch`);
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  const { value = new Uint8Array() } = await reader.read();
  await reader.cancel();
  const [frame = new Uint8Array()] = lengthReader().push(value);
  const event = decodeWatchEvent(frame);
  const { kind, raw } = decodeEnvelope(event.object);
  const { metadata } = decodeProto(struct(POD), raw) as { metadata: JsonObject };
  assert.deepEqual([event.type, kind, metadata.name, metadata.resourceVersion], ['ADDED', 'Pod', 'x', '3']);
});

test('the events of what stands are the same in JSON and in protobuf, over pages', async () => {
  const b = await bench();
  const path = '/api/v1/namespaces/default/configmaps';
  for (let i = 0; i < 7; i++) {
    const k = i < 2 ? `"é"\n${i}` : `x${i}`.repeat(400_000);
    await b.ask('POST', path, { metadata: { name: `c${i}`, labels: { half: String(i % 2) } }, data: { k } });
  }
  for (const query of ['?watch=1', '?watch=1&labelSelector=half%3D1']) {
    const list = await b.ask('GET', `${path}${query.replace('watch=1', '')}`);
    const items = list.body.items as unknown as JsonObject[];
    const want = items.map((o) => ({ type: 'ADDED', object: { kind: 'ConfigMap', apiVersion: 'v1', ...o } }));
    assert.deepEqual(await events(await b.open('GET', path + query), want.length), want);
    const stream = await b.open('GET', path + query, { accept: PROTOBUF });
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    const frames = lengthReader();
    const seen: unknown[] = [];
    while (seen.length < want.length) {
      const { value = new Uint8Array() } = await reader.read();
      for (const { type, object } of frames.push(value).map(decodeWatchEvent)) {
        const { kind, raw } = decodeEnvelope(object);
        const { metadata, data } = decodeProto(struct('io.k8s.api.core.v1.ConfigMap'), raw) as {
          metadata: JsonObject;
          data: JsonObject;
        };
        seen.push([type, kind, metadata.name, metadata.resourceVersion, data]);
      }
    }
    await reader.cancel();
    assert.deepEqual(
      seen,
      items.map(({ metadata, data }) => {
        const { name, resourceVersion } = metadata as JsonObject;
        return ['ADDED', 'ConfigMap', name, resourceVersion, data];
      }),
    );
  }
});

test('a failure is in the form that the client reads', async () => {
  const b = await bench();
  const r = await b.open('GET', `${PODS}/none`, { accept: PROTOBUF });
  const { kind, raw } = decodeEnvelope(new Uint8Array(await r.arrayBuffer()));
  const status = decodeProto(struct('io.k8s.apimachinery.pkg.apis.meta.v1.Status'), raw);
  assert.deepEqual([r.status, kind, status.code, status.reason], [404, 'Status', 404, 'NotFound']);
});

test('YAML goes in and comes out', async () => {
  const b = await bench();
  const text = 'metadata:\n  name: x\ndata:\n  a: "1"\n';
  const created = await b.ask('POST', '/api/v1/namespaces/default/configmaps', text, {
    'content-type': 'application/yaml',
    accept: 'application/yaml',
  });
  assert.deepEqual([created.code, created.headers.get('content-type')], [201, 'application/yaml']);
  assert.match(created.text, /^apiVersion: v1\ndata:\n {2}a: "1"\n/);
});

test('metadata alone is sent to whoever asks for it', async () => {
  const b = await bench();
  await b.ask('POST', PODS, pod('x'));
  const accept = (kind: string) => ({ accept: `application/json;as=${kind};g=meta.k8s.io;v=v1` });
  const one = await b.ask('GET', `${PODS}/x`, undefined, accept('PartialObjectMetadata'));
  assert.deepEqual([one.body.kind, one.body.spec, one.body.metadata.name], ['PartialObjectMetadata', undefined, 'x']);
  const list = await b.ask('GET', PODS, undefined, accept('PartialObjectMetadataList'));
  assert.equal(list.body.kind, 'PartialObjectMetadataList');
  const wrong = await b.ask('GET', PODS, undefined, accept('PartialObjectMetadata'));
  assert.equal(wrong.code, 406);
});

test('whole numbers beyond 2^53 survive', async () => {
  const b = await bench();
  const text =
    '{"metadata":{"name":"x"},"spec":{"activeDeadlineSeconds":5,"containers":[{"name":"c","image":"i","securityContext":{"runAsUser":9007199254740993}}]}}';
  const created = await b.ask('POST', `${PODS}?dryRun=All`, text);
  assert.ok(created.text.includes('9007199254740993') || created.code === 422, created.text);
  assert.ok(parseJson(created.text));
});
