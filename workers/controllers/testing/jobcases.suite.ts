import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { JsonObject } from '../../../kube/meta/json.ts';
import { after, counted, created, jobOf, plan, podsOf, statusOf } from './jobs.ts';
import type { Given } from './view.ts';

// Cases of kubernetes pkg/controller/job job_controller_test.go.

export const MET = 'SuccessCriteriaMet True CompletionsReached';
export const LIMIT = 'FailureTarget True BackoffLimitExceeded';
export const INDEXED = { completionMode: 'Indexed' };
export interface Case {
  what: string;
  spec?: JsonObject;
  status?: JsonObject;
  metadata?: JsonObject;
  pods?: string | Given[];
  /** Created, deleted, patched. */
  does?: [number, number, number];
  /** Active, ready, terminating at once. */
  now: [number, number, number];
  /** Succeeded, failed once they are counted. */
  ends?: [number, number];
  done?: string;
  failed?: string;
  conditions?: string[];
  indexes?: number[];
  again?: number;
  uncounted?: JsonObject;
}
export function check(c: Case): void {
  const of = jobOf(c.spec, {
    ...(c.status ? { status: c.status } : {}),
    ...(c.metadata ? { metadata: c.metadata } : {}),
  });
  const pods = typeof c.pods === 'string' ? podsOf(c.pods) : (c.pods ?? []);
  const first = plan(of, pods);
  assert.deepEqual([counted(first, 'create'), counted(first, 'delete'), counted(first, 'patch')], c.does ?? [0, 0, 0]);
  const s = statusOf(first) ?? (c.status as ReturnType<typeof statusOf>);
  assert.deepEqual([s?.active ?? 0, s?.ready ?? 0, s?.terminating ?? 0], c.now, 'at once');
  if (c.again !== undefined) assert.equal(first.again, c.again);
  if (c.indexes)
    assert.deepEqual(
      created(first).map((p) => Number(p.metadata.annotations?.['batch.kubernetes.io/job-completion-index'])),
      c.indexes,
    );
  const stands = after(of, pods, first);
  const ends = statusOf(plan(stands.of, stands.others)) ?? (stands.of.status as NonNullable<typeof s>);
  assert.deepEqual([ends.succeeded ?? 0, ends.failed ?? 0], c.ends ?? [0, 0], 'once counted');
  assert.deepEqual([ends.completedIndexes, ends.failedIndexes], [c.done, c.failed]);
  assert.deepEqual(
    (ends.conditions ?? []).map((x) => `${x.type} ${x.status} ${x.reason}`),
    c.conditions ?? [],
  );
  assert.deepEqual(ends.uncountedTerminatedPods, c.uncounted ?? {});
}
export const run = (table: Case[]) => {
  for (const c of table) it(c.what, () => check(c));
};
