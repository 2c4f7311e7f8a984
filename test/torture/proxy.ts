import { connect, createServer, type Socket } from 'node:net';
import type { Random } from '../fuzz/random.ts';

/** A TCP proxy between clients and server that loses connections. It sees bytes only: TLS goes through. */
export interface Lossy {
  port: number;
  /** Connections lost on purpose so far. */
  drops: number;
  /** Begins, and ends, losing connections at random. */
  losing(on: boolean): void;
  close(): void;
}

interface Pair {
  client: Socket;
  server: Socket;
  /** What happens with the client's next bytes. */
  trap: 'none' | 'silent' | 'after-request' | 'before-answer' | 'half';
}

/** Pieces that clients send between two lost connections, on average: as many losses for each request, however busy the machine is. */
const PIECES = 30;
/** How long a connection on which nothing passes any more is held open. */
const SILENT_MS = 1_500;

/** Starts it on a free port. */
export async function startProxy(target: number, random: Random): Promise<Lossy> {
  const pairs = new Set<Pair>();
  let on = false;
  let left = PIECES;
  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect({ port: target, host: '127.0.0.1', noDelay: true });
    const pair: Pair = { client, server, trap: 'none' };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const s of [client, server]) {
      s.on('error', end);
      s.on('close', end);
    }
    client.on('data', (bytes) => {
      if (on && --left <= 0) lose();
      if (pair.trap === 'half') {
        // The request is cut in the middle.
        server.write(bytes.subarray(0, bytes.length >> 1), end);
        return;
      }
      if (!server.write(bytes)) pause(client, server);
      if (pair.trap === 'after-request') {
        // The server has the request, the client will never know.
        pair.client.destroy();
        server.end();
      }
    });
    server.on('data', (bytes) => {
      if (pair.trap === 'before-answer') end();
      else if (!client.write(bytes)) pause(server, client);
    });
  });
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  const address = listener.address();
  const proxy: Lossy = {
    port: typeof address === 'object' && address ? address.port : 0,
    drops: 0,
    losing(yes) {
      on = yes;
    },
    close() {
      for (const { client, server } of pairs) {
        client.destroy();
        server.destroy();
      }
      listener.close();
    },
  };
  const lose = () => {
    const all = [...pairs].filter((p) => p.trap === 'none');
    if (all.length > 0) {
      const pair = random.pick(all);
      proxy.drops++;
      const how = random.below(6);
      if (how === 0) pair.client.resetAndDestroy();
      else if (how === 1) pair.server.destroy();
      else if (how === 2) silence(pair);
      else pair.trap = how === 3 ? 'after-request' : how === 4 ? 'before-answer' : 'half';
    }
    left = 1 + random.below(2 * PIECES);
  };
  return proxy;
}

function pause(from: Socket, to: Socket): void {
  from.pause();
  to.once('drain', () => from.resume());
}

/** Nothing passes any more, and nobody is told for a while. */
function silence(pair: Pair): void {
  const { client, server } = pair;
  pair.trap = 'silent';
  client.pause();
  server.pause();
  setTimeout(() => client.destroy(), SILENT_MS).unref();
}
