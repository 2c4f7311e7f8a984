import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import type { Controller, Plan } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import { namespaces } from './namespaces.ts';

/** Upstream's finalizer of the namespace controller. */
const FINALIZER = 'kubernetes';
/**
 * How long to wait before looking again while pods end gracefully or finalizers hold objects: a quarter of the time that it has taken, so that what
 * is quick ends at once; at most what upstream waits for finalizers (half of its estimate of 15 s, and 1 s).
 */
const AGAIN_MS = 1_000;
const AGAIN_MS_MAX = 8_500;

/** What the effect `sweepNamespace` found after it asked everything of a namespace to be deleted. */
export interface Sweep extends JsonObject {
  /** `resource.group` (`pods.`) -> objects that are still there. */
  remaining: Record<string, number>;
  /** finalizer -> objects that it holds. */
  finalizers: Record<string, number>;
  /** What could not be deleted, and why. */
  errors: string[];
  /** Pods are still there; nothing else has been asked to go. */
  podsFirst: boolean;
  /** Milliseconds since the epoch. */
  at: number;
}

/** Empties a namespace that is being deleted, tells how far it is in upstream's conditions, then lets it go. */
export const namespace: Controller = {
  name: 'namespace-controller',
  rules: [
    { apiGroups: [''], resources: ['namespaces'], verbs: ['delete', 'get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['namespaces/finalize', 'namespaces/status'], verbs: ['update'] },
    { apiGroups: ['*'], resources: ['*'], verbs: ['delete', 'deletecollection', 'get', 'list'] },
  ],
  for: namespaces,
  reconcile(key, object, view): Plan {
    const held = object ? ((at(object, 'spec.finalizers') ?? []) as string[]) : [];
    if (object === undefined || object.metadata.deletionTimestamp === undefined || !held.includes(FINALIZER))
      return { writes: [] };
    const deletedMs = timeToMillis(object.metadata.deletionTimestamp);
    const last = [...view.results.entries()].find(([id]) => id.startsWith('sweep/'));
    const round = last ? Number(last[0].slice('sweep/'.length)) : 0;
    const sweep = (n: number) => ({
      id: `sweep/${n}`,
      name: 'sweepNamespace',
      input: { namespace: parseKey(key).name, deletedMs },
    });
    if (last === undefined) return { writes: [], effects: [sweep(1)] };
    // The sweep itself could not be made: nothing is known, and it is asked for anew.
    if (!last[1].ok) return { writes: [], again: AGAIN_MS };
    const found = last[1].value as Sweep;
    const status = {
      ...(object.status as JsonObject | undefined),
      phase: 'Terminating',
      conditions: conditions(object, found, view.now),
    };
    const empty = Object.keys(found.remaining).length === 0 && found.errors.length === 0;
    const others = held.filter((f) => f !== FINALIZER);
    // One that goes now needs no news; one that others hold on to shows them first.
    if (!(empty && others.length === 0) && !equalJson(status as Json, (object.status ?? {}) as Json))
      return {
        writes: [{ do: 'update', object: { ...object, status: status as JsonObject }, subresource: 'status' }],
        effects: [sweep(round)],
      };
    if (empty) {
      const spec = { ...(object.spec as JsonObject), finalizers: others };
      return { writes: [{ do: 'update', object: { ...object, spec }, subresource: 'finalize' }] };
    }
    const wait = Math.min(Math.max((found.at - deletedMs) / 4, AGAIN_MS), AGAIN_MS_MAX);
    const left = Math.ceil(found.at + wait - view.now);
    // The old result is kept until it is time for a new one.
    return left > 0
      ? { writes: [], effects: [sweep(round)], again: left }
      : { writes: [], effects: [sweep(round + 1)] };
  },
};

/** Condition types in upstream's order, with reason and text where all is well (pkg/controller/namespace/deletion status_condition_utils.go). */
const WELL = [
  ['NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', 'All resources successfully discovered'],
  ['NamespaceDeletionGroupVersionParsingFailure', 'ParsedGroupVersions', 'All legacy kube types successfully parsed'],
  [
    'NamespaceDeletionContentFailure',
    'ContentDeleted',
    'All content successfully deleted, may be waiting on finalization',
  ],
  ['NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed'],
  ['NamespaceFinalizersRemaining', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
] as const;

/** Condition type -> reason and text, where not all is well. */
function troubles(found: Sweep): Map<string, readonly [string, string]> {
  const list = (counts: Record<string, number>, text: (k: string, n: number) => string) =>
    Object.entries(counts)
      .map(([k, n]) => text(k, n))
      .sort()
      .join(', ');
  const made = new Map<string, readonly [string, string]>();
  if (found.errors.length > 0) {
    const texts = [...found.errors].sort().join(', ');
    const message = `Failed to delete all resource types, ${found.errors.length} remaining: ${texts}`;
    made.set('NamespaceDeletionContentFailure', ['ContentDeletionFailed', message]);
  }
  // While pods end, upstream tells nothing of what remains.
  if (found.podsFirst) return made;
  if (Object.keys(found.remaining).length > 0) {
    const texts = list(found.remaining, (k, n) => `${k} has ${n} resource instances`);
    made.set('NamespaceContentRemaining', ['SomeResourcesRemain', `Some resources are remaining: ${texts}`]);
  }
  if (Object.keys(found.finalizers).length > 0) {
    const texts = list(found.finalizers, (k, n) => `${k} in ${n} resource instances`);
    const message = `Some content in the namespace has finalizers remaining: ${texts}`;
    made.set('NamespaceFinalizersRemaining', ['SomeFinalizersRemain', message]);
  }
  return made;
}

/** The five conditions; those of other types stay. */
function conditions(object: KubeObject, found: Sweep, now: number): Json[] {
  const bad = troubles(found);
  const old = (at(object, 'status.conditions') ?? []) as { type: string; status: string; lastTransitionTime: string }[];
  const fresh = WELL.map(([type, wellReason, wellMessage]) => {
    const [reason, message] = bad.get(type) ?? [wellReason, wellMessage];
    const status = bad.has(type) ? 'True' : 'False';
    const before = old.find((c) => c.type === type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : formatTime(now);
    return { type, status, lastTransitionTime, reason, message };
  });
  return [...(old.filter((c) => !WELL.some(([type]) => type === c.type)) as unknown as Json[]), ...fresh];
}
