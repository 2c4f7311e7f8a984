import { isObject } from '../../kube/meta/json.ts';
import { groupResource, type KubeObject } from '../../kube/meta/object.ts';
import { rangeOf } from '../../kube/store/key.ts';
import type { ClusterContext } from '../attributes.ts';

/**
 * A core object as it is now, read from the store; null when there is none. For credentials whose proof is in an object (bootstrap tokens,
 * Secret tokens, bound objects). An encrypted row counts as absent: `open` of the verb layer is not reachable from here.
 */
export async function readNow(
  c: ClusterContext,
  plural: string,
  namespace: string,
  name: string,
): Promise<KubeObject | null> {
  const page = await c.store(groupResource('', plural), namespace).read(rangeOf('', plural, namespace, name));
  const entry = page.ok ? page.entries[0] : undefined;
  if (entry === undefined || entry.enc !== undefined) return null;
  const value: unknown = JSON.parse(entry.value);
  return isObject(value) && isObject(value.metadata) ? (value as KubeObject) : null;
}
