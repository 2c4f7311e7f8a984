import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { BUSYBOX, findKubectl, type System, startSystem } from './system.ts';

// What only a real runtime shows: one cluster and one node for all of it, and pods that print and end.
const skip = process.getuid?.() === 0 ? ((await findKubectl()) === null ? 'no kubectl' : false) : 'needs root';
const WAIT_MS_MAX = 60_000;
let s: System;
before(
  async () => {
    if (!skip) s = await startSystem(22);
  },
  { timeout: 600_000 },
);
after(() => s?.close());

type Json = Record<string, unknown>;
const apply = async (...objects: Json[]) => {
  const made = await s.kubectlWith(
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
    'apply',
    '-f',
    '-',
  );
  assert.equal(made.code, 0, made.stderr);
};
const container = (script: string, more: Json = {}): Json => ({
  name: 'main',
  image: BUSYBOX,
  command: ['sh', '-c', script],
  ...more,
});
const pod = (name: string, spec: Json, main: Json): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, ...spec, containers: [main] },
});
interface Status {
  phase: string;
  reason?: string;
  message?: string;
  conditions?: { type: string; status: string }[];
  containerStatuses?: {
    restartCount: number;
    resources?: unknown;
    state: { waiting?: { message?: string }; terminated?: { message?: string } };
  }[];
  ephemeralContainerStatuses?: { state: { running?: object } }[];
}
const get = async (name: string) =>
  JSON.parse(await s.kubectl('get', 'pod', name, '-o', 'json')) as { metadata: { uid: string }; status: Status };
async function until(name: string, what: (p: Status) => boolean): Promise<Status> {
  for (const end = performance.now() + WAIT_MS_MAX; ; await delay(200)) {
    const { status } = await get(name);
    if (what(status)) return status;
    assert.ok(performance.now() < end, `${name}: ${JSON.stringify(status)}`);
  }
}
const ended = (p: Status) => p.phase === 'Succeeded' || p.phase === 'Failed';
/** Lines that a pod prints until it ends. */
async function printed(name: string): Promise<string[]> {
  await until(name, ended);
  return (await s.kubectl('logs', name)).trim().split('\n');
}

describe('what a container is given', { skip }, () => {
  const cases: { name: string; spec?: Json; script: string; more?: Json; is: (string | RegExp)[] }[] = [
    {
      name: 'users',
      spec: { securityContext: { runAsUser: 1001, runAsGroup: 2002, fsGroup: 3003, supplementalGroups: [4004] } },
      script: 'id -u; id -g; id -G',
      is: ['1001', '2002', /^2002 3003 4004$/],
    },
    {
      name: 'own-user',
      spec: { securityContext: { runAsUser: 1001 } },
      script: 'id -u',
      more: { securityContext: { runAsUser: 7 } },
      is: ['7'],
    },
    {
      name: 'read-only',
      script: 'touch /x 2>/dev/null || echo refused',
      more: { securityContext: { readOnlyRootFilesystem: true } },
      is: ['refused'],
    },
    {
      name: 'no-new-privileges',
      script: 'grep NoNewPrivs /proc/self/status',
      more: { securityContext: { allowPrivilegeEscalation: false } },
      is: [/NoNewPrivs:\s+1/],
    },
    {
      name: 'capabilities',
      script: 'grep CapEff /proc/self/status',
      more: { securityContext: { capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } } },
      is: [/CapEff:\s+0000000000000400$/],
    },
    {
      name: 'seccomp',
      spec: { securityContext: { seccompProfile: { type: 'RuntimeDefault' } } },
      script: 'grep "^Seccomp:" /proc/self/status',
      is: [/Seccomp:\s+2/],
    },
    {
      name: 'unconfined',
      script: 'grep "^Seccomp:" /proc/self/status',
      is: [/Seccomp:\s+0/],
    },
    {
      name: 'sysctl',
      spec: { securityContext: { sysctls: [{ name: 'kernel.shm_rmid_forced', value: '1' }] } },
      script: 'cat /proc/sys/kernel/shm_rmid_forced',
      is: ['1'],
    },
    {
      name: 'names',
      spec: {
        hostname: 'host',
        subdomain: 'sub',
        setHostnameAsFQDN: true,
        hostAliases: [{ ip: '192.0.2.7', hostnames: ['seven', 'sieben'] }],
      },
      script: 'hostname; head -1 /etc/hosts; grep sub /etc/hosts; tail -1 /etc/hosts',
      is: [
        'host.sub.default.svc.cluster.local',
        '# Kubernetes-managed hosts file.',
        /^10\.214\.22\.\d+\thost\.sub\.default\.svc\.cluster\.local\thost$/,
        '192.0.2.7\tseven\tsieben',
      ],
    },
    {
      name: 'dns',
      spec: {
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['192.0.2.53'], searches: ['a.test'], options: [{ name: 'ndots', value: '3' }] },
      },
      script: 'cat /etc/resolv.conf',
      is: ['search a.test', 'nameserver 192.0.2.53', 'options ndots:3'],
    },
    {
      name: 'processes',
      spec: { shareProcessNamespace: true },
      script: 'readlink /proc/1/exe || echo $$',
      is: [/^(?!1$)/],
    },
    {
      name: 'services',
      script: 'echo $KUBERNETES_SERVICE_PORT_HTTPS $KUBERNETES_PORT_443_TCP_PROTO',
      is: ['443 tcp'],
    },
  ];
  before(async () => {
    if (!skip) await apply(...cases.map((c) => pod(c.name, c.spec ?? {}, container(c.script, c.more))));
  });
  for (const { name, is } of cases)
    test(name, async () => {
      const lines = await printed(name);
      assert.equal(lines.length, is.length, lines.join('\n'));
      for (const [i, want] of is.entries())
        if (typeof want === 'string') assert.equal(lines[i], want);
        else assert.match(lines[i] ?? '', want);
    });

  test('is refused where upstream refuses it', async () => {
    const root = { securityContext: { runAsNonRoot: true } };
    await apply(
      pod('forbidden', { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }, container('true')),
      pod('root', {}, container('true', root)),
    );
    const { reason, message } = await until('forbidden', ended);
    assert.deepEqual(
      [reason, message],
      ['SysctlForbidden', 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted'],
    );
    const status = await until('root', (p) => p.containerStatuses?.[0]?.state.waiting?.message !== undefined);
    assert.match(status.containerStatuses?.[0]?.state.waiting?.message ?? '', /image will run as root/);
  });
});

