import { equalJson, type JsonObject } from '../../kube/meta/json.ts';
import type { LabelRequirement } from '../../kube/meta/selectors.ts';
import type { Row, View } from '../../kube/reconcile/controller.ts';
import { sameRow } from '../../kube/reconcile/row.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { type Asking, Counts, type Matches, Selections } from './counts.ts';
import type { Labels, NodeInfo, Pod, PodInfo, SchedulerPlugin, Snapshot } from './framework.ts';
import { displace, nodeInfoOf, place, sameLabels } from './nodeinfo.ts';
import { podInfoOf } from './podinfo.ts';
import { selectorFor } from './selectors.ts';
import type { Storage } from './storage.ts';
import { hasTerms } from './terms.ts';
import { Waiting } from './waiting.ts';
import { inTurns } from './zones.ts';

export const SCHEDULER = 'default-scheduler';

export const podOf = (row: Row) => row.data as unknown as Pod;
export const over = (pod: Pod) =>
  ['Succeeded', 'Failed'].includes(String((pod.status as JsonObject | undefined)?.phase ?? ''));
export const waits = (pod: Pod) =>
  !pod.spec.nodeName &&
  !over(pod) &&
  pod.metadata.deletionTimestamp === undefined &&
  (pod.spec.schedulerName ?? SCHEDULER) === SCHEDULER;
export const nominationOf = (pod: Pod): string | undefined =>
  ((pod.status ?? {}) as { nominatedNodeName?: string }).nominatedNodeName || undefined;

/** A pod's place: on a node, or promised one. */
interface Place {
  info: PodInfo;
  node: string;
}

/**
 * What the scheduler knows of nodes and pods, kept up with the rows that moved: a round costs what changed since the last one, not what there is.
 */
export class Cluster implements Snapshot {
  #rows: Pick<View, 'get' | 'list'>;
  readonly #nodes = new Map<string, NodeInfo>();
  readonly #nodeRows = new Map<string, Row>();
  /** By key where pods are; by node those on nodes that aren't there (yet). */
  readonly #placed = new Map<Key, Place>();
  readonly #early = new Map<string, Map<Key, PodInfo>>();
  readonly #nominated = new Map<Key, Place>();
  readonly #nominatedOn = new Map<string, PodInfo[]>();
  readonly #selections = new Selections();
  readonly #images = new Map<string, number>();
  #selectors = new Map<string, readonly LabelRequirement[] | null>();
  #order: readonly NodeInfo[] | undefined;
  /** What this round has only in mind, and how to forget it. */
  #assumed: (() => void)[] = [];
  readonly #evicted = new Set<PodInfo>();
  /** Where the search for nodes begins next. */
  start = 0;
  readonly terms = new Counts();
  readonly waiting: Waiting;
  readonly storage: Storage;

