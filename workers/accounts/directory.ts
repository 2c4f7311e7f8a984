import { DurableObject } from 'cloudflare:workers';
import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import type { Bindings } from '../bindings.ts';
import { world } from '../env.ts';
import { removeCluster } from './removal.ts';

/** One line of the endpoint's list of clusters. */
export interface ClusterRow {
  /** The account's label: a DNS label, unique among live clusters. */
  name: string;
  /** Never reused; part of the cluster's URL. */
  id: string;
  /** RFC 3339. */
  created: string;
  /** How long it lives, from its creation on; absent = for ever. */
  ttlSeconds?: number;
  /** When it deletes itself, in milliseconds since the epoch. */
  expiresMs?: number;
}

/** Layout version of cluster ids: what follows tells where the cluster lives. */
const LAYOUT = 'a';
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
/** 65 random bits: no id is ever made twice. */
const ID_LENGTH = 13;
/** A cluster in the making of which nobody says that it goes on for so long is given up. */
const PENDING_MS = 60_000;
/** Clusters that one alarm removes; it comes again at once for more. */
const REMOVALS = 10;
/** A removal that failed is tried again. */
const REMOVE_AGAIN_MS = 30_000;

/** How ids of clusters look. */
export const ID = new RegExp(`^${LAYOUT}[${ALPHABET}]{${ID_LENGTH}}$`);
/** An id for a new cluster. */
export const newId = (): string =>
  LAYOUT + [...crypto.getRandomValues(new Uint8Array(ID_LENGTH))].map((b) => ALPHABET[b % 32]).join('');

const COLUMNS = 'c.name, c.id, c.created, e.seconds, e.at';
const FROM = 'FROM clusters c LEFT JOIN expiries e ON e.name = c.name';

