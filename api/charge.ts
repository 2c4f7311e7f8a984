import type { KubeObject } from '../kube/meta/object.ts';
import { rangeOf } from '../kube/store/key.ts';
import type { Entry, PutOp } from '../kube/store/store.ts';
import { type Call, read, storeOf } from './call.ts';
import type { Resource } from './parts.ts';
import { factsOf, objectOf, storedValue, toStored } from './row.ts';

// Quotas that a write is charged to: their rows are written in the write's own commit.

/** Decides what becomes of a namespace's quotas: those that change. Throws what refuses the write. */
export type Charge = (quotas: readonly KubeObject[]) => KubeObject[];

/** A charge that the coming commit makes. */
export interface Charging {
  quotas: Resource;
  decide: Charge;
  /** What was decided, and the rows that it rests on. */
  rows: readonly Entry[];
  changed: readonly KubeObject[];
}

/** Decides by the quotas as they stand, and has the next commit of this call carry it out. */
export async function decideCharge(call: Call, decide: Charge): Promise<void> {
  delete call.charging;
  const quotas = call.resources.find(call.cluster.view, '', 'v1', 'resourcequotas');
  if (!quotas) return;
  const store = storeOf(call, quotas, call.info.namespace);
  const { entries } = await read(call, store, rangeOf('', 'resourcequotas', call.info.namespace), {});
  const changed = decided(quotas, decide, entries);
  if (changed.length > 0) call.charging = { quotas, decide, rows: entries, changed };
}
const decided = (quotas: Resource, decide: Charge, rows: readonly Entry[]) =>
  decide(rows.map((row) => objectOf(quotas, row)));

/** The charge by what was `found` of the quotas that it would have written; those that have gone count no more. */
export function chargedAnew(c: Charging, found: readonly (Entry | null | undefined)[]): Charging {
  const uids = new Set(c.changed.map((quota) => quota.metadata.uid));
  const kept = c.rows.filter((row) => !uids.has(row.facts.uid));
  const rows = [...kept, ...found.filter((row) => row !== null && row !== undefined)];
  return { ...c, rows, changed: decided(c.quotas, c.decide, rows) };
}

/** The operations of a charge. */
export const chargeOps = (c: Charging): PutOp[] =>
  c.changed.flatMap((quota) => {
    const row = c.rows.find((r) => r.facts.uid === quota.metadata.uid);
    const stored = toStored(c.quotas, quota);
    return row
      ? [{ key: row.key, expect: row.revision, value: storedValue(c.quotas, stored), facts: factsOf(c.quotas, stored) }]
      : [];
  });
