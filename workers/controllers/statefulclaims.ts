import { kindByStorage } from '../../kube/kinds/index.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject, OwnerReference } from '../../kube/meta/object.ts';
import type { Row, View, Write } from '../../kube/reconcile/controller.ts';
import { objectOf } from '../../kube/reconcile/row.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import { controllerRef } from './owning.ts';
import type { StatefulSet } from './statefulpods.ts';

// The PersistentVolumeClaims of a StatefulSet's pods, and who owns them: what its retention policy says.

export const claimKind = needKind(kindByStorage, 'persistentvolumeclaims');
const statefulsets = needKind(kindByStorage, 'statefulsets.apps');
const podKind = needKind(kindByStorage, 'pods');

/** A pod as claims know it: its uid is '' before it is made. */
export interface Claimant {
  name: string;
  uid: string;
  /** It is one of the replicas that the set is to have. */
  inRange: boolean;
}

/** What is kept of a claim: all that an update must say. */
export const projectClaim = (o: KubeObject): JsonObject => {
  const { managedFields: _, ...metadata } = o.metadata;
  return { metadata, spec: o.spec ?? {} };
};

/** Names of the claims for a pod, by the template that each comes of. */
export const claimNames = (set: StatefulSet, ordinal: number): Map<string, string> =>
  new Map(
    (set.spec.volumeClaimTemplates ?? []).map((t) => {
      const name = t.metadata.name ?? '';
      return [name, `${name}-${set.metadata.name}-${ordinal}`];
    }),
  );
const keyOfClaim = (set: StatefulSet, name: string): Key =>
  keyOf('', 'persistentvolumeclaims', set.metadata.namespace ?? '', name);
const standing = (set: StatefulSet, ordinal: number, view: View): Row[] =>
  [...claimNames(set, ordinal).values()].flatMap((name) => view.get(keyOfClaim(set, name)) ?? []);

/** Creates the claims that a pod lacks: createPersistentVolumeClaims. `deleting`: one that is there still goes away. */
export function missingClaims(
  set: StatefulSet,
  pod: string,
  ordinal: number,
  on: Key,
  view: View,
): { writes: Write[]; deleting: string | undefined } {
  const names = claimNames(set, ordinal);
  const writes: Write[] = [];
  let deleting: string | undefined;
  for (const template of set.spec.volumeClaimTemplates ?? []) {
    const name = names.get(template.metadata.name ?? '') ?? '';
    const row = view.get(keyOfClaim(set, name));
    if (row && metadataOf(row).deletionTimestamp !== undefined) deleting ??= name;
    if (row) continue;
    const { kind: _, apiVersion: __, status: ___, ...rest } = template;
    const matchLabels = set.spec.selector.matchLabels as Record<string, string> | undefined;
    const labels = { ...template.metadata.labels, ...matchLabels };
    const metadata = { ...template.metadata, name, namespace: set.metadata.namespace ?? '', labels };
    writes.push({
      do: 'create',
      object: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...rest, metadata },
      note: {
        on,
        reason: 'SuccessfulCreate',
        message: `Create Claim ${name} Pod ${pod} in StatefulSet ${set.metadata.name} success`,
        failed: 'FailedCreate',
        refused: `Create Claim ${name} for Pod ${pod} in StatefulSet ${set.metadata.name} failed error: `,
      },
    });
  }
  return { writes, deleting };
}
const metadataOf = (row: Row): KubeObject['metadata'] => (row.data as unknown as KubeObject).metadata;

/** PodClaimIsStale: a claim is still of a former pod of this name and goes with it. */
export function claimIsStale(set: StatefulSet, pod: Claimant, ordinal: number, view: View): boolean {
  if (policyOf(set).scaled === 'Retain') return false;
  return standing(set, ordinal, view).some((row) => isStale(refsOf(row), podRef(pod)));
}

