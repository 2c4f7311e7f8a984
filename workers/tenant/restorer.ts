import { type Env, sleep } from '../../kube/meta/env.ts';
import type { Fanout } from '../../kube/store/fanout.ts';
import { StoreError } from '../../kube/store/store.ts';
import type { Maintenance } from './maintenance.ts';
import type { Outbox } from './outbox.ts';
import { lastRestore, type Restore } from './restores.ts';
import { load, type State } from './state.ts';
import { beginRestore, type RestoreRules, type RestoreTarget, restoreSlice, targetRevision } from './travel.ts';

/** What a restore takes of the object that the store lives in. */
export interface RestorerHost {
  env: Pick<Env, 'now' | 'after'>;
  /** Resolves when everything written so far is durable. */
  sync(): Promise<void>;
  /** What a restore has to know of rows. */
  restoring?: RestoreRules;
  /** Revisions jumped over what was watched: sockets are to be closed. */
  jumped?(): void;
  /** A restore can't go on now; it is tried again. */
  restoreFailed?(cause: unknown): void;
}
/** And of the store. */
export interface RestorerParts {
  state: State;
  maintenance: Maintenance;
  outbox: Outbox;
  fanout: Fanout;
  pushPolicy(): Promise<void>;
}

/** Rows without claims and times to live. */
const PLAIN_ROWS: RestoreRules = { mayClaim: () => false, claims: () => [], ttlMs: () => undefined };

/** Runs restores, a slice at a time, with everybody else's turn between. */
export class Restorer {
  readonly #host: RestorerHost;
  readonly #parts: RestorerParts;
  #running: Promise<void> | null = null;
  #told: Promise<void> = Promise.resolve();

  constructor(host: RestorerHost, parts: RestorerParts) {
    this.#host = host;
    this.#parts = parts;
    // A former life of the object began one. Who opens the store must have its hands on it first.
    if (parts.state.restoring) host.env.after(0, () => void this.run());
  }

  /**
   * Brings everything back as it stood at a revision or time, but for what travel.ts keeps: begins and answers at once. Null when a restore is under way
   * already. Until its end writes are refused as 'overloaded' and reads answer as of the beginning. Throws StoreError 'compacted' or 'future'.
   */
  async restore(target: RestoreTarget, by: string): Promise<Restore | null> {
    const { state, maintenance } = this.#parts;
    if (state.restoring) return null;
    const r = beginRestore(state, targetRevision(state, target), by);
    maintenance.restoreLater();
    await this.#host.sync();
    void this.run();
    return r;
  }

  /** Resolves when siblings know of the policy of the last restore, or can't be reached. */
  get told(): Promise<void> {
    return this.#told;
  }

  /** The last restore, done or under way. */
  last(): Restore | null {
    return lastRestore(this.#parts.state.sql);
  }

  /** Brings the restore under way, if any, to its end, or as far as it gets: the alarm tries again. Never rejects. */
  run(): Promise<void> {
    this.#running ??= this.#run()
      .catch((e: unknown) => this.#host.restoreFailed?.(e))
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  async #run(): Promise<void> {
    const { state } = this.#parts;
    const { env, restoring = PLAIN_ROWS } = this.#host;
    while (state.restoring) {
      await sleep(env, 0);
      const r = this.#slice(state, restoring);
      if (r.phase === 'done') this.#jump(r);
      await this.#host.sync();
    }
  }

  /** In the step after the last slice: watches end, loops read everything anew, siblings hear of the policy. */
  #jump(r: Restore): void {
    const { maintenance, outbox, fanout } = this.#parts;
    maintenance.restored();
    if (r.after === r.before) return;
    outbox.reload();
    maintenance.wakeAgain(outbox.nextWakeMs());
    for (const watcher of [...fanout.watchers()]) watcher.restart?.();
    this.#host.jumped?.();
    // Where it fails, the alarm goes on telling.
    this.#told = this.#parts.pushPolicy().catch(() => {});
  }

  #slice(state: State, rules: RestoreRules): Restore {
    try {
      const r = state.sql.transaction(() => restoreSlice(state, rules));
      state.restoring = r;
      if (r.phase === 'done') load(state);
      return r;
    } catch (e) {
      load(state);
      throw e;
    }
  }
}

/** Refuses what would write, or read what is half written, while a restore is under way. */
export function checkNotRestoring(s: State): void {
  if (s.restoring) throw new StoreError('overloaded', 'the cluster is being restored');
}
