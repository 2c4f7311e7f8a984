/** A cold workerd's start and its first requests, protobuf POST of a Deployment first of all: `node test/risks/cold.ts [RUNS]`. Prints the median of each step in ms. */
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare, start } from '../../cli/server/process.ts';
import { encodeObject } from '../../kube/codec/protobuf.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { schemas } from '../../kube/schema/schemas.ts';
import { freePort } from '../ports.ts';

const runs = Number(process.argv[2] ?? 5);
const struct = schemas.kind({ group: 'apps', version: 'v1', kind: 'Deployment' });
if (!struct) throw new Error('no Deployment');
const template = {
  metadata: { labels: { app: 'a' } },
  spec: {
    containers: [
      {
        name: 'a',
        image: 'a:1',
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        resources: { requests: { cpu: '100m' } },
      },
    ],
  },
};
const deployment = (name: string) =>
  encodeObject(
    struct,
    {
      metadata: { name, namespace: 'default' },
      spec: { replicas: 1, selector: { matchLabels: { app: 'a' } }, template },
    } as unknown as KubeObject,
    'apps/v1',
    'Deployment',
  );

interface Server {
  port: number;
  ca: string;
}
function ask(
  s: Server,
  method: string,
  path: string,
  token: string,
  body?: Uint8Array | string,
  type = 'application/json',
): Promise<{ code: number; ms: number; text: string }> {
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': type, accept: type }),
    };
    const r = request({ host: '127.0.0.1', port: s.port, path, method, ca: s.ca, headers, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (b: Buffer) => parts.push(b));
      answer.on('end', () =>
        resolve({ code: answer.statusCode ?? 0, ms: performance.now() - begin, text: Buffer.concat(parts).toString() }),
      );
    });
    r.on('error', reject);
    r.end(body);
  });
}

async function once(): Promise<Record<string, number>> {
  const home = await mkdtemp(join(tmpdir(), 'coracle-cold-'));
  const port = await freePort();
  const prepared = await prepare({ home, listen: [{ host: '127.0.0.1', port }], names: [] });
  const s = { port, ca: prepared.caPem };
  let child = start(prepared.config, join(home, 'log'));
  const ready = async () => {
    const begin = performance.now();
    for (;;) {
      const r = await ask(s, 'GET', '/healthz', '').catch(() => null);
      if (r?.code === 200) return performance.now() - begin;
      await new Promise((next) => setTimeout(next, 5));
    }
  };
  const end = () =>
    new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.kill('SIGTERM');
    });
  try {
    await ready();
    const created = await ask(
      s,
      'POST',
      '/apis/tenancy.coracle.dev/v1/clusters',
      prepared.operatorToken,
      JSON.stringify({ metadata: { name: 'cold' } }),
    );
    const { status } = JSON.parse(created.text) as { status: { id: string; adminToken: string } };
    await end();
    child = start(prepared.config, join(home, 'log'));
    const startMs = await ready();
    const base = `/clusters/${status.id}`;
    const path = `${base}/apis/apps/v1/namespaces/default/deployments`;
    const post = (name: string) =>
      ask(s, 'POST', path, status.adminToken, deployment(name), 'application/vnd.kubernetes.protobuf');
    const first = await post('first');
    const second = await post('second');
    if (first.code !== 201 || second.code !== 201)
      throw new Error(`${first.code} ${second.code}: ${first.text.slice(0, 300)}`);
    const third = await post('third');
    return {
      'start to /healthz': startMs,
      'create a cluster (warm)': created.ms,
      'first protobuf POST of a Deployment': first.ms,
      second: second.ms,
      third: third.ms,
    };
  } finally {
    await end();
    await rm(home, { recursive: true, force: true });
  }
}

const all: Record<string, number>[] = [];
for (let i = 0; i < runs; i++) all.push(await once());
const median = (name: string) => all.map((r) => r[name] ?? 0).sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
for (const name of Object.keys(all[0] ?? {})) console.log(`${name.padEnd(40)} ${median(name).toFixed(1)} ms`);
