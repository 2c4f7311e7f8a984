import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { busyboxImage } from '../../node-agent/runtime/testing/image.ts';
import { type Fresh, startFresh } from './fresh.ts';
import { type Cable, layCable } from './machine.ts';
import { BUSYBOX, type System, startSystem } from './system.ts';

/** Volumes of several kinds, a host port, a Service with an endpoint. */
const WORK = (node: string) => `
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
  nodeName: ${node}
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

test('a machine that joined with the line is what it was after --uninstall, also when its agent was killed', async () => {
  const cgroup = `/coracle-purge-${process.pid}`;
  const was = await machine.snapshot(cgroup);
  for (const killed of [false, true]) {
    const line = (await system.coracle('join-command', 'default', '--ttl', '10m')).stdout.trim();
    const options = `--state /var/lib/n --node-name fresh --cgroup-root ${cgroup} --mirror registry.test=${system.registry.url} --node ${process.execPath}`;
    const joined = await machine.run('sh', ['-c', `${line} ${options}`]);
    assert.match(joined.stderr, /node fresh is Ready\n$/);
    await system.kubectlWith(WORK('fresh'), 'apply', '-f', '-');
    await system.kubectl('wait', '--for=condition=Ready', 'pod/web', '--timeout=60s');
    const kinds = new Set(difference(was, await machine.snapshot(cgroup)).map((l) => l.split(' ')[1]));
    for (const kind of ['process:', 'mount:', 'link:', 'route:', 'filter:', 'sysctl:', 'file:', 'cgroup:'])
      assert.ok(kinds.has(kind), `a node changes something of the kind ${kind}`);
    const processes = await machine.processes();
    if (killed)
      for (const p of processes)
        if (/supervise\.sh|coracle-node\.js|containerd --config/.test(p.command)) process.kill(p.pid, 'SIGKILL');
    const left = await machine.run('sh', [
      '/var/lib/n/install.sh',
      '--uninstall',
      '--state',
      '/var/lib/n',
      '--node',
      process.execPath,
    ]);
    assert.match(left.stderr, /nothing of the node in \/var\/lib\/n is left/);
    assert.deepEqual(difference(was, await machine.snapshot(cgroup)), []);
    await system.kubectl('delete', 'node/fresh');
    await system.kubectl('delete', 'pod/web', '--force', '--grace-period=0', '--ignore-not-found');
  }
});
