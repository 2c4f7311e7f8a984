import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { containerdToml, hostsToml } from '../../node-agent/install/config.ts';
import { findCniBinDir, oomScoreRestricted } from '../../node-agent/install/machine.ts';
import { cniConfList } from '../../node-agent/network/cni/podnetwork.ts';
import { busyboxImage } from '../../node-agent/runtime/testing/image.ts';
import { type Fresh, startFresh } from './fresh.ts';
import { type Cable, layCable } from './machine.ts';
import { BUSYBOX, findKubectl, type System, startSystem } from './system.ts';

/** Volumes of several kinds, a host port, a Service with an endpoint. */
const WORK = `
apiVersion: v1
kind: ConfigMap
metadata: { name: words }
data: { a: b }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec:
  nodeName: fresh
  terminationGracePeriodSeconds: 1
  volumes:
    - { name: memory, emptyDir: { medium: Memory } }
    - { name: disk, emptyDir: {} }
    - { name: words, configMap: { name: words } }
    - { name: host, hostPath: { path: /etc } }
  containers:
    - name: web
      image: ${BUSYBOX}
      command: [sh, -c, 'while :; do echo hello | nc -lp 8080; done']
      ports: [{ containerPort: 8080, hostPort: 18080 }]
      resources: { limits: { memory: 64Mi, cpu: 100m } }
      volumeMounts:
        - { name: memory, mountPath: /memory }
        - { name: disk, mountPath: /disk, subPath: below }
        - { name: words, mountPath: /words }
        - { name: host, mountPath: /host, readOnly: true }
`;

const run = promisify(execFile);

let cable: Cable;
let system: System;
let machine: Fresh;
before(async () => {
  cable = await layCable(61);
  system = await startSystem(61, { node: false, host: cable.host });
  system.registry.add(busyboxImage('busybox', '1', { cmd: ['sh'] }));
  machine = await startFresh(cable, 2);
});
after(async () => {
  await machine?.close();
  // What a failure leaves.
  await run('find', [
    '/sys/fs/cgroup',
    '-depth',
    '-type',
    'd',
    '-path',
    `*/coracle-purge-${process.pid}*`,
    '-exec',
    'rmdir',
    '{}',
    ';',
  ]);
  await system?.close();
  await cable?.close();
});

/** What is there that wasn't, and what is gone. */
function difference(was: readonly string[], is: readonly string[]): string[] {
  return [
    ...is.filter((l) => !was.includes(l)).map((l) => `+ ${l}`),
    ...was.filter((l) => !is.includes(l)).map((l) => `- ${l}`),
  ];
}

/** Who is killed in the second turn: everybody who could have cleaned up. */
const OWN_PROCESSES = /supervise\.sh|coracle-node\.js|containerd --config|workerd/;

/** Brings a node up on the machine, lets a pod run, takes the node away with `remove`, and compares: twice, the second time after its processes were killed. */
async function bringAndTake(
  cgroup: string,
  o: {
    bring(): Promise<unknown>;
    change?(): Promise<unknown>;
    kubectl(...args: string[]): Promise<unknown>;
    remove(): Promise<unknown>;
  },
): Promise<void> {
  const file = join(system.home, 'work.yaml');
  await writeFile(file, WORK);
  const was = await machine.snapshot(cgroup);
  for (const killed of [false, true]) {
    await o.bring();
    await o.kubectl('apply', '-f', file);
    await o.kubectl('wait', '--for=condition=Ready', 'pod/web', '--timeout=60s');
    const kinds = new Set(difference(was, await machine.snapshot(cgroup)).map((l) => l.split(' ')[1]));
    for (const kind of ['process:', 'mount:', 'link:', 'address:', 'route:', 'filter:', 'sysctl:', 'file:', 'cgroup:'])
      assert.ok(kinds.has(kind), `a node changes something of the kind ${kind}`);
    if (!killed) await o.change?.();
    const processes = await machine.processes();
    assert.ok(
      processes.some((p) => p.command.includes('nc -lp 8080')),
      "the pod is among the machine's processes",
    );
    if (killed) for (const p of processes) if (OWN_PROCESSES.test(p.command)) process.kill(p.pid, 'SIGKILL');
    await o.remove();
    assert.deepEqual(difference(was, await machine.snapshot(cgroup)), [], killed ? 'after kill -9' : 'in order');
  }
}

