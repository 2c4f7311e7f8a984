import type { Env } from '../../kube/meta/env.ts';
import type { Fanout, Watcher } from '../../kube/store/fanout.ts';
import { encodeBatch, encodeJoined } from '../../kube/store/frames.ts';
import { selectionTest } from '../../kube/store/select.ts';
import type { Batch, EventJoin, Range, Revision, Selection, WatchEvent } from '../../kube/store/store.ts';
import { REPLAY_STEP, type WatchSource } from '../../kube/store/stream.ts';
import { isCorrupt } from './sql.ts';
import { ACK_UNITS, BROKEN, REASON_MAX, SAME } from './watch-wire.ts';

/** The server's end of a hibernatable WebSocket, as far as the hub uses it. */
export interface HubSocket {
  send(frame: string | Uint8Array): void;
  close(code: number, reason: string): void;
  serializeAttachment(value: unknown): void;
  deserializeAttachment(): unknown;
}

/** What a socket keeps over hibernation. */
export interface Attachment {
  range: Range;
  select?: Selection;
  join?: EventJoin;
  isolate?: string;
  /** Where catching up stands; null once the watch follows: then it has everything, since nothing is written in sleep. */
  after: Revision | null;
}

/**
 * Frames to busy watchers are at least this far apart: cost goes by frame, not by event. It grows with the sockets of the last flush, so that
 * flushing takes at most a fifth or so of the thread.
 */
const WINDOW_MS = 5;
const WINDOW_MS_PER_SOCKET = 0.2;
const WINDOW_MS_MAX = 50;
/** The first frame after a quiet time waits for company where it goes to so many that others' requests would wait for it. */
const FIRST_MS_PER_SOCKET = 0.03;
const FIRST_MS_MAX = 5;
/**
 * A watcher that has received this much less than it was sent is dropped; it resumes by revision. The platform's bufferedAmount
 * stays 0 on hibernatable sockets (measured), so clients acknowledge each ACK_UNITS.
 */
const SLOW_UNITS = 4 * ACK_UNITS;
/** Reading so much from history is a step of its own, sending it another; in UTF-16 units. */
const LONG_UNITS = 256 * 1024;
/** Catching up waits for acknowledgements this often at most, this long each: a client that is slow but alive gets there. */
const ACK_WAITS = 600;
const ACK_WAIT_MS = 50;
/** Of the last frames that sockets were told of by id, for those to whose isolate they didn't come. */
const KEPT_FRAMES = 8;
const KEPT_UNITS = 1024 * 1024;
/** After a socket that brought frames to others has gone, they are told of the last one. */
const REMIND_MS = 10;
/** WebSocket close codes: 1013 is "try again later". */
const TRY_AGAIN = 1013;

/** Sockets that asked the same: one entry in the fan-out, one encoding per batch. */
class Group implements Watcher {
  readonly range: Range;
  readonly select: Selection | undefined;
  readonly join: EventJoin | undefined;
  /** Each with its isolate, where it said one. */
  readonly sockets = new Map<HubSocket, string | undefined>();
  /** How many sockets each isolate has. */
  readonly isolates = new Map<string, number>();
  /** The socket of each isolate with several to which the last frame went. */
  leaders = new Map<string, HubSocket>();
  /** The id of the last frame, or of what came before the first one, where there are several sockets; `fresh` doesn't know it. */
  last: string | undefined;
  readonly fresh = new Set<HubSocket>();
  events: WatchEvent[] = [];
  revision: Revision = 0;
  readonly #ready: (g: Group) => void;

  constructor(a: Attachment, ready: (g: Group) => void) {
    this.range = a.range;
    this.select = a.select;
    this.join = a.join;
    this.#ready = ready;
  }

  deliver(events: WatchEvent[], revision: Revision): void {
    for (const e of events) this.events.push(e);
    this.revision = revision;
    this.#ready(this);
  }

  /** `told`: it knows `last`. */
  add(ws: HubSocket, isolate: string | undefined, told: boolean): void {
    this.sockets.set(ws, isolate);
    if (!told) this.fresh.add(ws);
    if (isolate !== undefined) this.isolates.set(isolate, (this.isolates.get(isolate) ?? 0) + 1);
  }

  /** Gives the socket's isolate if it has others here, who may wait for a frame that went to this one. */
  remove(ws: HubSocket): string | undefined {
    const isolate = this.sockets.get(ws);
    this.sockets.delete(ws);
    this.fresh.delete(ws);
    if (isolate === undefined) return undefined;
    const rest = (this.isolates.get(isolate) ?? 0) - 1;
    if (rest > 0) this.isolates.set(isolate, rest);
    else this.isolates.delete(isolate);
    if (this.leaders.get(isolate) !== ws) return undefined;
    this.leaders.delete(isolate);
    return rest > 0 ? isolate : undefined;
  }

  /** The socket's isolate, where others of its sockets are in this group. */
  shares(isolate: string | undefined): isolate is string {
    return isolate !== undefined && (this.isolates.get(isolate) ?? 0) > 1;
  }
}

