import { kindByStorage } from '../../kube/kinds/index.ts';
import type { Kind } from '../../kube/kinds/kind.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { at } from '../../kube/meta/object.ts';
import type { Controller, Plan, Row } from '../../kube/reconcile/controller.ts';
import { resourceOf } from '../../kube/reconcile/interests.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import { EVENTS } from './owning.ts';

// Claims, volumes and attribute classes stay until nobody uses them: admission gives each a finalizer, these take it away. kubernetes
// pkg/controller/volume/{pvc,pv,vac}protection. They look at nothing but what is being deleted, and beside such a claim at its namespace's pods.

const claims = needKind(kindByStorage, 'persistentvolumeclaims');
const volumes = needKind(kindByStorage, 'persistentvolumes');
const classes = needKind(kindByStorage, 'volumeattributesclasses.storage.k8s.io');
const pods = needKind(kindByStorage, 'pods');

/** A class that is still used is looked at again so often: nothing wakes for claims and volumes of the whole cluster. */
const RELOOK_MS = 15_000;

/** Whole while it is being deleted: what an update needs. */
const projectProtected = (o: KubeObject): JsonObject =>
  o.metadata.deletionTimestamp === undefined ? {} : { protected: o as JsonObject };
/** The claims that a pod on a node uses, those of its ephemeral volumes too. */
function projectUser(o: KubeObject): JsonObject {
  const list = at(o, 'spec.volumes');
  if (!Array.isArray(list) || !at(o, 'spec.nodeName')) return {};
  const names = (list as { name: string; persistentVolumeClaim?: { claimName?: string }; ephemeral?: object }[])
    .map((v) => v.persistentVolumeClaim?.claimName ?? (v.ephemeral ? `${o.metadata.name}-${v.name}` : undefined))
    .filter((name) => name !== undefined);
  return names.length === 0 ? {} : { uses: names };
}
const usesOf = (row: Row) => (row.data.uses ?? []) as string[];

/** The object without its finalizer; nothing where it has none, or isn't being deleted. */
function released(row: Row | undefined, kind: Kind, finalizer: string): Plan {
  const object = row?.data.protected as KubeObject | undefined;
  const finalizers = object?.metadata.finalizers;
  if (!row || !object || !finalizers?.includes(finalizer)) return { writes: [] };
  const [served] = kind.served;
  const metadata = {
    ...object.metadata,
    finalizers: finalizers.filter((f) => f !== finalizer),
    resourceVersion: String(row.revision),
  };
  const apiVersion = served?.group ? `${served.group}/${served.version}` : (served?.version ?? '');
  return { writes: [{ do: 'update', object: { ...object, apiVersion, kind: kind.kind, metadata } }] };
}

/** Claims stay while a pod on a node uses them. */
export const pvcprotection: Controller = {
  name: 'pvc-protection-controller',
  rules: [
    { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['get', 'list', 'watch', 'update'] },
    { apiGroups: [''], resources: ['persistentvolumeclaims/status'], verbs: ['update'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
    EVENTS,
  ],
  for: claims,
  roots: { terminating: true },
  project: { persistentvolumeclaims: projectProtected, pods: projectUser },
  watches: [
    {
      kind: pods,
      beside: true,
      where: { wakes: 'end' },
      map: (row): Key[] =>
        usesOf(row).map((name) => keyOf('', 'persistentvolumeclaims', parseKey(row.key).namespace, name)),
    },
  ],
  reconcile(key, _object, view) {
    const { namespace, name } = parseKey(key);
    for (const pod of view.list('pods', namespace)) if (usesOf(pod).includes(name)) return { writes: [] };
    return released(view.get(key), claims, 'kubernetes.io/pvc-protection');
  },
};

/** Volumes stay while they are bound. */
export const pvprotection: Controller = {
  name: 'pv-protection-controller',
  rules: [{ apiGroups: [''], resources: ['persistentvolumes'], verbs: ['get', 'list', 'watch', 'update'] }, EVENTS],
  for: volumes,
  roots: { terminating: true },
  project: { persistentvolumes: projectProtected },
  reconcile(key, _object, view) {
    const row = view.get(key);
    if (at((row?.data.protected ?? {}) as JsonObject, 'status.phase') === 'Bound') return { writes: [] };
    return released(row, volumes, 'kubernetes.io/pv-protection');
  },
};

/** Attribute classes stay while a claim or a volume names them. */
export const vacprotection: Controller = {
  name: 'volumeattributesclass-protection-controller',
  rules: [
    { apiGroups: [''], resources: ['persistentvolumes', 'persistentvolumeclaims'], verbs: ['get', 'list', 'watch'] },
    {
      apiGroups: ['storage.k8s.io'],
      resources: ['volumeattributesclasses'],
      verbs: ['get', 'list', 'watch', 'update'],
    },
    EVENTS,
  ],
  for: classes,
  roots: { terminating: true },
  project: { [resourceOf(classes)]: projectProtected },
  reconcile(key, _object, view) {
    const plan = released(view.get(key), classes, 'kubernetes.io/vac-protection');
    if (plan.writes.length === 0) return plan;
    const id = `users/${Math.floor(view.now / RELOOK_MS)}`;
    const effects = [{ id, name: 'classUsers', input: { name: parseKey(key).name } }];
    const found = view.results.get(id);
    if (!found?.ok) return { writes: [], effects, again: RELOOK_MS };
    return found.value.used === true ? { writes: [], effects, again: RELOOK_MS } : plan;
  },
};
