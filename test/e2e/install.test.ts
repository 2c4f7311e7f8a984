import { cp } from 'node:fs/promises';
import { test } from 'node:test';
import { busyboxImage } from '../../node-agent/runtime/testing/image.ts';
import { startRegistry } from '../../node-agent/runtime/testing/registry.ts';
import { freshMachine, hindrance } from '../install/machine.ts';
import { startProxy } from '../install/proxy.ts';
import { tryMachine } from '../install/steps.ts';
import { findKubectl } from './system.ts';

// The short form of `npm run fresh`: with the npm packages of this checkout, a kubectl that is named, other ranges and addresses.

const kubectl = await findKubectl();
const skip = kubectl === null ? 'no kubectl' : await hindrance();

test('up makes a cluster of a machine that was just installed, beside a containerd of others, and works offline from then on', {
  skip,
  timeout: 600_000,
}, async (t) => {
  const machine = await freshMachine({ suite: 'bookworm', subnet: 9, modules: true });
  t.after(machine.close);
  const registry = await startRegistry(machine.host);
  t.after(registry.close);
  registry.add(busyboxImage('busybox', '1', { cmd: ['sh'] }));
  const proxy = await startProxy(machine.host);
  t.after(proxy.close);
  await cp(kubectl ?? '', machine.path('/opt/kubectl'));
  const options = [
    '--kubectl',
    '/opt/kubectl',
    '--listen',
    machine.address,
    '--listen',
    '127.0.0.1:7443',
    '--service-cidr',
    '172.30.16.0/20',
  ];
  await tryMachine({
    machine,
    proxy,
    registry: registry.url,
    api: '172.30.16.1',
    options,
    say: (line) => console.error(line),
  });
});