/** Updates of claims whose owners aren't what the policy says. `conflicts`: claims that another controller manages. */
export function claimOwners(
  set: StatefulSet,
  pod: Claimant,
  ordinal: number,
  view: View,
): { writes: Write[]; conflicts: string[] } {
  const writes: Write[] = [];
  const conflicts: string[] = [];
  for (const row of standing(set, ordinal, view)) {
    const refs = refsOf(row);
    if (hasUnexpectedController(refs, set, pod)) conflicts.push(parseKey(row.key).name);
    if (isUpToDate(refs, set, pod)) continue;
    const claim = objectOf(row, claimKind) as KubeObject;
    const ownerReferences = ownersOf(refs, set, pod);
    writes.push({ do: 'update', object: { ...claim, metadata: { ...claim.metadata, ownerReferences } } });
  }
  return { writes, conflicts };
}
const refsOf = (row: Row): readonly OwnerReference[] => metadataOf(row).ownerReferences ?? [];

interface Policy {
  deleted: string;
  scaled: string;
}
function policyOf(set: StatefulSet): Policy {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  return { deleted: whenDeleted, scaled: whenScaled };
}
/** Its reference as controller, were it one. */
const setRef = (set: StatefulSet) => controllerRef(statefulsets, set);
const podRef = (pod: Claimant) => controllerRef(podKind, { metadata: { name: pod.name, uid: pod.uid } });

const named = (ref: OwnerReference, as: OwnerReference) =>
  ref.apiVersion === as.apiVersion && ref.kind === as.kind && ref.name === as.name;
const isStale = (refs: readonly OwnerReference[], as: OwnerReference): boolean => {
  const first = refs.find((r) => named(r, as));
  return first !== undefined && first.uid !== as.uid;
};
const owns = (refs: readonly OwnerReference[], as: OwnerReference) => refs.some((r) => r.uid === as.uid);

/** hasUnexpectedController: somebody else manages the claim, or a former set or pod of the name. */
export function hasUnexpectedController(refs: readonly OwnerReference[], set: StatefulSet, pod: Claimant): boolean {
  const policy = policyOf(set);
  if (policy.deleted === 'Retain' && policy.scaled === 'Retain') return false;
  const us = [setRef(set), podRef(pod)];
  return refs.some((r) => {
    const own = us.find((u) => named(r, u));
    return own ? own.uid !== r.uid : r.controller === true;
  });
}

/** Which of set and pod should own a claim. */
function wantedOwners(set: StatefulSet, pod: Claimant): { set: boolean; pod: boolean } {
  const { deleted, scaled } = policyOf(set);
  if (scaled !== 'Delete') return { set: deleted === 'Delete', pod: false };
  return { set: deleted === 'Delete' && pod.inRange, pod: !pod.inRange };
}

/** isClaimOwnerUpToDate: true also where others have a hand in it, for then it is left alone. */
export function isUpToDate(refs: readonly OwnerReference[], set: StatefulSet, pod: Claimant): boolean {
  const [s, p] = [setRef(set), podRef(pod)];
  if (isStale(refs, s) || isStale(refs, p)) return true;
  if (hasUnexpectedController(refs, set, pod)) return !owns(refs, s) && !owns(refs, p);
  if (refs.some((r) => (r.uid === s.uid || r.uid === p.uid) && r.controller !== true)) return false;
  const wanted = wantedOwners(set, pod);
  return owns(refs, s) === wanted.set && owns(refs, p) === wanted.pod;
}

/** updateClaimOwnerRefForSetAndPod: the owners that a claim should have. */
export function ownersOf(refs: readonly OwnerReference[], set: StatefulSet, pod: Claimant): OwnerReference[] {
  const [s, p] = [setRef(set), podRef(pod)];
  const others = refs.filter((r) => !named(r, s) && !named(r, p));
  if (hasUnexpectedController(refs, set, pod)) return others;
  const wanted = wantedOwners(set, pod);
  const missing = [...(wanted.pod ? [p] : []), ...(wanted.set ? [s] : [])];
  return [...others, ...missing.filter((r) => !owns(others, r))];
}