test('a message at its own path, written by an ordinary user, is read', { skip }, async () => {
  const own = { terminationMessagePath: '/tmp/said', securityContext: { runAsUser: 1000 } };
  await apply(pod('message', {}, container('echo -n goodbye > /tmp/said', own)));
  const status = await until('message', ended);
  assert.equal(status.containerStatuses?.[0]?.state.terminated?.message, 'goodbye', JSON.stringify(status));
});

describe('cgroups', { skip: skip || existsSync('/sys/fs/cgroup/cgroup.controllers') }, () => {
  const group = (uid: string, file: string) =>
    readFileSync(`/sys/fs/cgroup/${file.split('.')[0]}/kubepods/burstable/pod${uid}/${file}`, 'utf8').trim();
  const inside = async (file: string) =>
    (await s.kubectl('exec', 'sized', '--', 'cat', `/sys/fs/cgroup/${file.split('.')[0]}/${file}`)).trim();
  const MIB = 1024 ** 2;

  test('a pod has one with its limits, which a resize changes in place, and which goes with it', async () => {
    const resources = { requests: { cpu: '100m', memory: '20Mi' }, limits: { cpu: '200m', memory: '40Mi' } };
    await apply(pod('sized', { restartPolicy: 'Always' }, container('sleep 9999', { resources })));
    await s.kubectl('wait', '--for=condition=Ready', 'pod/sized', '--timeout=60s');
    const { uid } = (await get('sized')).metadata;
    const files = ['cpu.shares', 'cpu.cfs_quota_us', 'memory.limit_in_bytes'];
    assert.deepEqual(
      files.map((f) => group(uid, f)),
      ['102', '20000', String(40 * MIB)],
    );
    assert.deepEqual(await Promise.all(files.map(inside)), ['102', '20000', String(40 * MIB)]);

    const more = { requests: { cpu: '200m', memory: '30Mi' }, limits: { cpu: '300m', memory: '60Mi' } };
    const patch = JSON.stringify({ spec: { containers: [{ name: 'main', resources: more }] } });
    await s.kubectl('patch', 'pod', 'sized', '--subresource=resize', '-p', patch);
    const resized = (p: Status) =>
      JSON.stringify(p.containerStatuses?.[0]?.resources) ===
        JSON.stringify({ limits: more.limits, requests: more.requests }) &&
      !p.conditions?.some((c) => c.type.startsWith('PodResize'));
    const status = await until('sized', resized);
    assert.equal(status.containerStatuses?.[0]?.restartCount, 0);
    assert.deepEqual(
      files.map((f) => group(uid, f)),
      ['204', '30000', String(60 * MIB)],
    );
    assert.deepEqual(await Promise.all(files.map(inside)), ['204', '30000', String(60 * MIB)]);
  });

  test('an ephemeral container joins it and sees the processes of its target', async () => {
    const { uid } = (await get('sized')).metadata;
    const debug = {
      name: 'debug',
      image: BUSYBOX,
      command: ['sh', '-c', 'ps; sleep 9999'],
      targetContainerName: 'main',
    };
    const path = '/api/v1/namespaces/default/pods/sized/ephemeralcontainers';
    const live = JSON.parse(await s.kubectl('get', '--raw', '/api/v1/namespaces/default/pods/sized')) as { spec: Json };
    const sent = await s.kubectlWith(
      JSON.stringify({ ...live, spec: { ...live.spec, ephemeralContainers: [debug] } }),
      'replace',
      '--raw',
      path,
      '-f',
      '-',
    );
    assert.equal(sent.code, 0, sent.stderr);
    await until('sized', (p) => p.ephemeralContainerStatuses?.[0]?.state.running !== undefined);
    assert.match(await s.kubectl('logs', 'sized', '-c', 'debug'), /sleep 9999/);
    await s.kubectl('delete', 'pod', 'sized');
    const left = () =>
      ['cpu', 'memory', 'pids', 'devices'].filter((c) =>
        existsSync(`/sys/fs/cgroup/${c}/kubepods/burstable/pod${uid}`),
      );
    for (const end = performance.now() + WAIT_MS_MAX; left().length > 0 && performance.now() < end; ) await delay(100);
    assert.deepEqual(left(), []);
  });
});

test('a graceful deletion is shortened by another one', { skip }, async () => {
  const stubborn = container('trap "" TERM; while true; do sleep 1; done');
  await apply(pod('stubborn', { terminationGracePeriodSeconds: 300 }, stubborn));
  await s.kubectl('wait', '--for=condition=Ready', 'pod/stubborn', '--timeout=60s');
  await s.kubectl('delete', 'pod', 'stubborn', '--wait=false');
  await s.kubectl('delete', 'pod', 'stubborn', '--grace-period=1', '--timeout=60s');
});
