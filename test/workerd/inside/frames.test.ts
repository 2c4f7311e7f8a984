import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Store } from '../../../kube/store/store.ts';
import { JOIN, pods, put, Tap } from '../../../kube/store/suite-kit.ts';
import { world } from '../../../workers/env.ts';
import { RemoteStore, type StoreStub } from '../../../workers/tenant/remote.ts';
import { SharedFrames } from '../../../workers/tenant/sharedframes.ts';
import { SAME } from '../../../workers/tenant/watch-wire.ts';
import { seeded } from '../../fuzz/random.ts';
import { newCluster, stubOf } from './tenants.ts';

/** A watch's socket that now and then goes with a frame under way. */
function losing(socket: WebSocket, loses: () => boolean): WebSocket {
  let gone = false;
  const listeners: Record<string, ((e: unknown) => void)[]> = { message: [], close: [], error: [] };
  const tell = (type: string, e: unknown) => {
    for (const f of listeners[type] ?? []) f(e);
  };
  socket.addEventListener('message', (e) => {
    if (gone) return;
    const isFrame = e.data instanceof ArrayBuffer || String(e.data).startsWith('{');
    if (!isFrame || !loses()) return tell('message', e);
    gone = true;
    socket.close(1000, 'lost');
    tell('close', { code: 1006 });
  });
  socket.addEventListener('close', (e) => {
    if (!gone) tell('close', e);
  });
  return new Proxy(socket, {
    get: (s, name) =>
      name === 'addEventListener'
        ? (type: string, f: (e: unknown) => void) => listeners[type]?.push(f)
        : typeof s[name as keyof WebSocket] === 'function'
          ? (s[name as keyof WebSocket] as () => void).bind(s)
          : s[name as keyof WebSocket],
    set: (s, name, value) => Reflect.set(s, name, value, s),
  });
}

/** A stub whose watches' sockets pass through `seen`, which may give another in place of one. */
function watched(id: string, seen: (socket: WebSocket) => WebSocket | undefined): () => StoreStub {
  const fetch = async (url: string, init: RequestInit) => {
    const response = await (stubOf(id) as unknown as Fetcher).fetch(url, init);
    const other = response.webSocket && seen(response.webSocket);
    return other ? { webSocket: other } : response;
  };
  return () => new Proxy(stubOf(id), { get: (stub, name) => (name === 'fetch' ? fetch : (stub as never)[name]) });
}

it('watches that follow another of their isolate miss nothing when it goes with a frame under way', async () => {
  for (const seed of [1, 2, 3, 4]) {
    const id = await newCluster();
    const random = seeded(seed).next;
    let lost = 0;
    const loses = () => {
      if (random() > 0.25) return false;
      lost++;
      return true;
    };
    const connect = watched(id, (socket) => losing(socket, loses));
    const store = new RemoteStore(connect, world, new SharedFrames(world));
    const start = await put(store, 'a');
    const taps = Array.from({ length: 6 }, () => new Tap(store.watch(pods(), start, { join: JOIN })));
    for (const tap of taps) await tap.upTo(start);
    const all: string[] = [];
    let last = start;
    for (let i = 0; i < 60; i++) {
      last = await put(store, `p${i}`);
      all.push(`ADDED p${i}@${last}`);
      if (random() < 0.5) await new Promise((next) => setTimeout(next, 20 * random()));
    }
    for (const tap of taps) assert.deepEqual(await tap.upTo(last), all, `seed ${seed}`);
    for (const tap of taps) await tap.stop();
    assert.ok(lost >= 5, `${lost} frames lost`);
  }
});

it('a frame that did not come to the isolate is asked for, and read anew by revision where it is too big to be kept', async () => {
  const id = await newCluster();
  let connections = 0;
  let loses = false;
  const connect = watched(id, (socket) => {
    connections++;
    return losing(socket, () => {
      const lost = loses;
      loses = false;
      return lost;
    });
  });
  const store = new RemoteStore(connect, world, new SharedFrames(world));
  const start = await put(store, 'a');
  const taps = [1, 2, 3].map(() => new Tap(store.watch(pods(), start)));
  for (const tap of taps) await tap.upTo(start);
  const first = await put(store, 'first');
  for (const tap of taps) assert.deepEqual(await tap.take(1), [`ADDED first@${first}`]);
  assert.equal(connections, 3);
  loses = true;
  const small = await put(store, 'small');
  for (const tap of taps) assert.deepEqual(await tap.take(1), [`ADDED small@${small}`]);
  assert.equal(connections, 4);
  loses = true;
  const big = await put(store, 'big', { labels: { x: 'x'.repeat(1_100_000) } });
  for (const tap of taps) assert.deepEqual(await tap.take(1), [`ADDED big@${big}`]);
  assert.equal(connections, 7);
  for (const tap of taps) await tap.stop();
});

it('a frame comes whole once for all watches of an isolate that asked the same', async () => {
  const id = await newCluster();
  const seen = { whole: 0, same: 0 };
  const connect = watched(id, (socket) => {
    socket.addEventListener('message', ({ data }) => {
      if (data instanceof ArrayBuffer) seen.whole++;
      else if (String(data).startsWith(SAME)) seen.same++;
    });
    return undefined;
  });
  const stores = [1, 2].map(() => new RemoteStore(connect, world, new SharedFrames(world)));
  const start = await put(stores[0] as Store, 'a');
  const taps = stores.flatMap((s) => Array.from({ length: 5 }, () => new Tap(s.watch(pods(), start, { join: JOIN }))));
  for (const tap of taps) await tap.upTo(start);
  const revisions: number[] = [];
  for (let i = 0; i < 20; i++) revisions.push(await put(stores[0] as Store, `p${i}`));
  for (const tap of taps) await tap.upTo(revisions.at(-1) as number);
  // Of ten watches in two isolates; how many writes went into one frame depends on the clock. Each knew from its beginning what the first frame follows.
  assert.equal(seen.same, 0);
  assert.ok(seen.whole >= 4 && seen.whole <= 2 * 20, `${seen.whole} whole frames`);
  for (const tap of taps.splice(1)) await tap.stop();
  // Frames to a watch that is alone have no ids, so one that comes to it is told of the next frame once.
  const [left] = taps as [Tap];
  await left.upTo(await put(stores[0] as Store, 'alone'));
  await left.upTo(await put(stores[0] as Store, 'still-alone'));
  const second = new Tap((stores[0] as Store).watch(pods(), start, { join: JOIN }));
  const { whole, same } = seen;
  for (let i = 0; i < 3; i++) {
    const revision = await put(stores[0] as Store, `q${i}`);
    for (const tap of [left, second]) await tap.upTo(revision);
  }
  assert.deepEqual([seen.same - same, seen.whole - whole], [1, 3]);
  for (const tap of [left, second]) await tap.stop();
});
