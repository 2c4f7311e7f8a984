import type { Env } from '../../kube/meta/env.ts';
import { StoreError } from '../../kube/store/store.ts';
import type { Restore } from './restores.ts';
import { load, type State } from './state.ts';
import { beginRestore, type RestoreRules, type RestoreTarget, restoreSlice, targetRevision } from './travel.ts';

/** What a restore needs of the store that it is made in. */
export interface RestorerOptions {
  state: State;
  env: Pick<Env, 'after'>;
  rules: RestoreRules;
  sync(): Promise<void>;
  /** It has begun: an alarm has to see to its end, should this life of the object not come to it. */
  begun(): void;
  /** In the step after its last slice: whoever watches or follows is to begin anew. */
  done(r: Restore): void;
}

/** Rows without claims and times to live. */
export const PLAIN_ROWS: RestoreRules = { claims: () => [], ttlMs: () => undefined };

/** Runs restores, a slice at a time, with everybody else's turn between. */
export class Restorer {
  readonly #o: RestorerOptions;
  #running: Promise<void> | null = null;

  constructor(o: RestorerOptions) {
    this.#o = o;
    // A former life of the object began one. Who opens the store must have its hands on it first.
    if (o.state.restoring) o.env.after(0, () => void this.run().catch(() => {}));
  }

  /** Begins one; run() does the work. Null when one is under way. Throws StoreError 'compacted' or 'future'. */
  begin(target: RestoreTarget, by: string): Restore | null {
    const { state } = this.#o;
    if (state.restoring) return null;
    const r = beginRestore(state, targetRevision(state, target), by);
    this.#o.begun();
    return r;
  }

  /** Brings the restore under way, if any, to its end. What fails is tried again by the alarm. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    const { state, env, rules, sync } = this.#o;
    while (state.restoring) {
      const r = this.#slice(state, rules);
      if (r.phase === 'done') this.#o.done(r);
      await sync();
      await new Promise<void>((next) => env.after(0, next));
    }
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
