import { equalJson, isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { formatTime } from '../../kube/meta/time.ts';
import { LAST_APPLIED } from '../../kube/patch/apply.ts';
import type { Key } from '../../kube/store/store.ts';
import { scaled } from './owning.ts';
import { compare } from './revisions.ts';

// A Deployment and its ReplicaSets while one plan is made: what upstream's pkg/controller/deployment/util asks of them.

export const HASH_LABEL = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
export const HISTORY = 'deployment.kubernetes.io/revision-history';
const DESIRED = 'deployment.kubernetes.io/desired-replicas';
const MAX = 'deployment.kubernetes.io/max-replicas';
export const ROLLBACK_TO = 'deprecated.deployment.rollback.to';

/** Annotations that a Deployment and its ReplicaSets keep each for itself. */
const OWN_ANNOTATIONS = new Set([LAST_APPLIED, REVISION, HISTORY, DESIRED, MAX, ROLLBACK_TO]);
/** Upstream's maxRevHistoryLengthInChars: some 100 revisions. */
const HISTORY_CHARS_MAX = 2000;
/** The value of a limit that is none: math.MaxInt32. */
const UNLIMITED = 2 ** 31 - 1;

export interface Condition extends JsonObject {
  type: string;
  status: string;
  lastUpdateTime?: string;
  lastTransitionTime?: string;
  reason?: string;
  message?: string;
}
export interface DeploymentStatus extends JsonObject {
  observedGeneration?: number;
  replicas?: number;
  updatedReplicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  collisionCount?: number;
  conditions?: Condition[];
}
export interface Deployment extends KubeObject {
  spec: JsonObject & {
    replicas?: number;
    selector: JsonObject;
    template: JsonObject & { metadata?: JsonObject; spec?: JsonObject };
    strategy?: { type?: string; rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string } };
    minReadySeconds?: number;
    revisionHistoryLimit?: number;
    progressDeadlineSeconds?: number;
    paused?: boolean;
  };
  status?: DeploymentStatus;
}
export interface ReplicaSet extends KubeObject {
  spec: JsonObject & { replicas?: number; minReadySeconds?: number; template?: JsonObject };
  status?: JsonObject & {
    replicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    terminatingReplicas?: number;
    observedGeneration?: number;
    conditions?: Condition[];
  };
}
/** A ReplicaSet as it stands, and what the plan makes of it. */
export interface PlannedSet {
  key: Key;
  is: ReplicaSet;
  /** It doesn't stand yet. */
  isNew: boolean;
  replicas: number;
  minReadySeconds: number;
  annotations: Record<string, string>;
}

export function planned(key: Key, is: ReplicaSet, isNew = false): PlannedSet {
  return {
    key,
    is,
    isNew,
    replicas: is.spec.replicas ?? (isNew ? 0 : 1),
    minReadySeconds: is.spec.minReadySeconds ?? 0,
    annotations: { ...is.metadata.annotations },
  };
}
/** What is to be written; undefined where all stays. */
export function written(s: PlannedSet): ReplicaSet | undefined {
  const { is } = s;
  const next = {
    ...is,
    metadata: { ...is.metadata, annotations: s.annotations },
    spec: { ...is.spec, replicas: s.replicas, minReadySeconds: s.minReadySeconds },
  };
  const same =
    (is.spec.replicas ?? 1) === s.replicas &&
    (is.spec.minReadySeconds ?? 0) === s.minReadySeconds &&
    equalJson(s.annotations, is.metadata.annotations ?? {});
  return same && !s.isNew ? undefined : next;
}

const nameOf = (s: PlannedSet) => s.is.metadata.name ?? '';
const createdOf = (s: PlannedSet) => s.is.metadata.creationTimestamp ?? '';
export const byCreation = (a: PlannedSet, b: PlannedSet): number =>
  compare(createdOf(a), createdOf(b)) || compare(nameOf(a), nameOf(b));
export const bySizeOlder = (a: PlannedSet, b: PlannedSet): number => b.replicas - a.replicas || byCreation(a, b);
export const bySizeNewer = (a: PlannedSet, b: PlannedSet): number => b.replicas - a.replicas || byCreation(b, a);
export function bySetRevision(a: PlannedSet, b: PlannedSet): number {
  const [x, y] = [revisionNumber(a), revisionNumber(b)];
  return x === undefined || y === undefined || x === y ? byCreation(a, b) : x - y;
}

