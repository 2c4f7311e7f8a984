// `node test/install/join.ts [--suite trixie] [--subnet 2]`: the line of `coracle join-command` on a machine that was just installed (machine.ts), against a control plane here.
// Needs root, and Debian's packages through this machine.
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { busyboxImage } from '../../node-agent/runtime/testing/image.ts';
import { startSystem } from '../e2e/system.ts';
import { freshMachine, hindrance } from './machine.ts';
import { startProxy } from './proxy.ts';

const { values } = parseArgs({
  options: { suite: { type: 'string', default: 'bookworm' }, subnet: { type: 'string', default: '2' } },
});
assert.equal(await hindrance(), undefined);
const began = Date.now();
const since = () => ((Date.now() - began) / 1_000).toFixed(1).padStart(7);
const say = (line: string) => console.log(`${since()}  ${line}`);
say(`installing Debian ${values.suite}`);
const machine = await freshMachine({ suite: values.suite, subnet: Number(values.subnet) });
const close = [machine.close];
try {
  const system = await startSystem(64, { node: false, host: machine.host });
  close.unshift(system.close);
  system.registry.add(busyboxImage('busybox', '1', { cmd: ['sh'] }));
  const proxy = await startProxy(machine.host);
  close.unshift(proxy.close);
  const line = (await system.coracle('join-command', 'default')).stdout.trim();
  const env = { http_proxy: proxy.url, https_proxy: proxy.url, no_proxy: machine.host };
  const paste = (...more: string[]) =>
    machine.exec(['sh', '-c', `cd /; ${line} --mirror registry.test=${system.registry.url} ${more.join(' ')}`], {
      env,
      say,
    });
  say('the line is pasted');
  await paste();
  say('joined');
  await system.kubectl('wait', '--for=condition=Ready', 'node/fresh', '--timeout=10s');
  await system.kubectl('run', 'hello', '--image=registry.test/busybox:1', '--restart=Never', '--', 'echo', 'hello');
  await system.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/hello', '--timeout=60s');
  assert.equal(await system.kubectl('logs', 'hello'), 'hello\n');
  say('a pod ran, and its log came');
  await paste();
  say('joined again');
  await machine.exec(['sh', '/var/lib/coracle-node/install.sh', '--uninstall'], { say });
  assert.equal(
    await machine.exec([
      'bash',
      '-c',
      'ls -d /var/lib/coracle* /run/coracle* /run/containerd /var/lib/cni 2>/dev/null || true',
    ]),
    '',
  );
} finally {
  for (const f of close) await f();
}
say('all of it went well');
