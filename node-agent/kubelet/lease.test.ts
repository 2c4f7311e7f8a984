import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { RENEWED_BY } from '../../kube/wire/messages.ts';
import type { Api } from '../api.ts';
import { keepLease } from './node.ts';

const settle = () => new Promise((next) => setImmediate(next));
/** A node whose clock is moved by hand; what it wrote of its Lease, by the second. */
function node() {
  let now = 1_000_000_000_000;
  const timers: { at: number; f: () => void }[] = [];
  const writes: { second: number; by: unknown }[] = [];
  const state = { failing: false };
  const begin = now;
  const env: Env = {
    now: () => now,
    random: () => 0,
    uuid: () => '',
    after(ms, f) {
      const timer = { at: now + ms, f };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
    log: () => undefined,
  };
  const api = {
    async send(_method: string, _path: string, body: JsonObject) {
      if (state.failing) throw new Error('no network');
      const { annotations } = body.metadata as { annotations: Record<string, unknown> };
      writes.push({ second: (now - begin) / 1000, by: annotations[RENEWED_BY] });
      return {};
    },
  } as unknown as Api;
  const link = { heardMs: 0 };
  const stop = new AbortController();
  const done = keepLease(api, 'n', link, env, stop.signal);
  return {
    writes,
    link,
    state,
    /** Second by second; `alive`: the control channel is heard of in each. */
    async pass(seconds: number, alive: boolean) {
      for (let i = 0; i < seconds; i++) {
        await settle();
        now += 1000;
        if (alive) link.heardMs = now;
        for (const t of timers.filter((x) => x.at <= now)) {
          timers.splice(timers.indexOf(t), 1);
          t.f();
        }
        await settle();
      }
    },
    async end() {
      stop.abort();
      await done;
    },
  };
}

test('without a control channel the Lease is renewed each ten seconds, as kubelet does', async () => {
  const n = node();
  await n.pass(35, false);
  assert.deepEqual(
    n.writes.map((w) => w.second),
    [0, 10, 20, 30],
  );
  assert.ok(n.writes.every((w) => w.by === null));
  await n.end();
});

test('with one it is written when the channel begins, says that the tunnel renews it, and then each five minutes', async () => {
  const n = node();
  await n.pass(700, true);
  assert.deepEqual(n.writes, [
    { second: 0, by: null },
    { second: 10, by: 'tunnel' },
    { second: 310, by: 'tunnel' },
    { second: 610, by: 'tunnel' },
  ]);
  await n.end();
});

test('a channel that falls silent is doubted before the cloud gives it up: the node renews its Lease itself', async () => {
  const n = node();
  await n.pass(100, true);
  const before = n.writes.length;
  await n.pass(60, false);
  const after = n.writes.slice(before);
  assert.ok((after[0]?.second ?? 0) - 100 < 40, `renewed at ${after[0]?.second}`);
  assert.ok(after.length >= 3 && after.every((w) => w.by === null));
  await n.end();
});

test('a renewal that failed is tried again soon', async () => {
  const n = node();
  await n.pass(5, true);
  n.state.failing = true;
  await n.pass(10, true);
  n.state.failing = false;
  await n.pass(3, true);
  assert.deepEqual(n.writes.at(-1)?.by, 'tunnel');
  assert.ok((n.writes.at(-1)?.second ?? 0) <= 18);
  await n.end();
});
