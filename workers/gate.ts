import { crossing } from '../kube/meta/crossing.ts';
import { type Env, onAbort, passed, pause } from '../kube/meta/env.ts';

/** What each active cluster has at least, however many there are. */
const SEATS_MIN = 1;
/** While one cluster is alone: so many that it notices nothing, so few that another's first request gets through in between. */
const SEATS_ALONE = 32;
/** A cluster counts as active this long after its last request began. */
const ACTIVE_MS = 10_000;
/** Between two counts of the active clusters. */
const COUNT_MS = 250;
/** Whoever sits longer waits for something else than this thread: its seat is free for another. */
const SEAT_MS_MAX = 500;
/** Requests of one cluster that wait for a seat, and for how long. */
const WAITING_MAX = 500;
const WAIT_MS_MAX = 5_000;
/** Who had to wait begins after a pause as long as the request before took, within these: others find the thread free for half of the time. */
const PACE_MS_MIN = 2;
const PACE_MS_MAX = 20;
/** Clusters remembered; those without requests go first. */
const FLOWS_MAX = 2_000;
/** Requests beyond the rate that a burst may have: as many as two seconds bring. */
const BURST_SECONDS = 2;
/** Answers of 429 are held back this long, so that a client that asks again at once costs little; no more than so many of a cluster at a time. */
const REFUSE_MS = 100;
const REFUSING_MAX = 128;

type Seat = { since: number };
/** Who asks. The signal aborts when the client goes; only who waits looks at it, for the platform makes it then. */
type Client = { readonly signal: AbortSignal };
interface Flow {
  seats: Set<Seat>;
  waiting: ((seat: Seat | null) => void)[];
  beganMs: number;
  /** Requests that may begin now; refilled by the rate. */
  tokens: number;
  tokensMs: number;
  refusing: number;
  /** How long the last request sat that had to wait. */
  paceMs: number;
}

/**
 * What keeps one cluster's requests from taking the isolate's thread from the others: a rate for each cluster, and, while several clusters have requests, a fair share
 * of seats.
 */
export class Gate {
  readonly #env: Pick<Env, 'now' | 'after'>;
  readonly #flows = new Map<string, Flow>();
  #activeMs = 0;
  readonly #seats: number;
  #share: number;

  /**
   * `seats`: requests of all clusters that the isolate works on at once while several clusters have some. 0 = as many as come: where calls of objects take
   * milliseconds of waiting, seats would be held by requests that leave the thread free.
   */
  constructor(env: Pick<Env, 'now' | 'after'>, seats: number) {
    this.#env = env;
    this.#seats = seats > 0 ? seats : Number.POSITIVE_INFINITY;
    this.#share = seats > 0 ? SEATS_ALONE : Number.POSITIVE_INFINITY;
  }

  /** No other cluster has had a request here lately. */
  get alone(): boolean {
    return this.#share >= SEATS_ALONE;
  }

