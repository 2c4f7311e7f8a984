import type { Assume, Confirmed, Entry, Key, Page, Range, ReadOptions, Revision } from '../../kube/store/store.ts';
import { is, isCurrent, isElsewhere } from './policy.ts';
import type { State } from './state.ts';

// Where store objects live in the isolate that serves requests, what their memory knows needs no call: an RPC is half of what a GET of one object costs.

/** A store as requests of its own isolate may look at it. */
export interface NearStore {
  readonly state: State;
  /** Everything up to here is durable. */
  readonly settled: Revision;
  /** In a sibling: the policy revision of the main object. */
  readonly pushed: Revision | null;
}

/** What can be answered without a call; undefined: it has to be asked for. */
export interface Near {
  read(range: Range, o?: ReadOptions): Page | undefined;
  confirm(assume: Assume): Confirmed | undefined;
  /** Before what was read is given out: who makes no call gives the thread up to nobody. */
  pause(): Promise<void> | undefined;
}

/** Weak, so that an object that sleeps may go; what it knew stays true until another life of it comes, since nobody else writes. */
const stores = new Map<string, WeakRef<NearStore>>();
const STORES_MAX = 2_000;

/** The store of the object with this name is open here. */
export function comeNear(name: string, store: NearStore): void {
  leave(name);
  stores.set(name, new WeakRef(store));
  for (const [oldest] of stores) {
    if (stores.size <= STORES_MAX) break;
    stores.delete(oldest);
  }
}

/** Another life of the object begins, or its store is not to be used any more. */
export function leave(name: string): void {
  stores.delete(name);
}

/** The store of the object with this name, from here. */
export function nearTo(name: string, pause: Near['pause']): Near {
  const settled = (): NearStore | undefined => {
    const store = stores.get(name)?.deref();
    // What is not durable yet is for the object to answer, whose output waits for that.
    return store && store.state.revision === store.settled && store.state.restoring === null ? store : undefined;
  };
  return {
    read(range, o) {
      const store = settled();
      return store && readNear(store, range, o);
    },
    confirm(assume) {
      const store = settled();
      if (!store || !holds(store, assume)) return undefined;
      return { ok: true, revision: store.state.revision, policy: store.pushed ?? store.state.policy };
    },
    pause,
  };
}

/** One row, or a page that the reader has. */
function readNear(store: NearStore, range: Range, o: ReadOptions = {}): Page | undefined {
  const { revision } = store.state;
  if (o.select || o.factsOnly || (o.at ?? revision) !== revision || !holds(store, o.assume)) return undefined;
  const page: Page = { ok: true, revision, entries: [], count: 0 };
  if (o.known && o.join) {
    const { next, remaining } = o.known;
    if (o.known.revision !== revision) return undefined;
    if (!o.limit) return { ...page, same: true, rest: true };
    if (next === undefined) return { ...page, same: true };
    return remaining === undefined ? undefined : { ...page, same: true, remaining };
  }
  if (range.to !== `${range.from}\0` || o.after !== undefined) return undefined;
  const row = rowOf(store.state, range.from);
  return row && { ...page, entries: [row], count: 1 };
}

/** True when assumptions surely hold; they may also where it isn't remembered. */
function holds({ state, pushed }: NearStore, assume: Assume | undefined): boolean {
  if (!assume) return true;
  if (assume.watch) return false;
  for (const e of assume.exist ?? []) {
    if (!isElsewhere(e.key, pushed) && !is(rowOf(state, e.key)?.facts.uid, e.uid)) return false;
  }
  const policy = pushed ?? state.policy;
  return isCurrent(assume.policy ?? policy, policy, pushed);
}

/** The row that stands at a key, where it is in memory. */
function rowOf(state: State, key: Key): Entry | undefined {
  const recent = state.recent.get(key);
  if (recent) return recent;
  return state.base.has(key) && !state.overlaid.has(key) ? state.base.get(key) : undefined;
}
