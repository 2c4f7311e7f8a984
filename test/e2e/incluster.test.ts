// Programs inside pods: the official clients with what every pod finds (environment, token, CA, DNS), unmodified.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type Cable, layCable, type Machine, startMachine } from './machine.ts';
import { BUSYBOX, findKubectl, type System, startSystem } from './system.ts';

const run = promisify(execFile);
const CLIENTS = join(import.meta.dirname, 'clients');
/** Of the official clients; what is fetched or built of them is kept. */
const PYTHON_CLIENT = '37.0.2';
const JAVASCRIPT_CLIENT = '2.0.1';
const CACHE = join(homedir(), '.cache', 'coracle-test');
const POD_SECONDS_MAX = 240;
/** The first run on a machine fetches a client, and builds the Go one: minutes where others build too. */
const CLIENT_MS_MAX = 900_000;

const kubectl = await findKubectl();
const skip = process.getuid?.() === 0 ? (kubectl === null ? 'no kubectl' : false) : 'needs root';
let cable: Cable;
let s: System;
let machine: Machine;
before(
  async () => {
    if (skip) return;
    cable = await layCable(21);
    s = await startSystem(21, { node: false, host: cable.host });
    const { busyboxImage } = await import('../../node-agent/runtime/testing/image.ts');
    s.registry.add(busyboxImage('busybox', '1', { cmd: ['sh'] }));
    machine = await startMachine(s, cable, 2);
    await s.kubectl('create', 'rolebinding', 'clients', '--clusterrole=edit', '--serviceaccount=default:default');
  },
  { timeout: 600_000 },
);
after(async () => {
  await machine?.close();
  await s?.close();
  await cable?.close();
});

/** Lets a pod run a command to its end; what it printed. `paths` are those of this machine that it sees, read-only. */
async function inPod(
  name: string,
  command: string[],
  paths: string[],
  env: Record<string, string> = {},
): Promise<string[]> {
  const all = { NAMESPACE: 'default', ...env };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: BUSYBOX,
          command,
          env: Object.entries(all).map(([k, value]) => ({ name: k, value })),
          volumeMounts: paths.map((p, i) => ({ name: `path-${i}`, mountPath: p, readOnly: true })),
        },
      ],
      volumes: paths.map((path, i) => ({ name: `path-${i}`, hostPath: { path } })),
    },
  };
  const made = await s.kubectlWith(JSON.stringify(pod), 'apply', '-f', '-');
  assert.equal(made.code, 0, made.stderr);
  const timeout = `--timeout=${POD_SECONDS_MAX}s`;
  const over = '--for=jsonpath={.status.containerStatuses[0].state.terminated.reason}';
  try {
    await s.kubectl('wait', over, `pod/${name}`, timeout);
  } catch {
    assert.fail(`${name} has not ended: ${await s.kubectl('describe', 'pod', name)}`);
  }
  return (await s.kubectl('logs', name)).trimEnd().split('\n');
}

/** Where something of a client is kept; made once by `make`. Null, with the reason told, where that fails. */
async function kept(
  t: { skip(why: string): void },
  name: string,
  make: (path: string) => Promise<unknown>,
): Promise<string | null> {
  const path = join(CACHE, name);
  if (existsSync(join(path, '.done'))) return path;
  await mkdir(path, { recursive: true });
  try {
    await make(path);
    await writeFile(join(path, '.done'), '');
    return path;
  } catch (e) {
    // Never silently: the summary of the tests counts and names it.
    t.skip(`${name} can't be had here: ${e instanceof Error ? e.message.slice(0, 300) : String(e)}`);
    return null;
  }
}