/** The watches of a store object: catch-up from history, then batches over an adaptive window. */
export class Sockets {
  readonly #source: WatchSource;
  readonly #fanout: Fanout;
  readonly #env: Pick<Env, 'now' | 'after' | 'uuid'>;
  /** Batches are numbered: one goes to an isolate once, which encodes it once for all of its watches. */
  readonly #id: string;
  #frames = 0;
  readonly #kept: { id: string; frame: string | Uint8Array }[] = [];
  readonly #groups = new Map<string, Group>();
  readonly #of = new Map<HubSocket, Group>();
  /** Text sent and not yet acknowledged. Begins at 0 after a sleep: a quiet socket has nothing under way. */
  readonly #unacknowledged = new Map<HubSocket, number>();
  readonly #waiting = new Set<Group>();
  /** Isolates whose sockets may have missed a frame. */
  readonly #orphans = new Map<Group, Set<string>>();
  #flushedMs = 0;
  #windowMs = WINDOW_MS;
  #timer = false;

  constructor(source: WatchSource, env: Pick<Env, 'now' | 'after' | 'uuid'>) {
    this.#source = source;
    this.#fanout = source.fanout;
    this.#env = env;
    this.#id = env.uuid();
  }

  get size(): number {
    return this.#of.size;
  }

  /** After the object woke up: sockets that followed go on, those that were catching up go on with that. */
  restore(sockets: readonly HubSocket[]): void {
    for (const ws of sockets) {
      const attachment = ws.deserializeAttachment() as Attachment;
      if (attachment.after === null) this.#follow(ws, attachment, false);
      else void this.open(ws, attachment);
    }
  }

  /** Sends what happened since `after`, a step at a time, then follows. A socket that can't go on is closed: its client asks anew and is told why. */
  async open(ws: HubSocket, attachment: Attachment): Promise<void> {
    try {
      await this.#catchUp(ws, attachment);
    } catch (e) {
      this.leave(ws);
      // What is damaged stays so: the client has to hear of it.
      const broken = isCorrupt(e);
      ws.close(broken ? BROKEN : TRY_AGAIN, broken ? e.message.slice(0, REASON_MAX) : 'cannot catch up');
    }
  }

