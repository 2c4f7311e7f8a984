import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../ports.ts';
import { ask, open } from './http.ts';

const root = join(import.meta.dirname, '..', '..');
const main = ['--disable-warning=ExperimentalWarning', join(root, 'cli/main.ts')];

let home: string;
let port: number;
let child: ChildProcess;
let lines = '';
let grew: () => void = () => undefined;
const agents: Agent[] = [];

/** Waits for a line on stderr. */
async function said(pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const found = pattern.exec(lines);
    if (found) return found;
    assert.equal(child.exitCode, null, `it ended:\n${lines}`);
    await new Promise<void>((r) => (grew = r));
  }
}
const env = () => ({ ...process.env, CORACLE_HOME: home });
const coracle = (...args: string[]) => promisify(execFile)(process.execPath, [...main, ...args], { env: env() });
const exitOf = (...args: string[]) =>
  coracle(...args).then(
    () => ({ code: 0, stderr: '' }),
    (e: { code: number; stderr: string }) => ({ code: e.code, stderr: e.stderr }),
  );

async function start(extra: NodeJS.ProcessEnv = {}): Promise<void> {
  lines = '';
  child = spawn(process.execPath, [...main, 'serve', '--listen', `127.0.0.1:${port}`], {
    env: { ...env(), ...extra },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr?.on('data', (b: Buffer) => {
    lines += b;
    grew();
  });
  child.on('exit', () => grew());
  await said(/serving on/);
}
const ended = () =>
  child.exitCode !== null ? Promise.resolve(child.exitCode) : new Promise<number | null>((r) => child.once('exit', r));
const agent = () => {
  const made = new Agent({ ca: readFileSync(join(home, 'tls/ca.crt'), 'utf8'), keepAlive: true });
  agents.push(made);
  return made;
};
const workerd = () => Number(readFileSync(join(home, 'workerd.pid'), 'utf8').split(' ')[0]);
async function cluster(name: string): Promise<{ url: string; token: string }> {
  const token = readFileSync(join(home, 'operator-token'), 'utf8').trim();
  const body = { apiVersion: 'tenancy.coracle.dev/v1', kind: 'Cluster', metadata: { name } };
  const url = `https://127.0.0.1:${port}/apis/tenancy.coracle.dev/v1/clusters`;
  const made = await ask(agent(), 'POST', url, { token, body });
  assert.equal(made.code, 201);
  const status = made.body.status as { url: string; adminToken: string };
  return { url: status.url, token: status.adminToken };
}

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'coracle-service-'));
  port = await freePort();
});
afterEach(async () => {
  for (const a of agents.splice(0)) a.destroy();
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await ended();
  }
});
after(() => rm(home, { recursive: true, force: true }));

describe('coracle serve', () => {
  it('ends watches in order at SIGTERM, and then itself, with code 0', async () => {
    await start();
    const { url, token } = await cluster('watched');
    const watch = await open(
      agent(),
      `${url}/api/v1/configmaps?watch=1&allowWatchBookmarks=true&resourceVersion=0`,
      token,
    );
    let text = '';
    watch.setEncoding('utf8');
    watch.on('data', (s: string) => {
      text += s;
      grew();
    });
    while (!text.includes('initial-events-end')) await new Promise<void>((r) => (grew = r));
    const over = new Promise<boolean>((r) => watch.once('close', () => r(watch.complete)));
    child.kill('SIGTERM');
    assert.equal(await over, true, 'the response was cut');
    assert.match(text, /BOOKMARK[^\n]*\n$/);
    assert.equal(await ended(), 0);
    assert.match(lines, /stopping: requests in flight have 8 s\n.*stopped after/s);
    assert.ok(!lines.includes('the grace is over'), lines);
    assert.equal(existsSync(join(home, 'server.pid')), false);
    assert.equal(existsSync(join(home, 'workerd.pid')), false);
  });

  it('starts workerd again when it dies, says why, and what was acknowledged is there', async () => {
    await start();
    const { url, token } = await cluster('kept');
    const made = await ask(agent(), 'POST', `${url}/api/v1/namespaces/default/configmaps`, {
      token,
      body: { metadata: { name: 'kept' } },
    });
    assert.equal(made.code, 201);
    const first = workerd();
    process.kill(first, 'SIGKILL');
    await said(/workerd was ended by SIGKILL after [\d.]+ s; starting it again in 0.25 s/);
    await said(/serving on.*serving on/s);
    assert.notEqual(workerd(), first);
    const found = await ask(agent(), 'GET', `${url}/api/v1/namespaces/default/configmaps/kept`, { token });
    assert.equal(found.code, 200);
  });

  it('refuses a second one on the same home, whatever its port', async () => {
    await start();
    const second = await exitOf('serve', '--port', String(await freePort()));
    assert.equal(second.code, 3);
    assert.match(second.stderr, /^coracle: another control plane runs on .* \(process \d+\)\n$/);
  });

  it('ends the workerd of a supervisor that was killed', async () => {
    await start();
    const orphan = workerd();
    child.kill('SIGKILL');
    await new Promise((r) => child.once('exit', r));
    process.kill(orphan, 0);
    await start();
    assert.match(lines, /ended the workerd of a supervisor that is gone/);
    // Nobody may have asked for its exit code yet.
    assert.ok(!existsSync(`/proc/${orphan}`) || / Z /.test(readFileSync(`/proc/${orphan}/stat`, 'utf8')));
  });

  it('tells systemd when it is ready and when it stops', async () => {
    const told = join(home, 'told');
    await writeFile(join(home, 'systemd-notify'), `#!/bin/sh\necho "$@" >> '${told}'\n`, { mode: 0o755 });
    await start({ NOTIFY_SOCKET: '/nowhere', PATH: `${home}:${process.env.PATH}` });
    // Each is a process of its own.
    while (!existsSync(told) || readFileSync(told, 'utf8') === '') await delay(20);
    child.kill('SIGTERM');
    await ended();
    assert.equal(readFileSync(told, 'utf8'), '--ready\nSTOPPING=1\n');
  });

  it('fails at once with one line when its port is taken', async () => {
    await start();
    const other = await mkdtemp(join(tmpdir(), 'coracle-service-'));
    try {
      const run = promisify(execFile)(process.execPath, [...main, 'serve', '--listen', `127.0.0.1:${port}`], {
        env: { ...process.env, CORACLE_HOME: other },
      });
      await assert.rejects(run, {
        code: 1,
        stderr: /^coracle: 127.0.0.1:\d+ can't be listened on: [^\n]*EADDRINUSE[^\n]*\n$/ as never,
      });
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });
});
