import { atOnce } from '../../kube/meta/atonce.ts';
import { type Bindings, CALLS_AT_ONCE, tunnelName } from '../bindings.ts';
import { LOOPS } from '../loops/list.ts';
import { storeErrorOf } from '../tenant/remote.ts';

/** Of each loop: one at work, one to take over. */
export const REPLICAS = 2;

/** Removes a cluster: its stores but for their tombstones, its loops, its nodes' links. Can be repeated; where there is none it does nothing. */
export async function removeCluster(b: Bindings, id: string): Promise<void> {
  const nodes = await b.TENANTS.getByName(id)
    .destroy()
    .catch((error: unknown): string[] => {
      if (storeErrorOf(error)?.code === 'no-cluster') return [];
      throw error;
    });
  const rest: (() => Promise<void>)[] = nodes.map(
    (node) => () => b.TUNNELS.getByName(tunnelName(id, node)).dismiss('the cluster has been deleted'),
  );
  for (const loop of Object.keys(LOOPS))
    for (let n = 0; n < REPLICAS; n++) rest.push(() => b.LOOPS.getByName(`${id}/${loop}/${n}`).destroy());
  await atOnce(CALLS_AT_ONCE, rest, (f) => f());
}
