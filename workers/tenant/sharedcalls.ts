import { crossing } from '../../kube/meta/crossing.ts';
import { type Env, passed } from '../../kube/meta/env.ts';
import type {
  Assume,
  Commit,
  CommitOptions,
  Confirmed,
  Op,
  Page,
  Range,
  ReadOptions,
  Stale,
  Store,
} from '../../kube/store/store.ts';
import type { StoreStub } from './remote.ts';
import { unitsOf, WaitingList } from './waiting.ts';

/** A call of a store object that may share its way with others. */
export type SharedCall =
  | { read: Range; o: ReadOptions | undefined }
  | { commit: Op[]; o: CommitOptions | undefined }
  | { confirm: Assume };
/** Its answer, or the message of its error. */
export type SharedAnswer = { answer: Page | Commit | Confirmed | Stale } | { error: string };

/** The object, as the calls of several requests reach it. */
export interface CallsStub extends StoreStub {
  calls(calls: SharedCall[]): Promise<SharedAnswer[]>;
}

/** In the object: what a call that came with others is answered. */
export async function answerTo(store: Answering, call: SharedCall): Promise<SharedAnswer> {
  try {
    if ('commit' in call) return { answer: await store.commit(call.commit, call.o) };
    return { answer: 'read' in call ? store.readNow(call.read, call.o) : await store.confirm(call.confirm) };
  } catch (e) {
    return { error: e instanceof Error ? e.message : String(e) };
  }
}
interface Answering extends Pick<Store, 'commit' | 'confirm'> {
  readNow(range: Range, o?: ReadOptions): Page | Stale;
}

/** Calls that go together at most, and their bodies in UTF-16 units: RPC ends at 32 MiB, and each may be answered with a row, of 3 MB as V8 writes it. */
const CALLS_MAX = 8;
const UNITS_MAX = 4 * 1024 * 1024;
/** Whose calls take longer than this leaves those who come later to somebody else. */
const LEAD_MS_MAX = 50;
/** A call whose carrier has not come back after so long is made anew. */
const LOST_MS = 10_000;

interface Waiting {
  call: SharedCall;
  units: number;
  resolve(answer: Page | Commit | Confirmed | Stale): void;
  reject(e: unknown): void;
}
interface Lane {
  waiting: WaitingList<Waiting>;
  /** Who carries them; null: nobody is under way. */
  leader: object | null;
  sinceMs: number;
}

/**
 * Small calls of an isolate's requests to one object. The first goes at once; those that come while it is under way go together when it is back, in one RPC. Each RPC is a request
 * of its own to the platform, a tenth of a create.
 */
export class SharedCalls {
  readonly #env: Pick<Env, 'now' | 'after'>;
  readonly #lanes = new Map<string, Lane>();

  constructor(env: Pick<Env, 'now' | 'after'>) {
    this.#env = env;
  }

  /** A stub of the object with this name, for one request. `waitUntil` keeps that request until what it carries for others has come back. */
  stub(name: string, connect: () => CallsStub, waitUntil: (p: Promise<unknown>) => void): StoreStub {
    const share = (lane: string, call: SharedCall, units: number) =>
      this.#share(`${lane} ${name}`, call, units, connect, waitUntil);
    return {
      read: (range, o) =>
        isSmall(range, o) ? (share('r', { read: range, o }, 0) as Promise<Page | Stale>) : connect().read(range, o),
      commit: (ops, o) => share('w', { commit: ops, o }, unitsOf(ops)) as Promise<Commit | Stale>,
      confirm: (assume) =>
        assume.watch ? connect().confirm(assume) : (share('r', { confirm: assume }, 0) as Promise<Confirmed | Stale>),
      compact: (before) => connect().compact(before),
      grant: (...a) => connect().grant(...a),
      release: (...a) => connect().release(...a),
      related: (...a) => connect().related(...a),
      versions: (...a) => connect().versions(...a),
      info: () => connect().info(),
      fetch: (...a) => connect().fetch(...a),
    };
  }

  async #share(
    name: string,
    call: SharedCall,
    units: number,
    connect: () => CallsStub,
    waitUntil: (p: Promise<unknown>) => void,
  ): Promise<unknown> {
    const lane = this.#lane(name);
    const { promise, resolve, reject } = crossing<unknown>();
    const waiting = { call, units, resolve, reject };
    lane.waiting.push(waiting);
    if (lane.leader === null || passed(this.#env.now(), lane.sinceMs) > LEAD_MS_MAX) {
      waitUntil(this.#lead(name, lane, connect));
      return promise;
    }
    const stop = this.#env.after(LOST_MS, () => {
      lane.waiting.remove(waiting);
      reject(new Error('the call was lost'));
    });
    try {
      return await promise;
    } finally {
      stop();
    }
  }

  #lane(name: string): Lane {
    const known = this.#lanes.get(name);
    if (known) return known;
    const made: Lane = { waiting: new WaitingList('calls'), leader: null, sinceMs: 0 };
    this.#lanes.set(name, made);
    return made;
  }

  async #lead(name: string, lane: Lane, connect: () => CallsStub): Promise<void> {
    const me = {};
    lane.leader = me;
    lane.sinceMs = this.#env.now();
    while (lane.leader === me && lane.waiting.length > 0) await carry(lane.waiting.take(CALLS_MAX, UNITS_MAX), connect);
    if (lane.leader !== me) return;
    lane.leader = null;
    this.#lanes.delete(name);
  }
}

async function carry(group: Waiting[], connect: () => CallsStub): Promise<void> {
  try {
    const answers = await connect().calls(group.map((w) => w.call));
    for (const [i, w] of group.entries()) {
      const a = answers[i] as SharedAnswer;
      if ('answer' in a) w.resolve(a.answer);
      else w.reject(new Error(a.error));
    }
  } catch (e) {
    for (const w of group) w.reject(e);
  }
}

const isSmall = ({ from, to }: Range, o?: ReadOptions): boolean => to === `${from}\0` && !o?.assume?.watch;
