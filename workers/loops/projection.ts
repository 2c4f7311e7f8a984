import { parseJson, printJson } from '../../kube/codec/json.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { EffectResult, Row } from '../../kube/reconcile/controller.ts';
import type { Projection, QueueItem } from '../../kube/reconcile/projection.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Key, Revision } from '../../kube/store/store.ts';

/** The part of a Durable Object's storage that a projection uses. */
export interface LoopStorage {
  exec(query: string, ...bindings: (string | number | null)[]): Iterable<Record<string, unknown>>;
  transaction<T>(f: () => T): T;
}

const SCHEMA = [
  'CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, resource TEXT NOT NULL, revision INTEGER NOT NULL, uid TEXT NOT NULL, labels TEXT NOT NULL, owner TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID',
  "CREATE INDEX IF NOT EXISTS rows_owner ON rows (owner, resource) WHERE owner <> ''",
  'CREATE INDEX IF NOT EXISTS rows_uid ON rows (uid)',
  'CREATE TABLE IF NOT EXISTS queue (controller TEXT NOT NULL, key TEXT NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL, hold INTEGER NOT NULL, PRIMARY KEY (controller, key)) WITHOUT ROWID',
  'CREATE INDEX IF NOT EXISTS queue_due ON queue (due)',
  'CREATE TABLE IF NOT EXISTS results (controller TEXT NOT NULL, key TEXT NOT NULL, results TEXT NOT NULL, PRIMARY KEY (controller, key)) WITHOUT ROWID',
  'CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
];

/** A Projection in a loop object's SQLite: survives sleep and restarts. */
export class SqlProjection implements Projection {
  readonly #s: LoopStorage;
  #cursor: Revision;

  constructor(storage: LoopStorage) {
    this.#s = storage;
    for (const statement of SCHEMA) storage.exec(statement);
    this.#cursor = Number(this.meta('cursor') ?? 0);
  }

  meta(name: string): string | undefined {
    for (const r of this.#s.exec('SELECT value FROM meta WHERE name = ?', name)) return String(r.value);
    return undefined;
  }
  setMeta(name: string, value: string): void {
    this.#s.exec('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)', name, value);
  }
  cursor(): Revision {
    return this.#cursor;
  }
  setCursor(revision: Revision): void {
    if (revision === this.#cursor) return;
    this.#cursor = revision;
    this.setMeta('cursor', String(revision));
  }
  get(key: Key): Row | undefined {
    return this.#first('SELECT * FROM rows WHERE key = ?', key);
  }
  byUid(uid: string): Row | undefined {
    return this.#first('SELECT * FROM rows WHERE uid = ?', uid);
  }
  *list(resource: string, namespace?: string): Iterable<Row> {
    const prefix = namespace ? `${resource}/${namespace}` : resource;
    // Rows are taken before any is handed out: a plan that writes must not move the cursor under itself.
    for (const r of [
      ...this.#s.exec('SELECT * FROM rows WHERE key >= ? AND key < ? ORDER BY key', `${prefix}/`, `${prefix}0`),
    ])
      yield rowOf(r);
  }
  namespaces(resource: string): string[] {
    const found: string[] = [];
    // From namespace to namespace through the key: few, however many rows they hold.
    for (let from = `${resource}/`; ; ) {
      const [row] = [
        ...this.#s.exec('SELECT key FROM rows WHERE key >= ? AND key < ? ORDER BY key LIMIT 1', from, `${resource}0`),
      ];
      if (row === undefined) return found;
      const { namespace } = parseKey(String(row.key));
      if (namespace === '') return found;
      found.push(namespace);
      from = `${resource}/${namespace}0`;
    }
  }
  owned(resource: string, ownerUid: string): Row[] {
    if (ownerUid === '') return [];
    return [
      ...this.#s.exec('SELECT * FROM rows WHERE owner = ? AND resource = ? ORDER BY key', ownerUid, resource),
    ].map(rowOf);
  }
  put(row: Row): void {
    this.#s.exec(
      'INSERT OR REPLACE INTO rows (key, resource, revision, uid, labels, owner, data) VALUES (?, ?, ?, ?, ?, ?, ?)',
      row.key,
      row.key.slice(0, row.key.indexOf('/')),
      row.revision,
      row.uid,
      JSON.stringify(row.labels),
      row.owner,
      printJson(row.data),
    );
  }
  remove(key: Key): void {
    this.#s.exec('DELETE FROM rows WHERE key = ?', key);
  }
  reset(): void {
    this.#s.exec('DELETE FROM rows');
    this.setCursor(0);
  }
  enqueue(item: { controller: string; key: Key; due: number; hold?: Revision; attempts?: number }): void {
    this.#s.exec(
      `INSERT INTO queue (controller, key, due, attempts, hold) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (controller, key) DO UPDATE SET due = min(due, excluded.due), hold = max(hold, excluded.hold)${item.attempts === undefined ? '' : ', attempts = excluded.attempts'}`,
      item.controller,
      item.key,
      item.due,
      item.attempts ?? 0,
      item.hold ?? 0,
    );
  }
  take(now: number, limit: number): QueueItem[] {
    return [
      ...this.#s.exec(
        'SELECT * FROM queue WHERE due <= ? AND hold <= ? ORDER BY due, key, controller LIMIT ?',
        now,
        this.#cursor,
        limit,
      ),
    ].map((r) => ({
      controller: String(r.controller),
      key: String(r.key),
      due: Number(r.due),
      attempts: Number(r.attempts),
      hold: Number(r.hold),
    }));
  }
  settle(item: QueueItem, next?: { due: number; hold?: Revision; attempts?: number }): void {
    const { controller, key } = item;
    if (next === undefined) this.#s.exec('DELETE FROM queue WHERE controller = ? AND key = ?', controller, key);
    else
      this.#s.exec(
        'INSERT OR REPLACE INTO queue (controller, key, due, attempts, hold) VALUES (?, ?, ?, ?, ?)',
        controller,
        key,
        next.due,
        next.attempts ?? 0,
        next.hold ?? 0,
      );
  }
  nextDue(): number | undefined {
    for (const r of this.#s.exec('SELECT MIN(due) AS due FROM queue'))
      return r.due === null ? undefined : Number(r.due);
    return undefined;
  }
  results(controller: string, key: Key): Map<string, EffectResult> {
    for (const r of this.#s.exec('SELECT results FROM results WHERE controller = ? AND key = ?', controller, key)) {
      return new Map(parseJson(String(r.results)) as unknown as [string, EffectResult][]);
    }
    return new Map();
  }
  setResults(controller: string, key: Key, results: Map<string, EffectResult>): void {
    if (results.size === 0) this.#s.exec('DELETE FROM results WHERE controller = ? AND key = ?', controller, key);
    else
      this.#s.exec(
        'INSERT OR REPLACE INTO results (controller, key, results) VALUES (?, ?, ?)',
        controller,
        key,
        JSON.stringify([...results]),
      );
  }
  transaction<T>(f: () => T): T {
    try {
      return this.#s.transaction(f);
    } catch (error) {
      this.#cursor = Number(this.meta('cursor') ?? 0);
      throw error;
    }
  }

  #first(query: string, value: string): Row | undefined {
    for (const r of this.#s.exec(query, value)) return rowOf(r);
    return undefined;
  }
}

function rowOf(r: Record<string, unknown>): Row {
  return {
    key: String(r.key),
    revision: Number(r.revision),
    uid: String(r.uid),
    labels: JSON.parse(String(r.labels)) as Record<string, string>,
    owner: String(r.owner),
    data: parseJson(String(r.data)) as JsonObject,
  };
}
