import type { LabelRequirement, LabelSelector } from '../../kube/meta/selectors.ts';
import type { View } from '../../kube/reconcile/controller.ts';
import { keyOf } from '../../kube/store/key.ts';
import type { Labels, PodInfo } from './framework.ts';
import { requirements } from './terms.ts';

interface Selecting {
  spec?: { selector?: Record<string, unknown> };
}
/** Controllers whose selector says which pods belong together, by kind of owner. */
const CONTROLLERS: Readonly<Record<string, { group: string; plural: string }>> = {
  'v1/ReplicationController': { group: '', plural: 'replicationcontrollers' },
  'apps/v1/ReplicaSet': { group: 'apps', plural: 'replicasets' },
  'apps/v1/StatefulSet': { group: 'apps', plural: 'statefulsets' },
};
const equals = (labels: Labels): LabelRequirement[] =>
  Object.keys(labels).map((key) => ({ key, op: 'In', values: [labels[key] ?? ''] }));

/** Which pods belong with this one, by the Services that select it and the controller that owns it (plugins/helper/spread.go); null where nothing says so. */
export function selectorFor(pod: PodInfo, rows: Pick<View, 'get' | 'list'>): readonly LabelRequirement[] | null {
  let set: Record<string, string> = {};
  for (const row of rows.list('services', pod.namespace)) {
    const selector = (row.data as Selecting).spec?.selector as Record<string, string> | undefined;
    if (selector && Object.entries(selector).every(([k, v]) => pod.labels[k] === v)) set = { ...set, ...selector };
  }
  const slash = pod.owner.lastIndexOf('/');
  const kind = CONTROLLERS[pod.owner.slice(0, slash)];
  const owner = kind && rows.get(keyOf(kind.group, kind.plural, pod.namespace, pod.owner.slice(slash + 1)));
  const own = (owner?.data as Selecting | undefined)?.spec?.selector;
  let more: readonly LabelRequirement[] = [];
  if (own && kind?.group === '') set = { ...set, ...(own as Record<string, string>) };
  else if (own) more = requirements(own as LabelSelector) ?? [];
  const all = [...equals(set), ...more];
  return all.length === 0 ? null : all;
}