  /** A seat at once or after waiting for one; null: the cluster has asked too much, and the answer is 429, or has gone while it waited. `rate`: requests per second. */
  enter(cluster: string, rate: number, client: Client): Seat | Promise<Seat | null> {
    const now = this.#env.now();
    const flow = this.#flow(cluster, now);
    const began = flow.beganMs;
    flow.beganMs = now;
    if (passed(now, this.#activeMs) > COUNT_MS || passed(now, began) > ACTIVE_MS) this.#divide(now);
    flow.tokens = Math.min(rate * BURST_SECONDS, flow.tokens + (passed(now, flow.tokensMs) * rate) / 1000);
    flow.tokensMs = now;
    this.#serve(flow, now);
    if (flow.tokens < 1 || flow.waiting.length >= WAITING_MAX) return this.#refuse(flow, client);
    flow.tokens--;
    if (flow.waiting.length === 0 && this.#hasSeat(flow, now)) return sit(flow, now);
    return this.#wait(flow, client);
  }

  leave(cluster: string, seat: Seat): void {
    const flow = this.#flows.get(cluster);
    if (!flow) return;
    const now = this.#env.now();
    flow.paceMs = Math.max(PACE_MS_MIN, Math.min(passed(now, seat.since), PACE_MS_MAX));
    this.#free(flow, seat, now);
  }

  #free(flow: Flow, seat: Seat, now: number): void {
    flow.seats.delete(seat);
    this.#serve(flow, now);
  }

  /** Gives seats that are free to those who wait. */
  #serve(flow: Flow, now: number): void {
    while (flow.waiting.length > 0 && this.#hasSeat(flow, now)) flow.waiting.shift()?.(sit(flow, now));
  }

  #hasSeat(flow: Flow, now: number): boolean {
    if (flow.seats.size < this.#share) return true;
    for (const s of flow.seats) if (passed(now, s.since) >= SEAT_MS_MAX) flow.seats.delete(s);
    return flow.seats.size < this.#share;
  }

  /** The platform looks for what came over the network only when nothing else is left to run: a turn of its loop between any two waves of seats lets others in. */
  async #wait(flow: Flow, { signal }: Client): Promise<Seat | null> {
    const seat = await this.#seated(flow, signal);
    if (seat === null) return null;
    await pause(this.#env, flow.paceMs, signal);
    const now = this.#env.now();
    if (signal.aborted) {
      this.#free(flow, seat, now);
      return null;
    }
    seat.since = now;
    // A thread that was held up has made the pause long, and the seat another's.
    flow.seats.add(seat);
    return seat;
  }

  async #seated(flow: Flow, signal: AbortSignal): Promise<Seat | null> {
    const { promise, resolve } = crossing<Seat | null>();
    const giveUp = () => {
      const i = flow.waiting.indexOf(resolve);
      if (i >= 0) flow.waiting.splice(i, 1);
      resolve(null);
    };
    if (signal.aborted) return null;
    const leave = onAbort(signal, giveUp);
    const end = this.#env.after(WAIT_MS_MAX, giveUp);
    // Who came while its cluster was alone and then went was dropped in the midst of its work (see outlive): it leaves no seat, and passes none on. So who waits looks.
    let stop = () => {};
    const look = () => {
      stop = this.#env.after(SEAT_MS_MAX, () => {
        look();
        this.#serve(flow, this.#env.now());
      });
    };
    look();
    flow.waiting.push(resolve);
    try {
      return await promise;
    } finally {
      // Here and not by who gives the seat: another's request can't reach these timers.
      end();
      stop();
      leave();
    }
  }

  async #refuse(flow: Flow, { signal }: Client): Promise<null> {
    if (flow.refusing >= REFUSING_MAX) return null;
    flow.refusing++;
    await pause(this.#env, REFUSE_MS, signal);
    flow.refusing--;
    return null;
  }

  #divide(now: number): void {
    this.#activeMs = now;
    if (this.#seats === Number.POSITIVE_INFINITY) return;
    let active = 0;
    for (const f of this.#flows.values()) if (passed(now, f.beganMs) <= ACTIVE_MS || f.waiting.length > 0) active++;
    this.#share = active <= 1 ? SEATS_ALONE : Math.max(SEATS_MIN, Math.floor(this.#seats / active));
  }

  #flow(cluster: string, now: number): Flow {
    const known = this.#flows.get(cluster);
    if (known) return known;
    if (this.#flows.size >= FLOWS_MAX) this.#forget(now);
    const made: Flow = {
      seats: new Set(),
      waiting: [],
      beganMs: 0,
      tokens: Number.POSITIVE_INFINITY,
      tokensMs: now,
      refusing: 0,
      paceMs: 0,
    };
    this.#flows.set(cluster, made);
    return made;
  }

  #forget(now: number): void {
    for (const [id, f] of this.#flows)
      if (f.waiting.length === 0 && passed(now, f.beganMs) > ACTIVE_MS) this.#flows.delete(id);
  }
}

function sit(flow: Flow, now: number): Seat {
  const seat = { since: now };
  flow.seats.add(seat);
  return seat;
}

/**
 * The platform drops a request in the midst of its work when its client goes, and with it every `finally`. From now on the request goes on then, until the result is called, or for as
 * long as a seat counts: what it has begun is work, and is its cluster's. Costs a listener; while a cluster is alone it has seats enough without.
 */
export function outlive(client: Client, env: Pick<Env, 'after'>, waitUntil: (p: Promise<unknown>) => void): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const leave = onAbort(client.signal, () => {
    waitUntil(promise);
    env.after(SEAT_MS_MAX, resolve);
  });
  return () => {
    leave();
    resolve();
  };
}

/** Resolves with `made`, or when the client goes, and at once when it has gone: nobody reads its answer's body to the end. */
export function madeOrGone(made: Promise<void>, { signal }: Client): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const leave = onAbort(signal, resolve);
  return Promise.race([made, promise]).finally(leave);
}
