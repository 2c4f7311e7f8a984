import { kindByStorage } from '../../kube/kinds/index.ts';
import { NOT_READY, UNREACHABLE } from '../../kube/kinds/podspec/fit.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import type { Controller, Note, Plan, View, Write } from '../../kube/reconcile/controller.ts';
import type { Where } from '../../kube/store/interest.ts';
import { parseKey } from '../../kube/store/key.ts';
import { needKind } from './kind.ts';
import { EVENTS } from './owning.ts';
import { type PodRow, projectPod } from './podrow.ts';
import { BOUND } from './pods.ts';

/** Condition and status -> key of the taint that it makes: nodelifecycle's nodeConditionToTaintKeyStatusMap. */
const TAINTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: NOT_READY, Unknown: UNREACHABLE },
  MemoryPressure: { True: 'node.kubernetes.io/memory-pressure' },
  DiskPressure: { True: 'node.kubernetes.io/disk-pressure' },
  NetworkUnavailable: { True: 'node.kubernetes.io/network-unavailable' },
  PIDPressure: { True: 'node.kubernetes.io/pid-pressure' },
};
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
/** Condition types that a silent node's kubelet answers for; NetworkUnavailable isn't its own. */
const KUBELET_CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
/** How long a node may be silent: upstream's --node-monitor-grace-period (50 s there; our tunnels know after 40 s, wire/messages.ts DEAD_MS). */
const GRACE_MS = 40_000;
/** Upstream's --node-startup-grace-period: for nodes that have never reported. */
const STARTUP_MS = 60_000;
const NO_SCHEDULE = new Set([...Object.values(TAINTS).flatMap((m) => Object.values(m)), UNSCHEDULABLE]);

const nodes = needKind(kindByStorage, 'nodes');
/** Each node, when more has changed of it than the time of its last report. */
export const NODE_MOVES: Where = { of: ['labels', 'standing', 'terminating'] };

interface Taint extends JsonObject {
  key: string;
  effect: string;
}
interface Condition extends JsonObject {
  type: string;
  status: string;
  lastHeartbeatTime?: string;
  lastTransitionTime?: string;
}
/** What the effect `nodeHeard` found. */
interface Heard extends JsonObject {
  heardMs: number;
  connected: boolean;
  askedMs: number;
}

/**
 * Keeps a node's taints as its conditions and spec.unschedulable say, and tells of nodes that fell silent. Whether one has is asked when its
 * tunnel says that the link went or came back; only nodes without a tunnel are asked about again and again, as long as they are alive.
 */
export const nodelifecycle: Controller = {
  name: 'node-controller',
  rules: [
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'update', 'delete', 'patch'] },
    { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch', 'update'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'delete'] },
    { apiGroups: [''], resources: ['pods/status'], verbs: ['patch', 'update'] },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'list', 'watch'] },
    EVENTS,
  ],
  for: nodes,
  roots: NODE_MOVES,
  project: { pods: projectPod },
  watches: [
    // A heartbeat alone is no reason to look, but counts when it does.
    { kind: nodes, where: { wakes: 'never' }, map: () => [] },
    // Read when a node makes it look; what happens to its pods is none of its business.
    { kind: needKind(kindByStorage, 'pods'), where: { fields: BOUND, wakes: 'never' }, map: () => [] },
  ],
  reconcile(key, node, view): Plan {
    if (node === undefined) return { writes: [] };
    const { name } = parseKey(key);
    const [last] = [...view.results].filter(([id]) => id.startsWith('heard/'));
    const round = last ? Number(last[0].slice('heard/'.length)) : 1;
    const ask = (n: number) => ({ id: `heard/${n}`, name: 'nodeHeard', input: { node: name } });
    const found = last?.[1].ok ? (last[1].value as Heard) : undefined;
    if (found === undefined) return { writes: [], effects: [ask(last ? round + 1 : 1)] };
    const conditions = (at(node, 'status.conditions') ?? []) as Condition[];
    const ready = conditions.find((c) => c.type === 'Ready');
    const deadline = silentAt(node, ready, found);
    const silent = !found.connected && deadline <= found.askedMs;
    const shown = silent ? unknown(node, conditions, view.now) : conditions;
    const writes: Write[] = [];
    if (shown !== conditions && ready?.status !== 'Unknown') {
      const status = { ...(node.status as JsonObject | undefined), conditions: shown };
      // The taints follow when the change comes back: one object isn't replaced twice on one View.
      writes.push({ do: 'update', object: { ...node, status }, subresource: 'status' });
    } else writes.push(...taintWrites(node, conditions, view.now));
    const down = shown.some((c) => c.type === 'Ready' && c.status !== 'True') ? podsDown(name, view) : [];
    const notes = down.map((p) => p.note);
    if (writes.length > 0 && shown === conditions && isNew(node)) notes.unshift(registered(key, name));
    if (ready?.status === 'True' && silent)
      notes.unshift({
        on: key,
        type: 'Normal',
        reason: 'NodeNotReady',
        message: `Node ${name} status is now: NodeNotReady`,
      });
    for (const p of down) writes.push(p.write);
    if (silent || found.connected) return { writes, notes, effects: [ask(round)] };
    // Nobody tells when a node without a tunnel falls silent.
    const due = deadline - view.now;
    return due <= 0
      ? { writes, notes, effects: [ask(round + 1)] }
      : { writes, notes, effects: [ask(round)], again: due };
  },
};