/** The endpoint's list of clusters: names to ids. The clusters themselves know nothing of it. Its alarm removes those whose time is over, and what was never finished. */
export class Directory extends DurableObject<Bindings> {
  readonly #sql = this.ctx.storage.sql;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    for (const statement of [
      'CREATE TABLE IF NOT EXISTS clusters (name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL) WITHOUT ROWID',
      'CREATE TABLE IF NOT EXISTS expiries (name TEXT PRIMARY KEY, seconds INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID',
      'CREATE INDEX IF NOT EXISTS expiries_at ON expiries (at)',
      // Ids of clusters that are being made of an archive or of another cluster, and when they are given up.
      'CREATE TABLE IF NOT EXISTS pending (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID',
    ])
      this.#sql.exec(statement);
  }

  /** A new row, or null when the name is taken. */
  async add(name: string, id = newId(), ttlSeconds?: number): Promise<ClusterRow | null> {
    if (this.get(name) !== null) return null;
    const created = formatTime(world.now());
    this.#sql.exec('INSERT INTO clusters (name, id, created) VALUES (?, ?, ?)', name, id, created);
    return ttlSeconds === undefined ? { name, id, created } : this.setTtl(name, ttlSeconds);
  }

  get(name: string): ClusterRow | null {
    const [row] = [...this.#sql.exec(`SELECT ${COLUMNS} ${FROM} WHERE c.name = ?`, name).raw()];
    return row ? rowFrom(row) : null;
  }

  /** The name of the cluster with this id. */
  nameOf(id: string): string | null {
    const [row] = [...this.#sql.exec<{ name: string }>('SELECT name FROM clusters WHERE id = ?', id)];
    return row?.name ?? null;
  }

  /** In order of names, after one, at most `limit`. */
  list(after: string, limit: number): ClusterRow[] {
    const query = `SELECT ${COLUMNS} ${FROM} WHERE c.name > ? ORDER BY c.name LIMIT ?`;
    return [...this.#sql.exec(query, after, limit).raw()].map(rowFrom);
  }

  remove(name: string): void {
    this.#sql.exec('DELETE FROM clusters WHERE name = ?', name);
    this.#sql.exec('DELETE FROM expiries WHERE name = ?', name);
  }

  /** How long a cluster lives from its creation on; null = for ever. Its row, or null when there is none. */
  async setTtl(name: string, seconds: number | null): Promise<ClusterRow | null> {
    const row = this.get(name);
    if (row === null) return null;
    if (seconds === null) this.#sql.exec('DELETE FROM expiries WHERE name = ?', name);
    else {
      const at = timeToMillis(row.created) + seconds * 1000;
      this.#sql.exec('INSERT OR REPLACE INTO expiries (name, seconds, at) VALUES (?, ?, ?)', name, seconds, at);
    }
    await this.#arm();
    return this.get(name);
  }

  /** An id for a cluster in the making, this one if it is given: false when a cluster of this endpoint has it. publish() or abandon() is to follow; else the alarm does that. */
  async reserve(id: string): Promise<boolean> {
    const taken = [
      ...this.#sql.exec('SELECT id FROM clusters WHERE id = ?1 UNION ALL SELECT id FROM pending WHERE id = ?1', id),
    ];
    if (taken.length > 0) return false;
    this.#sql.exec('INSERT INTO pending (id, at) VALUES (?, ?)', id, world.now() + PENDING_MS);
    await this.#arm();
    return true;
  }

  /** The making goes on; false when it has been given up already. */
  async goesOn(id: string): Promise<boolean> {
    const sure = [
      ...this.#sql.exec('UPDATE pending SET at = ? WHERE id = ? RETURNING id', world.now() + PENDING_MS, id),
    ];
    return sure.length > 0;
  }

  /** The cluster is whole and gets its name: the one step in which it comes to be. Null when the name is taken or the making was given up. */
  async publish(name: string, id: string, ttlSeconds?: number): Promise<ClusterRow | null> {
    const sure = [...this.#sql.exec('SELECT id FROM pending WHERE id = ?', id)];
    if (sure.length === 0 || this.get(name) !== null) return null;
    this.#sql.exec('DELETE FROM pending WHERE id = ?', id);
    return this.add(name, id, ttlSeconds);
  }

  /** Removes what was made so far. */
  async abandon(id: string): Promise<void> {
    this.#sql.exec('UPDATE pending SET at = ? WHERE id = ?', world.now(), id);
    await this.alarm();
  }

  /** Removes clusters whose time is over, and what was begun and never finished. */
  override async alarm(): Promise<void> {
    const now = world.now();
    for (const { id } of this.#sql
      .exec<{ id: string }>('SELECT id FROM pending WHERE at <= ? LIMIT ?', now, REMOVALS)
      .toArray()) {
      if (await this.#removed(id)) this.#sql.exec('DELETE FROM pending WHERE id = ?', id);
      else this.#sql.exec('UPDATE pending SET at = ? WHERE id = ?', now + REMOVE_AGAIN_MS, id);
    }
    const due = this.#sql.exec<{ name: string }>(
      'SELECT name FROM expiries WHERE at <= ? ORDER BY at LIMIT ?',
      now,
      REMOVALS,
    );
    for (const { name } of due.toArray()) {
      const row = this.get(name);
      // Its time may have been changed since.
      if (row === null || (row.expiresMs ?? Infinity) > now) continue;
      if (await this.#removed(row.id)) this.remove(name);
      else this.#sql.exec('UPDATE expiries SET at = ? WHERE name = ?', now + REMOVE_AGAIN_MS, name);
    }
    await this.#arm();
  }

  async #removed(id: string): Promise<boolean> {
    try {
      await removeCluster(this.env, id);
      return true;
    } catch (error) {
      world.log('error', 'directory.remove', { id, error: String(error) });
      return false;
    }
  }

  /** One alarm: for whatever is due first. */
  async #arm(): Promise<void> {
    const first =
      'SELECT MIN(at) AS at FROM (SELECT MIN(at) AS at FROM pending UNION ALL SELECT MIN(at) FROM expiries)';
    const { at } = this.#sql.exec<{ at: number | null }>(first).one();
    if (at === null) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(Math.max(at, world.now()));
  }
}

function rowFrom(cells: SqlStorageValue[]): ClusterRow {
  const [name, id, created, seconds, at] = cells as [string, string, string, number | null, number | null];
  return seconds === null || at === null
    ? { name, id, created }
    : { name, id, created, ttlSeconds: seconds, expiresMs: at };
}
