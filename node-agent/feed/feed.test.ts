import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { ApiError } from '../api.ts';
import { virtualClock } from '../runtime/testing/clock.ts';
import { createFeed, followFeed } from './feed.ts';
import { FakeLists } from './testing/api.ts';

const PATH = '/api/v1/things';
const thing = (name: string, color: string, more: JsonObject = {}): JsonObject => ({
  metadata: { namespace: 'ns', name },
  color,
  ...more,
});
const colorOf = (o: JsonObject) => (o.color === 'none' ? null : { color: String(o.color) });

async function followed(o: { names?: string[]; labelSelector?: string } = {}) {
  const api = new FakeLists();
  for (const name of o.names ?? []) api.put(PATH, thing(name, 'red'));
  const clock = virtualClock();
  const stop = new AbortController();
  const feed = createFeed<{ color: string }>(clock, { group: (t) => t.color });
  const told: string[][] = [];
  feed.listen((keys) => told.push([...keys].sort()));
  const resource = { path: PATH, ...(o.labelSelector ? { labelSelector: o.labelSelector } : {}) };
  const done = followFeed(api, resource, colorOf, feed, clock, stop.signal);
  await clock.advance(1);
  const end = async () => {
    stop.abort();
    await clock.advance(60_000);
    await done;
  };
  return { api, clock, feed, told, end };
}

describe('a feed', () => {
  test('lists in pages and tells all that was there at once', async () => {
    const { api, feed, told, end } = await followed({ names: ['a', 'b', 'c', 'd', 'e'] });
    assert.deepEqual([...feed.items.keys()], ['ns/a', 'ns/b', 'ns/c', 'ns/d', 'ns/e']);
    assert.deepEqual(told, [['ns/a', 'ns/b', 'ns/c', 'ns/d', 'ns/e']]);
    assert.equal(api.asked.filter((a) => a.startsWith('LIST')).length, 3);
    assert.equal(feed.synced, true);
    await end();
  });

  test('tells an empty list too: what is known is that there is nothing', async () => {
    const { feed, told, end } = await followed();
    assert.deepEqual([told, feed.synced], [[[]], true]);
    await end();
  });

  test('asks with its selectors, in list and watch alike', async () => {
    const { api, end } = await followed({ labelSelector: '!a/b,c=d' });
    assert.deepEqual(
      api.asked.map((a) => new URLSearchParams(a.split('?')[1]).get('labelSelector')),
      ['!a/b,c=d', '!a/b,c=d'],
    );
    await end();
  });

  test('tells changes that come together once, and not what its projection leaves out', async () => {
    const { api, clock, feed, told, end } = await followed({ names: ['a', 'b'] });
    told.length = 0;
    api.put(PATH, thing('a', 'blue'));
    api.put(PATH, thing('b', 'red', { weather: 'fine' }));
    api.put(PATH, thing('c', 'red'));
    api.remove(PATH, 'ns', 'c');
    await clock.advance(1);
    assert.deepEqual(told, [['ns/a', 'ns/c']]);
    api.put(PATH, thing('b', 'red', { weather: 'rain' }));
    await clock.advance(1);
    assert.equal(told.length, 1);
    assert.deepEqual([...feed.items.keys()], ['ns/a', 'ns/b']);
    await end();
  });

  test('drops what its projection makes nothing of', async () => {
    const { api, clock, feed, end } = await followed({ names: ['a'] });
    api.put(PATH, thing('a', 'none'));
    await clock.advance(1);
    assert.equal(feed.items.size, 0);
    await end();
  });

  test('finds items by group, also after they moved to another', async () => {
    const { api, clock, feed, end } = await followed({ names: ['a', 'b'] });
    assert.equal(feed.of('red').length, 2);
    api.put(PATH, thing('a', 'blue'));
    api.remove(PATH, 'ns', 'b');
    await clock.advance(1);
    assert.deepEqual([feed.of('red'), feed.of('blue')], [[], [{ color: 'blue' }]]);
    await end();
  });

  test('goes on from the last revision it heard, a bookmark included, when the connection breaks', async () => {
    const { api, clock, feed, told, end } = await followed({ names: ['a'] });
    api.bookmark(PATH);
    await clock.advance(1);
    const heard = api.revision;
    api.cut();
    api.put(PATH, thing('b', 'red'));
    await clock.advance(60_000);
    assert.ok(feed.items.has('ns/b'));
    const last = new URLSearchParams(api.asked.at(-1)?.split('?')[1]);
    assert.equal(last.get('resourceVersion'), String(heard));
    assert.equal(api.asked.filter((a) => a.startsWith('LIST')).length, 1);
    assert.deepEqual(told.at(-1), ['ns/b']);
    await end();
  });

  test('lists anew when its revision is too old, and tells what went meanwhile', async () => {
    const { api, clock, feed, told, end } = await followed({ names: ['a', 'b'] });
    api.cut();
    api.remove(PATH, 'ns', 'a');
    api.put(PATH, thing('c', 'red'));
    api.compact();
    await clock.advance(60_000);
    assert.deepEqual([...feed.items.keys()], ['ns/b', 'ns/c']);
    assert.deepEqual(told.at(-1), ['ns/a', 'ns/c']);
    await end();
  });

  test('lists anew after an ERROR event of 410 in the stream', async () => {
    const { api, clock, feed, end } = await followed({ names: ['a'] });
    api.cut(new ApiError(410, { message: 'compacted' }));
    await clock.advance(1);
    assert.equal(api.asked.filter((a) => a.startsWith('LIST')).length, 2);
    assert.equal(feed.items.size, 1);
    await end();
  });

  test('asks ever more slowly while the API fails, and keeps what it knew', async () => {
    const { api, clock, feed, end } = await followed({ names: ['a'] });
    const before = api.asked.length;
    for (let i = 0; i < 1_000; i++) api.failures.push(new Error('connect ECONNREFUSED'));
    api.cut();
    await clock.advance(300_000);
    const asked = api.asked.length - before;
    assert.ok(asked > 5 && asked < 30, `${asked} requests in five minutes`);
    assert.equal(feed.items.size, 1);
    await end();
  });

  test('does not ask without end where every watch ends at once', async () => {
    const { api, clock, end } = await followed({ names: ['a'] });
    for (let i = 0; i < 100; i++) {
      api.cut(null);
      await clock.advance(1_000);
    }
    const watches = api.asked.filter((a) => a.startsWith('WATCH')).length;
    assert.ok(watches < 30, `${watches} watches in 100 s`);
    await end();
  });
});
