import { isObject } from '../../kube/meta/json.ts';
import { groupResource, type KubeObject } from '../../kube/meta/object.ts';
import { rangeOf } from '../../kube/store/key.ts';
import type { ClusterContext } from '../attributes.ts';

/**
 * An object as it is now, read from the store (of the core group unless said); null when there is none. For credentials whose proof is in an
 * object (bootstrap tokens, Secret tokens, bound objects) and for admission. An encrypted row counts as absent: nothing here can open it.
 */
export async function readNow(
  c: ClusterContext,
  plural: string,
  namespace: string,
  name: string,
  group = '',
): Promise<KubeObject | null> {
  const page = await c.store(groupResource(group, plural), namespace).read(rangeOf(group, plural, namespace, name));
  const entry = page.ok ? page.entries[0] : undefined;
  if (entry === undefined || entry.enc !== undefined) return null;
  const value: unknown = JSON.parse(entry.value);
  return isObject(value) && isObject(value.metadata) ? (value as KubeObject) : null;
}
