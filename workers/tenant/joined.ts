import { spliceItem } from '../../kube/store/splice.ts';
import { PAGE_BYTES, type Page, type Range, type Revision } from '../../kube/store/store.ts';
import { counter } from './rows.ts';
import type { State } from './state.ts';

const ROWS = `SELECT c.key, h.revision, h.value, h.version = ? AND h.schema = ? AND h.enc IS NULL
  FROM current c CROSS JOIN history h ON h.revision = c.revision WHERE c.key >= ? AND c.key < ? ORDER BY c.key LIMIT ?`;

/** No page holds more rows than this: of the smallest bodies, PAGE_BYTES. */
const ROWS_MAX = 50_000;

/**
 * A page of what stands (and stood at `revision`), joined as text, without facts being read or bodies parsed. Null where that doesn't do: rows of
 * another version, schema or encryption, or of the base layer.
 */
export function joinedPage(
  s: State,
  range: Range,
  revision: Revision,
  join: { version: string; schema: string },
  limit: number,
): Page | null {
  if (s.base.touches(range)) return null;
  let items = '';
  let count = 0;
  let last = '';
  let more = false;
  for (const row of s.sql.each(
    ROWS,
    join.version,
    join.schema,
    range.from,
    range.to,
    limit > 0 ? limit + 1 : ROWS_MAX,
  )) {
    const value = row[2] as string;
    if ((limit > 0 && count >= limit) || (count > 0 && items.length + value.length > PAGE_BYTES)) {
      more = true;
      break;
    }
    if (row[3] !== 1) return null;
    const item = spliceItem(value, row[1] as number);
    items = count === 0 ? item : `${items},${item}`;
    count++;
    last = row[0] as string;
  }
  const page: Page = { ok: true, revision, entries: [], items, count };
  if (!more && count < ROWS_MAX) return page;
  const remaining = counter(s, range, null)?.(last) ?? 0;
  return remaining === 0 ? page : { ...page, next: last, remaining };
}
