import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Env, pause } from '../../kube/meta/env.ts';

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

/** How often it is looked whether they are still there: people and programs that set networks up take away what they don't know. */
const LOOK_MS = 10_000;
/** The kernel's routes, those of its own addresses among them: read without starting a program. */
const ROUTES = '/proc/self/net/fib_trie';

/**
 * Addresses on a device of their own: packets to them end on this machine, whoever sends them. A dummy, or, where the kernel has none, a bridge without
 * ports; never the loopback device, where nobody knows whose an address is.
 */
export function heldAddresses(device: string): Held & { keep(env: Env, signal: AbortSignal): Promise<void> } {
  const wanted = new Set<string>();
  const prefix = (address: string) => `${address}/${address.includes(':') ? 128 : 32}`;
  const ip = (...args: string[]) => run('ip', args);
  async function make(): Promise<void> {
    const there = await ip('link', 'show', device).then(
      () => true,
      () => false,
    );
    if (!there)
      await ip('link', 'add', device, 'type', 'dummy').catch(() => ip('link', 'add', device, 'type', 'bridge'));
    await ip('link', 'set', device, 'up');
  }
  // One after the other: two would make the device at once.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(f: () => Promise<T>): Promise<T> => {
    const done = last.then(f);
    last = done.catch(() => undefined); // whoever asked has it
    return done;
  };
  const hold = (address: string) =>
    inTurn(async () => {
      wanted.add(address);
      await make();
      await ip('address', 'replace', prefix(address), 'dev', device);
    });
  return {
    hold,
    drop: (address) =>
      inTurn(async () => {
        wanted.delete(address);
        await ip('address', 'delete', prefix(address), 'dev', device).catch(() => undefined); // not there: as wanted
      }),
    async keep(env, signal) {
      while (!signal.aborted) {
        await pause(env, LOOK_MS, signal);
        const routes = await readFile(ROUTES, 'utf8').catch(() => null); // no such file: not looked at
        if (routes === null || signal.aborted) continue;
        for (const address of wanted) {
          if (address.includes(':') || routes.includes(`-- ${address}\n`)) continue;
          env.log('warn', 'address.lost', { address, device });
          await hold(address).catch((error: unknown) => env.log('warn', 'address.failed', { error: String(error) }));
        }
      }
    },
  };
}

/** Takes the device away with all its addresses. */
export async function removeHeld(device: string): Promise<void> {
  await run('ip', ['link', 'delete', device]).catch(() => undefined); // never made
}
