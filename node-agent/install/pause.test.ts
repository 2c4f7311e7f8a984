import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pauseProgram } from './pause.ts';

for (const [arch, machine, first] of [
  ['x64', 62, 'xor'],
  ['arm64', 183, 'sub'],
] as const)
  test(`the sandbox program of ${arch} is an executable of that machine whose entry is its first instruction`, () => {
    const program = pauseProgram(arch);
    assert.equal(program.readUInt16LE(18), machine);
    assert.equal(program.readBigUInt64LE(24) - program.readBigUInt64LE(80), 120n);
    assert.equal(program.readBigUInt64LE(96), BigInt(program.length));
    assert.equal(program.toString('hex', 120, 122), { xor: '31c0', sub: 'ff83' }[first]);
  });

test('other machines have none', () => {
  assert.throws(() => pauseProgram('riscv64'), /no sandbox program for riscv64/);
});

test('the sandbox program waits, also after SIGCHLD, and takes no processor time', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'coracle-pause-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, 'pause'), pauseProgram(), { mode: 0o755 });
  const child = spawn(join(dir, 'pause'), { stdio: 'ignore' });
  const ended = new Promise<string | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  const status = () => readFile(`/proc/${child.pid}/status`, 'utf8');
  // Bit 16: SIGCHLD.
  while (!/^SigIgn:\t0*10000$/m.test(await status())) await delay(5);
  child.kill('SIGCHLD');
  while (!/^State:\tS/m.test(await status())) await delay(5);
  child.kill('SIGKILL');
  assert.equal(await ended, 'SIGKILL');
});
