import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** IFNAMSIZ less its zero. */
const DEVICE_CHARS_MAX = 15;

/** The device on which an agent with this bridge holds addresses: each agent of a machine has one of its own. */
export const heldDevice = (bridge: string): string => `${bridge.slice(0, DEVICE_CHARS_MAX - 2)}-s`;

/** What the machine does with addresses. Tests have others. */
export interface Held {
  hold(address: string): Promise<void>;
  drop(address: string): Promise<void>;
}

/** Addresses on a dummy device: packets to them end on this machine, whoever sends them. Where the kernel has no such devices, on the loopback device. */
export function heldAddresses(device: string): Held {
  let made: Promise<string> | undefined;
  const prefix = (address: string) => `${address}/${address.includes(':') ? 128 : 32}`;
  const make = async () => {
    const there = await run('ip', ['link', 'show', device]).then(
      () => true,
      () => false,
    );
    const ok =
      there ||
      (await run('ip', ['link', 'add', device, 'type', 'dummy']).then(
        () => true,
        () => false, // a kernel without them, or one that must not load modules
      ));
    if (!ok) return 'lo';
    await run('ip', ['link', 'set', device, 'up']);
    return device;
  };
  return {
    async hold(address) {
      made ??= make();
      await run('ip', ['address', 'replace', prefix(address), 'dev', await made]);
    },
    async drop(address) {
      made ??= make();
      await run('ip', ['address', 'delete', prefix(address), 'dev', await made]).catch(() => undefined); // not there: as wanted
    },
  };
}

/** Takes the device away with all its addresses. */
export async function removeHeld(device: string, addresses: readonly string[]): Promise<void> {
  await run('ip', ['link', 'delete', device]).catch(() => undefined); // never made
  for (const a of addresses) await run('ip', ['address', 'delete', `${a}/32`, 'dev', 'lo']).catch(() => undefined); // nor there
}
