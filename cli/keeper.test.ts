import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { keep } from './keeper.ts';

const LINES_MS_MAX = 10_000;

/** A keeper of `sh -c program`; `lines` waits for that many of the program's starts and gives their pids. */
async function kept(t: { after(f: () => unknown): void }, program: string) {
  const dir = mkdtempSync(join(tmpdir(), 'coracle-keeper-'));
  const [log, starts] = [join(dir, 'log'), join(dir, 'starts')];
  writeFileSync(starts, '');
  const command = ['/bin/sh', '-c', `echo $$ >>"$0"; ${program}`, starts];
  const pid = await keep({ script: join(dir, 'keep.sh'), log, command });
  const pids = () => readFileSync(starts, 'utf8').trim().split('\n').filter(Boolean).map(Number);
  t.after(() => {
    for (const p of [pid, ...pids()]) if (runs(p)) process.kill(p, 'SIGKILL');
    rmSync(dir, { recursive: true });
  });
  const lines = async (n: number) => {
    for (const end = Date.now() + LINES_MS_MAX; pids().length < n && Date.now() < end; ) await delay(20);
    return pids();
  };
  return { pid, lines, log };
}
/** Nobody waits here for children that ended: they are zombies. */
const runs = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const ended = async (...pids: number[]) => {
  for (const end = Date.now() + LINES_MS_MAX; pids.some(runs) && Date.now() < end; ) await delay(20);
  return !pids.some(runs);
};

test('a program that somebody kills is started again', async (t) => {
  const { lines, log } = await kept(t, 'exec sleep 60');
  const [first = 0] = await lines(1);
  process.kill(first, 'SIGKILL');
  const [, second = 0] = await lines(2);
  assert.ok(second > 0 && second !== first);
  assert.match(readFileSync(log, 'utf8'), /^coracle: it ended with code 137 after \d+ s; it is started again in 1 s$/m);
});

test('the end of the keeper is that of the program', async (t) => {
  const { pid, lines } = await kept(t, 'exec sleep 60');
  const [program = 0] = await lines(1);
  process.kill(pid, 'SIGTERM');
  assert.ok(await ended(pid, program));
});

test('a program that can not be started is not tried for ever', async (t) => {
  const { pid, lines, log } = await kept(t, 'echo "no such option"; exit 1');
  assert.ok(await ended(pid));
  assert.equal((await lines(1)).length, 1);
  assert.equal(readFileSync(log, 'utf8'), 'no such option\n');
});
