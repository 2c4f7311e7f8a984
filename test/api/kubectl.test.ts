import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { findKubectl } from '../e2e/system.ts';
import { memoryCluster, parts, serve } from './serve.ts';

// Unmodified kubectl against the API server on MemoryStore. No controllers run: what they would fill in stays empty.

const found = await findKubectl();
const KUBECTL = found ?? '';
const skip = found ? false : 'kubectl is not there: set KUBECTL';
/** One command shall not hang the suite. */
const TIMEOUT_MS = 30_000;

let server: { port: number; close(): void } | undefined;
before(async () => {
  if (!skip) server = await serve(parts, await memoryCluster('http://127.0.0.1'), 0);
});
after(() => server?.close());

interface Result {
  code: number;
  out: string;
  err: string;
}
function kubectl(args: readonly string[], input = ''): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      KUBECTL,
      ['--server', `http://127.0.0.1:${server?.port}`, ...args],
      { timeout: TIMEOUT_MS, env: { ...process.env, KUBECONFIG: '/dev/null' } },
      (error, out, err) => resolve({ code: error ? Number(error.code ?? 1) : 0, out, err }),
    );
    child.stdin?.end(input);
  });
}
async function ok(...args: string[]): Promise<string> {
  const r = await kubectl(args);
  assert.equal(r.code, 0, `${args.join(' ')}: ${r.err}`);
  return r.out;
}

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}]}
`;

test('version and resources are discovered', { skip }, async () => {
  assert.match(await ok('version'), /Server Version: v1\.37\.1/);
  const names = await ok('api-resources', '-o', 'name');
  for (const n of ['pods', 'deployments.apps', 'leases.coordination.k8s.io'])
    assert.ok(names.split('\n').includes(n), n);
});

test('an object is applied, changed, shown and deleted', { skip }, async () => {
  assert.equal((await kubectl(['apply', '-f', '-'], DEPLOYMENT)).out, 'deployment.apps/web created\n');
  assert.equal((await kubectl(['apply', '-f', '-'], DEPLOYMENT)).out, 'deployment.apps/web unchanged\n');
  const three = DEPLOYMENT.replace('replicas: 2', 'replicas: 3');
  assert.equal((await kubectl(['apply', '-f', '-'], three)).out, 'deployment.apps/web configured\n');
  assert.equal(await ok('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'), '3');
  assert.match(
    await ok('get', 'deploy', '-o', 'wide'),
    /^NAME\s+READY\s+UP-TO-DATE\s+AVAILABLE\s+AGE\s+CONTAINERS\s+IMAGES/,
  );
  assert.equal(await ok('scale', 'deploy', 'web', '--replicas=5'), 'deployment.apps/web scaled\n');
  assert.equal(await ok('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas} {.metadata.generation}'), '5 3');
  await ok('label', 'deploy', 'web', 'tier=front');
  await ok('annotate', 'deploy', 'web', 'note=x');
  await ok('set', 'image', 'deploy/web', 'c=nginx:2');
  await ok('patch', 'deploy', 'web', '--type=json', '-p', '[{"op":"replace","path":"/spec/replicas","value":7}]');
  await ok('patch', 'deploy', 'web', '--type=merge', '-p', '{"spec":{"paused":true}}');
  await ok('patch', 'deploy', 'web', '-p', '{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"e"}]}}}}');
  const path =
    'jsonpath={.spec.replicas} {.spec.paused} {.metadata.labels.tier} {.spec.template.spec.containers[*].image}';
  assert.equal(await ok('get', 'deploy', 'web', '-o', path), '7 true front e nginx:2');
  assert.match(await ok('rollout', 'history', 'deploy', 'web'), /No rollout history found/);
  assert.equal(await ok('delete', 'deploy', 'web'), 'deployment.apps "web" deleted from default namespace\n');
});

test('server-side apply names the fields that another manager owns', { skip }, async () => {
  const ssa = (manager: string, text: string, ...more: string[]) =>
    kubectl(['apply', '--server-side', `--field-manager=${manager}`, '-f', '-', ...more], text);
  const text = (data: string) => `{apiVersion: v1, kind: ConfigMap, metadata: {name: ssa}, data: {k: ${data}}}`;
  assert.equal((await ssa('a', text('one'))).out, 'configmap/ssa serverside-applied\n');
  const refused = await ssa('b', text('two'));
  assert.match(refused.err, /Apply failed with 1 conflict: conflict with "a": \.data\.k/);
  assert.equal((await ssa('b', text('two'), '--force-conflicts')).code, 0);
  assert.equal(await ok('get', 'cm', 'ssa', '-o', 'jsonpath={.data.k}'), 'two');
});

test('what the schema does not know is refused', { skip }, async () => {
  const r = await kubectl(['apply', '-f', '-'], DEPLOYMENT.replace('replicas: 2', 'replicas: 2\n  foo: 1'));
  assert.match(r.err, /strict decoding error: unknown field "spec\.foo"/);
});

const LIST = `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: listed}, data: {a: b}}
-${DEPLOYMENT.replaceAll('\n', '\n  ').replace('name: web', 'name: listed')}
`;
test('a List is checked by the v2 document before its items are sent', { skip }, async () => {
  const created = 'configmap/listed created\ndeployment.apps/listed created\n';
  const unknown = /ValidationError\(Deployment\.spec\): unknown field "foo" in io\.k8s\.api\.apps\.v1\.DeploymentSpec/;
  const bad = LIST.replace('replicas: 2', 'replicas: 2\n    foo: 1');
  assert.match((await kubectl(['apply', '-f', '-'], bad)).err, unknown);
  assert.match((await kubectl(['create', '--validate=strict', '--dry-run=client', '-f', '-'], bad)).err, unknown);
  const type = await kubectl(['apply', '-f', '-'], LIST.replace('replicas: 2', 'replicas: two'));
  assert.match(type.err, /DeploymentSpec\.replicas: got "string", expected "integer"/);
  assert.equal((await kubectl(['apply', '-f', '-'], LIST)).out, created);
  const three = LIST.replace('replicas: 2', 'replicas: 3');
  const dry = await kubectl(['apply', '--dry-run=client', '-f', '-'], three);
  assert.equal(dry.out, 'configmap/listed unchanged (dry run)\ndeployment.apps/listed configured (dry run)\n');
  const diff = await kubectl(['diff', '-f', '-'], three);
  assert.deepEqual([diff.code, diff.out.match(/^[-+] {2}replicas: \d$/gm)], [1, ['-  replicas: 2', '+  replicas: 3']]);
  await ok('delete', 'cm,deploy', 'listed');
});

test('fields are explained from the OpenAPI documents', { skip }, async () => {
  assert.match(await ok('explain', 'deployment.spec.replicas'), /FIELD: replicas <integer>/);
  assert.match(await ok('explain', 'pod.spec.containers'), /image\t<string>/);
  const old = ['explain', '--output=plaintext-openapiv2', 'deployment.spec'];
  assert.match(await ok(...old), /RESOURCE: spec <Object>[\s\S]*replicas\t<integer>/);
});

test('a watch shows what happens and ends with its timeout', { skip }, async () => {
  await ok('create', 'cm', 'watched');
  const watching = ok(
    'get',
    'cm',
    '-w',
    '--request-timeout=4s',
    '-o',
    'name',
    '--field-selector=metadata.name=watched',
  );
  await ok('label', 'cm', 'watched', 'a=b');
  assert.match(await watching, /^configmap\/watched\n/);
});

test('wait sees a condition come about', { skip }, async () => {
  await ok('create', 'cm', 'waited');
  const waiting = ok('wait', 'cm/waited', '--for=jsonpath={.data.k}=v', '--timeout=20s');
  await ok('patch', 'cm', 'waited', '--type=merge', '-p', '{"data":{"k":"v"}}');
  assert.equal(await waiting, 'configmap/waited condition met\n');
  const gone = ok('wait', 'cm/waited', '--for=delete', '--timeout=20s');
  await ok('delete', 'cm', 'waited');
  await gone;
});

test('a namespace terminates, and nothing is created in one that is not there', { skip }, async () => {
  await ok('create', 'ns', 'short');
  await ok('delete', 'ns', 'short', '--wait=false');
  assert.equal(await ok('get', 'ns', 'short', '-o', 'jsonpath={.status.phase}'), 'Terminating');
  const late = await kubectl(['-n', 'short', 'create', 'cm', 'x']);
  assert.match(late.err, /because it is being terminated/);
  const nowhere = await kubectl(['-n', 'nowhere', 'create', 'cm', 'x']);
  assert.match(nowhere.err, /namespaces "nowhere" not found/);
});

test('rights are asked for and impersonated', { skip }, async () => {
  assert.equal(await ok('auth', 'can-i', 'create', 'pods'), 'yes\n');
  assert.match(await ok('auth', 'whoami'), /Username\s+admin/);
  const bob = await kubectl(['auth', 'can-i', 'create', 'pods', '--as', 'bob']);
  assert.equal(bob.out, 'no\n');
  const refused = await kubectl(['get', 'pods', '--as', 'bob']);
  assert.match(
    refused.err,
    /pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"/,
  );
});
