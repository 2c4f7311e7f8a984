import { StoreError } from '../../kube/store/store.ts';

/** What a cell holds: our tables have no blobs. */
export type Cell = string | number | null;

/** SQLite as the store needs it: a Durable Object's `storage.sql`, or node:sqlite in tests. Statements are cached by their text. */
export interface Sql {
  /** All rows of a query that is known to be small; of others inChunks(). */
  all(query: string, ...args: Cell[]): Cell[][];
  run(query: string, ...args: Cell[]): void;
  /** Several statements without results in one call, where the host takes that. */
  script?(statements: string): void;
  /** All or nothing; nests. */
  transaction<T>(f: () => T): T;
}

/** The part of DurableObjectStorage that sqlOf() takes. */
export interface SqlHost {
  sql: {
    exec(query: string, ...args: Cell[]): { raw(): { toArray(): unknown[][] } };
  };
  transactionSync<T>(f: () => T): T;
}

/** The Sql of a Durable Object's storage. */
export function sqlOf(storage: SqlHost): Sql {
  const { sql } = storage;
  const run = (query: string, ...args: Cell[]) => {
    try {
      sql.exec(query, ...args);
    } catch (e) {
      throw sqlError(e);
    }
  };
  return {
    all(query, ...args) {
      try {
        return sql
          .exec(query, ...args)
          .raw()
          .toArray() as Cell[][];
      } catch (e) {
        throw sqlError(e);
      }
    },
    run,
    script: run,
    transaction(f) {
      try {
        return storage.transactionSync(f);
      } catch (e) {
        throw sqlError(e);
      }
    },
  };
}

/** SQLite's words for a file that it can't read: torn, overwritten, cut, on a disk that fails. */
const DAMAGE =
  /SQLITE_CORRUPT|SQLITE_NOTADB|SQLITE_IOERR|SQLITE_CANTOPEN|no such (?:table|column|index)|has no column named|database disk image is malformed|malformed database schema|file is not a database|disk I\/O error/;

/** The error that a caller gets for one of SQLite: StoreError 'corrupt' where the file is damaged. */
export function sqlError(e: unknown): unknown {
  if (e instanceof StoreError) return e;
  return damage(String((e as { message?: unknown } | null)?.message)) ?? e;
}

/** The StoreError for the text of an error of SQLite's about a damaged file; null for any other. */
export function damage(text: string): StoreError | null {
  return DAMAGE.test(text) ? new StoreError('corrupt', `the database file is damaged: ${text}`) : null;
}

/** Whether it says that what is stored is damaged. */
export const isCorrupt = (e: unknown): e is StoreError => e instanceof StoreError && e.code === 'corrupt';

/** What an error says, without the code of ours. */
export const textOf = (e: unknown): string =>
  e instanceof StoreError ? e.text : e instanceof Error ? e.message : String(e);

/** A JSON text of ours that stands in the tables without a checksum. Throws StoreError 'corrupt' where it is none. */
export function kept<T>(text: string, what: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new StoreError('corrupt', `${what} cannot be read`);
  }
}

/** The first cell of the first row. */
export function cell(sql: Sql, query: string, ...args: Cell[]): Cell | undefined {
  return sql.all(query, ...args)[0]?.[0];
}
