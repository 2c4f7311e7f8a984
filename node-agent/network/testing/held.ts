import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { heldAddresses, removeHeld } from '../held.ts';

// Run by held.test.ts in a network namespace of its own: what `ip` says after each step, as JSON.
const run = promisify(execFile);
const [A, B] = ['198.18.0.10', '10.96.0.10'];
const now = async () => {
  const lines = (await run('ip', ['-o', '-4', 'address'])).stdout.trim().split('\n');
  return lines.flatMap((l) => (l ? [l.split(/\s+/).slice(1, 4).join(' ')] : [])).sort();
};
const told: unknown[] = [];
const tell = async (what: string) => told.push([what, await now()]);

const mine = heldAddresses('one-s');
const other = heldAddresses('two-s');
await Promise.all([mine.hold(A), mine.hold(B), other.hold(A)]);
await tell('held');
await removeHeld('two-s');
await tell('another agent is removed');
await mine.drop(B);
await tell('dropped');
await run('ip', ['link', 'delete', 'one-s']);
const stop = new AbortController();
let looks = 0;
const lost: unknown[] = [];
const env = {
  now: () => 0,
  random: () => 0,
  uuid: () => '',
  after(_: number, f: () => void) {
    if (++looks === 3) stop.abort();
    const t = setImmediate(f);
    return () => clearImmediate(t);
  },
  log: (_: string, event: string, fields?: Record<string, unknown>) => void lost.push([event, fields?.address]),
};
await mine.keep(env, stop.signal);
await tell('taken away by somebody');
console.log(JSON.stringify({ told, lost }));
