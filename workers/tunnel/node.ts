import { DurableObject } from 'cloudflare:workers';
import * as v from 'valibot';
import { keyOf } from '../../kube/store/key.ts';
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
import type { Liveness } from '../loops/nodes.ts';

/** Each deploy drops every link; agents are back within seconds, so who comes meanwhile waits instead of failing. */
const RECONNECT_MS = 5_000;

/** Controllers that couldn't be told are told again after this. */
const TELL_AGAIN_MS = 5_000;

/** Of the time after which a node is dead, between that and the look. */
const SLACK_PART = 40;

/** Where a Link is kept. */
const LINK = 'link';

/** What a socket remembers across hibernation. */
interface Attachment {
  cluster: string;
  node: string;
  /** Milliseconds since the epoch. */
  since: number;
}

/** What the object remembers of the node's link when no socket is left. */
interface Link {
  cluster: string;
  node: string;
  heardMs: number;
  /** What the cluster's controllers know; that a new node is alive they ask themselves. */
  told: 'alive' | 'dead';
  /** The last socket was seen to end. Without it a link that has no socket went with its process, and the agent is on its way back. */
  ended?: boolean;
  /** When such a loss was noticed. */
  lostMs?: number;
}

/**
 * The control channel of one node: the agent's hibernatable WebSocket. It carries wake-ups and dial requests down and nothing but PING up,
 * which the platform answers while this object sleeps. As long as a socket is open, an alarm looks when it must have been silent for DEAD_MS.
 */