  async #catchUp(ws: HubSocket, attachment: Attachment): Promise<void> {
    const test = selectionTest(attachment.select);
    let after = attachment.after ?? 0;
    for (;;) {
      const batch = this.#source.replay(attachment.range, after, test, REPLAY_STEP);
      // Who watches takes what is sent in the step in which it is sent.
      if (textOf(batch) > LONG_UNITS) await this.#pause(0);
      after = batch.revision;
      if (after >= this.#source.revision()) {
        const { last } = this.#follow(ws, attachment, true);
        if (last !== undefined) batch.at = last;
        this.#send(ws, encodeBatch(batch));
        ws.serializeAttachment({ ...attachment, after: null } satisfies Attachment);
        return;
      }
      if (batch.events.length > 0) this.#send(ws, encodeBatch(batch));
      ws.serializeAttachment({ ...attachment, after } satisfies Attachment);
      await this.#pause(0);
      for (let n = 0; this.#isBehind(ws); n++) {
        if (n === ACK_WAITS) throw new Error('the client does not read');
        await this.#pause(ACK_WAIT_MS);
      }
    }
  }

  /** A client has received another ACK_UNITS. */
  acknowledge(ws: HubSocket): void {
    this.#unacknowledged.set(ws, Math.max(0, (this.#unacknowledged.get(ws) ?? 0) - ACK_UNITS));
  }

  /** A client was told of a frame that didn't come to its isolate. */
  again(ws: HubSocket, id: string): void {
    const kept = this.#kept.find((k) => k.id === id);
    if (kept && this.#sent(ws, kept.frame)) return;
    this.leave(ws);
    ws.close(TRY_AGAIN, 'not kept');
  }

  #keep(id: string, frame: string | Uint8Array): void {
    this.#kept.push({ id, frame });
    let units = 0;
    for (const kept of this.#kept) units += kept.frame.length;
    while (this.#kept.length > KEPT_FRAMES || units > KEPT_UNITS) units -= this.#kept.shift()?.frame.length ?? 0;
  }

  #isBehind(ws: HubSocket): boolean {
    return (this.#unacknowledged.get(ws) ?? 0) > SLOW_UNITS;
  }

  #send(ws: HubSocket, frame: string | Uint8Array): void {
    this.#unacknowledged.set(ws, (this.#unacknowledged.get(ws) ?? 0) + frame.length);
    ws.send(frame);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((next) => this.#env.after(ms, next));
  }

  leave(ws: HubSocket): void {
    const group = this.#of.get(ws);
    this.#of.delete(ws);
    this.#unacknowledged.delete(ws);
    if (!group) return;
    const orphans = group.remove(ws);
    if (orphans !== undefined) this.#remind(group, orphans);
    if (group.sockets.size > 0) return;
    this.#fanout.remove(group);
    this.#waiting.delete(group);
    this.#groups.delete(groupId(group));
  }

  /** Whoever follows a socket that has gone is told of the last frame. After a while and all at once: clients go together. */
  #remind(group: Group, isolate: string): void {
    if (this.#orphans.size === 0) this.#env.after(REMIND_MS, () => this.#remindAll());
    const isolates = this.#orphans.get(group) ?? new Set();
    this.#orphans.set(group, isolates.add(isolate));
  }

  #remindAll(): void {
    for (const [group, isolates] of this.#orphans) {
      if (group.last === undefined) continue;
      for (const [ws, isolate] of group.sockets) {
        if (isolate !== undefined && isolates.has(isolate) && !group.fresh.has(ws)) this.#sent(ws, SAME + group.last);
      }
    }
    this.#orphans.clear();
  }

  /** Tells one socket how far it is. */
  progress(ws: HubSocket): void {
    const group = this.#of.get(ws);
    if (!group) return;
    this.#flush(group);
    // What another socket brought comes first.
    if (group.last !== undefined && !group.fresh.has(ws)) this.#send(ws, SAME + group.last);
    this.#send(ws, encodeBatch({ revision: this.#source.revision(), events: [] }));
  }

  closeAll(reason: string): void {
    for (const ws of [...this.#of.keys()]) {
      this.leave(ws);
      ws.close(TRY_AGAIN, reason);
    }
  }

  /** The group for what a watch asks, which has got everything that has happened so far. */
  #groupOf(attachment: Attachment): Group {
    const id = groupId(attachment);
    const known = this.#groups.get(id);
    if (known) {
      this.#flush(known);
      return known;
    }
    const group = new Group(attachment, (g) => this.#ready(g));
    this.#groups.set(id, group);
    this.#fanout.add(group);
    return group;
  }

  /** `told`: it will hear what the group's last frame was; over a sleep of the object nobody is told anything. */
  #follow(ws: HubSocket, attachment: Attachment, told: boolean): Group {
    const group = this.#groupOf(attachment);
    // The first one begins the chain: whoever joins before there was a frame is told the same.
    if (told && group.sockets.size === 0) group.last = this.#nextId();
    group.add(ws, attachment.isolate, told && group.last !== undefined);
    this.#of.set(ws, group);
    return group;
  }

  #nextId(): string {
    return `${this.#id}/${++this.#frames}`;
  }

  /** At once, or nearly, when quiet; else together with what comes within the window. */
  #ready(group: Group): void {
    this.#waiting.add(group);
    if (this.#timer) return;
    this.#timer = true;
    let wait = this.#flushedMs + this.#windowMs - this.#env.now();
    if (wait <= 0 || wait > WINDOW_MS_MAX)
      wait = Math.min(Math.floor(group.sockets.size * FIRST_MS_PER_SOCKET), FIRST_MS_MAX);
    if (wait <= 0) queueMicrotask(() => this.#flushAll());
    else this.#env.after(wait, () => this.#flushAll());
  }

  #flushAll(): void {
    this.#timer = false;
    this.#flushedMs = this.#env.now();
    let sockets = 0;
    for (const group of [...this.#waiting]) {
      sockets += group.sockets.size;
      this.#flush(group);
    }
    this.#windowMs = Math.min(Math.max(WINDOW_MS, sockets * WINDOW_MS_PER_SOCKET), WINDOW_MS_MAX);
  }

  #flush(group: Group): void {
    this.#waiting.delete(group);
    if (group.revision === 0) return;
    const batch: Batch = { revision: group.revision, events: group.events };
    const several = group.sockets.size > 1;
    // Also one that is left alone may have missed what went to another.
    const id = several || group.last !== undefined ? this.#nextId() : undefined;
    if (id !== undefined) {
      batch.id = id;
      if (group.last !== undefined) batch.before = group.last;
    }
    const frame = (group.join && encodeJoined(batch, group.join)) ?? encodeBatch(batch);
    group.events = [];
    group.revision = 0;
    const leaders = new Map<string, HubSocket>();
    for (const [ws, isolate] of [...group.sockets]) {
      const shares = group.shares(isolate);
      const led = shares && leaders.has(isolate);
      // Who has had the frame before gets this one from the isolate's leader.
      if (led && !group.fresh.has(ws)) continue;
      if (!this.#isBehind(ws) && this.#sent(ws, led ? SAME + id : frame)) {
        if (shares && !led) leaders.set(isolate, ws);
        continue;
      }
      this.leave(ws);
      ws.close(TRY_AGAIN, 'slow');
    }
    group.leaders = leaders;
    group.last = several ? id : undefined;
    group.fresh.clear();
    if (leaders.size > 0 && id !== undefined) this.#keep(id, frame);
  }

  /** False when the socket is gone already; its close event is under way. */
  #sent(ws: HubSocket, frame: string | Uint8Array): boolean {
    try {
      this.#send(ws, frame);
      return true;
    } catch {
      return false;
    }
  }
}

const textOf = (batch: Batch): number => batch.events.reduce((n, e) => n + e.value.length, 0);
const groupId = (g: { range: Range; select?: Selection | undefined; join?: EventJoin | undefined }): string =>
  `${g.range.from}\n${g.range.to}\n${JSON.stringify([g.select, g.join])}`;
