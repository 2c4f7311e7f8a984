import { DurableObject } from 'cloudflare:workers';
import * as v from 'valibot';
import { internal, type StatusError } from '../../kube/meta/status.ts';
import { CREDIT_BYTES, type Dial, Head, StreamFrame } from '../../kube/wire/messages.ts';
import { type Bindings, tunnelName } from '../bindings.ts';
import { world } from '../env.ts';

/** How long a client waits for the node to dial: kube-apiserver's own dial timeout to a kubelet. */
const DIAL_MS = 10_000;
/** A close frame's reason has room for 123 bytes of UTF-8. */
const CLOSE_REASON_CHARS_MAX = 40;

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
    return new Response(body(agent.peer), { status: agent.head.status, headers: agent.head.headers ?? {} });
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

/** The agent's binary frames as a body. The agent may have CREDIT_BYTES under way; more is granted as the client reads. */
function body(agent: WebSocket): ReadableStream<Uint8Array> {
  let granted = 0;
  let over = false;
  const stop = (code: number, why: string, end?: () => void) => {
    if (over) return;
    over = true;
    end?.();
    agent.close(code, why);
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const fail = (why: string) => stop(1011, why, () => controller.error(new Error(why)));
        // Newer compatibility dates give Blobs otherwise.
        agent.binaryType = 'arraybuffer';
        agent.accept();
        agent.addEventListener('message', ({ data }) => {
          if (over) return;
          if (typeof data !== 'string') {
            const bytes = new Uint8Array(data as ArrayBuffer);
            granted -= bytes.byteLength;
            if (granted < 0) return fail('the agent sent more than it was granted');
            if (bytes.byteLength > 0) controller.enqueue(bytes);
            return;
          }
          const frame = v.safeParse(v.pipe(v.string(), v.parseJson(), StreamFrame), data);
          if (!frame.success || frame.output.type !== 'end') return;
          if (frame.output.error === undefined) stop(1000, 'end', () => controller.close());
          else fail(frame.output.error.slice(0, CLOSE_REASON_CHARS_MAX));
        });
        // A body that ends well ends with a frame that says so: without it the rest is missing.
        agent.addEventListener('close', () => fail('the node went away'));
        agent.addEventListener('error', () => fail('the node went away'));
      },
      pull(controller) {
        // Called when the queue is below the high-water mark: let the agent fill it up again.
        const bytes = Math.max(0, (controller.desiredSize ?? 0) - granted);
        if (bytes === 0 || over) return;
        granted += bytes;
        agent.send(JSON.stringify({ type: 'credit', bytes }));
      },
      cancel: () => stop(1000, 'the client went away'),
    },
    { highWaterMark: CREDIT_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
  );
}

function failed(error: StatusError): Response {
  return Response.json(error.status, { status: error.code });
}
