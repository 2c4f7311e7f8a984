/** What a cell holds: our tables have no blobs. */
export type Cell = string | number | null;

/** SQLite as the store needs it: a Durable Object's `storage.sql`, or node:sqlite in tests. Statements are cached by their text. */
export interface Sql {
  /** All rows of a query that is known to be small. */
  all(query: string, ...args: Cell[]): Cell[][];
  /** Rows one by one, so that a reader stops when it has enough. */
  each(query: string, ...args: Cell[]): Iterable<Cell[]>;
  run(query: string, ...args: Cell[]): void;
  /** All or nothing; nests. */
  transaction<T>(f: () => T): T;
}

/** The part of DurableObjectStorage that sqlOf() takes. */
export interface SqlHost {
  sql: {
    exec(query: string, ...args: Cell[]): { raw(): Iterable<unknown[]> & { toArray(): unknown[][] } };
  };
  transactionSync<T>(f: () => T): T;
}

/** The Sql of a Durable Object's storage. */
export function sqlOf(storage: SqlHost): Sql {
  const { sql } = storage;
  return {
    all: (query, ...args) =>
      sql
        .exec(query, ...args)
        .raw()
        .toArray() as Cell[][],
    each: (query, ...args) => sql.exec(query, ...args).raw() as Iterable<Cell[]>,
    run: (query, ...args) => void sql.exec(query, ...args),
    transaction: (f) => storage.transactionSync(f),
  };
}

/** The first cell of the first row. */
export function cell(sql: Sql, query: string, ...args: Cell[]): Cell | undefined {
  return sql.all(query, ...args)[0]?.[0];
}
