import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { Controller, EffectResult, Plan } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import { needKind } from './kind.ts';

/** Upstream's finalizer of the namespace controller. */
const FINALIZER = 'kubernetes';
/** How long to wait before looking again while pods end gracefully or finalizers hold objects. */
const AGAIN_MS = 1_000;

/** What the effect `sweepNamespace` found after it asked everything of a namespace to be deleted. */
interface Sweep extends JsonObject {
  /** groupResource -> objects that are still there. */
  remaining: Record<string, number>;
  /** finalizer -> objects that it holds. */
  finalizers: Record<string, number>;
}

/** Empties a namespace that is being deleted, tells how far it is in upstream's conditions, then lets it go. */
export const namespace: Controller = {
  name: 'namespace-controller',
  rules: [
    { apiGroups: [''], resources: ['namespaces'], verbs: ['delete', 'get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['namespaces/finalize', 'namespaces/status'], verbs: ['update'] },
    { apiGroups: ['*'], resources: ['*'], verbs: ['delete', 'deletecollection', 'get', 'list'] },
  ],
  for: needKind(kindByStorage, 'namespaces'),
  reconcile(key, object, view): Plan {
    const held = object ? ((at(object, 'spec.finalizers') ?? []) as string[]) : [];
    if (object === undefined || object.metadata.deletionTimestamp === undefined || !held.includes(FINALIZER))
      return { writes: [] };
    const last = [...view.results.entries()].find(([id]) => id.startsWith('sweep/'));
    const round = last ? Number(last[0].slice('sweep/'.length)) : 0;
    const sweep = { id: `sweep/${round + 1}`, name: 'sweepNamespace', input: { namespace: parseKey(key).name } };
    if (last === undefined) return { writes: [], effects: [sweep] };
    const found = last[1];
    const status = {
      ...(object.status as JsonObject | undefined),
      phase: 'Terminating',
      conditions: conditions(object, found, view.now),
    };
    const changed = !equalJson(status as Json, (object.status ?? {}) as Json);
    const writes: Plan['writes'] = changed
      ? [{ do: 'update', object: { ...object, status: status as JsonObject }, subresource: 'status' }]
      : [];
    if (found.ok && Object.keys((found.value as Sweep).remaining).length === 0) {
      const spec = { ...(object.spec as JsonObject), finalizers: held.filter((f) => f !== FINALIZER) };
      return { writes: [{ do: 'update', object: { ...object, spec }, subresource: 'finalize' }] };
    }
    // The old result is kept for this round's id; the next call asks for a new sweep.
    return view.now - Number(last[1].ok ? (last[1].value.at ?? 0) : 0) >= AGAIN_MS
      ? { writes, effects: [sweep] }
      : { writes, effects: [{ ...sweep, id: last[0] }], again: AGAIN_MS };
  },
};

/** pkg/controller/namespace/deletion status_condition_utils.go: five conditions, reasons and texts. */
function conditions(object: KubeObject, found: EffectResult, now: number): Json[] {
  const sweep = found.ok ? (found.value as Sweep) : { remaining: {}, finalizers: {} };
  const list = (counts: Record<string, number>, text: (k: string, n: number) => string) =>
    Object.keys(counts)
      .sort()
      .map((k) => text(k, counts[k] ?? 0))
      .join(', ');
  const left = Object.keys(sweep.remaining).length > 0;
  const held = Object.keys(sweep.finalizers).length > 0;
  const rows: [string, boolean, string, string][] = [
    ['NamespaceDeletionDiscoveryFailure', false, 'ResourcesDiscovered', 'All resources successfully discovered'],
    [
      'NamespaceDeletionGroupVersionParsingFailure',
      false,
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ],
    found.ok
      ? [
          'NamespaceDeletionContentFailure',
          false,
          'ContentDeleted',
          left
            ? 'All content successfully deleted, may be waiting on finalization'
            : 'All content successfully deleted, may be waiting on finalization',
        ]
      : [
          'NamespaceDeletionContentFailure',
          true,
          'ContentDeletionFailed',
          `Failed to delete all resource types, 1 remaining: ${found.error}`,
        ],
    left
      ? [
          'NamespaceContentRemaining',
          true,
          'SomeResourcesRemain',
          `Some resources are remaining: ${list(sweep.remaining, (k, n) => `${k} has ${n} resource instances`)}`,
        ]
      : ['NamespaceContentRemaining', false, 'ContentRemoved', 'All content successfully removed'],
    held
      ? [
          'NamespaceFinalizersRemaining',
          true,
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${list(sweep.finalizers, (k, n) => `${k} in ${n} resource instances`)}`,
        ]
      : ['NamespaceFinalizersRemaining', false, 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
  ];
  const old = (at(object, 'status.conditions') ?? []) as { type: string; status: string; lastTransitionTime: string }[];
  return rows.map(([type, yes, reason, message]) => {
    const status = yes ? 'True' : 'False';
    const before = old.find((c) => c.type === type);
    return {
      type,
      status,
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : formatTime(now),
      reason,
      message,
    };
  });
}
