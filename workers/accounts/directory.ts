import { DurableObject } from 'cloudflare:workers';
import type { Bindings } from '../bindings.ts';
import { world } from '../env.ts';

/** One line of the endpoint's list of clusters. */
export interface ClusterRow {
  /** The account's label: a DNS label, unique among live clusters. */
  name: string;
  /** Never reused; part of the cluster's URL. */
  id: string;
  /** RFC 3339. */
  created: string;
}

/** Layout version of cluster ids: what follows tells where the cluster lives. */
const LAYOUT = 'a';
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
/** 65 random bits: no id is ever made twice. */
const ID_LENGTH = 13;

/** An id for a new cluster. */
export const newId = (): string =>
  LAYOUT + [...crypto.getRandomValues(new Uint8Array(ID_LENGTH))].map((b) => ALPHABET[b % 32]).join('');

/** The endpoint's list of clusters: names to ids. The clusters themselves know nothing of it. */
export class Directory extends DurableObject<Bindings> {
  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    ctx.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS clusters (name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL) WITHOUT ROWID',
    );
  }

  /** A new row, or null when the name is taken. */
  add(name: string, id = newId()): ClusterRow | null {
    if (this.get(name) !== null) return null;
    const created = `${new Date(world.now()).toISOString().slice(0, 19)}Z`;
    this.ctx.storage.sql.exec('INSERT INTO clusters (name, id, created) VALUES (?, ?, ?)', name, id, created);
    return { name, id, created };
  }

  get(name: string): ClusterRow | null {
    return (
      (this.ctx.storage.sql
        .exec('SELECT name, id, created FROM clusters WHERE name = ?', name)
        .toArray()[0] as unknown as ClusterRow | undefined) ?? null
    );
  }

  /** In order of names, after one, at most `limit`. */
  list(after: string, limit: number): ClusterRow[] {
    return this.ctx.storage.sql
      .exec('SELECT name, id, created FROM clusters WHERE name > ? ORDER BY name LIMIT ?', after, limit)
      .toArray() as unknown as ClusterRow[];
  }

  remove(name: string): void {
    this.ctx.storage.sql.exec('DELETE FROM clusters WHERE name = ?', name);
  }
}