const INTEGER = /^[-+]?\d+$/;
/** Its revision; 0 without one, undefined where it is no number. */
export function revisionNumber(s: PlannedSet): number | undefined {
  const text = s.annotations[REVISION];
  return text === undefined ? 0 : INTEGER.test(text) ? Number(text) : undefined;
}
export const maxRevision = (sets: readonly PlannedSet[]): number =>
  sets.reduce((max, s) => Math.max(max, revisionNumber(s) ?? 0), 0);
/** The second largest revision; 0 where there is none. */
export function lastRevision(sets: readonly PlannedSet[]): number {
  const known = sets.flatMap((s) => revisionNumber(s) ?? []).sort((a, b) => b - a);
  return known[1] ?? 0;
}

/** EqualIgnoreHash: the same pods come of both templates. The hash's label doesn't count, nor does whether what is empty is there. */
export const sameTemplate = (a: Json | undefined, b: Json | undefined): boolean => alike(a, b, 'template');
function alike(a: Json | undefined, b: Json | undefined, name: string): boolean {
  if (a === b) return true;
  if (isEmpty(a, name) || isEmpty(b, name)) return isEmpty(a, name) && isEmpty(b, name);
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((v, i) => alike(v, b[i], ''));
  if (!isObject(a) || !isObject(b)) return false;
  for (const k in a) if (k !== HASH_LABEL && !alike(a[k], b[k], k)) return false;
  for (const k in b) if (k !== HASH_LABEL && a[k] === undefined && !isEmpty(b[k], k)) return false;
  return true;
}
/** An emptyDir says something by being there; labels without one don't. */
const isEmpty = (v: Json | undefined, name: string): boolean =>
  v === undefined ||
  v === null ||
  (Array.isArray(v) && v.length === 0) ||
  (MAPS.has(name) && isObject(v) && Object.keys(v).every((k) => k === HASH_LABEL || isEmpty(v[k], k)));
/** Maps of a template, and its metadata: empty is as good as absent. */
const MAPS = new Set(['metadata', 'labels', 'annotations', 'nodeSelector', 'overhead', 'limits', 'requests']);

