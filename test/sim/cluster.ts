import { chain } from '../../api/admission/index.ts';
import type { ClusterContext, User } from '../../api/attributes.ts';
import { createAuthorizer } from '../../api/authz/index.ts';
import { createPolicyView, sharedRows } from '../../api/policy.ts';
import { type Api, createApi } from '../../api/server.ts';
import { kinds } from '../../kube/kinds/index.ts';
import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { interestsOf } from '../../kube/reconcile/interests.ts';
import { schemas } from '../../kube/schema/schemas.ts';
import { withMembers } from '../../kube/store/members.ts';
import { MemoryStore } from '../../kube/store/memory.ts';
import { placement } from '../../kube/store/placement.ts';
import { RowCache } from '../../kube/store/rowcache.ts';
import type { CommitOptions, Op, Store } from '../../kube/store/store.ts';
import { RemoteStore, type StoreStub } from '../../workers/tenant/remote.ts';
import { SqliteStore } from '../../workers/tenant/sqlite.ts';
import { createCluster } from '../../workers/tenant/state.ts';
import { nodeSql } from '../store/node-sqlite.ts';
import type { SimClock } from './clock.ts';
import { baseLayer, currentLayer, LOOPS } from './platform.ts';

export const CLUSTER = 'sim';
export const ADMIN: User = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };
/** What a caller hears of a call that failed on the way. */
export const LOST = 'Network connection lost.';
/** How long a call takes at most. */
const CALL_MS_MAX = 4;
const ROWS_UNITS = 1024 * 1024;

/** What goes wrong on the way, as shares of all calls. */
export interface Faults {
  /** A call never arrives. */
  unsent: number;
  /** An answer gets lost; the call has taken effect. */
  lost: number;
  /** All answers to one commit get lost, repeats included. */
  silent: number;
  /** A wake-up of a loop gets lost. */
  wake: number;
  /** A loop ends before a write. */
  killed: number;
  /** A loop stands still before a write for longer than its lease. */
  stalled: number;
}
export const NO_FAULTS: Faults = { unsent: 0, lost: 0, silent: 0, wake: 0, killed: 0, stalled: 0 };

/** One process: its View, its rows, its way to the stores. */
export interface Isolate {
  context: ClusterContext;
}
export interface Answer {
  code: number;
  body: KubeObject & JsonObject;
}

/** The stores of a cluster and the API over them, in as many processes as are asked for. */
export class SimCluster {
  readonly clock: SimClock;
  readonly env: Env;
  readonly main: SqliteStore;
  readonly api: Api;
  faults: Faults = NO_FAULTS;
  /** Wakes a loop. */
  onWake: (loop: string, attempt: number) => void = () => undefined;
  /** Calls under way and done. */
  calls = 0;
  readonly #siblings: Record<string, Store>;
  readonly #silent = new Set<string>();
  readonly #sql = nodeSql();

  constructor(clock: SimClock, log: Env['log']) {
    this.clock = clock;
    this.env = clock.env(log);
    createCluster(this.#sql, {
      base: currentLayer(),
      uidPrefix: 'aaaaaaaa-bbbb-4ccc-8ddd-',
      createdMs: clock.nowMs,
    });
    let cancel = () => {};
    this.main = new SqliteStore({
      sql: this.#sql,
      env: { now: this.env.now, after: this.env.after },
      sync: async () => {},
      schedule: (at) => {
        cancel();
        cancel = clock.after(at - clock.nowMs, () => void this.main.alarm());
      },
      layer: baseLayer,
      wake: (loop, _, attempt) => {
        if (!this.#happens(this.faults.wake)) clock.after(0, () => this.onWake(loop, attempt));
      },
    });
    this.#siblings = { events: new MemoryStore(this.env), leases: new MemoryStore(this.env) };
    this.api = createApi({
      kinds,
      schemas,
      authenticators: [],
      authorizers: [createAuthorizer()],
      admission: chain,
    });
  }

