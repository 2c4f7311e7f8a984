import { parseJson, printJson } from '../../kube/codec/json.ts';
import type { EffectResult, Row } from '../../kube/reconcile/controller.ts';
import type { Projection, QueueItem } from '../../kube/reconcile/projection.ts';
import { resourceOfKey } from '../../kube/store/key.ts';
import type { Key, Revision } from '../../kube/store/store.ts';
import { QueueMemory, queueId } from './queue.ts';
import { RowMemory, type StoredRow } from './rows.ts';

/** The part of a Durable Object's storage that a projection uses. */
export interface LoopStorage {
  exec(query: string, ...bindings: (string | number | null)[]): Iterable<Record<string, unknown>>;
  transaction<T>(f: () => T): T;
}

const SCHEMA = [
  'CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, resource TEXT NOT NULL, revision INTEGER NOT NULL, uid TEXT NOT NULL, labels TEXT NOT NULL, owner TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID',
  'CREATE TABLE IF NOT EXISTS queue (controller TEXT NOT NULL, key TEXT NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL, hold INTEGER NOT NULL, PRIMARY KEY (controller, key)) WITHOUT ROWID',
  'CREATE TABLE IF NOT EXISTS results (controller TEXT NOT NULL, key TEXT NOT NULL, results TEXT NOT NULL, PRIMARY KEY (controller, key)) WITHOUT ROWID',
  'CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
  // Of the release before, which looked rows up in SQLite.
  'DROP INDEX IF EXISTS rows_owner',
  'DROP INDEX IF EXISTS rows_uid',
  'DROP INDEX IF EXISTS queue_due',
];
const PUT_ROW =
  'INSERT OR REPLACE INTO rows (key, resource, revision, uid, labels, owner, data) VALUES (?, ?, ?, ?, ?, ?, ?)';
const PUT_ITEM = 'INSERT OR REPLACE INTO queue (controller, key, due, attempts, hold) VALUES (?, ?, ?, ?, ?)';
const PUT_RESULTS = 'INSERT OR REPLACE INTO results (controller, key, results) VALUES (?, ?, ?)';
const CURSOR = 'cursor';
const SOME_ROWS = 'SELECT key, revision, uid, labels, owner, data FROM rows WHERE key > ? ORDER BY key LIMIT ?';
/** Rows that are read and written in one step: some 3 ms each. */
const LOAD_STEP = 400;
const WRITE_STEP = 200;

/** What has changed in memory since the tables were written, by key. */
interface Unwritten {
  /** Every row that the tables have is gone. */
  wiped: boolean;
  rows: Set<Key>;
  queue: Set<string>;
  results: Set<string>;
  meta: Set<string>;
}

/**
 * A Projection of a loop object: in memory while the object lives, in its SQLite from persist() on. All of it is written at once, so that rows, cursor and queue never
 * tell of different times: a process that ends before that finds what it had before, its mark still in the store, and does the work again.
 */
export class SqlProjection implements Projection {
  readonly #s: LoopStorage;
  readonly #meta: Map<string, string>;
  /** Absent until somebody looks. */
  #rows: RowMemory | undefined;
  #queue: QueueMemory | undefined;
  #results: Map<string, Map<string, EffectResult>> | undefined;
  #unwritten = nothingUnwritten();
  /** How to bring back what the running transaction has changed. */
  #undo: (() => void)[] | undefined;
  /** By asker and resource the keys that moved since it asked. */
  readonly #moved = new Map<string, Map<string, Set<Key>>>();

  constructor(storage: LoopStorage) {
    this.#s = storage;
    for (const statement of SCHEMA) storage.exec(statement);
    this.#meta = new Map([...storage.exec('SELECT * FROM meta')].map((r) => [String(r.name), String(r.value)]));
  }

