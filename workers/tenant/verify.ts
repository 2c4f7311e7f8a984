import type { Key, Revision } from '../../kube/store/store.ts';
import { policySum } from './checksum.ts';
import {
  COLUMNS,
  entryFrom,
  getRow,
  HEAD_COLUMNS,
  headFrom,
  isInBase,
  isStanding,
  standingOf,
  summedOf,
} from './rows.ts';
import { type Cell, isCorrupt, type Sql, textOf } from './sql.ts';
import type { State } from './state.ts';
import { hasTerm, indexedTerms } from './terms.ts';
import { countOf, fileFindings, isSmallHistory, TREES, treeFindings } from './trees.ts';

/** What one slice of verification says. */
export interface Verified {
  /** The table that was looked at. */
  table: string;
  rows: number;
  /** Rows of the release before checksums. */
  unsummed: number;
  /** What is wrong, the first FINDINGS_MAX of the slice. */
  findings: string[];
  /** How much is wrong. */
  found: number;
  /** Ask for the next slice with this; absent: all has been looked at. */
  next?: string;
}

/** Where verification stands: a step, and the key or number after which it goes on. */
interface Cursor {
  step: number;
  after: Cell[];
}
/** What a step found in a slice. `after` is where it goes on, absent at its end. */
interface Slice {
  rows: number;
  unsummed?: number;
  after?: Cell[] | undefined;
}
type Report = (finding: string) => void;
interface Step {
  table: string;
  begin: Cell[];
  slice(s: State, after: Cell[], limit: number, report: Report): Slice;
}

/** Rows of one slice: some 2 ms. A slice that meets a page that can't be read is tried again row by row. */
const SLICE_ROWS = 64;
/** Bodies of one slice, in UTF-8: looking at their sums takes 0.3 ms for each MiB, reading them more. */
const SLICE_BYTES = 256 * 1024;
/** Findings that are told of one slice; the rest are counted. */
const FINDINGS_MAX = 20;
/** A larger table is looked through row by row alone. SQLite looks through a tree in one step. */
const TREE_ROWS_MAX = 50_000;

/** Looks at one slice of a store's tables, from the beginning or where the last slice's `next` says. Writes nothing, so it may run beside everything else. */
export function verifySlice(s: State, next?: string): Verified {
  const { step: at, after } = next === undefined ? { step: 0, after: [] } : (JSON.parse(next) as Cursor);
  const step = STEPS[at] ?? order;
  const verified: Verified = { table: step.table, rows: 0, unsummed: 0, findings: [], found: 0 };
  const report: Report = (finding) => {
    verified.found++;
    if (verified.findings.length < FINDINGS_MAX) verified.findings.push(`${step.table}: ${finding}`);
  };
  const slice = attempt(s, step, next === undefined ? step.begin : after, report);
  verified.rows = slice.rows;
  verified.unsummed = slice.unsummed ?? 0;
  const following = STEPS[at + 1];
  if (slice.after) verified.next = JSON.stringify({ step: at, after: slice.after } satisfies Cursor);
  else if (following) verified.next = JSON.stringify({ step: at + 1, after: following.begin } satisfies Cursor);
  return verified;
}

/** As verifySlice(), of a store that first has to be opened: where that can't be done, what SQLite says of its tables. */
export async function verifyOpened(open: () => Promise<State>, sql: Sql, next?: string): Promise<Verified> {
  try {
    return verifySlice(await open(), next);
  } catch (e) {
    if (!isCorrupt(e)) throw e;
    const findings = [textOf(e), ...fileFindings(sql)];
    return { table: 'file', rows: 0, unsummed: 0, findings, found: findings.length };
  }
}

/** A slice; where SQLite can't read it, its first row alone, and where that can't be read either, what comes after it. */
function attempt(s: State, step: Step, after: Cell[], report: Report): Slice {
  for (const limit of [SLICE_ROWS, 1]) {
    const found: string[] = [];
    try {
      const slice = step.slice(s, after, limit, (finding) => found.push(finding));
      for (const finding of found) report(finding);
      return slice;
    } catch (e) {
      if (limit === 1) report(textOf(e));
    }
  }
  // By number there is a next place to look at; a tree of keys ends where it can't be read.
  const [place] = after;
  const top = step.table === 'history' ? s.revision : 0;
  return typeof place === 'number' && place < top ? { rows: 0, after: [place + 1] } : { rows: 0 };
}

/** Where a table goes on whose place is in its first `columns`; undefined when fewer rows came than were asked for. */
const following = (rows: readonly Cell[][], limit: number, columns: number): Cell[] | undefined =>
  rows.length < limit ? undefined : rows[rows.length - 1]?.slice(0, columns);

const trees: Step = {
  table: 'trees',
  begin: [0],
  slice(s, [n], _limit, report) {
    const tree = [...TREES, 'history'][Number(n)];
    if (tree === undefined) return { rows: 0 };
    const isSmall = tree === 'history' ? isSmallHistory(s.sql) : countOf(s.sql, tree) <= TREE_ROWS_MAX;
    if (isSmall) for (const finding of treeFindings(s.sql, tree, FINDINGS_MAX)) report(`${tree}: ${finding}`);
    return { rows: 0, after: [Number(n) + 1] };
  },
};

