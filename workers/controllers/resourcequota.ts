import { kindByStorage, kinds } from '../../kube/kinds/index.ts';
import type { Kind } from '../../kube/kinds/kind.ts';
import { countedNames, equal, masked, resourcesOf, textsOf } from '../../kube/kinds/quota.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { at, groupResource, type KubeObject } from '../../kube/meta/object.ts';
import type { Controller, Effect, Plan, Row, View, Watch } from '../../kube/reconcile/controller.ts';
import { resourceOf } from '../../kube/reconcile/interests.ts';
import { parseKey } from '../../kube/store/key.ts';
import { placement } from '../../kube/store/placement.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import { EVENTS } from './owning.ts';
import { podState } from './podrow.ts';
import { ACTIVE } from './pods.ts';

const QUOTAS = 'resourcequotas';
const quotas = needKind(kindByStorage, QUOTAS);
/** Upstream's --resource-quota-sync-period, for what no watch tells of. */
const RESYNC_MS = 300_000;
const RETRY_MS = 5_000;

/** What can be counted of this release's own kinds. */
const counted: readonly Kind[] = kinds.filter(
  (k) => k.scope === 'Namespaced' && k.verbs.includes('list') && placement(resourceOf(k), '') === 'main',
);
const watched: ReadonlySet<string> = new Set(counted.map(resourceOf));

/** What the effect `quotaUsage` found. */
export interface QuotaUsage extends JsonObject {
  used: Record<string, string>;
  /** Pods that go count until they should have gone: nobody tells when that is. */
  ending: boolean;
}

/** Counts what is there for quotas: kubernetes pkg/controller/resourcequota. What comes is counted by whoever writes it (api/admission/resourcequota.ts). */
export const resourcequota: Controller = {
  name: 'resourcequota-controller',
  rules: [
    { apiGroups: ['*'], resources: ['*'], verbs: ['list', 'watch'] },
    { apiGroups: [''], resources: ['resourcequotas/status'], verbs: ['update'] },
    EVENTS,
  ],
  for: quotas,
  project: Object.fromEntries(
    [...watched].filter((r) => r !== QUOTAS).map((r) => [r, r === 'pods' ? podState : nothing]),
  ),
  watches: counted.flatMap(watchesOf),
  reconcile(key, object, view): Plan {
    if (object === undefined) return { writes: [] };
    const hard = (at(object, 'spec.hard') ?? {}) as Record<string, string>;
    const resources = resourcesIn(Object.keys(hard));
    const { look, isWatched } = lookAt(key, object, resources, view);
    const result = view.results.get(look.id);
    if (result === undefined) return { writes: [], effects: [look] };
    if (!result.ok) return { writes: [], again: RETRY_MS };
    const { used, ending } = result.value as QuotaUsage;
    const next = statusOf(object, hard, used);
    return {
      writes: next ? [{ do: 'update', object: { ...object, status: next }, subresource: 'status' }] : [],
      effects: [look],
      ...(isWatched && !ending ? {} : { again: RESYNC_MS }),
    };
  },
};
function nothing(): JsonObject {
  return {};
}

/** Only what goes makes a quota look, and Services and claims that change: what comes has been charged. */
function watchesOf(kind: Kind): Watch[] {
  const resource = resourceOf(kind);
  const map = (row: Row, view: View): Key[] => {
    const isThere = view.get(row.key) !== undefined;
    if (isThere && !changes(resource, row)) return [];
    return [...view.list(QUOTAS, parseKey(row.key).namespace)]
      .filter((q) => countedNames(resource, Object.keys((at(q.data, 'spec.hard') ?? {}) as JsonObject)).length > 0)
      .map((q) => q.key);
  };
  const all: Watch = { kind, beside: true, where: { wakes: 'end' }, map };
  if (resource === 'services' || resource === 'persistentvolumeclaims') return [{ kind, beside: true, map }];
  if (resource !== 'pods') return [all];
  // The map above is asked for those that ended too.
  return [all, { kind, beside: true, where: { fields: ACTIVE, wakes: 'end' }, map: () => [] }];
}
function changes(resource: string, row: Row): boolean {
  if (resource === 'pods') return row.data.phase === 'Succeeded' || row.data.phase === 'Failed';
  return resource === 'services' || resource === 'persistentvolumeclaims';
}

/** The resources whose objects count for one of these names. */
export function resourcesIn(names: readonly string[]): string[] {
  const own = [...watched].filter((r) => countedNames(r, names).length > 0);
  const others = names.filter((n) => n.startsWith('count/')).map((n) => n.slice('count/'.length));
  const isIgnored = (r: string) => r === 'events' || r === groupResource('events.k8s.io', 'events');
  return [...new Set([...own, ...others])].filter((r) => !isIgnored(r)).sort();
}

/** One count of all that a quota counts, as things stand: asked anew when one of them moves, or the quota. */
function lookAt(key: Key, quota: KubeObject, resources: string[], view: View): { look: Effect; isWatched: boolean } {
  const { namespace } = parseKey(key);
  const isWatched = resources.every((r) => watched.has(r));
  const stamps = resources.map((r) => {
    let [n, last] = [0, 0];
    for (const row of view.list(r, namespace)) {
      n++;
      last = Math.max(last, row.revision);
    }
    return `${n}.${last}`;
  });
  const time = Math.floor(view.now / RESYNC_MS);
  return {
    isWatched,
    look: {
      id: `usage/${quota.metadata.resourceVersion}/${time}/${stamps.join()}`,
      name: 'quotaUsage',
      input: { namespace, resources, spec: (quota.spec ?? {}) as JsonObject },
    },
  };
}

/** The status by what is used; undefined where it stands. */
function statusOf(
  quota: KubeObject,
  hard: Record<string, string>,
  counts: Record<string, string>,
): JsonObject | undefined {
  const status = (quota.status ?? {}) as { hard?: JsonObject; used?: JsonObject };
  const used = masked(new Map([...resourcesOf(status.used), ...resourcesOf(counts)]), Object.keys(hard));
  const same =
    status.hard !== undefined &&
    status.used !== undefined &&
    equal(resourcesOf(status.hard), resourcesOf(hard)) &&
    equal(resourcesOf(status.used), used);
  return same ? undefined : { hard, used: textsOf(used) };
}