  meta(name: string): string | undefined {
    return this.#meta.get(name);
  }
  setMeta(name: string, value: string): void {
    const old = this.#meta.get(name);
    if (old === value) return;
    this.#undo?.push(() => (old === undefined ? this.#meta.delete(name) : this.#meta.set(name, old)));
    this.#meta.set(name, value);
    this.#unwritten.meta.add(name);
  }
  cursor(): Revision {
    return Number(this.#meta.get(CURSOR) ?? 0);
  }
  setCursor(revision: Revision): void {
    this.setMeta(CURSOR, String(revision));
  }

  get(key: Key): Row | undefined {
    return this.#allRows().get(key);
  }
  keys(): Iterable<Key> {
    return this.#allRows().keys();
  }
  byUid(uid: string): Row | undefined {
    return this.#allRows().byUid(uid);
  }
  list(resource: string, namespace?: string): Row[] {
    return this.#allRows().list(resource, namespace);
  }
  namespaces(resource: string): string[] {
    return this.#allRows().namespaces(resource);
  }
  owned(resource: string, ownerUid: string): Row[] {
    return this.#allRows().owned(resource, ownerUid);
  }
  orphans(resource: string, namespace: string): Row[] {
    return this.#allRows().orphans(resource, namespace);
  }
  put(row: Row): void {
    const rows = this.#allRows();
    this.#before(row.key);
    rows.put(row);
  }
  remove(key: Key): void {
    const rows = this.#allRows();
    this.#before(key);
    rows.remove(key);
  }
  reset(): void {
    const [old, unwritten] = [this.#rows, this.#unwritten];
    this.#undo?.push(() => {
      this.#rows = old;
      this.#unwritten = unwritten;
      this.#moved.clear();
    });
    this.#rows = new RowMemory();
    this.#unwritten = { ...unwritten, wiped: true, rows: new Set() };
    this.#moved.clear();
    this.setCursor(0);
  }
  moved(who: string, resource: string): ReadonlySet<Key> | undefined {
    const mine = this.#moved.get(who) ?? new Map<string, Set<Key>>();
    this.#moved.set(who, mine);
    const keys = mine.get(resource);
    if (keys?.size === 0) return NOTHING_MOVED;
    mine.set(resource, new Set());
    return keys;
  }

  enqueue(item: { controller: string; key: Key; due: number; hold?: Revision; attempts?: number }): void {
    const { controller, key, due, hold = 0, attempts } = item;
    const old = this.#wholeQueue().get(queueId(controller, key));
    const next = {
      controller,
      key,
      due: Math.min(due, old?.due ?? due),
      attempts: attempts ?? old?.attempts ?? 0,
      hold: Math.max(hold, old?.hold ?? 0),
    };
    if (old && old.due === next.due && old.attempts === next.attempts && old.hold === next.hold) return;
    this.#setItem(controller, key, next);
  }
  take(now: number, limit: number): QueueItem[] {
    return this.#wholeQueue().take(now, this.cursor(), limit);
  }
  settle({ controller, key }: QueueItem, next?: { due: number; hold?: Revision; attempts?: number }): void {
    this.#setItem(controller, key, next && { controller, key, attempts: 0, hold: 0, ...next });
  }
  nextDue(): number | undefined {
    return this.#wholeQueue().nextDue();
  }

  results(controller: string, key: Key): Map<string, EffectResult> {
    return new Map(this.#allResults().get(queueId(controller, key)));
  }
  setResults(controller: string, key: Key, results: Map<string, EffectResult>): void {
    const all = this.#allResults();
    const id = queueId(controller, key);
    const old = all.get(id);
    if (old === undefined && results.size === 0) return;
    this.#undo?.push(() => (old ? all.set(id, old) : all.delete(id)));
    if (results.size === 0) all.delete(id);
    else all.set(id, new Map(results));
    this.#unwritten.results.add(id);
  }

  transaction<T>(f: () => T): T {
    if (this.#undo) return f();
    const undo: (() => void)[] = [];
    this.#undo = undo;
    try {
      return f();
    } catch (error) {
      for (const back of undo.reverse()) back();
      throw error;
    } finally {
      this.#undo = undefined;
    }
  }

  /** Rows from the tables into memory, in steps. Without it the first look does it in one. */
  async load(turn: () => Promise<void>): Promise<void> {
    const rows = new RowMemory();
    for (let after = ''; this.#rows === undefined; await turn()) {
      let n = 0;
      for (const r of this.#s.exec(SOME_ROWS, after, LOAD_STEP)) {
        rows.put(r as unknown as StoredRow);
        after = String(r.key);
        n++;
      }
      if (n < LOAD_STEP) this.#rows = rows;
    }
  }

  /** persist() in steps where much is to be written. Until the last one the tables say that nothing has been read. */
  async persistInSteps(turn: () => Promise<void>): Promise<void> {
    const u = this.#unwritten;
    if (u.rows.size > WRITE_STEP) u.meta.add(CURSOR);
    while (u.rows.size > WRITE_STEP && u === this.#unwritten) {
      const some = [...u.rows.values().take(WRITE_STEP)];
      this.#s.transaction(() => {
        this.#writeMeta(CURSOR, '0');
        this.#wipe(u);
        for (const key of some) this.#writeRow(key);
      });
      u.wiped = false;
      for (const key of some) u.rows.delete(key);
      await turn();
    }
    this.persist();
  }

