import { PAGE_BYTES, type Page, type PageJoin, type Range, type Revision } from '../../kube/store/store.ts';
import { counter } from './rows.ts';
import { cell } from './sql.ts';
import type { State } from './state.ts';

const STANDING = 'FROM current c CROSS JOIN history h ON h.revision = c.revision WHERE c.key >= ? AND c.key < ?';
const NTH = 'SELECT key FROM current WHERE key >= ? AND key < ? ORDER BY key LIMIT 1 OFFSET ?';
/** How many rows fill a page, without their bodies being read. */
const FITTING = `SELECT COUNT(*) FROM (SELECT SUM(octet_length(h.value)) OVER (ORDER BY c.key) AS bytes
  ${STANDING} ORDER BY c.key LIMIT ?) WHERE bytes <= ?`;
/**
 * kube/store/splice.ts spliceItem() for all rows but the head of the first, done by SQLite: rows come in the order of the index, and the text becomes no
 * string. Casts keep substr() from counting characters.
 */
const JOIN = `SELECT COUNT(*), MAX(c.key), MIN(h.version = ? AND h.schema = ? AND h.enc IS NULL),
    CAST(group_concat(substr(CAST(h.value AS BLOB), 14), ? || '{"metadata":{"resourceVersion":"' || c.revision || '",') AS BLOB)
  ${STANDING}`;
const FIRST = 'SELECT revision FROM current WHERE key >= ? AND key < ? ORDER BY key LIMIT 1';

const utf8 = new TextEncoder();

/** No page holds more rows than this: of the smallest bodies, PAGE_BYTES. */
const ROWS_MAX = 50_000;
/** A page of at least so many rows is worth no look at how many more would fit. */
const CERTAIN_ROWS = 256;

/**
 * A page of what stands (and stood at `revision`), joined as bytes, without facts being read or bodies parsed. Null where that doesn't do: rows of
 * another version, schema or encryption, or of the base layer.
 */
export function joinedPage(s: State, range: Range, revision: Revision, join: PageJoin, limit: number): Page | null {
  if (s.base.touches(range)) return null;
  const { from } = range;
  const first = cell(s.sql, FIRST, from, range.to);
  const page: Page = { ok: true, revision, entries: [], items: [], count: 0 };
  if (first === undefined) return page;
  const most = limit > 0 ? Math.min(limit, ROWS_MAX) : ROWS_MAX;
  const certain = Math.floor(PAGE_BYTES / Math.max(1, s.longest));
  // One body may be larger than a page.
  const fitting =
    certain >= Math.min(most, CERTAIN_ROWS)
      ? Math.min(most, certain)
      : Math.max(1, Number(cell(s.sql, FITTING, from, range.to, most, PAGE_BYTES)));
  // The first row that doesn't belong to the page, if any.
  const beyond = cell(s.sql, NTH, from, range.to, fitting) as string | undefined;
  const row = s.sql.all(
    JOIN,
    join.version,
    join.schema,
    join.separator ?? ',',
    from,
    beyond ?? range.to,
  )[0] as unknown as [count: number, last: string, current: number, items: ArrayBuffer] | undefined;
  if (row?.[2] !== 1) return null;
  const [count, last, , items] = row;
  page.items = [utf8.encode(`{"metadata":{"resourceVersion":"${first}",`), new Uint8Array(items)];
  page.count = count;
  if (beyond === undefined) return page;
  const remaining = counter(s, range, null)?.(last) ?? 0;
  return { ...page, next: last, remaining };
}
