import { freeIndex, poolSpace } from './pool.ts';
import type { ClaimOp, Commit, Key, Op } from './store.ts';

interface Taken {
  /** Owner by index. */
  owners: Map<number, Key>;
  values: Map<string, number>;
  cursor: number;
}

/** What a commit's claims and charges come to, before anything is applied. */
export type Reserved =
  | { ok: true; claimed: (string | undefined)[]; tokens: [string, string][] }
  | Exclude<Commit, { ok: true } | { lost: 'race' } | { lost: 'fence' }>;

/** MemoryStore's pools and counters. */
export class MemoryReservations {
  readonly #pools = new Map<string, Taken>();
  readonly #counters = new Map<string, number>();

  plan(ops: readonly Op[]): Reserved {
    const claimed: (string | undefined)[] = [];
    const tokens: [string, string][] = [];
    const undo: (() => void)[] = [];
    const lose = <T>(answer: T): T => {
      for (const u of undo.reverse()) u();
      return answer;
    };
    // Claims are taken at once and given back if the commit is lost: later ops of the same commit must see them.
    for (const [i, op] of ops.entries()) {
      if ('claim' in op) {
        const value = this.#claim(op, undo);
        if (value === null) return lose({ ok: false, lost: 'claim', op: i, exhausted: op.want === undefined });
        claimed[i] = value;
        if (op.token !== undefined) tokens.push([op.token, value]);
      } else if ('unclaim' in op) {
        this.#unclaim(op.unclaim, op.value, op.owner, undo);
      } else if ('charge' in op) {
        const used = this.#counters.get(op.charge) ?? 0;
        if (op.by > 0 && op.limit !== undefined && used + op.by > op.limit) {
          return lose({ ok: false, lost: 'charge', op: i, used });
        }
        this.#counters.set(op.charge, used + op.by);
        undo.push(() => this.#counters.set(op.charge, used));
      }
    }
    return { ok: true, claimed, tokens };
  }

  /** Gives back all that a deleted object had. */
  releaseOf(owner: Key): void {
    for (const pool of this.#pools.values()) {
      for (const [index, o] of pool.owners) {
        if (o !== owner) continue;
        pool.owners.delete(index);
        for (const [value, i] of pool.values) if (i === index) pool.values.delete(value);
      }
    }
  }

  #claim(op: ClaimOp, undo: (() => void)[]): string | null {
    const space = poolSpace(op.claim);
    let pool = this.#pools.get(op.claim.name);
    if (!pool) {
      pool = { owners: new Map(), values: new Map(), cursor: -1 };
      this.#pools.set(op.claim.name, pool);
    }
    const { owners, values } = pool;
    const index =
      op.want === undefined
        ? freeIndex(space, pool.cursor, (from) => [...owners.keys()].filter((i) => i >= from).sort((a, b) => a - b))
        : space.indexOf(op.want);
    if (index < 0) return null;
    const value = space.valueAt(index);
    const owner = owners.get(index);
    if (owner !== undefined) return owner === op.owner ? value : null;
    const { cursor } = pool;
    owners.set(index, op.owner);
    values.set(value, index);
    if (op.want === undefined) pool.cursor = index;
    undo.push(() => {
      pool.cursor = cursor;
      owners.delete(index);
      values.delete(value);
    });
    return value;
  }

  #unclaim(name: string, value: string, owner: Key, undo: (() => void)[]): void {
    const pool = this.#pools.get(name);
    const index = pool?.values.get(value);
    if (!pool || index === undefined || pool.owners.get(index) !== owner) return;
    pool.owners.delete(index);
    pool.values.delete(value);
    undo.push(() => {
      pool.owners.set(index, owner);
      pool.values.set(value, index);
    });
  }
}
