import type { JsonObject } from '../../../kube/meta/json.ts';
import { groupResource, type KubeObject } from '../../../kube/meta/object.ts';
import type { Controller, EffectResult, Plan, View, Write } from '../../../kube/reconcile/controller.ts';
import { MemoryProjection } from '../../../kube/reconcile/projection.ts';
import { suffix } from '../../../kube/reconcile/view.ts';
import { resourceOfKey } from '../../../kube/store/key.ts';
import type { Key } from '../../../kube/store/store.ts';

/** When tests plan: a full second, as Kubernetes' times are. */
export const NOW = Date.parse('2026-11-21T12:00:00Z');
/** `2026-11-21T11:59:50Z` for 10. */
export const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace('.000', '');

/** An object of a table: apiVersion, kind and metadata as given, uid after its name. */
export interface Given extends KubeObject {
  apiVersion: string;
  kind: string;
}
/** Resource of a kind in its few words: enough for the kinds that controllers look at. */
const pluralOf = (kind: string) => kind.toLowerCase() + (kind.endsWith('ss') ? 'es' : kind.endsWith('s') ? '' : 's');

const APPS = new Set(['Deployment', 'ReplicaSet', 'DaemonSet', 'StatefulSet', 'ControllerRevision']);
/** `pods`, `deployments.apps`. */
export const resourceFor = (kind: string): string => groupResource(APPS.has(kind) ? 'apps' : '', pluralOf(kind));

/** Key of an object. */
export function keyFor(o: Given): Key {
  const group = o.apiVersion.includes('/') ? (o.apiVersion.split('/')[0] ?? '') : '';
  const resource = groupResource(group, pluralOf(o.kind));
  const { namespace, name } = o.metadata;
  return namespace ? `${resource}/${namespace}/${name}` : `${resource}/${name}`;
}

/** What a controller sees where these objects stand. */
export function viewOf(
  controller: Controller,
  objects: readonly Given[],
  more: { now?: number; results?: Record<string, EffectResult>; failure?: string; key?: Key } = {},
): View {
  const rows = new MemoryProjection();
  objects.forEach((o, i) => {
    const key = keyFor(o);
    const { apiVersion: _, kind: __, ...body } = o;
    const project = controller.project?.[resourceOfKey(key)];
    rows.put({
      key,
      revision: Number(o.metadata.resourceVersion ?? i + 1),
      uid: o.metadata.uid ?? '',
      labels: o.metadata.labels ?? {},
      owner: o.metadata.ownerReferences?.find((r) => r.controller)?.uid ?? '',
      data: project ? project(o) : (body as unknown as JsonObject),
    });
  });

  let calls = 0;
  return {
    revision: objects.length,
    now: more.now ?? NOW,
    get: (key) => rows.get(key),
    list: (resource, namespace) => rows.list(resource, namespace),
    owned: (resource, uid) => rows.owned(resource, uid),
    orphans: (resource, namespace) => rows.orphans(resource, namespace),
    moved: () => undefined,
    memory: new Map(),
    results: new Map(Object.entries(more.results ?? {})),
    failure: more.failure,
    suffix: (n) => suffix(`${more.key ?? ''}/${calls++}`, n),
  };
}

/** The plan for the first of these objects. */
export function planFor(
  controller: Controller,
  [object, ...others]: readonly [Given, ...Given[]],
  more: Parameters<typeof viewOf>[2] = {},
): Plan {
  return controller.reconcile(keyFor(object), object, viewOf(controller, [object, ...others], more));
}

/** `create pods/default/web-x`, `update pods/a/b status`: what a plan writes, in short. */
export function printed(plan: Plan): string[] {
  return plan.writes.map((w: Write) => {
    const key = w.do === 'create' || w.do === 'update' ? keyFor(w.object as Given) : w.key;
    const subresource = 'subresource' in w && w.subresource ? ` ${w.subresource}` : '';
    return `${w.do} ${key}${subresource}`;
  });
}
