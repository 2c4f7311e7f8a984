import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { at } from '../../kube/meta/object.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import { needKind } from './kind.ts';

/** Condition and status -> key of the taint that it makes: nodelifecycle's nodeConditionToTaintKeyStatusMap. */
const TAINTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: 'node.kubernetes.io/not-ready', Unknown: 'node.kubernetes.io/unreachable' },
  MemoryPressure: { True: 'node.kubernetes.io/memory-pressure' },
  DiskPressure: { True: 'node.kubernetes.io/disk-pressure' },
  NetworkUnavailable: { True: 'node.kubernetes.io/network-unavailable' },
  PIDPressure: { True: 'node.kubernetes.io/pid-pressure' },
};
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
/** Of these the controller also makes NoExecute taints, which evict. */
const EVICTING = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const OWNED = new Set([...Object.values(TAINTS).flatMap((m) => Object.values(m)), UNSCHEDULABLE]);

interface Taint extends JsonObject {
  key: string;
  effect: string;
  value?: string;
  timeAdded?: string;
}

/** Keeps a node's taints as its conditions and spec.unschedulable say. */
export const nodelifecycle: Controller = {
  name: 'node-controller',
  rules: [
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'update', 'delete', 'patch'] },
    { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch', 'update'] },
  ],
  for: needKind(kindByStorage, 'nodes'),
  reconcile(_key, node, view) {
    if (node === undefined) return { writes: [] };
    const conditions = (at(node, 'status.conditions') ?? []) as { type: string; status: string }[];
    const wanted: Taint[] = [];
    for (const c of conditions) {
      const key = TAINTS[c.type]?.[c.status];
      if (key === undefined) continue;
      wanted.push({ key, effect: 'NoSchedule' });
      if (EVICTING.includes(key)) wanted.push({ key, effect: 'NoExecute' });
    }
    // A node that hasn't reported yet keeps the taint that it was admitted with.
    if (conditions.length === 0) wanted.push({ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' });
    if (at(node, 'spec.unschedulable') === true) wanted.push({ key: UNSCHEDULABLE, effect: 'NoSchedule' });
    const old = (at(node, 'spec.taints') ?? []) as Taint[];
    const same = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;
    const kept = old.filter((t) => !OWNED.has(t.key) || wanted.some((w) => same(w, t)));
    const fresh = wanted
      .filter((w) => !old.some((t) => same(w, t)))
      .map((w) => ({ ...w, timeAdded: formatTime(view.now) }));
    const taints = [...kept, ...fresh];
    if (equalJson(taints as Json, old as Json)) return { writes: [] };
    const { taints: _, ...spec } = (node.spec ?? {}) as JsonObject;
    return { writes: [{ do: 'update', object: { ...node, spec: taints.length === 0 ? spec : { ...spec, taints } } }] };
  },
};
