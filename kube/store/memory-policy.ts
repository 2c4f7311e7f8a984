import type { Facts } from '../meta/facts.ts';
import type { Assume, Key, Revision, Stale } from './store.ts';

/** MemoryStore's policy rows: which deciding text stood where, at which revision. */
export class MemoryPolicy {
  /** Moves exactly when the policy text of a row changes, comes or goes. */
  revision: Revision = 0;
  readonly #rows = new Map<Key, { revision: Revision; policy: string | null; uid: string }>();
  /** Removals up to here are forgotten: a View older than this starts anew. */
  #floor: Revision = 0;

  changed(key: Key, revision: Revision, prev: Facts | undefined, next: Facts | undefined): void {
    const was = prev?.policy;
    const is = next?.policy;
    if (was === is && (was === undefined || prev?.uid === next?.uid)) return;
    this.revision = revision;
    this.#rows.set(key, { revision, policy: is ?? null, uid: next?.uid ?? prev?.uid ?? '' });
  }

  forget(before: Revision): void {
    this.#floor = Math.max(this.#floor, Math.min(before, this.revision));
    for (const [key, row] of this.#rows) if (row.policy === null && row.revision <= before) this.#rows.delete(key);
  }

  /** Null when all of `assume` holds. `uidOf` is undefined for a key that has no row. */
  check(assume: Assume, uidOf: (key: Key) => string | undefined): Stale | null {
    const missing: number[] = [];
    for (const [i, e] of (assume.exist ?? []).entries()) {
      const uid = uidOf(e.key);
      if (uid === undefined || (e.uid !== undefined && e.uid !== uid)) missing.push(i);
    }
    const known = assume.policy ?? this.revision;
    if (missing.length === 0 && known === this.revision) return null;
    const whole = known !== this.revision && (known === 0 || known < this.#floor || known > this.revision);
    const changes: Stale['changes'] = [];
    for (const [key, row] of this.#rows) {
      if (whole ? row.policy !== null : row.revision > known) changes.push({ key, policy: row.policy, uid: row.uid });
    }
    return { ok: false, stale: true, policy: this.revision, whole, changes, missing };
  }
}
