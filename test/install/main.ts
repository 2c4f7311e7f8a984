// `npm run fresh`: ./coracle up on a machine that was just installed (machine.ts), its times and what it left. `--suite trixie`: another Debian;
// `--modules`: with this checkout's npm packages. Needs root, and Debian's packages and npm's registry through this machine.
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { busyboxImage } from '../../node-agent/runtime/testing/image.ts';
import { startRegistry } from '../../node-agent/runtime/testing/registry.ts';
import { freshMachine, hindrance } from './machine.ts';
import { startProxy } from './proxy.ts';
import { tryMachine } from './steps.ts';

const { values } = parseArgs({
  options: {
    suite: { type: 'string', default: 'bookworm' },
    modules: { type: 'boolean', default: false },
    subnet: { type: 'string', default: '1' },
  },
});
const why = await hindrance();
assert.equal(why, undefined);
const began = Date.now();
const say = (line: string) => console.log(`${((Date.now() - began) / 1_000).toFixed(1).padStart(7)}  ${line}`);
say(`installing Debian ${values.suite}`);
const machine = await freshMachine({ suite: values.suite, subnet: Number(values.subnet), modules: values.modules });
const close = [machine.close];
let closing: Promise<void> | undefined;
const closeAll = () =>
  (closing ??= (async () => {
    for (const f of close) await f();
  })());
// Signals end it too: nothing may be left on this machine.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void closeAll().then(() => process.exit(1)));
try {
  const registry = await startRegistry(machine.host);
  close.unshift(registry.close);
  registry.add(busyboxImage('busybox', '1', { cmd: ['sh'] }));
  const proxy = await startProxy(machine.host);
  close.unshift(proxy.close);
  await tryMachine({ machine, proxy, registry: registry.url, api: '10.96.0.1', options: [], say });
} finally {
  await closeAll();
}
say('all of it went well');
console.log('1 passed, 0 failed');
