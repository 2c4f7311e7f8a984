import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Env } from '../../kube/meta/env.ts';
import type { Api } from '../api.ts';
import { keepControl } from './control.ts';

/** A clock that is set, and timers that are over at once. */
function world(): Env & { ms: number } {
  const env = {
    ms: 1_000_000,
    now: () => env.ms,
    random: () => 0,
    after(ms: number, f: () => void) {
      // Signs of life would be without end.
      const timer = ms < 5_000 ? setTimeout(f, 1) : undefined;
      return () => clearTimeout(timer);
    },
    log: () => undefined,
  };
  return env as unknown as Env & { ms: number };
}

const cases: [string, number, number][] = [
  ['a link that is lost for a moment is opened again, quietly', 15_000, 0],
  ['after a link of which nothing was heard for long the node reports itself, however late the link ended', 30_000, 1],
];
for (const [name, silentMs, reports] of cases)
  test(name, async (t) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const env = world();
    const stop = new AbortController();
    t.after(() => {
      stop.abort();
      for (const c of server.clients) c.terminate();
      server.close();
    });
    const welcomed: WebSocket[] = [];
    server.on('connection', (socket) =>
      socket.once('message', () => {
        welcomed.push(socket);
        socket.send(JSON.stringify({ type: 'welcome', wire: 1 }));
      }),
    );
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const api = { connection: { url }, token: () => 't', ca: () => undefined } as unknown as Api;
    let back = 0;
    const handler = { dial: () => undefined, wake: () => undefined, back: () => void back++ };
    const link = { heardMs: 0 };
    const kept = keepControl(api, 'n', handler, env, stop.signal, link);
    const linked = async () => {
      while (link.heardMs === 0) await new Promise((r) => setTimeout(r, 1));
    };
    await linked();
    env.ms += silentMs;
    // The link's end comes when the way is open again: only then do both sides hear of it.
    welcomed[0]?.close(1001, 'not heard of');
    while (welcomed.length < 2) await new Promise((r) => setTimeout(r, 1));
    await linked();
    assert.equal(back, reports);
    stop.abort();
    await kept;
  });
