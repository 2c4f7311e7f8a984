import { PageCache } from '../kube/store/pagecache.ts';
import { RowCache } from '../kube/store/rowcache.ts';

/** Mi units of bodies in each cache unless ROW_CACHE_MIB says otherwise: an isolate of Cloudflare's has 128 MiB for all that it does. */
const DEFAULT_MIB = 8;
const MIB = 1024 * 1024;

/** Rows that updates start from, of all clusters of the process. */
export const knownRows = new RowCache(DEFAULT_MIB * MIB);
/** Rows that commits compare with and single reads answer, of all stores of the process. */
export const recentRows = new RowCache(DEFAULT_MIB * MIB);

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