export class NodeTunnel extends DurableObject<Bindings> {
  /** Both are fields so that a test can be quick. */
  protected readonly deadMs: number = DEAD_MS;
  protected readonly reconnectMs: number = RECONNECT_MS;
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
    // Its tag: the process that the agent came in through.
    this.ctx.acceptWebSocket(pair[1], [url.searchParams.get('via') ?? 'direct']);
    pair[1].serializeAttachment(attachment);
    const { cluster, node, since } = attachment;
    const told = (await this.#link())?.told ?? 'alive';
    await this.ctx.storage.put<Link>(LINK, { cluster, node, heardMs: since, told, ended: false });
    await this.ctx.storage.setAlarm(told === 'dead' ? since : since + this.deadMs + this.#slackMs);
    return new Response(null, { status: 101, webSocket: pair[0] });
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (typeof message !== 'string' || message.length > MAX_FRAME_BYTES)
      return socket.close(1009, 'not a control frame');
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), FromAgent), message);
    if (!parsed.success) return socket.close(1008, v.summarize(parsed.issues).slice(0, 120));
    this.#send(socket, { type: 'welcome', wire: Math.min(parsed.output.wire, WIRE_VERSION) });
    for (const proceed of [...this.#waiting]) proceed();
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    const link = await this.#link();
    const ended = this.ctx.getWebSockets().every((s) => s === socket || s.readyState !== WebSocket.OPEN);
    const heardMs = Math.max(link?.heardMs ?? 0, this.#heard(socket));
    if (link) await this.ctx.storage.put<Link>(LINK, { ...link, heardMs, ended });
    // 1005 and 1006 may not be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }

  /** Asks the agent to dial a stream; false when no live agent is connected, or connects within RECONNECT_MS. */
  async dial(request: Omit<Dial, 'type'>): Promise<boolean> {
    const ask = () => this.#newest((socket) => this.#send(socket, { ...request, type: 'dial' }));
    if (ask()) return true;
    await new Promise<void>((resolve) => {
      const proceed = () => {
        cancel();
        this.#waiting.delete(proceed);
        resolve();
      };
      const cancel = world.after(this.reconnectMs, proceed);
      this.#waiting.add(proceed);
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

  /** The process `via` stops: agents that came in through it are sent away, to come back through another. */
  hangUp(via: string): void {
    for (const socket of this.ctx.getWebSockets(via)) this.#send(socket, { type: 'bye', reason: 'restarting' }, true);
  }

  /** Ends every link of the node: its credential or its cluster is gone. */
  async dismiss(reason: string): Promise<void> {
    await this.ctx.storage.delete(LINK);
    for (const socket of this.ctx.getWebSockets()) this.#send(socket, { type: 'bye', reason }, true);
  }

  /** Whether the node is connected, and when it was last heard of: also after its link has gone. */
  async liveness(): Promise<Liveness> {
    const heardMs = this.heard();
    const link = await this.#link();
    if (heardMs === 0 && link?.ended === false) return this.#lost(link);
    const connected = world.now() - heardMs <= this.deadMs;
    return { connected, heardMs: Math.max(heardMs, link?.heardMs ?? 0) };
  }

  /** Signs of life come in step with the looks: one that is a moment late shall not make the next look a period earlier. */
  get #slackMs(): number {
    return this.deadMs / SLACK_PART;
  }

  /** A process that ends takes all its nodes' links with it, and says nothing of when they were heard of last: each has the usual time to come back. */
  async #lost(link: Link): Promise<Liveness> {
    const now = world.now();
    const lostMs = Math.min(link.lostMs ?? now, now);
    if (link.lostMs === undefined) {
      await this.ctx.storage.put<Link>(LINK, { ...link, lostMs });
      await this.ctx.storage.setAlarm(now + this.deadMs + 1);
    }
    return { connected: now - lostMs <= this.deadMs, heardMs: Math.max(link.heardMs, lostMs) };
  }

  /** Closes dead links, and tells the cluster's controllers when the node has gone or come back: only then are they woken. */
  override async alarm(): Promise<void> {
    const now = world.now();
    const before = await this.#link();
    if (!before) return;
    const silent = this.ctx.getWebSockets().filter((s) => now - this.#heard(s) > this.deadMs);
    const last = Math.max(before.heardMs, this.heard());
    if (silent.length > 0) await this.ctx.storage.put<Link>(LINK, { ...before, heardMs: last, ended: true });
    for (const socket of silent) socket.close(1001, 'not heard of');
    const { connected, heardMs } = await this.liveness();
    const link = (await this.#link()) ?? before;
    const left = heardMs + this.deadMs - now;
    // Not connected, but heard of a moment ago: it may be on its way back.
    const state = connected ? 'alive' : left >= 0 ? link.told : 'dead';
    const known = state === link.told || (await this.#tell(link));
    const told = known ? state : link.told;
    // When it was heard of its socket knows, as long as there is one.
    if (told !== link.told || !connected) await this.ctx.storage.put<Link>(LINK, { ...link, heardMs, told });
    if (!known) await this.ctx.storage.setAlarm(now + TELL_AGAIN_MS);
    else if (left >= 0) await this.ctx.storage.setAlarm(now + left + this.#slackMs);
  }

  /** False when the loop couldn't be reached. */
  async #tell({ cluster, node }: Link): Promise<boolean> {
    const loop = this.env.LOOPS.getByName(`${cluster}/controllers/0`);
    const poke = { controller: 'node-controller', key: keyOf('', 'nodes', '', node) };
    try {
      await loop.wake({ cluster, loop: 'controllers', replica: 0 }, poke);
      return true;
    } catch (error) {
      world.log('error', 'tunnel.tell.failed', { cluster, node, error: String(error) });
      return false;
    }
  }

  #link(): Promise<Link | undefined> {
    return this.ctx.storage.get<Link>(LINK);
  }

  #heard(socket: WebSocket): number {
    const since = (socket.deserializeAttachment() as Attachment | null)?.since ?? 0;
    return Math.max(since, this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0);
  }

  #newest(send: (socket: WebSocket) => boolean): boolean {
    const now = world.now();
    const live = this.ctx
      .getWebSockets()
      .filter((s) => s.readyState === WebSocket.OPEN && now - this.#heard(s) <= this.deadMs);
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
