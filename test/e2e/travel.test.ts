import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../ports.ts';
import { findKubectl } from './system.ts';

const run = promisify(execFile);
const launcher = join(import.meta.dirname, '../../coracle');

/** A control plane without nodes, with kubectl and coracle on it. */
async function controlPlane() {
  const home = await mkdtemp(join(tmpdir(), 'coracle-travel-'));
  const env = { ...process.env, CORACLE_HOME: home, HOME: home, KUBECONFIG: join(home, 'kubeconfig') };
  const program = (await findKubectl()) ?? 'kubectl';
  const coracle = async (...args: string[]) => (await run(launcher, args, { env })).stdout;
  const kubectl = async (...args: string[]) => (await run(program, args, { env, maxBuffer: 1 << 26 })).stdout;
  await coracle('up', '--no-node', '--port', String(await freePort()));
  const apply = (objects: object[]) =>
    new Promise<void>((resolve, reject) => {
      const child = spawn(program, ['apply', '-f', '-'], { env, stdio: ['pipe', 'ignore', 'inherit'] });
      child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`kubectl apply ended with ${code}`))));
      child.stdin.end(objects.map((o) => JSON.stringify(o)).join('\n---\n'));
    });
  const close = async () => {
    await coracle('down');
    await rm(home, { recursive: true, force: true });
  };
  return { env, program, coracle, kubectl, apply, close };
}

const failure = (e: unknown): string => (e as { stderr?: string }).stderr ?? String(e);
const inShop = (kind: string, name: string, rest: object, apiVersion = 'v1') => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'shop' },
  ...rest,
});
const settings = (theme: string) => inShop('ConfigMap', 'settings', { data: { theme, size: 'large' } });
const role = (verbs: string[]) =>
  inShop(
    'Role',
    'reader',
    { rules: [{ apiGroups: [''], resources: ['configmaps'], verbs }] },
    'rbac.authorization.k8s.io/v1',
  );
const binding = inShop(
  'RoleBinding',
  'reader',
  {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }],
  },
  'rbac.authorization.k8s.io/v1',
);
const service = (name: string, clusterIP?: string) =>
  inShop('Service', name, { spec: { ports: [{ port: 80 }], ...(clusterIP === undefined ? {} : { clusterIP }) } });

const replicaSet = (replicas: number) =>
  inShop(
    'ReplicaSet',
    'web',
    {
      spec: {
        replicas,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
      },
    },
    'apps/v1',
  );
const eventually = async (what: string, probe: () => Promise<boolean>, ms = 30_000) => {
  for (const end = Date.now() + ms; !(await probe()); await delay(100))
    if (Date.now() > end) assert.fail(`not after ${ms} ms: ${what}`);
};

