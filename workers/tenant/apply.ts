import type { Facts } from '../../kube/meta/facts.ts';
import { resourceOfKey } from '../../kube/store/key.ts';
import { fillTokens, isPut } from '../../kube/store/limits.ts';
import type { Commit, CommitOptions, Condition, Entry, Op, PutOp, Revision, Stale } from '../../kube/store/store.ts';
import { SCRUB_MS } from '../../kube/store/window.ts';
import { headOf, type Summed, sumOf } from './checksum.ts';
import { holds } from './leases.ts';
import { checkAssume, policyChanged, policyRefuses } from './policy.ts';
import { type Reserved, releaseOf, reserve } from './reservations.ts';
import { getRow, stands } from './rows.ts';
import { setMeta } from './schema.ts';
import type { Sql } from './sql.ts';
import { type Changed, known, type State } from './state.ts';
import { indexFacts } from './terms.ts';

/** Rolls back what one commit of a group reserved. */
class Lost extends Error {
  readonly answer: Commit;
  constructor(answer: Commit) {
    super('lost');
    this.answer = answer;
  }
}

/** One commit inside the group's transaction: it wins or loses alone. Nothing is written before it is certain to win. */
export function apply(
  s: State,
  ops: readonly Op[],
  o: CommitOptions,
  pushed: Revision | null,
  out: Changed,
): Commit | Stale {
  const now = s.env.now();
  const repeated = o.request === undefined ? null : s.requests.find(o.request, o.repeat === true, now);
  if (repeated) return repeated;
  const stale = checkAssume(s, o.assume, pushed);
  if (stale) return stale;
  if (o.fence && !holds(s, o.fence, now)) return { ok: false, lost: 'fence' };
  const [only] = ops;
  if (only && ops.length === 1 && isNew(s, only)) {
    const over = refusal(s, ops, NOTHING_FOUND);
    if (over) return stands(s, only.key) ? { ok: false, lost: 'race', found: [getRow(s, only.key)] } : over;
    const stood = s.sql.all(STAND_NEW, only.key, s.revision + 1).length > 0;
    if (!stood) return { ok: false, lost: 'race', found: [getRow(s, only.key)] };
    return write(s, ops, [null], { ...NOTHING_RESERVED, stood }, o, now, out);
  }
  const found = ops.map((op) =>
    !isPut(op) || isMaybe(op) ? undefined : op.expect === 0 && !stands(s, op.key) ? null : known(s, op.key),
  );
  for (const [i, op] of ops.entries()) {
    if (isPut(op) && op.expect !== undefined && op.expect !== (found[i]?.revision ?? 0)) {
      return {
        ok: false,
        lost: 'race',
        found: ops.map((o, n) => (isPut(o) && isMaybe(o) ? known(s, o.key) : found[n])),
      };
    }
  }
  const over = refusal(s, ops, found);
  if (over) return over;
  if (ops.every(isPut)) return write(s, ops, found, NOTHING_RESERVED, o, now, out);
  try {
    return s.sql.transaction(() => {
      const reserved = reserve(s.sql, ops);
      for (const op of ops) if ('claim' in op) s.claimers.add(resourceOfKey(op.owner));
      if (!reserved.ok) throw new Lost(reserved);
      return write(s, ops, found, reserved, o, now, out);
    });
  } catch (e) {
    if (e instanceof Lost) return e.answer;
    throw e;
  }
}

/** Why these would be more than the cluster may have, or null. */
const refusal = (s: State, ops: readonly Op[], found: readonly (Entry | null | undefined)[]) =>
  s.usage.refuses(ops, found) ?? policyRefuses(s, ops, found);

const NOTHING_FOUND = [null];
const NOTHING_RESERVED: Reserved & { ok: true } = { ok: true, claimed: [], tokens: [] };

/** A row that must not exist: its key's index says so while it takes it, which saves a look. */
const isNew = (s: State, op: Op): op is PutOp =>
  isPut(op) && op.expect === 0 && op.value !== null && !s.base.has(op.key);

function write(
  s: State,
  ops: readonly Op[],
  found: readonly (Entry | null | undefined)[],
  reserved: Reserved & { ok: true; stood?: boolean },
  { request, by }: CommitOptions,
  now: number,
  out: Changed,
): Commit {
  const seen = new Set<string>();
  const revisions: Revision[] = [];
  for (const [i, op] of ops.entries()) {
    if (!isPut(op) || (op.when !== undefined && !isSo(s, op.when, out))) {
      revisions.push(0);
      continue;
    }
    const prev = seen.has(op.key) || isMaybe(op) ? known(s, op.key) : (found[i] ?? null);
    seen.add(op.key);
    revisions.push(
      writeRow(s, fillTokens(op, reserved.tokens), prev, { now, by: by ?? null, stood: reserved.stood === true }, out),
    );
  }
  const commit: Commit & { ok: true } = { ok: true, revision: s.revision, revisions };
  if (reserved.claimed.length > 0) commit.claimed = ops.map((_, i) => reserved.claimed[i]);
  if (request !== undefined) s.requests.note(request, commit);
  return commit;
}

