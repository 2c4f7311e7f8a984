import { atOnce } from '../kube/meta/atonce.ts';
import { crossing } from '../kube/meta/crossing.ts';
import { type Bindings, CALLS_AT_ONCE } from './bindings.ts';
import { world } from './env.ts';

/**
 * The end of a process that serves itself (`coracle serve`): its supervisor announces it on the control socket, and what would go on for ever
 * ends in order. On the hosted platform nobody announces anything: there sockets drop at a deploy, and clients come back.
 */

/** Something that is said once, to whoever listens then or later. */
function announcement() {
  const listeners = new Set<() => void>();
  let said = false;
  return {
    /** Runs `f` when it is said, at once when it was; the result takes that back. */
    on(f: () => void): () => void {
      // It carries the call into the request or object that asked: streams and timers can't be touched from another's.
      const { promise, resolve } = crossing<boolean>();
      const tell = () => resolve(true);
      void promise.then((now) => now && f());
      if (said) tell();
      else listeners.add(tell);
      return () => {
        listeners.delete(tell);
        resolve(false);
      };
    },
    say(): void {
      said = true;
      for (const tell of [...listeners]) tell();
      listeners.clear();
    },
  };
}
/** The supervisor has been told to stop; objects begin to be handed over. */
const stopping = announcement();
/** No new clients come any more: answers without an end of their own end. */
const ending = announcement();
export const onDrain = ending.on;

/** A timer that is given up when the process stops: a pending one holds its object back from being handed to another process. */
export function afterUnlessStopping(ms: number, f: () => void): () => void {
  const cancel = world.after(ms, () => {
    forget();
    f();
  });
  const forget = stopping.on(cancel);
  return () => {
    forget();
    cancel();
  };
}

/** Names of the tunnel objects whose agents came in through this process, oldest first. */
const tunnels = new Set<string>();
/** More than a process has connections. Past it the oldest notice the end by themselves. */
const TUNNELS_MAX = 20_000;

/** Why the process wants no new clients; '' = it is ready. */
let unready = '';

let name = '';
/** Tells this process from others of a cluster. */
export function processName(): string {
  name ||= world.uuid();
  return name;
}

/** An agent's control channel came in through this process. */
export function keepTunnel(tunnel: string): void {
  tunnels.delete(tunnel);
  tunnels.add(tunnel);
  if (tunnels.size > TUNNELS_MAX) for (const oldest of tunnels) if (tunnels.delete(oldest)) break;
}

/** Ends every watch, and every tunnel that came in here. */
async function endAll(b: Bindings): Promise<void> {
  ending.say();
  const waiting = [...tunnels];
  tunnels.clear();
  await atOnce(CALLS_AT_ONCE, waiting, (tunnel) =>
    b.TUNNELS.getByName(tunnel)
      .hangUp(processName())
      .catch((error) => world.log('warn', 'drain.tunnel', { error: String(error) })),
  );
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
      stopping.say();
      const after = Number(url.searchParams.get('after') ?? 0);
      if (after > 0) await new Promise<void>((resolve) => world.after(after, resolve));
      await endAll(b);
    }
    return new Response('ok');
  },
};

/** What /readyz answers. */
export const readiness = (): Response => (unready === '' ? new Response('ok') : new Response(unready, { status: 503 }));
