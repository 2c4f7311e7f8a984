import type { Kind } from '../../kube/kinds/kind.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { parseKey } from '../../kube/store/key.ts';
import { controllerRef, podOf, scaled } from './owning.ts';
import { available, type Pod } from './podrow.ts';
import { REVISION_HASH } from './revisions.ts';
import { claimNames } from './statefulclaims.ts';

// The pods of a StatefulSet: their names, ordinals and revisions.

export interface PodTemplate extends JsonObject {
  metadata?: JsonObject & { labels?: Record<string, string> };
  spec?: JsonObject & { volumes?: (JsonObject & { name: string })[] };
}
export interface StatefulSet extends KubeObject {
  spec: JsonObject & {
    replicas?: number;
    selector: JsonObject;
    template: PodTemplate;
    serviceName?: string;
    podManagementPolicy?: string;
    updateStrategy?: { type?: string; rollingUpdate?: { partition?: number; maxUnavailable?: number | string } };
    volumeClaimTemplates?: KubeObject[];
    persistentVolumeClaimRetentionPolicy?: { whenDeleted?: string; whenScaled?: string };
    ordinals?: { start?: number };
    minReadySeconds?: number;
    revisionHistoryLimit?: number;
  };
  status?: JsonObject & {
    observedGeneration?: number;
    currentRevision?: string;
    currentReplicas?: number;
    collisionCount?: number;
    conditions?: JsonObject[];
  };
}

export const POD_NAME = 'statefulset.kubernetes.io/pod-name';
export const POD_INDEX = 'apps.kubernetes.io/pod-index';

/** The first and the one after the last ordinal that the set is to have. */
export function rangeOf(set: StatefulSet): [start: number, end: number] {
  const start = set.spec.ordinals?.start ?? 0;
  return [start, start + (set.spec.replicas ?? 1)];
}
/** getParentNameAndOrdinal, of a name: -1 where it says none. */
export function parseName(name: string): { parent: string; ordinal: number } {
  const m = /^(.*)-([0-9]+)$/.exec(name);
  if (m === null) return { parent: '', ordinal: -1 };
  const ordinal = Number(m[2]);
  return { parent: m[1] ?? '', ordinal: ordinal > 2 ** 31 - 1 ? -1 : ordinal };
}
export const ordinalOf = (p: Pod): number => parseName(parseKey(p.row.key).name).ordinal;
export const revisionNameOf = (p: Pod): string => p.row.labels[REVISION_HASH] ?? '';

/** One place of the set: the pod in it, or the one to be made. */
export interface Replica {
  ordinal: number;
  name: string;
  /** Undefined before it is made. */
  pod: Pod | undefined;
  /** Name of the revision that it has or gets. */
  revision: string;
}
export const replicaOf = (p: Pod): Replica => ({
  ordinal: ordinalOf(p),
  name: parseKey(p.row.key).name,
  pod: p,
  revision: revisionNameOf(p),
});

export const isReady = (p: Pod | undefined): boolean => p !== undefined && p.data.phase === 'Running' && p.data.ready;
export const isAvailable = (r: Replica, set: StatefulSet, now: number): boolean =>
  r.pod !== undefined && available(r.pod, set.spec.minReadySeconds ?? 0, now);
export const isTerminating = (r: Replica): boolean => r.pod?.data.deleting === true;
export const isUnavailable = (r: Replica, set: StatefulSet, now: number): boolean =>
  !isAvailable(r, set, now) || isTerminating(r);

/** Whether a pod at an ordinal is made of the current revision, not of the update: newVersionedStatefulSetPod. */
export function getsCurrent(set: StatefulSet, ordinal: number): boolean {
  const [start] = rangeOf(set);
  const { type, rollingUpdate } = set.spec.updateStrategy ?? {};
  if (rollingUpdate !== undefined) return ordinal < start + (rollingUpdate.partition ?? 0);
  return type === 'RollingUpdate' && ordinal < start + (set.status?.currentReplicas ?? 0);
}

/** The pod of a place: newStatefulSetPod with its revision. */
export function newPod(kind: Kind, set: StatefulSet, template: PodTemplate, r: Replica): KubeObject {
  const made = podOf(template, set, controllerRef(kind, set), r.name);
  const claims = claimNames(set, r.ordinal);
  const volumes = (template.spec?.volumes ?? []).filter((v) => !claims.has(v.name));
  const { serviceName } = set.spec;
  return {
    ...made,
    metadata: {
      ...made.metadata,
      labels: {
        ...template.metadata?.labels,
        [POD_NAME]: r.name,
        [POD_INDEX]: String(r.ordinal),
        [REVISION_HASH]: r.revision,
      },
    },
    spec: {
      ...template.spec,
      hostname: r.name,
      ...(serviceName ? { subdomain: serviceName } : {}),
      ...(claims.size + volumes.length > 0 ? { volumes: [...claimVolumes(claims), ...volumes] } : {}),
    },
  };
}
export const claimVolumes = (claims: ReadonlyMap<string, string>): JsonObject[] =>
  [...claims].map(([name, claimName]) => ({ name, persistentVolumeClaim: { claimName } }));

/** storageMatches: every claim of the set is a volume of the pod. */
export const storageMatches = (set: StatefulSet, p: Pod): boolean =>
  [...claimNames(set, ordinalOf(p))].every(([volume, claim]) => p.data.claims?.[volume] === claim);

/** getStatefulSetMaxUnavailable: at least one. */
export const maxUnavailableOf = (set: StatefulSet): number =>
  Math.max(1, scaled(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable, set.spec.replicas ?? 1, 'down', 1));
