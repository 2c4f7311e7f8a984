import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { call } from '../../cli/endpoint.ts';
import { createCluster } from '../../cli/tenancy.ts';
import { optionsOf } from '../options.ts';
import { fill, forgetPeak, kubeOf, memoryOf, startServed } from './server.ts';

// What copies of clusters cost: node test/archive/bench.ts [objects]. One line a figure; times of a machine that does nothing else.

const HELP = `npm run bench:archive -- [OBJECTS]

What forks, backups and restores cost (default 10,000 objects).`;
const { positionals: WORDS } = optionsOf(HELP, {});
const OBJECTS = Number(WORDS[0] ?? 10_000);
const TIMES = 5;
/** Between two measurements: what the one before left behind comes to rest. */
const REST_MS = 3_000;
const CLUSTERS = '/apis/tenancy.coracle.dev/v1/clusters';

const configMap = (bytes: number) => (i: number) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `cm-${String(i).padStart(6, '0')}`, labels: { app: `app-${i % 20}` } },
  data: { text: textOf(i, bytes) },
});
/** Hard to compress, as certificates and images' digests are. */
function textOf(seed: number, bytes: number): string {
  let text = '';
  for (let k = 0; text.length < bytes; k++) text += ((seed * 7919 + k * 104_729) % 1e10).toString(36);
  return text.slice(0, bytes);
}
const pod = (i: number) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `pod-${String(i).padStart(6, '0')}`, labels: { app: `app-${i % 20}` } },
  spec: { nodeName: `node-${i % 50}`, containers: [{ name: 'main', image: 'registry.test/app:1' }] },
});

const served = await startServed();
const { endpoint } = served;

/** Milliseconds of processor time of the server. */
function processorMs(): number {
  const fields = readFileSync(`/proc/${served.pid()}/stat`, 'utf8').split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

/** Measures `f` some times, and meanwhile how long somebody else's requests take. */
async function measure(
  what: string,
  times: number,
  f: (i: number) => Promise<unknown>,
  rest?: (i: number) => Promise<unknown>,
) {
  const took: number[] = [];
  const spent: number[] = [];
  const others: number[] = [];
  const operator = kubeOf(endpoint, endpoint.url, endpoint.token);
  for (let i = 0; i < times; i++) {
    await sleep(REST_MS);
    let stop = false;
    const asking = (async () => {
      while (!stop) {
        const asked = performance.now();
        await operator('GET', `${CLUSTERS}/small`);
        others.push(performance.now() - asked);
        await sleep(5);
      }
    })();
    const [began, before] = [performance.now(), processorMs()];
    await f(i);
    took.push(performance.now() - began);
    spent.push(processorMs() - before);
    stop = true;
    await asking;
    await rest?.(i);
  }
  operator.close();
  const at = (list: number[], share: number) =>
    list.sort((a, b) => a - b)[Math.floor((list.length - 1) * share)]?.toFixed(0);
  console.log(
    `${what}: ${at(took, 0.5)} ms (${at(took, 0)} to ${at(took, 1)} of ${times}), ${at(spent, 0.5)} ms of processor time; another's request meanwhile p50 ${at(others, 0.5)} ms, p99 ${at(others, 0.99)} ms`,
  );
}

async function fork(name: string, i: number): Promise<void> {
  const { code, body } = await call(endpoint, 'POST', `${CLUSTERS}/${name}/fork`, { metadata: { name: `fork-${i}` } });
  if (code !== 201) throw new Error(String(body.message));
}
const remove = (name: string) => call(endpoint, 'DELETE', `${CLUSTERS}/${name}`);
async function made(name: string) {
  const { status } = await createCluster(endpoint, name);
  return kubeOf(endpoint, status.url, status.adminToken ?? '');
}
const memory = async (what: string, f: () => Promise<void>) => {
  forgetPeak(served.pid());
  const before = memoryOf(served.pid()).now;
  await f();
  const { most } = memoryOf(served.pid());
  console.log(
    `  resident memory with ${what}: ${before.toFixed(0)} MiB before, at most ${most.toFixed(0)} MiB: ${(most - before).toFixed(0)} more`,
  );
};

try {
  const small = await made('small');
  await fill(small, '/api/v1/namespaces/default/configmaps', OBJECTS / 2, configMap(1_000));
  await fill(small, '/api/v1/namespaces/default/pods', OBJECTS / 2, pod);
  const half = OBJECTS / 2;
  await measure(
    `fork of ${half} ConfigMaps of 1 KB and ${half} bound pods`,
    TIMES,
    (i) => fork('small', i),
    (i) => remove(`fork-${i}`),
  );
  small.close();
  const plain = await made('plain');
  await fill(plain, '/api/v1/namespaces/default/configmaps', OBJECTS, configMap(1_000));
  await measure(
    `fork of ${OBJECTS} ConfigMaps of 1 KB`,
    TIMES,
    (i) => fork('plain', i),
    (i) => remove(`fork-${i}`),
  );
  plain.close();
  const large = await made('large');
  await fill(large, '/api/v1/namespaces/default/configmaps', OBJECTS, configMap(10_000));
  const file = join(served.home, 'large.archive');
  await memory('the backup', () =>
    measure(`backup of ${OBJECTS} ConfigMaps of 10 KB`, 3, () => served.coracle('cluster', 'backup', 'large', file)),
  );
  console.log(`  the archive: ${(statSync(file).size / 2 ** 20).toFixed(1)} MiB`);
  let writing = true;
  const load = (async () => {
    for (let i = 0; writing; i++)
      await large(
        'PUT',
        `/api/v1/namespaces/default/configmaps/cm-${String(i % OBJECTS).padStart(6, '0')}`,
        configMap(10_000)(i % OBJECTS),
      );
  })();
  await memory('the backup under load', () =>
    measure('the same while a client writes', 3, () => served.coracle('cluster', 'backup', 'large', file)),
  );
  writing = false;
  await load;
  await memory('the restore', () =>
    measure(
      'restore of it',
      3,
      (i) =>
        served.coracle(
          'cluster',
          'restore',
          `again-${i}`,
          '--from',
          file,
          '--as-fork',
          '--output',
          join(served.home, 'kubeconfig'),
        ),
      (i) => remove(`again-${i}`),
    ),
  );
  large.close();
} finally {
  await served.close();
}