it('a cluster goes back in time and forth again, and its objects tell their history', {
  timeout: 240_000,
}, async (t) => {
  const c = await controlPlane();
  t.after(c.close);
  const { coracle, kubectl, apply } = c;
  const field = (what: string, path: string) =>
    kubectl('get', '-n', 'shop', ...what.split(' '), '-o', `jsonpath={${path}}`);
  const names = async (kind: string) =>
    (await kubectl('get', '-n', 'shop', kind, '-o', 'name')).split('\n').filter(Boolean);
  const revision = async () =>
    (
      JSON.parse(await kubectl('get', '--raw', '/api/v1/namespaces/shop/configmaps?limit=1')) as {
        metadata: { resourceVersion: string };
      }
    ).metadata.resourceVersion;
  const can = async (verb: string) =>
    (
      await kubectl('auth', 'can-i', verb, 'configmaps', '-n', 'shop', '--as', 'jane').catch((e) => String(e.stdout))
    ).trim();

  await kubectl('create', 'namespace', 'shop');
  await apply([settings('dark'), role(['get']), binding, service('web'), replicaSet(2)]);
  const generations = () => field('replicaset web', '.metadata.generation}{" "}{.status.observedGeneration');
  await eventually('the controller has seen the ReplicaSet', async () => (await generations()) === '1 1');
  await kubectl('create', 'secret', 'generic', 'key', '-n', 'shop', '--from-literal=password=tiger');
  const ip = await field('service web', '.spec.clusterIP');
  const uid = await field('service web', '.metadata.uid');
  const then = await revision();

  await apply([settings('light'), role(['get', 'delete']), replicaSet(0)]);
  await eventually('the controller has seen the change', async () => (await generations()) === '2 2');
  await kubectl('delete', 'service', 'web', '-n', 'shop');
  await apply([service('thief', ip), inShop('ConfigMap', 'extra', {})]);
  await kubectl('patch', 'secret', 'key', '-n', 'shop', '-p', '{"data":{"password":"bGlvbg=="}}');
  assert.equal(await can('delete'), 'yes');
  const before = await revision();
  const watching = run(
    c.program,
    ['get', '--raw', `/api/v1/namespaces/shop/configmaps?watch=1&resourceVersion=${before}`],
    {
      env: c.env,
    },
  );

  const said = await coracle('cluster', 'restore', 'default', '--to', then);
  assert.match(
    said,
    new RegExp(`^cluster default is as it was at revision ${then}: \\d+ objects brought back or deleted\n`),
  );
  const revisionBefore = /^revision before: (\d+)$/m.exec(said)?.[1] ?? '';
  const revisionAfter = /^revision after: {2}(\d+)$/m.exec(said)?.[1] ?? '';
  assert.ok(Number(revisionBefore) >= Number(before) && Number(revisionAfter) > Number(revisionBefore), said);
  assert.match(said, new RegExp(`undo with: coracle cluster restore default --to ${revisionBefore}\n$`));

  assert.equal(await field('configmap settings', '.data.theme'), 'dark');
  assert.deepEqual(await names('services'), ['service/web']);
  assert.deepEqual(
    [await field('service web', '.spec.clusterIP'), await field('service web', '.metadata.uid')],
    [ip, uid],
  );
  assert.deepEqual([await can('get'), await can('delete')], ['yes', 'no']);
  assert.ok(!(await names('configmaps')).includes('configmap/extra'));
  assert.equal(await field('secret key', '.data.password'), 'dGlnZXI=');
  assert.match((await watching).stdout, /"type":"ERROR".*"code":410/);
  await assert.rejects(apply([service('thief', ip)]));
  await eventually('controllers look at all of it anew', async () => (await generations()) === '3 3');

  const text = await coracle('history', 'default', 'cm/settings', '-n', 'shop');
  const lines = text.split('\n');
  assert.match(lines[0] ?? '', /^REVISION +TIME +USER +TYPE$/);
  assert.match(lines[1] ?? '', /^\d+ +\S+Z +system:coracle:restore +changed$/);
  assert.ok(
    lines.includes('    .data.theme: "light" -> "dark"') && lines.includes('    .data.theme: "dark" -> "light"'),
    text,
  );
  assert.match(lines.at(-2) ?? '', /^\d+ +\S+Z +kubernetes-admin +created$/);
  const secret = await coracle('history', 'default', 'secrets/key', '-n', 'shop', '-o', 'json');
  assert.ok(!/bGlvbg|dGlnZXI/.test(secret), secret);
  const { items } = JSON.parse(secret) as { items: { changes?: object[] }[] };
  assert.deepEqual(items[0]?.changes, [{ path: '.data.password', from: '***', to: '***' }]);
  const one = JSON.parse(
    await coracle('history', 'default', 'Service/web', '-n', 'shop', '--limit', '1', '-o', 'json'),
  );
  assert.deepEqual([one.items.length, one.items[0].type], [1, 'created']);
  // Two versions of it are more than the server gives at once.
  const big = join(c.env.HOME, 'big.txt');
  await writeFile(big, 'x'.repeat(700_000));
  await kubectl('create', 'configmap', 'big', `--from-file=${big}`);
  for (const n of ['1', '2', '3']) await kubectl('label', '--overwrite', 'configmap', 'big', `n=${n}`);
  const types = (printed: string) => printed.split('\n').flatMap((line) => /^\d+ .* (\w+)$/.exec(line)?.[1] ?? []);
  const whole = await coracle('history', 'default', 'cm/big');
  assert.deepEqual(types(whole), ['changed', 'changed', 'changed', 'created']);
  assert.doesNotMatch(whole, /older versions/);
  const newest = await coracle('history', 'default', 'cm/big', '--limit', '2');
  assert.deepEqual(types(newest), ['changed', 'changed']);
  assert.match(newest, /older versions are left out; --limit shows more/);

  // With kubectl, as far as one may get the object.
  const raw = (kind: string, name: string) =>
    kubectl('get', '--raw', `/.coracle/v1/history?kind=${kind}&name=${name}&namespace=shop`, '--as', 'jane');
  assert.match(await raw('cm', 'settings'), /"type":"created"/);
  const forbidden = await raw('secret', 'key').then(() => 'no error', failure);
  assert.match(forbidden, /secrets "key" is forbidden: User "jane" cannot get resource "secrets"/);

  await coracle('cluster', 'restore', 'default', '--to', revisionBefore);
  assert.equal(await field('configmap settings', '.data.theme'), 'light');
  assert.deepEqual(await names('services'), ['service/thief']);
  assert.equal(await can('delete'), 'yes');
  // What stood between the two restores can still be read.
  const past = `/api/v1/namespaces/shop/services?resourceVersion=${revisionAfter}&resourceVersionMatch=Exact`;
  assert.match(await kubectl('get', '--raw', past), /"name":"web"/);

  // To the time of a version: when the settings were made, nothing else was there yet.
  const versions = JSON.parse(await coracle('history', 'default', 'cm/settings', '-n', 'shop', '-o', 'json')) as {
    items: { revision: string; time: string }[];
  };
  const first = versions.items.at(-1);
  assert.match(
    await coracle('cluster', 'restore', 'default', '--to', first?.time ?? ''),
    new RegExp(`as it was at revision ${first?.revision}: `),
  );
  assert.deepEqual([await field('configmap settings', '.data.theme'), await names('services')], ['dark', []]);

  assert.match(await coracle('cluster', 'verify', 'default'), /^cluster default is whole: /);

  for (const [args, message] of [
    [['history', 'default', 'foo/x'], 'the server doesn\'t have a resource type "foo"'],
    [['history', 'default', 'deploy.apps/x', '-n', 'shop'], 'deployments.apps "x" not found'],
    [['history', 'absent', 'cm/x'], 'clusters.tenancy.coracle.dev "absent" not found'],
    [
      ['cluster', 'restore', 'default', '--to', '999999999'],
      /revision 999999999 has not been reached: the newest is \d+/,
    ],
    [
      ['cluster', 'restore', 'default', '--to', '2020-01-01T00:00:00Z'],
      /the time has left history: the oldest revision is \d+/,
    ],
    [['cluster', 'restore', 'default', '--to', 'yesterday'], '"yesterday" is neither a revision nor a time (RFC 3339)'],
  ] as [string[], string | RegExp][]) {
    const stderr = await coracle(...args).then(() => 'no error', failure);
    if (typeof message === 'string') assert.equal(stderr, `coracle: ${message}\n`);
    else assert.match(stderr, message);
  }
});
