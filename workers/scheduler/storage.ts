import { termMatches } from '../../kube/kinds/podspec/fit.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { type Quantity, quantity } from '../../kube/meta/quantity.ts';
import type { Row } from '../../kube/reconcile/controller.ts';
import { keyOf } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import type { NodeInfo, NodeSelectorTerm, Pod, PodInfo } from './framework.ts';

// Claims, volumes and classes as the scheduler keeps them: facts of core/v1 and storage/v1.

/** What plugins look up. */
export interface Storage {
  get(key: Key): Row | undefined;
  list(resource: string): Iterable<Row>;
}

interface Meta {
  uid?: string;
  deletionTimestamp?: string;
  annotations?: Record<string, string>;
  ownerReferences?: { uid: string; controller?: boolean }[];
}
export interface Claim {
  metadata: Meta;
  spec: {
    volumeName?: string;
    storageClassName?: string;
    accessModes?: string[];
    volumeMode?: string;
    selector?: JsonObject;
    volumeAttributesClassName?: string;
    resources?: { requests?: Record<string, string> };
  };
  status: { phase?: string };
}
export interface Volume {
  metadata: Meta;
  spec: {
    claimRef?: { namespace?: string; name?: string; uid?: string };
    nodeAffinity?: { required?: { nodeSelectorTerms: NodeSelectorTerm[] } };
    capacity?: Record<string, string>;
    storageClassName?: string;
    accessModes?: string[];
    volumeMode?: string;
    volumeAttributesClassName?: string;
    csi?: { driver?: string; volumeHandle?: string };
  };
  status: { phase?: string };
}
export interface Class {
  provisioner?: string;
  volumeBindingMode?: string;
  allowedTopologies?: { matchLabelExpressions?: { key: string; values: string[] }[] }[];
}

const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';
export const BOUND = 'pv.kubernetes.io/bind-completed';
export const BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';

/** What a pod mounts by claim: the claim's name, and whether it is made for the pod alone. */
export interface Mount {
  claim: string;
  ephemeral: boolean;
}
export function mountsOf(pod: Pod): Mount[] {
  return (pod.spec.volumes ?? []).flatMap((v): Mount[] => {
    const own = v.persistentVolumeClaim as { claimName?: string } | undefined;
    if (own) return [{ claim: own.claimName ?? '', ephemeral: false }];
    return v.ephemeral ? [{ claim: `${pod.metadata.name}-${v.name}`, ephemeral: true }] : [];
  });
}

export const claimKey = (namespace: string, name: string): Key => keyOf('', 'persistentvolumeclaims', namespace, name);
const dataOf = <T>(row: Row | undefined): T | undefined => row?.data as T | undefined;
export const claimOf = (s: Storage, namespace: string, name: string): Claim | undefined =>
  dataOf<Claim>(s.get(claimKey(namespace, name)));
export const volumeOf = (s: Storage, name: string): Volume | undefined =>
  dataOf<Volume>(s.get(keyOf('', 'persistentvolumes', '', name)));
export const classOf = (s: Storage, name: string): Class | undefined =>
  dataOf<Class>(s.get(keyOf('storage.k8s.io', 'storageclasses', '', name)));
export const className = (c: Claim | Volume): string =>
  c.metadata.annotations?.[BETA_CLASS] ?? c.spec.storageClassName ?? '';
export const waitsForConsumer = (s: Storage, c: Claim): boolean =>
  classOf(s, className(c))?.volumeBindingMode === 'WaitForFirstConsumer';

/** Whether a volume can be had on a node. */
export function reaches(v: Volume, node: NodeInfo): boolean {
  const terms = v.spec.nodeAffinity?.required?.nodeSelectorTerms;
  return terms === undefined || terms.some((t) => termMatches({ matchExpressions: t.matchExpressions ?? [] }, node));
}
/** How much a claim asks for, and what a volume has. */
export const wantedBy = (c: Claim): Quantity => quantity(c.spec.resources?.requests?.storage ?? '0');
export const sizeOf = (v: Volume): Quantity => quantity(v.spec.capacity?.storage ?? '0');

/** Whether a claim was made for the pod's ephemeral volume. */
export const isFor = (c: Claim, pod: PodInfo): boolean =>
  (c.metadata.ownerReferences ?? []).some((r) => r.controller === true && r.uid === pod.uid);
