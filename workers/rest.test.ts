import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rest } from './rest.ts';

/** A Rest whose timers end when they are told to. */
function world(hasCollector = true) {
  let timers: (() => void)[] = [];
  let now = 1_000_000;
  let collected = 0;
  const env = {
    now: () => now,
    after(_ms: number, f: () => void) {
      timers.push(f);
      return () => undefined;
    },
  };
  const rest = new Rest(env, hasCollector ? () => collected++ : undefined);
  return {
    come(n: number) {
      for (let i = 0; i < n; i++) void rest.came();
    },
    /** The requests that looked are dropped, their timers with them. */
    drop() {
      timers = [];
    },
    pass(ms: number) {
      now += ms;
    },
    timers: () => timers.length,
    async quiet() {
      for (const f of timers.splice(0)) f();
      await new Promise((next) => setImmediate(next));
      return collected;
    },
  };
}

test('after many requests, once nobody comes any more, garbage is collected once', async () => {
  const w = world();
  w.come(999);
  assert.equal(await w.quiet(), 0, 'not worth it yet');
  w.come(1);
  assert.equal(await w.quiet(), 1);
  assert.equal(await w.quiet(), 1);
  w.come(1_000);
  assert.equal(await w.quiet(), 2);
});

test('not while others come; who looks goes on looking', async () => {
  const w = world();
  w.come(1_000);
  for (let i = 0; i < 3; i++) {
    w.come(500);
    assert.equal(w.timers(), 1, 'one looks, however many come');
    assert.equal(await w.quiet(), 0);
  }
  assert.equal(await w.quiet(), 1);
});

test('a request that is dropped while it looks keeps no other from it', async () => {
  const w = world();
  w.come(1_000);
  w.drop();
  w.come(1);
  assert.equal(await w.quiet(), 0);
  w.pass(5_000);
  w.come(1);
  assert.equal(await w.quiet(), 1);
});

test('where nothing collects on demand nobody looks', async () => {
  const w = world(false);
  w.come(2_000);
  assert.equal(w.timers(), 0);
});
