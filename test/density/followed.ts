import { Agent, request } from 'node:https';
import type { Cluster, Server } from './server.ts';

/** A watch's client: counts lines. `lines` grows until `close`. */
export interface Watching {
  lines: number;
  close(): void;
}

const decoder = new TextDecoder();

/** Opens so many watches of `path` from `revision` on; each has a connection of its own. */
export async function watchMany(s: Server, c: Cluster, path: string, revision: string, n: number): Promise<Watching[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: n });
  const open = () =>
    new Promise<Watching>((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port: s.port,
          path: `/clusters/${c.id}${path}?watch=1&resourceVersion=${revision}`,
          ca: s.ca,
          agent,
          headers: { authorization: `Bearer ${c.token}` },
        },
        (answer) => {
          if (answer.statusCode !== 200) return reject(new Error(`HTTP ${answer.statusCode}`));
          const w: Watching = { lines: 0, close: () => asked.destroy() };
          answer.on('data', (part: Buffer) => {
            w.lines += decoder.decode(part).split('\n').length - 1;
          });
          answer.on('error', () => undefined);
          resolve(w);
        },
      );
      asked.on('error', reject);
      asked.end();
    });
  return Promise.all(Array.from({ length: n }, open));
}
