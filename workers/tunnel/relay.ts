import { DurableObject } from 'cloudflare:workers';
import * as v from 'valibot';
import { internal, type StatusError } from '../../kube/meta/status.ts';
import { type Dial, Head } from '../../kube/wire/messages.ts';
import { type Bindings, tunnelName } from '../bindings.ts';
import { world } from '../env.ts';
import { accepted, answered, exchange } from './bodies.ts';

/** How long a client waits for the node to dial: kube-apiserver's own dial timeout to a kubelet. */
const DIAL_MS = 10_000;

/** A bearer of the ticket only is let in; a relay object is met by one client and one agent and then forgotten. */
export interface Opening {
  cluster: string;
  node: string;
  dial: Omit<Dial, 'type' | 'ticket'>;
}
type Arrival = { socket: WebSocket; head: Head; peer: WebSocket } | { refused: Head };

/**
 * One stream between a client and a node. The agent dials in with the answer's head in a header. A WebSocket client is coupled to the agent's socket by
 * the platform itself, which copies frames and holds the sender back when the receiver is slow; for an HTTP client this object turns the agent's frames into a
 * body and grants credit as the body is read. The cloud never looks into the bytes.
 */
export class Relay extends DurableObject<Bindings> {
  #ticket = '';
  #arrive: ((a: Arrival) => void) | undefined;

  override async fetch(request: Request): Promise<Response> {
    return new URL(request.url).pathname === '/agent' ? this.#agent(request) : this.#client(request);
  }

  async #client(request: Request): Promise<Response> {
    const opening = JSON.parse(decodeURIComponent(request.headers.get('coracle-opening') ?? 'null')) as Opening;
    this.#ticket = world.uuid();
    let cancel: () => void = () => undefined;
    const arrival = new Promise<Arrival | null>((resolve) => {
      this.#arrive = resolve;
      cancel = world.after(DIAL_MS, () => resolve(null));
    });
    const tunnel = this.env.TUNNELS.get(this.env.TUNNELS.idFromName(tunnelName(opening.cluster, opening.node)));
    const asked = await tunnel.dial({ ...opening.dial, ticket: this.#ticket });
    const agent = asked ? await arrival : null;
    cancel();
    this.#arrive = undefined;
    if (!asked) return failed(internal('error dialing backend: No agent available'));
    if (agent === null) return failed(internal('error dialing backend: dial timeout'));
    if ('refused' in agent)
      return new Response(agent.refused.error ?? '', {
        status: agent.refused.status,
        headers: agent.refused.headers ?? {},
      });
    if (agent.head.status === 101)
      return new Response(null, { status: 101, headers: agent.head.headers ?? {}, webSocket: agent.peer });
    if (agent.head.status === 102) return exchange(agent.peer, request.body, request.signal);
    return answered(agent.head, accepted(agent.peer));
  }

  async #agent(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const arrive = this.#arrive;
    if (arrive === undefined || this.#ticket === '' || url.searchParams.get('ticket') !== this.#ticket) {
      return new Response('no such stream', { status: 404 });
    }
    // Of one use, whatever comes of it.
    this.#ticket = '';
    const head = v.safeParse(v.pipe(v.string(), v.parseJson(), Head), headOf(request));
    if (!head.success) return new Response('coracle-head is missing or malformed', { status: 400 });
    if (request.headers.get('upgrade') !== 'websocket') {
      arrive({ refused: head.output });
      return new Response(null, { status: 204 });
    }
    const pair = new WebSocketPair();
    arrive({ socket: pair[0], peer: pair[1], head: head.output });
    return new Response(null, { status: 101, webSocket: pair[0] });
  }
}

function headOf(request: Request): string {
  try {
    return decodeURIComponent(request.headers.get('coracle-head') ?? '');
  } catch {
    return ''; // which is no head either
  }
}

function failed(error: StatusError): Response {
  return Response.json(error.status, { status: error.code });
}
