import type { Placement } from '../../kube/store/placement.ts';
import type { Revision } from '../../kube/store/store.ts';
import { storeErrorOf } from './remote.ts';

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