  persist(): void {
    const u = this.#unwritten;
    if (!u.wiped && u.rows.size + u.queue.size + u.results.size + u.meta.size === 0) return;
    this.#s.transaction(() => {
      this.#wipe(u);
      for (const key of u.rows) this.#writeRow(key);
      for (const id of u.queue) this.#writeItem(id);
      for (const id of u.results) this.#writeResults(id);
      for (const name of u.meta) this.#writeMeta(name, this.#meta.get(name) ?? '');
    });
    this.#unwritten = nothingUnwritten();
  }

  #wipe(u: Unwritten): void {
    if (u.wiped) this.#s.exec('DELETE FROM rows');
  }
  #writeMeta(name: string, value: string): void {
    this.#s.exec('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)', name, value);
  }

  #writeRow(key: Key): void {
    const row = this.#allRows().get(key);
    if (row === undefined) this.#s.exec('DELETE FROM rows WHERE key = ?', key);
    else {
      const resource = resourceOfKey(key);
      const [labels, data] = [JSON.stringify(row.labels), printJson(row.data)];
      this.#s.exec(PUT_ROW, key, resource, row.revision, row.uid, labels, row.owner, data);
    }
  }
  #writeItem(id: string): void {
    const item = this.#wholeQueue().get(id);
    const [controller = '', key = ''] = id.split('\0');
    if (item === undefined) this.#s.exec('DELETE FROM queue WHERE controller = ? AND key = ?', controller, key);
    else this.#s.exec(PUT_ITEM, controller, key, item.due, item.attempts, item.hold);
  }
  #writeResults(id: string): void {
    const results = this.#allResults().get(id);
    const [controller = '', key = ''] = id.split('\0');
    if (results === undefined) this.#s.exec('DELETE FROM results WHERE controller = ? AND key = ?', controller, key);
    else this.#s.exec(PUT_RESULTS, controller, key, JSON.stringify([...results]));
  }

  /** A row is about to change. */
  #before(key: Key): void {
    const rows = this.#allRows();
    if (this.#undo) {
      const old = rows.held(key);
      this.#undo.push(() => {
        if (old) rows.put(old);
        else rows.remove(key);
        this.#move(key);
      });
    }
    this.#unwritten.rows.add(key);
    this.#move(key);
  }
  #move(key: Key): void {
    const resource = resourceOfKey(key);
    for (const mine of this.#moved.values()) mine.get(resource)?.add(key);
  }
  #setItem(controller: string, key: Key, next: QueueItem | undefined): void {
    const queue = this.#wholeQueue();
    const id = queueId(controller, key);
    if (this.#undo) {
      const old = queue.get(id);
      this.#undo.push(() => queue.set(id, old));
    }
    queue.set(id, next);
    this.#unwritten.queue.add(id);
  }

  #allRows(): RowMemory {
    if (this.#rows) return this.#rows;
    const rows = new RowMemory();
    for (const r of this.#s.exec('SELECT key, revision, uid, labels, owner, data FROM rows ORDER BY key'))
      rows.put(r as unknown as StoredRow);
    this.#rows = rows;
    return rows;
  }
  #wholeQueue(): QueueMemory {
    if (this.#queue) return this.#queue;
    const queue = new QueueMemory();
    for (const r of this.#s.exec('SELECT controller, key, due, attempts, hold FROM queue')) {
      const item = { ...(r as unknown as QueueItem) };
      queue.set(queueId(item.controller, item.key), item);
    }
    this.#queue = queue;
    return queue;
  }
  #allResults(): Map<string, Map<string, EffectResult>> {
    this.#results ??= new Map(
      [...this.#s.exec('SELECT controller, key, results FROM results')].map((r) => [
        queueId(String(r.controller), String(r.key)),
        new Map(parseJson(String(r.results)) as unknown as [string, EffectResult][]),
      ]),
    );
    return this.#results;
  }
}

const NOTHING_MOVED: ReadonlySet<Key> = new Set();
const nothingUnwritten = (): Unwritten => ({
  wiped: false,
  rows: new Set(),
  queue: new Set(),
  results: new Set(),
  meta: new Set(),
});
