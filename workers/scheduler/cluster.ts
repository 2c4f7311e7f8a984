import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Row, View } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { type ClusterEvent, isReject, type NodeInfo, type Pod, type Snapshot, type Taint } from './framework.ts';
import { place } from './place.ts';
import { plugins } from './plugins/index.ts';
import { statusOf } from './preemption.ts';
import { amounts } from './resources.ts';

export const SCHEDULER = 'default-scheduler';

export const podOf = (row: Row) => row.data as unknown as Pod;
export const over = (pod: Pod) =>
  ['Succeeded', 'Failed'].includes(String((pod.status as JsonObject | undefined)?.phase ?? ''));
export const waits = (pod: Pod) =>
  !pod.spec.nodeName &&
  !over(pod) &&
  pod.metadata.deletionTimestamp === undefined &&
  (pod.spec.schedulerName ?? SCHEDULER) === SCHEDULER;

/** The nodes as one pod after another finds them; `byName` are the same. */
export interface Room extends Snapshot {
  byName: ReadonlyMap<string, NodeInfo>;
}

/**
 * What the scheduler knows of nodes and pods, kept up with the rows that moved: a round costs what changed since the last one, not what there is.
 */
export class Cluster {
  readonly #nodes = new Map<string, Row>();
  /** By node the pods on it, by key. */
  readonly #placed = new Map<string, Map<Key, Pod>>();
  readonly #nodeOf = new Map<Key, string>();
  /** Nodes as they are, until a round assumes something of them. */
  readonly #infos = new Map<string, NodeInfo>();
  #names: string[] | undefined;
  /** Pods that want a node, and those of them for which room is being made. */
  readonly waiting = new Set<Key>();
  readonly nominated = new Set<Key>();
  /** Which plugins rejected a pod that waits when it was last tried. */
  readonly #blamed = new Map<Key, readonly string[]>();

  takeNode(key: Key, row: Row | undefined): void {
    const { name } = parseKey(key);
    if ((row === undefined) === this.#nodes.has(name)) this.#names = undefined;
    if (row) this.#nodes.set(name, row);
    else this.#nodes.delete(name);
    this.#infos.delete(name);
  }

  takePod(key: Key, row: Row | undefined): void {
    const before = this.#nodeOf.get(key);
    if (before !== undefined) {
      this.#placed.get(before)?.delete(key);
      if (this.#placed.get(before)?.size === 0) this.#placed.delete(before);
      this.#nodeOf.delete(key);
      this.#infos.delete(before);
    }
    const pod = row && podOf(row);
    const is = pod !== undefined && waits(pod);
    if (is) this.waiting.add(key);
    else if (this.waiting.delete(key)) this.#blamed.delete(key);
    if (is && statusOf(pod).nominatedNodeName) this.nominated.add(key);
    else this.nominated.delete(key);
    const node = pod?.spec.nodeName;
    if (pod === undefined || !node || over(pod)) return;
    const there = this.#placed.get(node) ?? new Map<Key, Pod>();
    this.#placed.set(node, there.set(key, pod));
    this.#nodeOf.set(key, node);
    this.#infos.delete(node);
  }

  /** Nodes in the order of their names. What is placed on one of them by assume() is forgotten at the next look. */
  room(): Room {
    this.#names ??= [...this.#nodes.keys()].sort();
    const nodes = this.#names.map((name) => this.#info(name));
    return { nodes, byName: new Map(nodes.map((n) => [n.name, n])) };
  }
  assume(node: NodeInfo, pod: Pod): void {
    place(node, pod);
    this.#infos.delete(node.name);
  }

  blame(key: Key, names: readonly string[]): void {
    this.#blamed.set(key, names);
  }
  /** Pods that wait and were rejected by a plugin that such an event may change the mind of; with a node, one that has nothing against it while it's empty. */
  hopeful(event: ClusterEvent, view: View, node?: Row): Key[] {
    const empty = node && emptyNode(node);
    return [...this.waiting].filter((key) => {
      const names = this.#blamed.get(key);
      const row = view.get(key);
      if (names === undefined || names.length === 0 || row === undefined) return true;
      return plugins.some((p) => {
        if (!names.includes(p.name) || !p.retryOn.includes(event)) return false;
        if (empty === undefined) return true;
        const state = p.prepare?.(podOf(row), { nodes: [empty] }) ?? null;
        return state === null || (!isReject(state) && p.filter?.(state, empty) === undefined);
      });
    });
  }

  #info(name: string): NodeInfo {
    const known = this.#infos.get(name);
    if (known) return known;
    const info = emptyNode(this.#nodes.get(name) as Row);
    const there = [...(this.#placed.get(name) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [, pod] of there) place(info, pod);
    this.#infos.set(name, info);
    return info;
  }
}

function emptyNode(row: Row): NodeInfo {
  const node = row.data as unknown as KubeObject & {
    spec?: { unschedulable?: boolean; taints?: Taint[] };
    status?: { allocatable?: Record<string, string> };
  };
  return {
    name: parseKey(row.key).name,
    labels: row.labels,
    taints: node.spec?.taints ?? [],
    unschedulable: node.spec?.unschedulable ?? false,
    allocatable: amounts(node.status?.allocatable),
    requested: {},
    nonZero: {},
    pods: 0,
    ports: new Set(),
    placed: [],
  };
}

const MEMORY = 'cluster';

/** The cluster as the View has it. */
export function clusterOf(view: View): Cluster {
  const known = view.memory.get(MEMORY) as Cluster | undefined;
  // Both are asked: what isn't asked for now is told the next time.
  const [nodes, pods] = [view.moved('nodes'), view.moved('pods')];
  if (known && nodes && pods) {
    for (const key of nodes) known.takeNode(key, view.get(key));
    for (const key of pods) known.takePod(key, view.get(key));
    return known;
  }
  const cluster = new Cluster();
  for (const row of view.list('nodes')) cluster.takeNode(row.key, row);
  for (const row of view.list('pods')) cluster.takePod(row.key, row);
  view.memory.set(MEMORY, cluster);
  return cluster;
}
