import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { BUSYBOX, findKubectl, type System, startSystem } from './system.ts';

const skip = process.getuid?.() === 0 ? ((await findKubectl()) === null ? 'no kubectl' : false) : 'needs root';
let s: System;
before(
  async () => {
    if (!skip) s = await startSystem(7);
  },
  { timeout: 600_000 },
);
after(async () => {
  await s?.close();
});

const container = { name: 'main', image: BUSYBOX, command: ['sleep', '1000'] };
const spec = { terminationGracePeriodSeconds: 1, containers: [container] };
const pod = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
const replicas = (n: number) => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'web' },
  spec: {
    replicas: n,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec },
  },
});
const apply = async (object: object) => {
  const r = await s.kubectlWith(JSON.stringify(object), 'apply', '-f', '-');
  assert.equal(r.code, 0, r.stderr);
};
interface Pod {
  metadata: { name: string; uid: string };
  status: { phase: string; containerStatuses?: { ready: boolean; containerID: string }[] };
}
const pods = async () => JSON.parse(await s.kubectl('get', 'pods', '-o', 'json')) as { items: Pod[] };
const eventually = async (what: string, probe: () => Promise<boolean>, ms = 60_000) => {
  for (const end = Date.now() + ms; !(await probe()); await delay(200))
    if (Date.now() > end) assert.fail(`not after ${ms} ms: ${what}`);
};

test('nodes and controllers follow a cluster back in time', { skip, timeout: 240_000 }, async () => {
  await apply(pod('stays'));
  await apply(pod('gone'));
  await apply(replicas(2));
  const ready = async (n: number) => {
    const { items } = await pods();
    return items.length === n && items.every((p) => p.status.containerStatuses?.[0]?.ready);
  };
  await eventually('four pods run', () => ready(4));
  const was = await pods();
  const list = JSON.parse(await s.kubectl('get', '--raw', '/api/v1/namespaces/default/pods?limit=1')) as {
    metadata: { resourceVersion: string };
  };

  await s.kubectl('delete', 'pod', 'gone', '--wait');
  await apply(replicas(0));
  await apply(pod('new'));
  await eventually('two pods run', () => ready(2));
  const containerOf = (l: { items: Pod[] }, name: string) =>
    l.items.find((p) => p.metadata.name === name)?.status.containerStatuses?.[0]?.containerID;
  const stays = containerOf(await pods(), 'stays');

  await s.coracle('cluster', 'restore', 'default', '--to', list.metadata.resourceVersion);
  const before = containerOf(was, 'gone');
  await eventually('the pod that was gone runs in a new container', async () => {
    const now = containerOf(await pods(), 'gone');
    return (await ready(4)) && now !== undefined && now !== before;
  });
  const now = await pods();
  const identities = (l: { items: Pod[] }) => l.items.map((p) => `${p.metadata.name} ${p.metadata.uid}`).sort();
  assert.deepEqual(identities(now), identities(was));
  assert.equal(containerOf(now, 'stays'), stays, 'a pod that was there all along was started anew');
  assert.equal((await s.kubectl('exec', 'gone', '--', 'echo', 'back')).trim(), 'back');
  await eventually('the controller has seen the new generation', async () => {
    const rs = JSON.parse(await s.kubectl('get', 'replicaset', 'web', '-o', 'json')) as {
      metadata: { generation: number };
      status: { observedGeneration: number; readyReplicas: number };
    };
    return rs.status.observedGeneration === rs.metadata.generation && rs.status.readyReplicas === 2;
  });
  assert.match(await s.kubectl('get', 'nodes'), /^node-7 +Ready/m);
});
