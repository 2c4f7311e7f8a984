import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fanout } from '../../kube/store/fanout.ts';
import type { Entry, WatchEvent } from '../../kube/store/store.ts';
import type { WatchSource } from '../../kube/store/stream.ts';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { pods } from '../../kube/store/suite-kit.ts';
import type { StoreStub } from './remote.ts';
import { type ClientSocket, RemoteWatch } from './remote-watch.ts';
import { SharedFrames } from './sharedframes.ts';
import { type HubSocket, Sockets } from './sockets.ts';
import { AGAIN, parseWatch } from './watch-wire.ts';

/** An object with its sockets, which may sleep, and an isolate with watches of it. */
function world() {
  const clock = new VirtualClock();
  let ids = 0;
  const env = { ...clock.env, uuid: () => `id${++ids}`, random: () => 0.5 };
  const rows: Entry[] = [];
  const open: HubSocket[] = [];
  let fanout = new Fanout();
  const source: WatchSource = {
    revision: () => rows.length,
    replay: (_range, after) => ({ revision: rows.length, events: rows.slice(after).map(added) }),
    get fanout() {
      return fanout;
    },
  };
  let sockets = new Sockets(source, env);
  const shared = new SharedFrames(env);
  let connections = 0;

  function connect(url: string) {
    connections++;
    const listeners: Record<string, ((e: { data?: unknown; code?: number }) => void)[]> = {};
    const tell = (type: string, e: object) => {
      for (const f of listeners[type] ?? []) f(e);
    };
    let kept = parseWatch(url) as unknown;
    const server: HubSocket = {
      send: (data) => tell('message', { data }),
      close: (code) => tell('close', { code }),
      serializeAttachment: (value) => {
        kept = value;
      },
      deserializeAttachment: () => kept,
    };
    open.push(server);
    const client: ClientSocket = {
      accept: () => void sockets.open(server, kept as Parameters<Sockets['open']>[1]),
      send: (text) => {
        if (text.startsWith(AGAIN)) sockets.again(server, text.slice(AGAIN.length));
      },
      close: () => undefined,
      addEventListener: (type, f) => {
        listeners[type] = [...(listeners[type] ?? []), f];
      },
    };
    return { webSocket: client };
  }
  const stub = { fetch: async (url: string) => connect(url) } as unknown as StoreStub;

  return {
    clock,
    connections: () => connections,
    /** What a watch sees, by name. */
    watch(after = rows.length): string[] {
      const seen: string[] = [];
      const watch = new RemoteWatch(() => stub, env, pods(), after, {}, shared);
      void (async () => {
        for await (const batch of watch) seen.push(...batch.events.map((e) => e.value));
      })();
      return seen;
    },
    async write(name: string): Promise<void> {
      const next = {
        key: `pods/default/${name}`,
        revision: rows.length + 1,
        value: name,
        facts: {},
      } as unknown as Entry;
      rows.push(next);
      fanout.publish([{ revision: next.revision, key: next.key, prev: null, next }], next.revision);
      await clock.advance(100);
    },
    /** The object's memory goes; its sockets stay. */
    sleep(): void {
      fanout = new Fanout();
      sockets = new Sockets(source, env);
      sockets.restore(open);
    },
  };
}
const added = ({ key, revision, value }: Entry): WatchEvent => ({
  type: 'ADDED',
  key,
  revision,
  value,
  version: '',
  schema: '',
});

test('watches go on over their sockets after the object has slept, each with every event', async () => {
  const w = world();
  const [a, b] = [w.watch(), w.watch()];
  await w.clock.turn();
  await w.write('1');
  w.sleep();
  await w.write('2');
  const late = w.watch();
  await w.clock.turn();
  await w.write('3');
  assert.deepEqual([a, b, late], [['1', '2', '3'], ['1', '2', '3'], ['3']]);
  assert.equal(w.connections(), 3);
});

test('watches that had heard of no frame when the object slept go on too', async () => {
  const w = world();
  const [a, b] = [w.watch(), w.watch()];
  await w.clock.turn();
  w.sleep();
  for (const name of ['1', '2']) await w.write(name);
  assert.deepEqual([a, b, w.connections()], [['1', '2'], ['1', '2'], 2]);
});

test('what a watch missed is read in one step and sent in another where it is long, and nothing that comes between is lost', async () => {
  const w = world();
  const long = 300_000;
  await w.write('x'.repeat(long));
  const seen = w.watch(0);
  await w.clock.turn();
  assert.equal(seen.length, 0, 'read, not yet sent');
  await w.write('2');
  await w.write('3');
  await w.clock.turn();
  assert.deepEqual(
    seen.map((s) => s.length),
    [long, 1, 1],
  );
});
