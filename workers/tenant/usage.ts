import { isPut } from '../../kube/store/limits.ts';
import type { Commit, Entry, Key, Op } from '../../kube/store/store.ts';
import { LIMITS_KEY, type Limits, limitsWith, type SomeLimits, someLimits } from './limits.ts';
import { getMeta, setMeta } from './schema.ts';
import { cell, type Sql } from './sql.ts';

type Refusal = Extract<Commit, { lost: 'limit' }>;

/** What a store holds, what it may hold, and what of that are the cluster's own limits. */
export interface Used {
  objects: number;
  bytes: number;
  watches: number;
  crds: number;
  limits: Limits;
  own: SomeLimits;
}

/** At the limit of bytes no object comes to be, but what is there can still change: status, finalizers, leaders. */
const HEADROOM = 1.1;
const CRDS = 'customresourcedefinitions.apiextensions.k8s.io/';
const COUNT_CRDS = `SELECT COUNT(*) FROM current WHERE key >= '${CRDS}' AND key < '${CRDS.slice(0, -1)}0'`;
/** Of a store of a release that didn't count; octet_length() reads no body. */
const COUNT =
  'SELECT COUNT(*), TOTAL(octet_length(h.value)) FROM current c CROSS JOIN history h ON h.revision = c.revision';

/** What a store holds of the cluster's own objects, and what it may hold. Kept in the tables with each commit, so that opening a store counts nothing. */
export class Usage {
  objects = 0;
  /** Bodies of what stands, in UTF-16 units. */
  bytes = 0;
  limits: Limits;
  readonly #sql: Sql;
  readonly #defaults: Limits;
  #moved = false;

  constructor(sql: Sql, defaults: Limits) {
    this.#sql = sql;
    this.#defaults = defaults;
    this.limits = defaults;
  }

  /** Reads the tables again. */
  load(): void {
    const known = getMeta(this.#sql, 'usage');
    const [objects, bytes] =
      typeof known === 'string' ? known.split(' ').map(Number) : (this.#sql.all(COUNT)[0] ?? []).map(Number);
    this.objects = objects ?? 0;
    this.bytes = bytes ?? 0;
    this.#moved = false;
    this.limits = limitsWith(this.#defaults, this.#own());
  }

  /** For who asks what the cluster uses. */
  show(): Omit<Used, 'watches'> {
    const { objects, bytes, limits } = this;
    return { objects, bytes, crds: Number(cell(this.#sql, COUNT_CRDS)), limits, own: someLimits(this.#own()) };
  }

  #own(): string | undefined {
    const own = cell(this.#sql, 'SELECT policy FROM policy WHERE key = ?', LIMITS_KEY);
    return typeof own === 'string' ? own : undefined;
  }

  /** Why the store doesn't take these, or null. Deletions and what makes objects smaller are always taken. `found`: what stands of each. */
  refuses(ops: readonly Op[], found: readonly (Entry | null | undefined)[]): Refusal | null {
    let objects = 0;
    let bytes = 0;
    let crds = 0;
    for (const [i, op] of ops.entries()) {
      if (!isPut(op)) continue;
      const prev = found[i];
      bytes += (op.value?.text.length ?? 0) - (prev?.value.length ?? 0);
      if (op.value === null && prev) objects--;
      if (op.value === null || prev) continue;
      objects++;
      if (op.key.startsWith(CRDS)) crds++;
    }
    const { limits } = this;
    const refusal = (limit: 'objects' | 'crds', asked: number, used: number): Refusal | null =>
      used + asked <= limits[limit] ? null : { ok: false, lost: 'limit', limit, asked, used, max: limits[limit] };
    const most = objects > 0 ? limits.bytes : limits.bytes * HEADROOM;
    if (bytes > 0 && this.bytes + bytes > most)
      return { ok: false, lost: 'limit', limit: 'bytes', asked: bytes, used: this.bytes, max: limits.bytes };
    if (crds > 0) return refusal('crds', crds, Number(cell(this.#sql, COUNT_CRDS)));
    return objects > 0 ? refusal('objects', objects, this.objects) : null;
  }

  /** A row was written; rows of the base layer don't count. */
  wrote(key: Key, prev: Entry | null, next: Entry | null, baseSize: number): void {
    const counted = prev !== null && prev.revision > baseSize ? prev : null;
    this.objects += (next ? 1 : 0) - (counted ? 1 : 0);
    this.bytes += (next?.value.length ?? 0) - (counted?.value.length ?? 0);
    this.#moved = true;
    if (key === LIMITS_KEY) this.limits = limitsWith(this.#defaults, next?.facts.policy);
  }

  /** To be called in the transaction of what was written. */
  save(): void {
    if (!this.#moved) return;
    this.#moved = false;
    setMeta(this.#sql, 'usage', `${this.objects} ${this.bytes}`);
  }
}
