import type { Revision } from '../../kube/store/store.ts';
import type { BaseLayer } from './base.ts';
import type { Limits } from './limits.ts';
import type { RestorerHost } from './restorer.ts';
import type { Sql } from './sql.ts';

/** What the store takes of the object that it lives in. */
export interface SqliteOptions extends RestorerHost {
  sql: Sql;
  /** Sets the object's one alarm; alarm() is to be called then. */
  schedule(atMs: number): void;
  /** The base layers of this release, by hash. */
  layer?(hash: string): BaseLayer | undefined;
  /** What a cluster of this endpoint may use, where it has no limits of its own. */
  limits?: Limits;
  /** How far back reads `at` reach; siblings keep the replay window only. */
  travelMs?: number;
  /** True in a sibling: the main object pushes the policy revision here. */
  sibling?: boolean;
  /** Tells the siblings a new policy revision; the commit that moved it is acknowledged after. */
  policyMoved?(policy: Revision): Promise<void>;
  /** Tells a loop that there is work. May fail: an alarm repeats it, each time with the next `attempt` (0 is the commit's own), until cleared(). */
  wake?(loop: string, revision: Revision, attempt: number): void;
  /** Upkeep met what is damaged: to be told of, nothing else. */
  damaged?(cause: unknown): void;
  /** Lets everybody else have their turn; absent: nobody else is there. */
  turn?(): Promise<void>;
  /** The tables can't be read any more: this store is not to be used again. */
  failed?(cause: unknown): void;
}
