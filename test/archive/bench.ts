import { statSync } from 'node:fs';
import { join } from 'node:path';
import { call } from '../../cli/endpoint.ts';
import { type ClusterObject, createCluster } from '../../cli/tenancy.ts';
import { fill, forgetPeak, kubeOf, memoryOf, startServed } from './server.ts';

// What copies of clusters cost: node test/archive/bench.ts [objects]. Prints one line per figure.

const OBJECTS = Number(process.argv[2] ?? 10_000);
const TIMES = 5;
const CLUSTERS = '/apis/tenancy.coracle.dev/v1/clusters';
const configMap = (bytes: number) => (i: number) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `cm-${String(i).padStart(6, '0')}`, labels: { app: `app-${i % 20}` } },
  data: {
    text: Array.from({ length: bytes / 10 }, (_, k) =>
      ((i * 7919 + k * 104729) % 1e10).toString(36).padEnd(10, 'x'),
    ).join(''),
  },
});
const pod = (i: number) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `pod-${String(i).padStart(6, '0')}`, labels: { app: `app-${i % 20}` } },
  spec: {
    nodeName: `node-${i % 50}`,
    containers: [{ name: 'main', image: 'registry.test/app:1', env: [{ name: 'I', value: String(i) }] }],
  },
});

const served = await startServed();
try {
  const { endpoint } = served;
  const timed = async (what: string, f: (i: number) => Promise<unknown>, times = TIMES) => {
    const ms: number[] = [];
    for (let i = 0; i < times; i++) {
      const began = performance.now();
      await f(i);
      ms.push(performance.now() - began);
    }
    ms.sort((a, b) => a - b);
    console.log(
      `${what}: median ${ms[times >> 1]?.toFixed(0)} ms of ${times} (${ms[0]?.toFixed(0)} to ${ms.at(-1)?.toFixed(0)})`,
    );
  };
  const made = async (name: string) => {
    const { status } = await createCluster(endpoint, name);
    return kubeOf(endpoint, status.url, status.adminToken ?? '');
  };
  const fork = (name: string) => async (i: number) => {
    const { code, body } = await call(endpoint, 'POST', `${CLUSTERS}/${name}/fork`, {
      metadata: { name: `${name}-${i}` },
    });
    if (code !== 201) throw new Error(String(body.message));
    forked.push(body as unknown as ClusterObject);
  };
  const forked: ClusterObject[] = [];
  const small = await made('small');
  await fill(small, '/api/v1/namespaces/default/configmaps', OBJECTS / 2, configMap(1000));
  await small('POST', '/api/v1/namespaces', { metadata: { name: 'pods' } });
  await small('POST', '/api/v1/namespaces/pods/serviceaccounts', { metadata: { name: 'default' } });
  await fill(small, '/api/v1/namespaces/pods/pods', OBJECTS / 2, pod);
  await timed(
    `fork of ${OBJECTS / 2} ConfigMaps of 1 KB and ${OBJECTS / 2} bound pods, first list included`,
    fork('small'),
  );
  small.close();
  const large = await made('large');
  await fill(large, '/api/v1/namespaces/default/configmaps', OBJECTS, configMap(10_000));
  const file = join(served.home, 'large.archive');
  const pid = served.pid();
  forgetPeak(pid);
  const before = memoryOf(pid).now;
  await timed(`backup of ${OBJECTS} ConfigMaps of 10 KB`, () => served.coracle('cluster', 'backup', 'large', file), 3);
  console.log(
    `resident memory of the server: ${before.toFixed(0)} MiB before, at most ${memoryOf(pid).most.toFixed(0)} MiB; archive ${(statSync(file).size / 2 ** 20).toFixed(1)} MiB`,
  );
  forgetPeak(pid);
  const idle = memoryOf(pid).now;
  await timed(
    'restore of it as a fork',
    (i) => served.coracle('cluster', 'restore', `again-${i}`, '--from', file, '--as-fork'),
    3,
  );
  console.log(
    `resident memory of the server: ${idle.toFixed(0)} MiB before, at most ${memoryOf(pid).most.toFixed(0)} MiB`,
  );
  large.close();
} finally {
  await served.close();
}
