import { atOnce } from '../../kube/meta/atonce.ts';
import { failure } from '../../kube/meta/status.ts';
import { SIBLINGS, storeName } from '../../kube/store/placement.ts';
import { unopenedCauses } from '../../kube/wire/unopened.ts';
import { type Bindings, CALLS_AT_ONCE, tunnelName } from '../bindings.ts';
import { LOOPS } from '../loops/list.ts';
import { noCluster } from '../tenant/siblings.ts';
import { textOf } from '../tenant/sql.ts';
import { unopened } from '../tenant/watch-wire.ts';

/** Of each loop: one at work, one to take over. */
export const REPLICAS = 2;

/**
 * Removes a cluster: its stores but for their tombstones, its loops, its nodes' links. Can be repeated; where there is none it does nothing. Throws a Status that names the objects
 * whose files the platform can't open (kube/wire/unopened.ts).
 */
export async function removeCluster(b: Bindings, id: string): Promise<void> {
  const loops = Object.keys(LOOPS).flatMap((loop) =>
    Array.from({ length: REPLICAS }, (_, n) => b.LOOPS.getByName(`${id}/${loop}/${n}`)),
  );
  try {
    const nodes = await b.TENANTS.getByName(id).destroy().catch(noCluster);
    const rest: (() => Promise<void>)[] = (nodes ?? []).map(
      (node) => () => b.TUNNELS.getByName(tunnelName(id, node)).dismiss('the cluster has been deleted'),
    );
    for (const loop of loops) rest.push(() => loop.destroy());
    await atOnce(CALLS_AT_ONCE, rest, (f) => f());
  } catch (error) {
    if (!isUnopened(error)) throw error;
    const stores = ['main' as const, ...SIBLINGS].map((part) => b.TENANTS.getByName(storeName(id, part)));
    const ids = await unopenedOf([
      ...stores.map((store) => ({ id: store.id, asked: store.parts() })),
      ...loops.map((loop) => ({ id: loop.id, asked: loop.destroy() })),
    ]);
    throw failure(
      'InternalError',
      `Internal error occurred: the cluster cannot be removed, for the files of these objects cannot be opened: ${ids.join(', ')}. Set the files aside and delete it again`,
      { causes: unopenedCauses(ids) },
    );
  }
}

/** Of objects that were asked something, those that can't be opened. */
async function unopenedOf(objects: { id: DurableObjectId; asked: Promise<unknown> }[]): Promise<string[]> {
  const errors = await Promise.all(
    objects.map(({ asked }) =>
      asked.then(
        () => null,
        (e: unknown) => e,
      ),
    ),
  );
  return objects.filter((_, i) => errors[i] !== null && isUnopened(errors[i])).map(({ id }) => String(id));
}

const isUnopened = (e: unknown): boolean => unopened(textOf(e)) !== null;
