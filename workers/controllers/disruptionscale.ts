import { kindByGVK } from '../../kube/kinds/index.ts';
import { at, parseApiVersion } from '../../kube/meta/object.ts';
import type { Effect, Row, View } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { BudgetPod } from './disruption.ts';

// How many pods there should be, by what controls them: getExpectedScale of kubernetes pkg/controller/disruption.

export interface Expected {
  count: number;
  /** Pods without a controller. */
  unmanaged: string[];
  /** Scales that have to be asked for. */
  asks: Effect[];
  /** Why it can't be told. */
  error?: string;
}
/** Resources whose rows say how many pods they want, by those that upstream asks first. */
const SCALED = ['replicationcontrollers', 'replicasets.apps', 'statefulsets.apps'];

/** The sum of what the controllers of these pods want. */
export function expectedScale(pods: readonly Row[], namespace: string, view: View): Expected {
  const owners = new Map(SCALED.flatMap((r) => [...view.list(r, namespace)].map((row) => [row.uid, row] as const)));
  const scales = new Map<string, number>();
  const seen = new Set<string>();
  const asks: Effect[] = [];
  const unmanaged: string[] = [];
  // Those of foreign kinds are asked anew when a pod has changed.
  const at_ = Math.max(0, ...pods.map((p) => p.revision));
  for (const row of pods) {
    const { name } = parseKey(row.key);
    if (row.owner === '') {
      unmanaged.push(name);
      continue;
    }
    if (seen.has(row.owner)) continue;
    seen.add(row.owner);
    const owner = owners.get(row.owner);
    const { by } = row.data as BudgetPod;
    if (owner) {
      const top = deploymentOf(owner, namespace, view) ?? owner;
      scales.set(top.uid, replicasOf(top));
      continue;
    }
    const found = by === undefined ? undefined : scaleOf(by, row.owner, namespace, at_, view, asks);
    if (typeof found === 'number') scales.set(row.owner, found);
    else if (found !== 'asked')
      return { count: 0, unmanaged, asks, error: found ?? `found no controllers for pod ${JSON.stringify(name)}` };
  }
  let count = 0;
  for (const n of scales.values()) count += n;
  return { count, unmanaged, asks };
}

const replicasOf = (row: Row): number => Number(at(row.data, 'spec.replicas') ?? 1);
/** The Deployment of a ReplicaSet. */
function deploymentOf(row: Row, namespace: string, view: View): Row | undefined {
  if (row.owner === '' || !row.key.startsWith('replicasets.apps/')) return undefined;
  for (const d of view.list('deployments.apps', namespace)) if (d.uid === row.owner) return d;
  return undefined;
}

/** Of another kind: by its scale. Text: why not; undefined: it isn't there. */
function scaleOf(
  by: string,
  uid: string,
  namespace: string,
  revision: number,
  view: View,
  asks: Effect[],
): number | string | undefined {
  const [apiVersion = '', kind = '', name = ''] = by.split(' ');
  const gv = parseApiVersion(apiVersion);
  const known = gv && kindByGVK({ ...gv, kind });
  if (known && known.subresources?.scale === undefined) {
    const { group } = gv;
    return `${known.plural}${group === '' ? '' : `.${group}`} does not implement the scale subresource`;
  }
  const ask: Effect = {
    id: `scale/${uid}/${revision}`,
    name: 'scale',
    input: { apiVersion, kind, namespace, name },
  };
  asks.push(ask);
  const result = view.results.get(ask.id);
  if (result === undefined) return 'asked';
  if (!result.ok) return result.error;
  return result.value.uid === uid ? Number(result.value.replicas ?? 0) : undefined;
}