  constructor(rows: Pick<View, 'get' | 'list'>, plugins: readonly SchedulerPlugin[]) {
    this.#rows = rows;
    this.waiting = new Waiting(plugins);
    this.storage = { get: (key) => this.#rows.get(key), list: (resource) => this.#rows.list(resource) };
  }
  /** Rows are read from here from now on. */
  read(rows: Pick<View, 'get' | 'list'>): void {
    this.#rows = rows;
  }

  get nodes(): readonly NodeInfo[] {
    this.#order ??= inTurns([...this.#nodes.values()]);
    return this.#order;
  }
  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }
  nominated(node: string): readonly PodInfo[] {
    return this.#nominatedOn.get(node) ?? NOBODY;
  }
  get keepsRoom(): boolean {
    return this.#nominated.size > 0;
  }
  imageNodes(image: string): number {
    return this.#images.get(image) ?? 0;
  }
  namespaceLabels(namespace: string): Labels | undefined {
    return this.#rows.get(keyOf('', 'namespaces', '', namespace))?.labels;
  }
  matching(asking: Asking): Matches {
    return this.#selections.get(asking, () => this.#nodes.values());
  }
  defaultSelector(pod: PodInfo): readonly LabelRequirement[] | null {
    const id = `${pod.namespace} ${pod.owner} ${JSON.stringify(pod.labels)}`;
    const known = this.#selectors.get(id);
    if (known !== undefined) return known;
    if (this.#selectors.size >= SELECTORS_MAX) this.#selectors.clear();
    const found = selectorFor(pod, this.#rows);
    this.#selectors.set(id, found);
    return found;
  }

  takeNode(key: Key, row: Row | undefined): void {
    const { name } = parseKey(key);
    const old = this.#nodes.get(name);
    const seen = this.#nodeRows.get(name);
    // A heartbeat.
    if (row && seen && sameRow(seen, row)) return;
    if (row) this.#nodeRows.set(name, row);
    else this.#nodeRows.delete(name);
    const next = row && nodeInfoOf(row);
    if (old === undefined && next === undefined) return;
    const before = old && { ...old };
    const pods = old ? [...old.pods.values()] : [...(this.#early.get(name)?.values() ?? [])];
    if (old) {
      for (const pod of pods) this.#index(pod, old, -1);
      for (const image of old.images.keys()) this.#countImage(image, -1);
    }
    if (next === undefined) {
      this.#nodes.delete(name);
      this.#early.set(name, new Map(pods.map((p) => [p.key, p])));
      for (const pod of this.nominated(name)) this.waiting.wake(pod.key);
    } else {
      // The same object as long as the node is there: indexes go by it.
      const { labels, taints, unschedulable, allocatable, images, declared } = next;
      const info = old ? Object.assign(old, { labels, taints, unschedulable, allocatable, images, declared }) : next;
      this.#nodes.set(name, info);
      if (!old) for (const pod of pods) place(info, pod);
      for (const pod of pods) this.#index(pod, info, 1);
      for (const image of images.keys()) this.#countImage(image, 1);
      this.#early.delete(name);
    }
    this.#order = undefined;
    this.waiting.node(before, next);
  }

  takePod(key: Key, row: Row | undefined): void {
    const old = this.#placed.get(key);
    const promised = this.#nominated.get(key);
    const pod = row && podOf(row);
    const info = row && podInfoOf(row);
    const node = pod && info && !over(pod) ? pod.spec.nodeName || undefined : undefined;
    if (old) this.#remove(old);
    if (info && node !== undefined) this.#put({ info, node });
    const is = pod !== undefined && info !== undefined && waits(pod);
    if (is) this.waiting.take(info);
    else this.waiting.leave(key);
    this.nominate(is ? info : undefined, key, is ? nominationOf(pod) : undefined);
    // Upstream's queue hears of pods with a node, given or promised: that one is given is news of its own.
    const before = old?.info ?? (node === undefined ? promised?.info : undefined);
    const after = node === undefined ? this.#nominated.get(key)?.info : info;
    if ((before || after) && !(before && after && alike(before, after))) this.waiting.pod(before, after, this);
  }
  /** Selectors of Services and workloads, labels of namespaces, what storage there is. */
  takeOther(resource: string, keys: ReadonlySet<Key>): void {
    if (keys.size === 0) return;
    if (resource === 'namespaces') this.#selections.forgetNamespaces();
    else if (SELECTING.has(resource)) this.#selectors = new Map();
    else for (const key of keys) this.waiting.storage(key);
  }

  /** Keeps room for a pod that has no node. */
  nominate(info: PodInfo | undefined, key: Key, node: string | undefined): void {
    const old = this.#nominated.get(key);
    if (old) {
      this.#nominatedOn.set(
        old.node,
        this.nominated(old.node).filter((p) => p.key !== key),
      );
      if (this.#nominatedOn.get(old.node)?.length === 0) this.#nominatedOn.delete(old.node);
      this.#nominated.delete(key);
    }
    if (info === undefined || node === undefined) return;
    this.#nominated.set(key, { info, node });
    this.#nominatedOn.set(node, [...this.nominated(node), info]);
  }
  /** The pod is on the node as far as this round is concerned, and no longer anywhere promised. */
  assume(info: PodInfo, node: NodeInfo): void {
    const promised = this.#nominated.get(info.key);
    this.nominate(undefined, info.key, undefined);
    place(node, info);
    this.#index(info, node, 1);
    this.#assumed.push(() => {
      displace(node, info);
      this.#index(info, node, -1);
      if (promised) this.nominate(promised.info, info.key, promised.node);
    });
  }
  /** It is told to go in this round already. */
  evict(info: PodInfo): void {
    this.#evicted.add(info);
  }
  isEvicted(info: PodInfo): boolean {
    return this.#evicted.has(info);
  }
  /** Forgets what rounds had in mind: what came of it is in the rows. */
  settle(): void {
    this.#evicted.clear();
    for (const forget of this.#assumed.reverse()) forget();
    this.#assumed = [];
  }

  #put({ info, node }: Place): void {
    this.#placed.set(info.key, { info, node });
    const there = this.#nodes.get(node);
    if (there) {
      place(there, info);
      this.#index(info, there, 1);
    } else this.#early.set(node, (this.#early.get(node) ?? new Map<Key, PodInfo>()).set(info.key, info));
  }
  #remove({ info, node }: Place): void {
    this.#placed.delete(info.key);
    const there = this.#nodes.get(node);
    if (there) {
      displace(there, info);
      this.#index(info, there, -1);
      return;
    }
    const early = this.#early.get(node);
    early?.delete(info.key);
    if (early?.size === 0) this.#early.delete(node);
  }
  #index(info: PodInfo, node: NodeInfo, by: 1 | -1): void {
    if (hasTerms(info.terms)) this.terms.change(info, node, by);
    this.#selections.change(info, node, by);
  }
  #countImage(image: string, by: 1 | -1): void {
    const n = (this.#images.get(image) ?? 0) + by;
    if (n === 0) this.#images.delete(image);
    else this.#images.set(image, n);
  }
}

