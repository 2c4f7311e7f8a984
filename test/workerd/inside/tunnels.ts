import { DurableObject } from 'cloudflare:workers';
import type { LoopName, Poke } from '../../../workers/loops/object.ts';
import { NodeTunnel } from '../../../workers/tunnel/node.ts';

export { Relay } from '../../../workers/tunnel/relay.ts';

/** How often the platform has made a tunnel object, and handed it a message. */
const counts = { made: 0, messages: 0 };

/** The tunnel, counted; quick where its name asks for it. */
export class Tunnel extends NodeTunnel {
  protected override readonly deadMs: number = this.ctx.id.name?.endsWith('/quick') ? 1_500 : 40_000;
  protected override readonly reconnectMs: number = 1_000;
  constructor(...args: ConstructorParameters<typeof NodeTunnel>) {
    super(...args);
    counts.made++;
  }
  override webSocketMessage(...args: Parameters<NodeTunnel['webSocketMessage']>): Promise<void> {
    counts.messages++;
    return super.webSocketMessage(...args);
  }
  counts(): typeof counts {
    return counts;
  }
}

/** Keeps what controllers would be told. */
export class Loop extends DurableObject {
  readonly #told: string[] = [];
  wake(_: LoopName, poke?: Poke): void {
    if (poke) this.#told.push(`${poke.controller} ${poke.key}`);
  }
  told(): string[] {
    return this.#told;
  }
}

interface Bindings {
  LOOPS: DurableObjectNamespace<Loop>;
  TUNNELS: DurableObjectNamespace<Tunnel>;
  RELAYS: DurableObjectNamespace;
}

/** What main.ts does, without who may do it: `/tunnel?node=`, `/streams/<id>?ticket=`, `/client?node=&kind=`. */
export default {
  async fetch(request: Request, env: Bindings): Promise<Response> {
    const url = new URL(request.url);
    const node = url.searchParams.get('node') ?? 'n';
    const tunnel = env.TUNNELS.getByName(`c/${node}`);
    if (url.pathname === '/tunnel') return tunnel.fetch(`https://t/?cluster=c&node=${node}`, request);
    if (url.pathname === '/counts') return Response.json(await tunnel.counts());
    if (url.pathname === '/heard') return Response.json(await tunnel.heard());
    if (url.pathname === '/liveness') return Response.json(await tunnel.liveness());
    if (url.pathname === '/told') return Response.json(await env.LOOPS.getByName('c/controllers/0').told());
    if (url.pathname === '/wake') return Response.json(await tunnel.wake(7));
    if (url.pathname.startsWith('/streams/')) {
      const id = env.RELAYS.idFromString(url.pathname.slice('/streams/'.length));
      return env.RELAYS.get(id).fetch(`https://r/agent${url.search}`, request);
    }
    const id = env.RELAYS.newUniqueId();
    const dial = {
      stream: String(id),
      path: `/streams/${id}`,
      kind: url.searchParams.get('kind') ?? 'log',
      namespace: 'default',
      pod: 'p',
      uid: 'u',
      options: {},
    };
    const headers = new Headers(request.headers);
    headers.set('coracle-opening', encodeURIComponent(JSON.stringify({ cluster: 'c', node, dial })));
    const { method, body, signal } = request;
    return env.RELAYS.get(id).fetch('https://r/client', { method, body, headers, signal });
  },
};
