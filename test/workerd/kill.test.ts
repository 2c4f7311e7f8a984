import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { watchUrl } from '../../workers/tenant/watch-wire.ts';
import { startWorkerd } from './start.ts';

const module = JSON.stringify(join(dirname(fileURLToPath(import.meta.url)), 'inside/sleeper.ts'));
const start = () =>
  startWorkerd({
    entry: `export * from ${module};\nexport { default } from ${module};\n`,
    objects: { TENANT: 'Sleeper' },
  });

/** Kills of one run, each in the middle of writes by this many clients. */
const KILLS = 4;
const CLIENTS = 16;

it('what was acknowledged before a kill -9 is there after it, at its revision', async (t) => {
  const workerd = await start();
  t.after(() => workerd.stop());
  await fetch(`${workerd.url}/create`);
  const acknowledged = new Map<string, number>();
  let stop = false;
  let n = 0;
  const client = async () => {
    while (!stop) {
      const name = `p${n++}`;
      try {
        const { revision } = (await (await fetch(`${workerd.url}/?put=${name}`)).json()) as { revision: number };
        acknowledged.set(`pods/default/${name}`, revision);
      } catch {
        // Killed: what this write came to is open.
        await new Promise((done) => setTimeout(done, 20));
      }
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  for (let i = 0; i < KILLS; i++) {
    const before = acknowledged.size;
    while (acknowledged.size < before + 200) await new Promise((done) => setTimeout(done, 5));
    await workerd.restart();
  }
  stop = true;
  await Promise.all(clients);
  const rows = new Map((await (await fetch(`${workerd.url}/?list`)).json()) as [string, number][]);
  for (const [key, revision] of acknowledged) assert.equal(rows.get(key), revision, key);
  assert.equal(new Set(rows.values()).size, rows.size, 'a revision was given twice');
});

it('a watcher that does not read is dropped', { timeout: 60_000 }, async (t) => {
  const workerd = await start();
  t.after(() => workerd.stop());
  await fetch(`${workerd.url}/create`);
  const watch = watchUrl({ range: { from: 'pods/', to: 'pods0' }, after: 0 });
  const ws = new WebSocket(workerd.url.replace('http', 'ws') + watch.slice(watch.indexOf('/watch')));
  await new Promise((done, fail) => ws.once('open', done).once('error', fail));
  ws.pause();
  for (let i = 0; i < 60; i++) await (await fetch(`${workerd.url}/?put=p&bytes=1000000`)).text();
  const closed = new Promise<number>((done) => ws.once('close', done));
  let received = 0;
  ws.on('message', () => received++);
  ws.resume();
  assert.equal(await closed, 1013);
  assert.ok(received < 60, `${received} of 60 arrived`);
});