  begin(): Promise<void> {
    const loops = Object.entries(LOOPS).map(([name, controllers]) => [name, interestsOf(controllers)]);
    return this.main.begin([], Object.fromEntries(loops));
  }
  close(): void {
    this.#sql.close();
  }
  #happens = (share: number) => share > 0 && this.clock.random() < share;

  /** The way to a store object, which takes its time and may fail. `alive`: whether who calls still lives. */
  stub(alive: () => boolean = () => true): StoreStub {
    const { main } = this;
    const call = async <T>(f: () => T | Promise<T>, request?: string): Promise<T> => {
      this.calls++;
      await this.clock.sleep(this.clock.random() * CALL_MS_MAX);
      if (!alive()) return new Promise<T>(() => {});
      if (this.#happens(this.faults.unsent)) throw new Error(LOST);
      const answer = await f();
      if (!alive()) return new Promise<T>(() => {});
      if (request !== undefined && this.#happens(this.faults.silent)) this.#silent.add(request);
      if ((request !== undefined && this.#silent.has(request)) || this.#happens(this.faults.lost))
        throw new Error(LOST);
      return answer;
    };
    const through = ['read', 'confirm', 'grant', 'release', 'related', 'versions', 'info', 'compact'] as const;
    const rounds = ['startRound', 'endRound', 'register', 'changes'] as const;
    const methods = [...through, ...rounds].map((name) => [
      name,
      (...a: unknown[]) => call(() => (main[name] as (...b: unknown[]) => unknown)(...a)),
    ]);
    return {
      ...Object.fromEntries(methods),
      commit: (ops: Op[], o: CommitOptions) => call(() => main.commit(ops, o), o.request),
    } as StoreStub;
  }
  /** The store as a process sees it. */
  remote(alive?: () => boolean): Store {
    const stub = this.stub(alive);
    // Watches go to the store itself: sockets have tests of their own.
    return withMembers(new RemoteStore(() => stub, this.env), { watch: (...a) => this.main.watch(...a) });
  }
  sibling(part: string): Store {
    const store = this.#siblings[part] as Store;
    // Nobody pushes policy revisions to these, and epochs are each store's own.
    return withMembers(store, {
      read: (range, { assume: _, ...o } = {}) => store.read(range, o),
      confirm: async () => ({ ok: true, revision: 0, policy: 0 }),
      commit: (ops, { assume: _, fence: __, ...o } = {}) => store.commit(ops, o),
    });
  }

  isolate(alive?: () => boolean): Isolate {
    const main = this.remote(alive);
    const rows = new RowCache(ROWS_UNITS).of(CLUSTER);
    const context: ClusterContext = {
      id: CLUSTER,
      env: this.env,
      view: createPolicyView(shared()),
      rows,
      url: 'https://sim.invalid',
      keys: { issuer: '', signing: [], ca: 'PEM', tokens: {} },
      store: (resource, namespace) => {
        const part = placement(resource, namespace);
        return part === 'main' ? main : this.sibling(part);
      },
      waitUntil: () => {},
    };
    return { context };
  }

  async ask(
    at: Isolate,
    user: User,
    method: string,
    path: string,
    body?: JsonObject,
    type = 'application/json',
  ): Promise<Answer> {
    const init: RequestInit = { method, headers: { 'content-type': type, accept: 'application/json' } };
    if (body !== undefined) init.body = JSON.stringify(body);
    const response = await this.api.handle(new Request(`https://sim.invalid${path}`, init), at.context, { user });
    return { code: response.status, body: (await response.json()) as Answer['body'] };
  }
}

let known: ReturnType<typeof sharedRows> | undefined;
/** Policy rows of the base layer: all isolates have them alike. */
function shared(): ReturnType<typeof sharedRows> {
  known ??= sharedRows(
    (baseLayer(currentLayer())?.rows ?? []).flatMap((r) =>
      r.facts.policy === undefined ? [] : [{ key: r.key, uid: r.facts.uid, text: r.facts.policy }],
    ),
  );
  return known;
}