export const replicasOf = (d: Deployment): number => d.spec.replicas ?? 1;
export const isRolling = (d: Deployment): boolean => (d.spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';
export const isActive = (s: PlannedSet | undefined): s is PlannedSet => s !== undefined && s.replicas > 0;
export const hasDeadline = (d: Deployment): boolean =>
  d.spec.progressDeadlineSeconds !== undefined && d.spec.progressDeadlineSeconds !== UNLIMITED;
export const hasHistoryLimit = (d: Deployment): boolean =>
  d.spec.revisionHistoryLimit !== undefined && d.spec.revisionHistoryLimit !== UNLIMITED;

/** ResolveFenceposts: where both come out as none, one may be unavailable. */
function fenceposts(d: Deployment): [surge: number, unavailable: number] {
  const { maxSurge, maxUnavailable } = d.spec.strategy?.rollingUpdate ?? {};
  const surge = scaled(maxSurge, replicasOf(d), 'up');
  const unavailable = scaled(maxUnavailable, replicasOf(d), 'down');
  return surge === 0 && unavailable === 0 ? [0, 1] : [surge, unavailable];
}
export const maxSurge = (d: Deployment): number => (isRolling(d) ? fenceposts(d)[0] : 0);
export const maxUnavailable = (d: Deployment): number =>
  !isRolling(d) || replicasOf(d) === 0 ? 0 : Math.min(fenceposts(d)[1], replicasOf(d));

export const sum = (sets: readonly PlannedSet[], of: (s: PlannedSet) => number): number =>
  sets.reduce((n, s) => n + of(s), 0);
export const wanted = (s: PlannedSet): number => s.replicas;
export const availableIn = (s: PlannedSet): number => s.is.status?.availableReplicas ?? 0;

/** SetReplicasAnnotations: what the ReplicaSet was made for. */
export function noteSize(s: PlannedSet, d: Deployment): void {
  s.annotations[DESIRED] = String(replicasOf(d));
  s.annotations[MAX] = String(replicasOf(d) + maxSurge(d));
}
/** A count in an annotation; undefined where it is none. */
function countOf(s: PlannedSet, annotation: string): number | undefined {
  const text = s.annotations[annotation];
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const n = Number(text);
  return n > UNLIMITED ? undefined : n;
}
export const desiredIn = (s: PlannedSet): number | undefined => countOf(s, DESIRED);

/** SetNewReplicaSetAnnotations: the Deployment's annotations, and the revision with those before it. */
export function annotate(
  s: PlannedSet,
  d: Deployment,
  annotations: Readonly<Record<string, string>>,
  revision: number,
): void {
  for (const [k, v] of Object.entries(annotations)) if (!OWN_ANNOTATIONS.has(k)) s.annotations[k] = v;
  const old = s.annotations[REVISION];
  if (old !== undefined && old !== '' && !INTEGER.test(old)) return;
  if (Number(old ?? 0) < revision) {
    s.annotations[REVISION] = String(revision);
    if (old !== undefined) appendHistory(s, old);
  }
  if (s.isNew) noteSize(s, d);
}
function appendHistory(s: PlannedSet, old: string): void {
  const before = s.annotations[HISTORY] ?? '';
  if (before === '') {
    s.annotations[HISTORY] = old;
    return;
  }
  const revisions = before.split(',');
  if (revisions[0] === '') {
    s.annotations[HISTORY] = old;
    return;
  }
  let length = before.length + old.length + 1;
  while (length > HISTORY_CHARS_MAX && revisions.length > 0) length -= (revisions.shift() ?? '').length + 1;
  if (length <= HISTORY_CHARS_MAX) s.annotations[HISTORY] = [...revisions, old].join(',');
}
/** SetDeploymentAnnotationsTo: the annotations of a Deployment that is rolled back to a ReplicaSet. */
export function annotationsBack(annotations: Readonly<Record<string, string>>, s: PlannedSet): Record<string, string> {
  const own = Object.entries(annotations).filter(([k]) => OWN_ANNOTATIONS.has(k));
  const theirs = Object.entries(s.annotations).filter(([k]) => !OWN_ANNOTATIONS.has(k));
  return Object.fromEntries([...own, ...theirs]);
}

/** GetReplicaSetProportion: how many of the replicas that come or go fall to this one. */
export function proportion(s: PlannedSet, d: Deployment, toAdd: number, added: number): number {
  if (s.replicas === 0 || toAdd === 0 || toAdd === added) return 0;
  const allowed = toAdd - added;
  return toAdd > 0 ? Math.min(fraction(s, d), allowed) : Math.max(fraction(s, d), allowed);
}
function fraction(s: PlannedSet, d: Deployment): number {
  if (replicasOf(d) === 0) return -s.replicas;
  const before = countOf(s, MAX) || (d.status?.replicas ?? 0);
  if (before === 0) return 0;
  const size = (s.replicas * (replicasOf(d) + maxSurge(d))) / before;
  return (size < 0 ? Math.trunc(size - 0.5) : Math.trunc(size + 0.5)) - s.replicas;
}

/** NewRSNewReplicas: the size that the new ReplicaSet may have now. */
export function newSize(d: Deployment, all: readonly PlannedSet[], s: PlannedSet): number {
  if (!isRolling(d)) return replicasOf(d);
  const { maxSurge: surge } = d.spec.strategy?.rollingUpdate ?? {};
  const room = replicasOf(d) + scaled(surge, replicasOf(d), 'up') - sum(all, wanted);
  return room <= 0 ? s.replicas : s.replicas + Math.min(room, replicasOf(d) - s.replicas);
}
/** IsSaturated: the new ReplicaSet has all replicas, was made for them, and all are available. */
export const isSaturated = (d: Deployment, s: PlannedSet | undefined): boolean =>
  s !== undefined && [s.replicas, desiredIn(s), availableIn(s)].every((n) => n === replicasOf(d));

/** The conditions with one set as upstream does it: one of the same status and reason stays, one of the same status keeps its time. */
export function withCondition(all: readonly Condition[], c: Condition): Condition[] {
  const old = all.find((x) => x.type === c.type);
  if (old && old.status === c.status && old.reason === c.reason) return [...all];
  const kept = old?.status === c.status && old.lastTransitionTime ? { lastTransitionTime: old.lastTransitionTime } : {};
  return [...without(all, c.type), { ...c, ...kept }];
}
export const without = (all: readonly Condition[], type: string): Condition[] => all.filter((c) => c.type !== type);
export function condition(type: string, status: string, reason: string, message: string, now: number): Condition {
  const time = formatTime(now);
  return { type, status, lastUpdateTime: time, lastTransitionTime: time, reason, message };
}