const NEXT_SIZES = 'SELECT revision, octet_length(value) FROM history WHERE revision > ? ORDER BY revision LIMIT ?';
// Each statement leaves a cursor for the collector: what belongs to a row comes with it.
const NEXT = `SELECT ${COLUMNS}, h.sum IS NULL,
    EXISTS (SELECT 1 FROM history i INDEXED BY history_key WHERE i.key = h.key AND i.revision = h.revision), p.key, p.created
  FROM history h LEFT JOIN history p ON p.revision = h.prev WHERE h.revision > ? AND h.revision <= ? ORDER BY h.revision`;
const history: Step = {
  table: 'history',
  begin: [0],
  slice(s, [after], limit, report) {
    const sizes = s.sql.all(NEXT_SIZES, after ?? 0, limit) as [Revision, number | null][];
    let bytes = 0;
    let rows = 0;
    for (const [, size] of sizes) {
      bytes += size ?? 0;
      if (rows > 0 && bytes > SLICE_BYTES) break;
      rows++;
    }
    const to = sizes[rows - 1]?.[0];
    if (to === undefined) return { rows: 0 };
    let unsummed = 0;
    for (const row of s.sql.all(NEXT, after ?? 0, to)) {
      if (row[13] === 1) unsummed++;
      checkVersion(s, row, report);
    }
    return { rows, unsummed, after: rows < limit && rows === sizes.length ? undefined : [to] };
  },
};

/** With a row of NEXT. */
function checkVersion(s: State, row: readonly Cell[], report: Report): void {
  const name = `${row[0]} at revision ${row[1]}`;
  guarded(report, () => {
    const summed = summedOf(row);
    entryFrom(summed);
    const { key, revision, prev, created } = summed;
    const [isIndexed, keyBefore, createdBefore] = row.slice(14);
    if (revision > s.revision) report(`${name}: it is newer than the newest revision ${s.revision}`);
    if (prev >= revision || created > revision) report(`${name}: it comes before what it replaced`);
    if (isIndexed !== 1) report(`${name}: the index by key has lost it`);
    if (prev <= s.base.size) return;
    // What was superseded in the forgotten past is gone, or goes with the next slice of compaction.
    if (keyBefore === null) {
      if (revision > s.compacted) report(`${name}: what it replaced, revision ${prev}, is gone`);
    } else if (keyBefore !== key || createdBefore !== created)
      report(`${name}: revision ${prev}, which it replaced, is another object's`);
  });
}

const BY_KEY = `SELECT i.key, i.revision, t.key, ${standingOf('i.key')} FROM (SELECT key, revision FROM history INDEXED BY history_key WHERE (key, revision) > (?, ?)
  ORDER BY key, revision LIMIT ?) i LEFT JOIN history t NOT INDEXED ON t.revision = i.revision`;
/** The index by key against the table, and each key's newest version against what stands. */
const newest: Step = {
  table: 'newest versions',
  begin: ['', 0],
  slice(s, after, limit, report) {
    const rows = s.sql.all(BY_KEY, after[0] ?? '', after[1] ?? 0, limit) as [Key, Revision, Key | null, ...Cell[]][];
    let last: Key | null = null;
    for (const [key, revision, own, ...standing] of rows) {
      if (own !== key) report(`${key} at revision ${revision}: the index by key has it, the table has not`);
      if (key === last || isInBase(s, key)) continue;
      last = key;
      guarded(report, () => isStanding(key, standing));
    }
    return { rows: rows.length, after: following(rows, limit, 2) };
  },
};

const STANDING = `SELECT ${HEAD_COLUMNS.replace('h.key, h.revision', 'c.key, c.revision')}, p.key, p.policy, p.uid FROM current c
  LEFT JOIN history h ON h.revision = c.revision LEFT JOIN policy p ON p.key = c.key WHERE c.key > ? ORDER BY c.key LIMIT ?`;
const LACKING = `SELECT t.value ->> 0, t.value ->> 1 FROM json_each(?) t
  WHERE NOT EXISTS (SELECT 1 FROM facts f WHERE f.term = t.value ->> 0 AND f.key = t.value ->> 1)`;
/** What stands: its row, the index of its facts, its policy text. */
const current: Step = {
  table: 'current',
  begin: [''],
  slice(s, [after], limit, report) {
    const rows = s.sql.all(STANDING, after ?? '', limit);
    const names = new Map<Key, string>();
    const terms: [string, Key][] = [];
    let last = String(after ?? '');
    for (const row of rows) {
      const name = `${row[0]} at revision ${row[1]}`;
      names.set(String(row[0]), name);
      if (String(row[0]) <= last) report(`${name}: it is out of order`);
      last = String(row[0]);
      summed(row, report, (head) => {
        const { key, value, parsed } = head;
        if (value === null) report(`${name}: it stands and has been deleted`);
        for (const term of indexedTerms(key, parsed)) terms.push([term, key]);
        if (s.restoring) return;
        const [kept, policy, uid] = row.slice(-3);
        const below = s.base.get(key)?.facts;
        if (kept === null && below?.policy === parsed.policy && below?.uid === parsed.uid) return;
        if (policy !== (parsed.policy ?? null) || (kept !== null && parsed.policy && uid !== parsed.uid))
          report(`${name}: its policy text is another`);
      });
    }
    for (const [term, key] of s.sql.all(LACKING, JSON.stringify(terms)))
      report(`${names.get(String(key))}: the index of facts lacks ${term}`);
    return { rows: rows.length, after: following(rows, limit, 1) };
  },
};