/** Whether a pod counts as it did, whatever else of it changed. */
const alike = (a: PodInfo, b: PodInfo): boolean =>
  a.uid === b.uid && sameLabels(a, b) && equalJson(a.counted, b.counted);

const NOBODY: readonly PodInfo[] = [];
/** Selectors of pods that were worked out: one for each template and namespace. */
const SELECTORS_MAX = 10_000;
const SELECTING = new Set(['services', 'replicationcontrollers', 'replicasets.apps', 'statefulsets.apps']);
/** What the cluster keeps up with beside nodes and pods. */
const OTHERS = [
  'namespaces',
  ...SELECTING,
  'persistentvolumeclaims',
  'persistentvolumes',
  'storageclasses.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'csidrivers.storage.k8s.io',
  'csistoragecapacities.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
];
const MEMORY = 'cluster';

/** The cluster as the View has it. */
export function clusterOf(view: View, plugins: readonly SchedulerPlugin[]): Cluster {
  const known = view.memory.get(MEMORY) as Cluster | undefined;
  // All are asked: what isn't asked for now is told the next time.
  const [nodes, pods] = [view.moved('nodes'), view.moved('pods')];
  const others = OTHERS.map((resource) => view.moved(resource));
  if (known && nodes && pods) {
    known.read(view);
    known.settle();
    OTHERS.forEach((resource, i) => {
      const keys = others[i];
      if (keys) known.takeOther(resource, keys);
    });
    for (const key of nodes) known.takeNode(key, view.get(key));
    for (const key of pods) known.takePod(key, view.get(key));
    return known;
  }
  const cluster = new Cluster(view, plugins);
  for (const row of view.list('nodes')) cluster.takeNode(row.key, row);
  for (const row of view.list('pods')) cluster.takePod(row.key, row);
  view.memory.set(MEMORY, cluster);
  return cluster;
}
