import type { Facts } from '../../kube/meta/facts.ts';
import { resourceOfKey } from '../../kube/store/key.ts';
import { isPut } from '../../kube/store/limits.ts';
import { placement } from '../../kube/store/placement.ts';
import type { Assume, Commit, Entry, Key, Op, Revision, Stale } from '../../kube/store/store.ts';
import { corruptRow, policySum } from './checksum.ts';
import { getRow } from './rows.ts';
import { cell } from './sql.ts';
import type { State } from './state.ts';
import { stoodAt } from './versions.ts';

/** All policy texts of a cluster, in UTF-16 units: a View that begins gets them in one message, which ends at 32 MiB. */
const POLICY_UNITS_MAX = 24 * 1024 * 1024;

/** Why the store doesn't take these operations, or null: their policy texts would no more fit into a View. `found`: what stands of each. */
export function policyRefuses(
  s: State,
  ops: readonly Op[],
  found: readonly (Entry | null | undefined)[],
): Extract<Commit, { lost: 'limit' }> | null {
  let asked = 0;
  for (const [i, op] of ops.entries())
    if (isPut(op)) asked += (op.facts?.policy?.length ?? 0) - (found[i]?.facts.policy?.length ?? 0);
  if (asked <= 0 || s.policyUnits + asked <= POLICY_UNITS_MAX) return null;
  return { ok: false, lost: 'limit', limit: 'policyBytes', asked, used: s.policyUnits, max: POLICY_UNITS_MAX };
}

/** Moves the policy revision if the deciding text of a row changed, came or went. */
export function policyChanged(
  s: State,
  key: Key,
  revision: Revision,
  prev: Facts | undefined,
  next: Facts | undefined,
): void {
  const was = prev?.policy;
  const is = next?.policy;
  if (was === is && (was === undefined || prev?.uid === next?.uid)) return;
  const row = [key, revision, is ?? null, next?.uid ?? prev?.uid ?? ''] as const;
  // A restore tells of all of them at once, at its end.
  if (!s.restoring) s.policy = revision;
  s.policyUnits += (is?.length ?? 0) - (was?.length ?? 0);
  s.sql.run(s.restoring ? STAGE : UPSERT, ...row, policySum(...row));
}

const STAGE = 'INSERT OR REPLACE INTO restored_policy (key, revision, policy, uid, sum) VALUES (?, ?, ?, ?, ?)';
const UPSERT = `INSERT INTO policy (key, revision, policy, uid, sum) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key)
  DO UPDATE SET revision = excluded.revision, policy = excluded.policy, uid = excluded.uid, sum = excluded.sum`;

/**
 * Null when all of `assume` holds. A sibling object has no policy rows: it compares with the revision that the main object
 * pushed (`pushed`), and the caller learns what changed from the main object.
 */
export function checkAssume(s: State, assume: Assume | undefined, pushed: Revision | null): Stale | null {
  if (!assume) return null;
  const missing: number[] = [];
  if (assume.exist) {
    for (const [i, e] of assume.exist.entries()) {
      if (isElsewhere(e.key, pushed)) continue;
      if (is(uidOf(s, e.key), e.uid)) continue;
      if (s.restoring || !is(getRow(s, e.key)?.facts.uid, e.uid)) missing.push(i);
    }
  }
  const policy = pushed ?? s.policy;
  const known = assume.policy ?? policy;
  if (missing.length === 0 && isCurrent(known, policy, pushed)) return null;
  if (pushed !== null) return { ok: false, stale: true, policy, whole: false, changes: [], missing, elsewhere: true };
  const whole = known !== policy && (known === 0 || known < s.policyFloor || known > policy);
  return { ok: false, stale: true, policy, whole, changes: whole ? all(s) : since(s, known), missing };
}

/** What lives in the main object a sibling can't see; a namespace that goes moves the policy revision. */
export const isElsewhere = (key: Key, pushed: Revision | null): boolean =>
  pushed !== null && placement(resourceOfKey(key), '') === 'main';

/** A View newer than what was pushed to a sibling comes from the main object itself, which pushes before it acknowledges. */
export const isCurrent = (known: Revision, policy: Revision, pushed: Revision | null): boolean =>
  known === policy || (pushed !== null && known > policy);

/** An object is there, and the one that is meant. */
export const is = (uid: string | undefined, wanted: string | undefined): boolean =>
  uid !== undefined && (wanted === undefined || uid === wanted);

/** Fast and unchecked: a refusal that rests on it has to look at the row. */
function uidOf(s: State, key: Key): string | undefined {
  if (s.restoring) return stoodAt(s, key, s.revision)?.entry?.facts.uid;
  if (s.base.has(key) && !s.overlaid.has(key)) return s.base.get(key)?.facts.uid;
  const facts = cell(
    s.sql,
    'SELECT h.facts FROM current c CROSS JOIN history h ON h.revision = c.revision WHERE c.key = ?',
    key,
  );
  if (typeof facts !== 'string') return undefined;
  try {
    return (JSON.parse(facts) as Facts).uid;
  } catch {
    return undefined;
  }
}

function since(s: State, known: Revision): Stale['changes'] {
  const own = ownSince(s, known);
  return [...baseRows(s, known + 1, new Set(own.map((c) => c.key))), ...own];
}

function all(s: State): Stale['changes'] {
  const own = ownSince(s, 0);
  return [...baseRows(s, 1, new Set(own.map((c) => c.key))), ...own.filter((c) => c.policy !== null)];
}

function ownSince(s: State, known: Revision): Stale['changes'] {
  const rows = s.sql.all('SELECT key, revision, policy, uid, sum FROM policy WHERE revision > ?', known);
  return rows.map(([key, revision, policy, uid, sum]) => {
    const change = { key: String(key), policy: policy === null ? null : String(policy), uid: String(uid) };
    if (sum !== null && sum !== policySum(change.key, Number(revision), change.policy, change.uid))
      checkPolicy(s, change);
    return change;
  });
}

/** A policy text whose checksum doesn't match may be one that a release before wrote over ours: it then is the row's own. */
export function checkPolicy(s: State, { key, policy, uid }: Stale['changes'][number]): void {
  const row = getRow(s, key);
  if ((row?.facts.policy ?? null) !== policy || (row !== null && row.facts.uid !== uid))
    throw corruptRow(key, row?.revision ?? null, 'its policy is not that of the row');
}

/** Policy rows of the base layer from a revision on that the cluster hasn't replaced. */
function baseRows(s: State, from: Revision, replaced: ReadonlySet<Key>): Stale['changes'] {
  const rows: Stale['changes'] = [];
  for (let r = from; r <= s.base.policy; r++) {
    const row = s.base.at(r);
    if (row?.facts.policy === undefined || replaced.has(row.key)) continue;
    rows.push({ key: row.key, policy: row.facts.policy, uid: row.facts.uid });
  }
  return rows;
}

/** Forgets removals that every View since has learned of; those that hide base rows stay. */
export function forgetPolicy(s: State, before: Revision): void {
  s.policyFloor = Math.max(s.policyFloor, Math.min(before, s.policy));
  s.sql.run(
    'DELETE FROM policy WHERE policy IS NULL AND revision <= ? AND key NOT IN (SELECT key FROM overlaid)',
    before,
  );
}
