import type { Bindings } from './bindings.ts';
import { world } from './env.ts';

/**
 * The end of a process that serves itself (`coracle serve`): its supervisor announces it on the control socket, and what would go on for ever
 * ends in order. On the hosted platform nobody announces anything: there sockets drop at a deploy, and clients come back.
 */

/** What ends each watch of this process. */
const ends = new Set<() => void>();
/** Names of the tunnel objects whose agents came in through this process, oldest first. */
const tunnels = new Set<string>();
/** More than a process has connections. Past it the oldest notice the end by themselves. */
const TUNNELS_MAX = 20_000;
/** Hang-ups at once: the platform's limit of calls of one request. */
const AT_ONCE = 6;

/** Why the process wants no new clients; '' = it is ready. */
let unready = '';
let ended = false;

let name = '';
/** Tells this process from others of a cluster. */
export function processName(): string {
  name ||= world.uuid();
  return name;
}

/** Runs `end` when the process is about to stop, at once when it is stopping already; the result takes that back. */
export function onDrain(end: () => void): () => void {
  // A promise carries the call into the request that asked: a stream can't be touched from another request.
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const tell = () => resolve(true);
  void promise.then((ending) => ending && end());
  if (ended) tell();
  else ends.add(tell);
  return () => {
    ends.delete(tell);
    resolve(false);
  };
}

/** An agent's control channel came in through this process. */
export function keepTunnel(tunnel: string): void {
  tunnels.delete(tunnel);
  tunnels.add(tunnel);
  if (tunnels.size > TUNNELS_MAX) for (const oldest of tunnels) if (tunnels.delete(oldest)) break;
}

/** Ends every watch, and every tunnel that came in here. */
async function endAll(b: Bindings): Promise<void> {
  ended = true;
  for (const tell of [...ends]) tell();
  ends.clear();
  const waiting = [...tunnels];
  tunnels.clear();
  const some = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
      await b.TUNNELS.getByName(next)
        .hangUp(processName())
        .catch((error) => world.log('warn', 'drain.tunnel', { error: String(error) }));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
}

/**
 * The control socket, which only this machine's supervisor reaches: GET says whether clients may come; POST /unready?why=TEXT sets that (empty:
 * they may); POST /drain?after=MS ends everything that long from now and answers when it has.
 */
export const control = {
  async fetch(request: Request, b: Bindings): Promise<Response> {
    const url = new URL(request.url);
    if (request.method !== 'POST') return readiness();
    if (url.pathname === '/unready') unready = url.searchParams.get('why') ?? '';
    if (url.pathname === '/drain') {
      unready = 'stopping';
      const after = Number(url.searchParams.get('after') ?? 0);
      if (after > 0) await new Promise<void>((resolve) => world.after(after, resolve));
      await endAll(b);
    }
    return new Response('ok');
  },
};

/** What /readyz answers. */
export const readiness = (): Response => (unready === '' ? new Response('ok') : new Response(unready, { status: 503 }));