const registered = (on: string, name: string): Note => ({
  on,
  type: 'Normal',
  reason: 'RegisteredNode',
  message: `Node ${name} event: Registered Node ${name} in Controller`,
});

/** When a node counts as silent, unless it is heard of again. */
function silentAt(node: KubeObject, ready: Condition | undefined, found: Heard): number {
  const created = timeToMillis(node.metadata.creationTimestamp);
  if (ready === undefined) return Math.max(found.heardMs + GRACE_MS, created + STARTUP_MS);
  const beat = ready.lastHeartbeatTime ? timeToMillis(ready.lastHeartbeatTime) : created;
  return Math.max(found.heardMs, beat) + GRACE_MS;
}

/** tryUpdateNodeHealth: what the conditions of a silent node become. */
function unknown(node: KubeObject, conditions: readonly Condition[], now: number): Condition[] {
  const made = conditions.map((c) =>
    !KUBELET_CONDITIONS.includes(c.type) || c.status === 'Unknown'
      ? c
      : {
          ...c,
          status: 'Unknown',
          reason: 'NodeStatusUnknown',
          message: 'Kubelet stopped posting node status.',
          lastTransitionTime: formatTime(now),
        },
  );
  for (const type of KUBELET_CONDITIONS) {
    if (conditions.some((c) => c.type === type)) continue;
    made.push({
      type,
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
      ...(node.metadata.creationTimestamp ? { lastHeartbeatTime: node.metadata.creationTimestamp } : {}),
      lastTransitionTime: formatTime(now),
    });
  }
  return made;
}

/** labelReconcileInfo: the beta labels say what the stable ones say. */
const LABELS = [
  ['kubernetes.io/os', 'beta.kubernetes.io/os'],
  ['kubernetes.io/arch', 'beta.kubernetes.io/arch'],
] as const;
/** Upstream's ttl controller: for how many seconds kubelets of clusters of this size may keep Secrets. Ours follow them; it also tells which nodes are known. */
const TTL = 'node.alpha.kubernetes.io/ttl';
const isNew = (node: KubeObject): boolean => node.metadata.annotations?.[TTL] === undefined;

function labelled(node: KubeObject): KubeObject['metadata'] {
  const labels = node.metadata.labels ?? {};
  const wrong = LABELS.filter(([stable, beta]) => labels[stable] !== undefined && labels[beta] !== labels[stable]);
  if (wrong.length === 0 && !isNew(node)) return node.metadata;
  return {
    ...node.metadata,
    annotations: { [TTL]: '0', ...node.metadata.annotations },
    labels: { ...labels, ...Object.fromEntries(wrong.map(([stable, beta]) => [beta, labels[stable] ?? ''])) },
  };
}

function taintWrites(node: KubeObject, conditions: readonly Condition[], now: number): Write[] {
  const wanted: Taint[] = [];
  for (const c of conditions) {
    const key = TAINTS[c.type]?.[c.status];
    if (key !== undefined) wanted.push({ key, effect: 'NoSchedule' });
  }
  if (at(node, 'spec.unschedulable') === true) wanted.push({ key: UNSCHEDULABLE, effect: 'NoSchedule' });
  const ready = conditions.find((c) => c.type === 'Ready')?.status;
  if (ready === 'False') wanted.push({ key: NOT_READY, effect: 'NoExecute' });
  if (ready === 'Unknown') wanted.push({ key: UNREACHABLE, effect: 'NoExecute' });
  const old = (at(node, 'spec.taints') ?? []) as Taint[];
  const same = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;
  const ours = (t: Taint) =>
    t.effect === 'NoSchedule'
      ? NO_SCHEDULE.has(t.key)
      : t.effect === 'NoExecute' && (t.key === NOT_READY || t.key === UNREACHABLE) && ready !== undefined;
  const kept = old.filter((t) => !ours(t) || wanted.some((w) => same(w, t)));
  const fresh = wanted.filter((w) => !old.some((t) => same(w, t))).map((w) => ({ ...w, timeAdded: formatTime(now) }));
  const metadata = labelled(node);
  if (fresh.length === 0 && kept.length === old.length && metadata === node.metadata) return [];
  const { taints: _, ...spec } = (node.spec ?? {}) as JsonObject;
  const taints = [...kept, ...fresh];
  return [{ do: 'update', object: { ...node, metadata, spec: taints.length === 0 ? spec : { ...spec, taints } } }];
}

/** controllerutil.MarkPodsNotReady: pods of a node that isn't ready aren't either. */
function podsDown(node: string, view: View): { write: Write; note: Note }[] {
  return [...view.list('pods')].flatMap((row) => {
    const pod = row.data as PodRow;
    if (pod.node !== node || !pod.ready) return [];
    const condition = { type: 'Ready', status: 'False', lastTransitionTime: formatTime(view.now) };
    return [
      {
        write: {
          do: 'patch',
          key: row.key,
          type: 'strategic',
          subresource: 'status',
          patch: { metadata: { uid: row.uid }, status: { conditions: [condition] } },
          apart: true,
        },
        note: { on: row.key, type: 'Warning', reason: 'NodeNotReady', message: 'Node is not ready' },
      } as const,
    ];
  });
}
