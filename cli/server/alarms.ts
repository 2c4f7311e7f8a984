import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setAside } from './aside.ts';

/** Where workerd (server/alarm-scheduler) keeps, for each class of objects, when they are to be woken: by id, in nanoseconds since the epoch. */
const FILE = 'metadata.sqlite';
const TABLE =
  'CREATE TABLE _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER, actor_name TEXT) WITHOUT ROWID';
const INSERT = 'INSERT INTO _cf_ALARM (actor_id, scheduled_time) VALUES (?, ?)';
/** SQLITE_CORRUPT, SQLITE_NOTADB. */
const DAMAGE = [11, 26];

/**
 * workerd ends at its start where a file of alarms is damaged, and every cluster with it. Such a file is set aside; in a new one all objects of its class are due at once: each
 * knows by itself when it is to be woken next. A line for each, for the user.
 */
export function mendAlarms(home: string, data: string): string[] {
  if (!existsSync(data)) return [];
  return readdirSync(data)
    .map((objects) => join(data, objects))
    .filter((folder) => isDamaged(join(folder, FILE)))
    .map((folder) => {
      const files = readdirSync(folder);
      const old = files.filter((file) => file.startsWith(FILE)).map((file) => join(folder, file));
      const aside = setAside(home, basename(folder), old);
      const ids = files.filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file)).map((file) => file.slice(0, 64));
      wakeAll(join(folder, FILE), ids);
      return `${join(folder, FILE)} is damaged and set aside (${aside}): all ${ids.length} objects of its class are woken`;
    });
}

function isDamaged(path: string): boolean {
  if (!existsSync(path)) return false;
  let db: DatabaseSync | undefined;
  try {
    // Else it would write its log back and take it away, on a disk that may be full.
    db = new DatabaseSync(path, { readOnly: true });
    const [found] = db.prepare('PRAGMA quick_check(1)').all();
    return found?.quick_check !== 'ok';
  } catch (e) {
    // The lower byte of an extended code.
    return DAMAGE.includes(Number((e as { errcode?: number }).errcode) & 0xff);
  } finally {
    db?.close();
  }
}

function wakeAll(path: string, ids: readonly string[]): void {
  const db = new DatabaseSync(path);
  try {
    db.exec(`BEGIN; ${TABLE}`);
    const insert = db.prepare(INSERT);
    for (const id of ids) insert.run(id, BigInt(Date.now()) * 1_000_000n);
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}