test('a machine that joined with the line is what it was after --uninstall, also when its agent was killed', async () => {
  const cgroup = `/coracle-purge-${process.pid}`;
  const mirror = `--mirror registry.test=${system.registry.url}`;
  await bringAndTake(cgroup, {
    async bring() {
      await system.kubectl('delete', 'node/fresh', '--ignore-not-found');
      await system.kubectl('delete', 'pod/web', '--force', '--grace-period=0', '--ignore-not-found');
      const line = (await system.coracle('join-command', 'default', '--ttl', '10m')).stdout.trim();
      const options = `--state /var/lib/n --node-name fresh --cgroup-root ${cgroup} ${mirror} --node ${process.execPath}`;
      const joined = await machine.run('sh', ['-c', `${line} ${options}`]);
      assert.match(joined.stderr, /node fresh is Ready\n$/);
      const again = await machine.run('sh', ['-c', `${line} ${options}`]);
      assert.equal(again.stderr, 'coracle: node fresh is Ready\n', 'a node that is there stays as it is');
    },
    async change() {
      const agent = async () => (await machine.processes()).find((p) => p.command.includes('coracle-node.js run'))?.pid;
      const [line, was] = [(await system.coracle('join-command', 'default')).stdout.trim(), await agent()];
      const options = `--state /var/lib/n --node-name fresh --cgroup-root ${cgroup} ${mirror} --node ${process.execPath}`;
      await machine.run('sh', ['-c', `${line} ${options} --resolv-conf /etc/resolv.conf`]);
      assert.notEqual(await agent(), was, 'with another option the agent is another');
      const restarts = '-o=jsonpath={.status.containerStatuses[0].restartCount}{.status.phase}';
      assert.equal(await system.kubectl('get', 'pod/web', restarts), '0Running', 'and pods run on');
    },
    kubectl: (...args) => system.kubectl(...args),
    async remove() {
      const script = ['/var/lib/n/install.sh', '--uninstall', '--state', '/var/lib/n', '--node', process.execPath];
      assert.match((await machine.run('sh', script)).stderr, /nothing of the node is left/);
    },
  });
});

test('a machine with a cluster of its own is what it was after down --purge, also when everything was killed', async () => {
  const cgroup = `/coracle-purge-${process.pid}-up`;
  const home = ['--home', '/var/lib/c'];
  const coracle = (...args: string[]) => machine.run(join(import.meta.dirname, '../../coracle'), args);
  await bringAndTake(cgroup, {
    async bring() {
      const node = [
        '--node-name',
        'fresh',
        '--cgroup-root',
        cgroup,
        '--mirror',
        `registry.test=${system.registry.url}`,
      ];
      await coracle('up', ...home, '--no-kubectl', ...node);
    },
    kubectl: async (...args) =>
      machine.run((await findKubectl()) ?? '', [
        '--kubeconfig=/var/lib/c/kubeconfig',
        `--cache-dir=${system.home}`,
        ...args,
      ]),
    async remove() {
      assert.match((await coracle('down', ...home, '--purge')).stderr, /nothing is left/);
    },
  });
});

test("a runtime that was there keeps what others run in it; the node's pods go", async () => {
  const cgroup = `/coracle-purge-${process.pid}-cri`;
  const dir = '/var/lib/theirs';
  const theirs = containerdToml({
    rootDir: `${dir}/root`,
    stateDir: `${dir}/run`,
    cniBinDir: findCniBinDir() ?? '',
    snapshotter: 'overlayfs',
    restrictOomScoreAdj: await oomScoreRestricted(),
    systemdCgroup: false,
    sandboxImage: 'registry.test/pause:1',
  });
  system.registry.add(busyboxImage('pause', '1', { cmd: ['sleep', '100000'] }));
  const network = { name: 'theirs', podCidrs: ['10.99.0.0/24'], dataDir: `${dir}/cni` };
  const file = async (path: string, text: string) => {
    await writeFile(join(system.home, 'file'), text);
    await machine.run('install', ['-D', join(system.home, 'file'), path]);
  };
  await file(`${dir}/config.toml`, theirs);
  await file(`${dir}/run/cni/10.conflist`, JSON.stringify(cniConfList(network)));
  await file(`${dir}/root/certs.d/registry.test/hosts.toml`, hostsToml([system.registry.url]));
  const socket = `${dir}/run/containerd.sock`;
  const ctr = (...args: string[]) => machine.run('ctr', ['-a', socket, '-n', 'k8s.io', ...args]);
  await machine.run('sh', [
    '-c',
    `setsid containerd --config ${dir}/config.toml >${dir}/log 2>&1 </dev/null & for i in $(seq 200); do ctr -a ${socket} version >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1`,
  ]);
  const image = `${system.registry.url.replace('http://', '')}/pause:1`;
  await ctr('images', 'pull', '--plain-http', image);
  await ctr('run', '--detach', '--null-io', image, 'theirs');
  const kubectl = await findKubectl();
  const of = ['--kubeconfig=/var/lib/c/kubeconfig', `--cache-dir=${system.home}`];
  const coracle = (...args: string[]) => machine.run(join(import.meta.dirname, '../../coracle'), args);
  await writeFile(join(system.home, 'work.yaml'), WORK);
  const node = [
    '--node-name',
    'fresh',
    '--cgroup-root',
    cgroup,
    '--cri-socket',
    `unix://${socket}`,
    '--pod-cidr',
    '10.99.0.0/24',
  ];
  await coracle('up', '--home', '/var/lib/c', '--no-kubectl', ...node);
  await machine.run(kubectl ?? '', [...of, 'apply', '-f', join(system.home, 'work.yaml')]);
  await machine.run(kubectl ?? '', [...of, 'wait', '--for=condition=Ready', 'pod/web', '--timeout=60s']);
  assert.equal((await ctr('tasks', 'ls', '-q')).stdout.trim().split('\n').length, 3, 'theirs, and a pod of two');
  await coracle('down', '--home', '/var/lib/c', '--purge');
  assert.equal((await ctr('tasks', 'ls', '-q')).stdout.trim(), 'theirs');
  const left = await machine.snapshot(cgroup);
  assert.deepEqual(
    left.filter((l) => /\/var\/lib\/c\b|coracle|cgroup:/.test(l)),
    [],
  );
});
