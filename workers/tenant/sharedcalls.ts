import { crossing } from '../../kube/meta/crossing.ts';
import { type Env, passed, sleep } from '../../kube/meta/env.ts';
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
import { LARGE_UNITS, unitsOf, WaitingList } from './waiting.ts';

/** A call of a store object that may share its way with others. */
export type SharedCall =
  | { read: Range; o: ReadOptions | undefined }
  | { commit: Op[]; o: CommitOptions | undefined }
  | { confirm: Assume };
/** Its answer, or the message of its error; or its answer has no room beside the others', and it is to be made again. */
export type SharedAnswer = { answer: Page | Commit | Confirmed | Stale } | { error: string } | 'later';

/** The object, as the calls of several requests reach it. */
export interface CallsStub extends StoreStub {
  calls(calls: SharedCall[]): Promise<SharedAnswer[]>;
}

/** In the object: what calls that came together are answered, each as if it had come by itself. `turn` is taken between reads of large rows. */
export async function answersTo(
  store: Answering,
  calls: readonly SharedCall[],
  turn: () => Promise<void>,
): Promise<SharedAnswer[]> {
  // Commits share a transaction, so all have to be there.
  const commits = calls.map((call) => ('commit' in call ? answerTo(store, call) : undefined));
  const answers: SharedAnswer[] = [];
  let units = 0;
  let step = 0;
  for (const [i, call] of calls.entries()) {
    if (step >= LARGE_UNITS) {
      await turn();
      step = 0;
    }
    // What has no room is read again, so it is better not read.
    const answer = await (commits[i] ?? (units < ANSWERS_UNITS ? answerTo(store, call) : 'later'));
    const more = unitsIn(answer);
    const fits = units === 0 || units + more <= ANSWERS_UNITS;
    answers.push(fits ? answer : 'later');
    if (fits) units += more;
    step += more;
  }
  return answers;
}
async function answerTo(store: Answering, call: SharedCall): Promise<SharedAnswer> {
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

/** The texts of an answer, in UTF-16 units. A commit that was made has none. */
function unitsIn(a: SharedAnswer): number {
  if (a === 'later' || 'error' in a) return 0;
  const { answer } = a;
  if ('stale' in answer) return answer.changes.reduce((sum, c) => sum + (c.policy?.length ?? 0), 0);
  const rows = 'entries' in answer ? answer.entries : 'found' in answer ? answer.found : [];
  return rows.reduce((sum, row) => sum + (row ? row.value.length + (row.facts.policy?.length ?? 0) : 0), 0);
}

/** Calls that go together at most, and their bodies in UTF-16 units, of which V8 may write two bytes each: RPC ends at 32 MiB. */
const CALLS_MAX = 32;
const UNITS_MAX = 4 * 1024 * 1024;
/** The same for answers; one alone may be longer. */
const ANSWERS_UNITS = 8 * 1024 * 1024;
/** For so long after two calls have met, who comes first waits a turn for others that come now. */
const COMPANY_MS = 1_000;
/** Fewer commits than this wait a second turn for those that are on their way, and more as long as one comes. */
const FEW = 6;
const TURNS_MAX = 4;
/** Whose calls take longer than this leaves those who come later to somebody else. */
const LEAD_MS_MAX = 50;
/** A call whose carrier has not come back after so long is made anew. */
const LOST_MS = 10_000;

/** The lanes of commits. */
const WRITES = 'w';

interface Waiting {
  call: SharedCall;
  units: number;
  resolve(answer: Page | Commit | Confirmed | Stale): void;
  reject(e: unknown): void;
}
interface Lane {
  waiting: WaitingList<Waiting>;
  /** Each RPC is a flush. */
  flushes: boolean;
  /** Who carries them; null: nobody is under way. */
  leader: object | null;
  sinceMs: number;
}

/**
 * Small calls of an isolate's requests to one object. Where calls have met lately, the first lets everybody have a turn or two and takes along who comes; else it goes at once. Those that
 * come while it is under way go together when it is back, in one RPC. Each RPC is a request of its own to the platform, and each transaction a flush.
 */
export class SharedCalls {
  readonly #env: Pick<Env, 'now' | 'after'>;
  readonly #lanes = new Map<string, Lane>();
  /** When two calls last met. */
  #companyMs = Number.NEGATIVE_INFINITY;

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
      commit: (ops, o) => share(WRITES, { commit: ops, o }, unitsOf(ops)) as Promise<Commit | Stale>,
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
    this.#companyMs = this.#env.now();
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
    const made: Lane = {
      waiting: new WaitingList('calls'),
      flushes: name.startsWith(WRITES),
      leader: null,
      sinceMs: 0,
    };
    this.#lanes.set(name, made);
    return made;
  }

  /** Of four writers, those whom the flush before answered come back while the others' is under way: they would take turns for ever, with twice as many flushes. */
  async #gather(lane: Lane): Promise<void> {
    for (let turns = 0; turns < TURNS_MAX && lane.waiting.length < FEW; turns++) {
      const before = lane.waiting.length;
      await sleep(this.#env, 0);
      if (turns > 0 && lane.waiting.length === before) return;
    }
  }

  async #lead(name: string, lane: Lane, connect: () => CallsStub): Promise<void> {
    const me = {};
    lane.leader = me;
    lane.sinceMs = this.#env.now();
    for (let isFirst = true; lane.leader === me && lane.waiting.length > 0; isFirst = false) {
      const hadCompany = passed(this.#env.now(), this.#companyMs) < COMPANY_MS;
      if (hadCompany && lane.flushes) await this.#gather(lane);
      else if (hadCompany && isFirst) await sleep(this.#env, 0);
      if (lane.leader !== me) return;
      lane.waiting.again(await carry(lane.waiting.take(CALLS_MAX, UNITS_MAX), connect));
    }
    if (lane.leader !== me) return;
    lane.leader = null;
    this.#lanes.delete(name);
  }
}

/** Makes the calls, and gives back those that are to be made again. */
async function carry(group: Waiting[], connect: () => CallsStub): Promise<Waiting[]> {
  const later: Waiting[] = [];
  try {
    const answers = await connect().calls(group.map((w) => w.call));
    for (const [i, w] of group.entries()) {
      const a = answers[i] as SharedAnswer;
      if (a === 'later') later.push(w);
      else if ('answer' in a) w.resolve(a.answer);
      else w.reject(new Error(a.error));
    }
  } catch (e) {
    for (const w of group) w.reject(e);
  }
  return later;
}

const isSmall = ({ from, to }: Range, o?: ReadOptions): boolean => to === `${from}\0` && !o?.assume?.watch;
