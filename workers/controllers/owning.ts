import type { Kind } from '../../kube/kinds/kind.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { apiVersionOf, type KubeObject, type OwnerReference } from '../../kube/meta/object.ts';
import { type LabelRequirement, matchesLabels, selectorRequirements } from '../../kube/meta/selectors.ts';
import type { Row, View, Watch, Write } from '../../kube/reconcile/controller.ts';
import { resourceOf } from '../../kube/reconcile/interests.ts';
import type { Where } from '../../kube/store/interest.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';

// How workload controllers own what they made: by one reference, taken and given back as upstream's ControllerRefManager does.

/** A reference to the controller of something: metav1.NewControllerRef. */
export function controllerRef(kind: Kind, owner: KubeObject): OwnerReference {
  const served = kind.served[0];
  return {
    apiVersion: served ? apiVersionOf(served) : 'v1',
    kind: kind.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function adopt(row: Row, owner: OwnerReference): Write {
  return {
    do: 'patch',
    key: row.key,
    type: 'strategic',
    patch: { metadata: { ownerReferences: [owner], uid: row.uid } },
  };
}
export function release(row: Row, uid: string): Write {
  const ownerReferences = [{ $patch: 'delete', uid }];
  return { do: 'patch', key: row.key, type: 'strategic', patch: { metadata: { ownerReferences, uid: row.uid } } };
}

/** What a selector asks for; undefined where it selects nothing or can't be read. */
export function requirementsOf(o: KubeObject): LabelRequirement[] | undefined {
  const parsed = selectorRequirements((o.spec as { selector?: JsonObject } | undefined)?.selector);
  return parsed?.ok ? parsed.requirements : undefined;
}

/**
 * What is an owner's among the rows of a resource: those that it owns and selects, and orphans that it takes, with the writes for that and for what it lets go.
 * An owner that goes away takes and lets go of nothing. `belongs`: what must hold besides the selector.
 */
export function claim(
  view: View,
  resource: string,
  kind: Kind,
  owner: KubeObject,
  requirements: readonly LabelRequirement[],
  belongs: (row: Row) => boolean = () => true,
): { rows: Row[]; adopts: Write[]; releases: Write[] } {
  const { namespace = '', uid = '', deletionTimestamp } = owner.metadata;
  const matches = (row: Row) => matchesLabels(requirements, row.labels) && belongs(row);
  const rows: Row[] = [];
  const adopts: Write[] = [];
  const releases: Write[] = [];
  for (const row of view.owned(resource, uid)) {
    if (parseKey(row.key).namespace !== namespace) continue;
    if (matches(row)) rows.push(row);
    else if (deletionTimestamp === undefined) releases.push(release(row, uid));
  }
  if (deletionTimestamp === undefined) {
    const reference = controllerRef(kind, owner);
    for (const row of view.orphans(resource, namespace)) {
      if (isDeleting(row) || !matches(row)) continue;
      rows.push(row);
      adopts.push(adopt(row, reference));
    }
  }
  return { rows, adopts, releases };
}
const isDeleting = (row: Row) =>
  row.data.deleting === true || (row.data.metadata as JsonObject | undefined)?.deletionTimestamp !== undefined;

/** Watches objects without an owner beside the roots: each may be any root's of its namespace whose selector takes it. */
export function orphans(
  kind: Kind,
  root: Kind,
  where: Where = {},
  requirements: (root: KubeObject) => readonly LabelRequirement[] | undefined = requirementsOf,
): Watch {
  const roots = resourceOf(root);
  return {
    kind,
    beside: true,
    where: { owned: false, ...where },
    map(row, view) {
      if (row.owner !== '') return [];
      const found: Key[] = [];
      for (const s of view.list(roots, parseKey(row.key).namespace)) {
        const asked = requirements(s.data as unknown as KubeObject);
        if (asked && matchesLabels(asked, row.labels)) found.push(s.key);
      }
      return found;
    },
  };
}

/** A generateName is cut so that the suffix fits (apiserver pkg/storage/names). */
export const NAME_BASE_MAX = 58;
/** A name for one of many: its generateName, and five characters. */
export const generatedName = (generateName: string, view: View): string =>
  `${generateName.slice(0, NAME_BASE_MAX)}${view.suffix(5)}`;

/** The pod of a template (controller.GetPodFromTemplate), under a name of the caller's. */
export function podOf(
  template: { metadata?: JsonObject; spec?: JsonObject } | undefined,
  owner: KubeObject,
  reference: OwnerReference,
  name: string,
): KubeObject {
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace ?? '',
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [reference],
    },
    spec: template?.spec ?? {},
  } as KubeObject;
}

/** Creates a pod, and tells of it as controller.RealPodControl does. */
export const creation = (o: KubeObject, owner: Key): Write => ({
  do: 'create',
  object: o,
  note: {
    on: owner,
    reason: 'SuccessfulCreate',
    message: `Created pod: ${o.metadata.name}`,
    failed: 'FailedCreate',
  },
});
/** Deletes a pod, and tells of it. Upstream deletes all at once: one that is refused stops none. */
export function deletion(row: Row, owner: Key): Write {
  const name = parseKey(row.key).name;
  return {
    do: 'delete',
    key: row.key,
    uid: row.uid,
    apart: true,
    note: { on: owner, reason: 'SuccessfulDelete', message: `Deleted pod: ${name}`, failed: 'FailedDelete' },
  };
}

/** The number of an int-or-percent of a total (intstr.GetScaledValueFromIntOrPercent); `absent` where there is none. */
export function scaled(value: unknown, total: number, round: 'up' | 'down', absent = 0): number {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return absent;
  const part = (Number.parseInt(value, 10) * total) / 100;
  return Number.isNaN(part) ? absent : round === 'up' ? Math.ceil(part) : Math.floor(part);
}

/** What a controller that tells of its work may do with Events. */
export const EVENTS = { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] };