const TERMS = `SELECT f.term, f.key, c.revision, ${HEAD_COLUMNS.replace('h.key, h.revision, ', '')} FROM
  (SELECT term, key FROM facts WHERE (term, key) > (?, ?) ORDER BY term, key LIMIT ?) f
  LEFT JOIN current c ON c.key = f.key LEFT JOIN history h ON h.revision = c.revision`;
/** The index of facts against what stands. */
const facts: Step = {
  table: 'facts',
  begin: ['', ''],
  slice(s, after, limit, report) {
    const rows = s.sql.all(TERMS, after[0] ?? '', after[1] ?? '', limit);
    for (const [term, ...row] of rows)
      summed(row, report, (head) => {
        if (!hasTerm(head.parsed, String(term))) report(`${head.key}: it does not have ${term}`);
      });
    return { rows: rows.length, after: following(rows, limit, 2) };
  },
};

const POLICIES = 'SELECT key, revision, policy, uid, sum FROM policy WHERE key > ? ORDER BY key LIMIT ?';
/** One policy text can be 1.5 MiB. */
const POLICY_ROWS = 20;
const policies: Step = {
  table: 'policy',
  begin: [''],
  slice(s, [after], limit, report) {
    const most = Math.min(limit, POLICY_ROWS);
    const rows = s.sql.all(POLICIES, after ?? '', most);
    for (const [k, revision, policy, uid, sum] of rows) {
      const key = String(k);
      if (s.restoring) continue;
      guarded(report, () => {
        const row = getRow(s, key);
        if ((row?.facts.policy ?? null) !== policy || (row && policy !== null && row.facts.uid !== uid))
          report(`${key} at revision ${revision}: its policy text is not the row's`);
        else if (Number(revision) > s.policy) report(`${key}: newer than the policy revision ${s.policy}`);
        else if (sum !== null && row && sum !== policySum(key, Number(revision), policy as string | null, String(uid)))
          report(`${key} at revision ${revision}: its checksum does not match`);
      });
    }
    return { rows: rows.length, after: following(rows, most, 1) };
  },
};

const CLAIMS = `SELECT pool, idx, value, owner, ${standingOf('claims.owner')} FROM claims WHERE (pool, idx) > (?, ?) ORDER BY pool, idx LIMIT ?`;
const claims: Step = {
  table: 'claims',
  begin: ['', -1],
  slice(s, after, limit, report) {
    const rows = s.sql.all(CLAIMS, after[0] ?? '', after[1] ?? -1, limit);
    for (const [pool, , value, owner, ...standing] of rows)
      guarded(report, () => {
        if (!s.restoring && !isThere(s, String(owner), standing))
          report(`${value} of ${pool}: its owner ${owner} does not exist`);
      });
    return { rows: rows.length, after: following(rows, limit, 2) };
  },
};

const DYING = `SELECT key, ${standingOf('ttl.key')} FROM ttl WHERE key > ? ORDER BY key LIMIT ?`;
const ttl: Step = {
  table: 'ttl',
  begin: [''],
  slice(s, [after], limit, report) {
    const rows = s.sql.all(DYING, after ?? '', limit);
    for (const [key, ...standing] of rows)
      guarded(report, () => {
        if (!isThere(s, String(key), standing)) report(`${key}: it has a time to live and does not exist`);
      });
    return { rows: rows.length, after: following(rows, limit, 1) };
  },
};

const order: Step = {
  table: 'order',
  begin: [],
  slice(s, _after, _limit, report) {
    if (s.swept > s.compacted || s.compacted > s.revision)
      report(`revisions are not in order: swept ${s.swept}, compacted ${s.compacted}, newest ${s.revision}`);
    return { rows: 0 };
  },
};

const STEPS: readonly Step[] = [trees, history, newest, current, facts, policies, claims, ttl, order];

const isThere = (s: State, key: Key, standing: readonly Cell[]): boolean =>
  isInBase(s, key) || isStanding(key, standing);

function guarded(report: Report, f: () => void): void {
  try {
    f();
  } catch (e) {
    report(textOf(e));
  }
}

/** With a row of HEAD_COLUMNS; of one whose checksum doesn't match its place in history tells. */
function summed(row: readonly Cell[], report: Report, f: (head: ReturnType<typeof headFrom>) => void): void {
  if (row[4] === null) report(`${row[0]} at revision ${row[1] ?? 'unknown'}: the row is missing`);
  else {
    let head: ReturnType<typeof headFrom>;
    try {
      head = headFrom(row);
    } catch {
      return;
    }
    f(head);
  }
}