test('names of the cluster resolve in a pod: Services, pods with a subdomain, addresses, and nothing else', {
  skip,
}, async () => {
  const headless = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'group' },
    spec: { clusterIP: 'None', selector: { of: 'group' }, ports: [{ name: 'web', port: 80 }] },
  };
  const member = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'member', labels: { of: 'group' } },
    spec: {
      hostname: 'first',
      subdomain: 'group',
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: BUSYBOX, command: ['sleep', '100000'] }],
    },
  };
  for (const o of [headless, member])
    assert.equal((await s.kubectlWith(JSON.stringify(o), 'apply', '-f', '-')).code, 0);
  await s.kubectl('wait', '--for=condition=Ready', 'pod/member', `--timeout=${POD_SECONDS_MAX}s`);
  const ip = await s.kubectl('get', 'pod', 'member', '-o', 'jsonpath={.status.podIP}');
  const names = ['kubernetes.default.svc.cluster.local', 'kube-dns.kube-system.svc.cluster.local', '10.96.0.1'];
  const pod = ['first.group.default.svc.cluster.local', `${ip.replaceAll('.', '-')}.default.pod.cluster.local`];
  const script = [...names, ...pod, 'nobody.default.svc.cluster.local']
    .map((n) => `nslookup ${n} 2>&1 | sed -n '4,$p' | grep -o 'ddress.*: .*\\|name = .*\\|NXDOMAIN' | head -1`)
    .join('; ');
  // The slice of the headless Service may be a moment behind the pod's readiness, and this node behind the slice.
  for (;;) {
    const told = (await s.kubectl('exec', 'member', '--', 'sh', '-c', script)).trim().split('\n');
    if (told.length < 6 || (told[3] === 'NXDOMAIN' && (await new Promise((r) => setTimeout(() => r(true), 200)))))
      continue;
    const last = (t: string | undefined) => t?.split(' ').at(-1);
    assert.deepEqual(told.map(last), [
      '10.96.0.1',
      '10.96.0.10',
      'kubernetes.default.svc.cluster.local',
      ip,
      ip,
      'NXDOMAIN',
    ]);
    break;
  }
  const conf = await s.kubectl('exec', 'member', '--', 'cat', '/etc/resolv.conf');
  assert.match(conf, /nameserver 10\.96\.0\.10\n/);
});

test("Go: client-go lists, watches, creates and executes; the certificate has all of the API's names", {
  skip,
  timeout: CLIENT_MS_MAX,
}, async (t) => {
  const built = await kept(t, 'client-go', async (path) => {
    for (const f of ['go.mod', 'go.sum', 'main.go']) await copyFile(join(CLIENTS, 'go', f), join(path, f));
    const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' };
    await run('go', ['build', '-trimpath', '-o', 'client', '.'], { cwd: path, env, maxBuffer: 1 << 26 });
  });
  if (built === null) return;
  const hosts = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'];
  const said = await inPod('go', [join(built, 'client')], [built], {
    HOSTS: [...hosts, '10.96.0.1', '198.18.0.1:6443'].join(' '),
  });
  assert.deepEqual(said, [
    'list true',
    'watch ADDED go',
    'exec through',
    'exec through',
    ...[...hosts, '10.96.0.1', '198.18.0.1:6443'].map((h) => `${h} 200 HTTP/2.0`),
  ]);
});

test('Python: kubernetes lists, watches, creates and executes', { skip, timeout: CLIENT_MS_MAX }, async (t) => {
  const modules = await kept(t, `python-kubernetes-${PYTHON_CLIENT}`, (path) =>
    run('python3', ['-m', 'pip', 'install', '--quiet', '--target', path, `kubernetes==${PYTHON_CLIENT}`]),
  );
  if (modules === null) return;
  const { stdout } = await run('python3', ['-c', 'import sys; print(sys.executable); print(sys.base_prefix)']);
  const [python = '', prefix = ''] = stdout.trim().split('\n');
  const paths = [...new Set(['/usr', '/lib', '/lib64', prefix, modules, CLIENTS])].filter((p) => existsSync(p));
  const command = [python, join(CLIENTS, 'client.py')];
  const said = await inPod('python', command, paths, { PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: '1' });
  assert.deepEqual(said, ['list true', 'watch ADDED python', 'exec through']);
});

test('JavaScript: @kubernetes/client-node lists, watches, creates and executes; glibc resolves short names', {
  skip,
  timeout: CLIENT_MS_MAX,
}, async (t) => {
  const modules = await kept(t, `javascript-client-node-${JAVASCRIPT_CLIENT}`, (path) =>
    run('npm', [
      'install',
      '--no-audit',
      '--no-fund',
      '--prefix',
      path,
      `@kubernetes/client-node@${JAVASCRIPT_CLIENT}`,
    ]),
  );
  if (modules === null) return;
  const paths = ['/usr', '/lib', '/lib64', dirname(process.execPath), modules, CLIENTS].filter((p) => existsSync(p));
  const hosts = ['kubernetes', 'kubernetes.default', 'kube-dns.kube-system.svc', 'nobody.default.svc.cluster.local.'];
  const command = [process.execPath, join(CLIENTS, 'client.mjs')];
  const said = await inPod('javascript', command, paths, { MODULES: modules, HOSTS: hosts.join(' ') });
  assert.deepEqual(said, [
    'list true',
    'watch ADDED javascript',
    'exec Success through',
    'kubernetes 10.96.0.1',
    'kubernetes.default 10.96.0.1',
    'kube-dns.kube-system.svc 10.96.0.10',
    'nobody.default.svc.cluster.local. ENOTFOUND',
  ]);
});
