import { type Placement, SIBLINGS } from '../../kube/store/placement.ts';
import type { Revision } from '../../kube/store/store.ts';
import { storeErrorOf } from './remote.ts';
import { getMeta, hasMeta } from './schema.ts';
import { isCorrupt, type Sql } from './sql.ts';

/** What a sibling begins with. */
export interface Adopted {
  createdMs: number;
  policy: Revision;
  /** Its revisions come after this: those of an earlier life of the cluster must not come again. */
  after: Revision;
}

/** What store objects of one cluster say to each other. */
export interface SiblingStub {
  adopt(part: Placement): Promise<Adopted>;
  setPolicy(policy: Revision): Promise<void>;
  destroy(): Promise<unknown>;
  revive(): Promise<void>;
}

/** What there is of a cluster that isn't there: null. Any other error is thrown again. */
export function noCluster(e: unknown): null {
  if (storeErrorOf(e)?.code === 'no-cluster') return null;
  throw e;
}

/** The siblings that a main object has. */
export function partsOf(sql: Sql): Placement[] {
  const text = hasMeta(sql) ? getMeta(sql, 'siblings') : null;
  return typeof text === 'string' && text !== '' ? (text.split(' ') as Placement[]) : [];
}

/** Those that are to go with it: where its tables can't tell, or its file was set aside, all that there may be. */
export function partsLeft(sql: Sql): readonly Placement[] {
  try {
    return hasMeta(sql) ? partsOf(sql) : SIBLINGS;
  } catch (e) {
    if (!isCorrupt(e)) throw e;
    return SIBLINGS;
  }
}
