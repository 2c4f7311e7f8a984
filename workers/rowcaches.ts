import { PageCache } from '../kube/store/pagecache.ts';
import { RowCache, type Rows } from '../kube/store/rowcache.ts';

/** Mi units of bodies in each cache unless ROW_CACHE_MIB says otherwise: an isolate of Cloudflare's has 128 MiB for all that it does. */
const DEFAULT_MIB = 8;
const MIB = 1024 * 1024;

/** Rows that updates start from, of all clusters of the process. */
const knownRows = new RowCache(DEFAULT_MIB * MIB);
/** Rows that commits compare with and single reads answer, of all stores of the process. */
const recentRows = new RowCache(DEFAULT_MIB * MIB);

/** No two openings share rows: what another life of an object saw may never have become durable. */
let openings = 0;
/** What the stores opened last remember, by their names; the least recently opened go first. */
const opened = new Map<string, Rows>();
const OPENED_MAX = 2_000;

/** What a store remembers from now on: nothing at first. `name`: its object's. */
export function openRows(name: string): Rows {
  const rows = recentRows.of(String(++openings));
  opened.delete(name);
  opened.set(name, rows);
  for (const [oldest] of opened) {
    if (opened.size <= OPENED_MAX) break;
    opened.delete(oldest);
  }
  return rows;
}

/** Rows that a cluster's updates start from. One that its store remembers too, in the same isolate, is the same in memory. */
export function rowsOf(cluster: string): Rows {
  const own = knownRows.of(cluster);
  return {
    ...own,
    put(row) {
      const there = opened.get(cluster)?.get(row.key);
      // What a store remembers may never become durable, and its revision be another's then: the body tells.
      own.put(there?.revision === row.revision && there.value === row.value ? there : row);
    },
  };
}

/** Pages of lists, of all clusters of the process. */
export const knownPages = new PageCache(DEFAULT_MIB * MIB);

/** Gives the caches another size, at the start: where a process has a machine's memory, as many rows as people work on at once should fit. */
export function sizeRowCaches(mib: string | undefined): void {
  const n = Number(mib);
  if (!(n > 0)) return;
  knownRows.unitsMax = n * MIB;
  recentRows.unitsMax = n * MIB;
  knownPages.bytesMax = n * MIB;
}
