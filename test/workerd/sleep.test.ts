import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { decodeBatch } from '../../kube/store/frames.ts';
import { watchUrl } from '../../workers/tenant/watch-wire.ts';
import { startWorkerd } from './start.ts';

/** The platform puts an object to sleep after 10 s without requests or timers; our progress timer runs 5 s before that. */
const ASLEEP_MS = 17_000;

it("the platform's alarm lets rows expire", { timeout: 30_000 }, async (t) => {
  const module = JSON.stringify(join(dirname(fileURLToPath(import.meta.url)), 'inside/sleeper.ts'));
  const workerd = await startWorkerd({
    entry: `export * from ${module};\nexport { default } from ${module};\n`,
    objects: { TENANT: 'Sleeper' },
  });
  t.after(() => workerd.stop());
  await fetch(`${workerd.url}/create`);
  await fetch(`${workerd.url}/?put=a&ttl=300`);
  await fetch(`${workerd.url}/?put=b`);
  const keys = async () =>
    ((await (await fetch(`${workerd.url}/?list`)).json()) as [string, number][]).map(([key]) => key);
  assert.deepEqual(await keys(), ['pods/default/a', 'pods/default/b']);
  while ((await keys()).length > 1) await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(await keys(), ['pods/default/b']);
});

it('a watched object sleeps when it is quiet, wakes for a write, and its watchers miss nothing', async (t) => {
  const module = JSON.stringify(join(dirname(fileURLToPath(import.meta.url)), 'inside/sleeper.ts'));
  const workerd = await startWorkerd({
    entry: `export * from ${module};\nexport { default } from ${module};\n`,
    objects: { TENANT: 'Sleeper' },
  });
  t.after(() => workerd.stop());
  const ask = async (path: string) =>
    (await (await fetch(workerd.url + path)).json()) as { made: number; revision: number };
  await ask('/create');
  const first = await ask('/?put=a');
  const watch = watchUrl({ range: { from: 'pods/', to: 'pods0' }, after: first.revision });
  const ws = new WebSocket(workerd.url.replace('http', 'ws') + watch.slice(watch.indexOf('/watch')));
  const seen: string[] = [];
  let arrived = () => {};
  ws.on('message', (data) => {
    for (const e of decodeBatch(String(data)).events) seen.push(`${e.key}@${e.revision}`);
    arrived();
  });
  const saw = async (n: number) => {
    while (seen.length < n) await new Promise<void>((done) => (arrived = done));
  };
  await new Promise((done, fail) => ws.once('open', done).once('error', fail));
  const second = await ask('/?put=b');
  await saw(1);
  assert.equal(second.made, 1);
  await new Promise((done) => setTimeout(done, ASLEEP_MS));
  const third = await ask('/?put=c');
  await saw(2);
  assert.equal(third.made, 2, 'the object did not sleep');
  assert.deepEqual(seen, [`pods/default/b@${second.revision}`, `pods/default/c@${third.revision}`]);
  ws.close();
});
