import type { Test } from './select.ts';
import { spliceItem } from './splice.ts';
import {
  type Entry,
  type Key,
  PAGE_BYTES,
  type Page,
  type PageJoin,
  type ReadOptions,
  type Revision,
  type Version,
  type Versions,
} from './store.ts';
import { SCAN_ROWS } from './window.ts';

/** Bodies of a page that comes row by row, in UTF-16 units, and bodies passed over for it: some 3 ms each. */
const ENTRIES_UNITS = PAGE_BYTES / 2;

/**
 * One page of rows that come in key order, from its first on: cut by count and bytes, joined when asked and possible. Rows after
 * the page are counted by `countAfter` where that is cheaper than reading them; Infinity: not told.
 */
export function cutPage(
  rows: Iterable<Entry>,
  revision: Revision,
  test: Test | null,
  o: ReadOptions,
  countAfter?: (key: Key) => number,
): Page {
  const entries: Entry[] = [];
  let bytes = 0;
  let more = 0;
  let examined = 0;
  let scanned = 0;
  for (const row of rows) {
    if (test !== null && !test(row.key, row.facts)) {
      // A selector that matches little must not scan a whole cluster in one step: the page ends early.
      scanned += row.value.length;
      if (++examined < SCAN_ROWS && scanned < ENTRIES_UNITS) continue;
      return finish({ ok: true, revision, entries, count: entries.length, next: row.key }, o);
    }
    const full =
      (o.limit && entries.length >= o.limit) || (entries.length > 0 && bytes + row.value.length > ENTRIES_UNITS);
    if (more > 0 || full) {
      if (test === null && countAfter) {
        more = countAfter(entries[entries.length - 1]?.key ?? '');
        break;
      }
      more++;
      // With a selector only "more follow" is told, as upstream.
      if (test !== null) break;
      continue;
    }
    entries.push(o.factsOnly ? { ...row, value: '' } : row);
    bytes += o.factsOnly ? 0 : row.value.length;
  }
  const page: Page = { ok: true, revision, entries, count: entries.length };
  const last = entries[entries.length - 1];
  if (more > 0 && last) page.next = last.key;
  if (more > 0 && test === null && Number.isFinite(more)) page.remaining = more;
  return finish(page, o);
}

const finish = (page: Page, o: ReadOptions): Page => (o.join && !o.factsOnly ? joinPage(page, o.join) : page);

/** One page of a row's versions that come newest first: cut by count and bytes. */
export function cutVersions(newest: Iterable<Version>, revision: Revision, limit = 0): Versions {
  const versions: Version[] = [];
  let bytes = 0;
  for (const v of newest) {
    const length = v.entry?.value.length ?? 0;
    const last = versions[versions.length - 1];
    if (last && ((limit > 0 && versions.length >= limit) || bytes + length > PAGE_BYTES))
      return { ok: true, revision, versions, next: last.revision };
    versions.push(v);
    bytes += length;
  }
  return { ok: true, revision, versions };
}

const utf8 = new TextEncoder();
/** The page with its rows joined as bytes, if all are of that version and schema and none is encrypted. */
function joinPage(page: Page, join: PageJoin): Page {
  let items = '';
  for (const e of page.entries) {
    if (e.version !== join.version || e.schema !== join.schema || e.enc !== undefined) return page;
    items += (items === '' ? '' : (join.separator ?? ',')) + spliceItem(e.value, e.revision);
  }
  return { ...page, entries: [], items: items === '' ? [] : [utf8.encode(items)] };
}