/** Looked up only where it is written after all. */
const isMaybe = (op: PutOp): boolean => op.when !== undefined && op.expect === undefined;

const TERM = 'SELECT key FROM facts WHERE term = ? LIMIT ?';

/** Whether an op's condition holds. What the group has written isn't in the index yet. */
function isSo(s: State, when: Condition, out: Changed): boolean {
  if ('absent' in when) return when.absent.some(({ key, uid }) => known(s, key)?.facts.uid !== uid);
  const term = `o:${when.owned}`;
  const lost = out.terms?.will(term) ?? [];
  if (lost === true) return true;
  return s.sql.all(TERM, term, lost.length + 1).some(([key]) => !lost.includes(String(key)));
}

const INSERT = `INSERT INTO history (revision, key, prev, created, at, value, version, schema, enc, facts, by, sum, head)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
/** Writes a version of a row with its checksums. */
export function insert(sql: Sql, r: Summed): void {
  sql.run(
    INSERT,
    r.revision,
    r.key,
    r.prev,
    r.created,
    r.at,
    r.value,
    r.version,
    r.schema,
    r.enc,
    r.facts,
    r.by,
    sumOf(r),
    headOf(r),
  );
}

const STAND =
  'INSERT INTO current (key, revision) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET revision = excluded.revision';
const STAND_NEW = 'INSERT OR IGNORE INTO current (key, revision) VALUES (?, ?) RETURNING 1';
const FALL = 'DELETE FROM current WHERE key = ?';

/** The circumstances of a write: its time, who does it, whether `current` names its revision already. */
export interface Writing {
  now: number;
  by: string | null;
  stood?: boolean;
}

/** Writes one row's next version, or its deletion; its revision, 0 when there was nothing to delete. */
export function writeRow(s: State, op: PutOp, prev: Entry | null, { now, by, stood }: Writing, out: Changed): Revision {
  if (op.value === null && prev === null) return 0;
  const { sql } = s;
  const { key, value } = op;
  const revision = ++s.revision;
  const created = prev?.created ?? revision;
  if (prev && prev.revision > s.base.size) s.pastBytes += prev.value.length;
  const facts = value === null ? NO_FACTS : (op.facts ?? NO_FACTS);
  insert(sql, {
    revision,
    key,
    prev: prev?.revision ?? 0,
    created,
    at: now,
    value: value?.text ?? null,
    version: value?.version ?? '',
    schema: value?.schema ?? '',
    enc: value?.enc ?? null,
    facts: JSON.stringify(facts),
    by,
  });
  let next: Entry | null = null;
  if (value !== null) {
    noteLength(s, value.text.length);
    if (!stood) sql.run(STAND, key, revision);
    next = { key, revision, created, value: value.text, version: value.version, schema: value.schema, facts };
    if (value.enc !== undefined) next.enc = value.enc;
  } else {
    sql.run(FALL, key);
    if (s.claimers.has(resourceOfKey(key))) releaseOf(sql, key);
    if (key.startsWith(SECRETS))
      sql.run('INSERT INTO scrub (revision, key, at) VALUES (?, ?, ?)', revision, key, now + SCRUB_MS);
  }
  // Base rows have no index rows of their own: all of the new ones are to be written.
  const covers = s.base.has(key) && !s.overlaid.has(key);
  const indexed = covers ? undefined : prev?.facts;
  if (covers) {
    s.overlaid.add(key);
    sql.run('INSERT INTO overlaid (key) VALUES (?)', key);
  }
  if (out.terms) out.terms.note(key, indexed, next?.facts);
  else indexFacts(sql, key, indexed, next?.facts);
  policyChanged(s, key, revision, prev?.facts, next?.facts);
  s.usage.wrote(key, prev, next, s.base.size);
  if (next) s.recent.put(next);
  else s.recent.drop(key);
  setTtl(s, key, next === null || op.ttlMs === undefined ? null : now + op.ttlMs);
  out.changes.push({ revision, key, prev, next });
  return revision;
}

const SECRETS = 'secrets/';
const NO_FACTS: Facts = Object.freeze({ uid: '' });

/** Notes the length of the longest body: raised by a quarter at least, so that it is seldom written. */
export function noteLength(s: State, length: number): void {
  if (length <= s.longest) return;
  s.longest = Math.ceil(length * 1.25);
  setMeta(s.sql, 'longest', s.longest);
}

/** When a row dies by itself, or that it doesn't. */
export function setTtl(s: State, key: string, at: number | null): void {
  if (at !== null) {
    s.hasTtl = true;
    s.sql.run('INSERT INTO ttl (key, at) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET at = excluded.at', key, at);
  } else if (s.hasTtl) s.sql.run('DELETE FROM ttl WHERE key = ?', key);
}
