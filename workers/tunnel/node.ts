import { DurableObject } from 'cloudflare:workers';
import * as v from 'valibot';
import {
  DEAD_MS,
  type Dial,
  FromAgent,
  type FromCloud,
  MAX_FRAME_BYTES,
  PING,
  PONG,
  WIRE_VERSION,
} from '../../kube/wire/messages.ts';
import type { Bindings } from '../bindings.ts';
import { world } from '../env.ts';

/** Each deploy drops every link; agents are back within seconds, so who comes meanwhile waits instead of failing. */
const RECONNECT_MS = 5_000;

/** What a socket remembers across hibernation. */
interface Attachment {
  cluster: string;
  node: string;
  /** Milliseconds since the epoch. */
  since: number;
}

/**
 * The control channel of one node: the agent's hibernatable WebSocket. It carries wake-ups and dial requests down and nothing but PING up,
 * which the platform answers while this object sleeps. One alarm per DEAD_MS, as long as a socket is open, reads the PING times.
 */
export class NodeTunnel extends DurableObject<Bindings> {
  /** Dials that came while no agent was connected. */
  readonly #waiting = new Set<() => void>();

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
  }

  /** The agent's upgrade; `main.ts` has authenticated it as this node of this cluster. Older sockets of the node are closed: the newest link counts. */
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const attachment: Attachment = {
      cluster: url.searchParams.get('cluster') ?? '',
      node: url.searchParams.get('node') ?? '',
      since: world.now(),
    };
    for (const old of this.ctx.getWebSockets())
      this.#send(old, { type: 'bye', reason: 'replaced by a newer connection' }, true);
    const pair = new WebSocketPair();
    this.ctx.acceptWebSocket(pair[1]);
    pair[1].serializeAttachment(attachment);
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(world.now() + DEAD_MS);
    return new Response(null, { status: 101, webSocket: pair[0] });
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (typeof message !== 'string' || message.length > MAX_FRAME_BYTES)
      return socket.close(1009, 'not a control frame');
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), FromAgent), message);
    if (!parsed.success) return socket.close(1008, v.summarize(parsed.issues).slice(0, 120));
    this.#send(socket, { type: 'welcome', wire: Math.min(parsed.output.wire, WIRE_VERSION) });
    for (const proceed of this.#waiting) proceed();
    this.#waiting.clear();
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    // 1005 and 1006 may not be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }

  /** Asks the agent to dial a stream; false when no live agent is connected, or connects within RECONNECT_MS. */
  async dial(request: Omit<Dial, 'type'>): Promise<boolean> {
    const ask = () => this.#newest((socket) => this.#send(socket, { ...request, type: 'dial' }));
    if (ask()) return true;
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve);
      world.after(RECONNECT_MS, resolve);
    });
    return ask();
  }

  /** Tells the agent that something of its node changed. */
  wake(revision: number): boolean {
    return this.#newest((socket) => this.#send(socket, { type: 'wake', revision }));
  }

  /** When the node was last heard of, in milliseconds since the epoch; 0 = not connected. What a node Lease's renewTime is overlaid with. */
  heard(): number {
    return Math.max(0, ...this.ctx.getWebSockets().map((s) => this.#heard(s)));
  }

  /** Ends every link of the node: its credential or its cluster is gone. */
  dismiss(reason: string): void {
    for (const socket of this.ctx.getWebSockets()) this.#send(socket, { type: 'bye', reason }, true);
  }

  override async alarm(): Promise<void> {
    const now = world.now();
    for (const socket of this.ctx.getWebSockets()) {
      if (now - this.#heard(socket) > DEAD_MS) socket.close(1001, 'not heard of');
    }
    if (this.ctx.getWebSockets().some((s) => s.readyState === WebSocket.OPEN))
      await this.ctx.storage.setAlarm(now + DEAD_MS);
  }

  #heard(socket: WebSocket): number {
    const since = (socket.deserializeAttachment() as Attachment | null)?.since ?? 0;
    return Math.max(since, this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0);
  }

  #newest(send: (socket: WebSocket) => boolean): boolean {
    const now = world.now();
    const live = this.ctx
      .getWebSockets()
      .filter((s) => s.readyState === WebSocket.OPEN && now - this.#heard(s) <= DEAD_MS);
    const newest = live.reduce<WebSocket | undefined>(
      (best, s) => (best === undefined || this.#heard(s) >= this.#heard(best) ? s : best),
      undefined,
    );
    return newest !== undefined && send(newest);
  }

  #send(socket: WebSocket, message: FromCloud, close = false): boolean {
    try {
      socket.send(JSON.stringify(message));
      if (close) socket.close(1000, message.type);
      return true;
    } catch {
      return false; // the peer went in this moment; the caller sees that nobody took it
    }
  }
}
