import type { LabelRequirement } from '../../kube/meta/selectors.ts';
import type { NodeInfo, PodInfo, Term } from './framework.ts';

/** Value of a topology label -> how many. */
export type ByValue = ReadonlyMap<string, number>;
const NONE: ByValue = new Map();

function add(to: Map<string, number>, value: string, by: number): void {
  const n = (to.get(value) ?? 0) + by;
  if (n === 0) to.delete(value);
  else to.set(value, n);
}

/** What an existing pod's term is for the pods that it means. `hard` counts in scores as upstream's hardPodAffinityWeight does. */
export type TermUse = 'anti' | 'hard' | 'soft';
interface Counted {
  term: Term;
  use: TermUse;
  weight: number;
  values: Map<string, number>;
}

/** Upstream's default hardPodAffinityWeight. */
const HARD_WEIGHT = 1;

/** By term of pods that are on nodes, in which places they are: each distinct term once, however many pods have it. */
export class Counts {
  readonly #by = new Map<string, Counted>();

  change(pod: PodInfo, node: NodeInfo, by: 1 | -1): void {
    const { required, requiredAnti, preferred, preferredAnti } = pod.terms;
    for (const t of requiredAnti) this.#count(t, 'anti', 0, node, by);
    for (const t of required) this.#count(t, 'hard', HARD_WEIGHT, node, by);
    for (const { term, weight } of preferred) this.#count(term, 'soft', weight, node, by);
    for (const { term, weight } of preferredAnti) this.#count(term, 'soft', -weight, node, by);
  }
  get size(): number {
    return this.#by.size;
  }
  all(): Iterable<Readonly<Counted>> {
    return this.#by.values();
  }

  #count(term: Term, use: TermUse, weight: number, node: NodeInfo, by: 1 | -1): void {
    const value = node.labels[term.topologyKey];
    if (value === undefined) return;
    const id = `${use} ${weight} ${term.id}`;
    const known = this.#by.get(id);
    const counted = known ?? { term, use, weight, values: new Map<string, number>() };
    add(counted.values, value, by);
    if (counted.values.size === 0) this.#by.delete(id);
    else if (!known) this.#by.set(id, counted);
  }
}

/** How many pods of which a test holds are where. Kept up while it is asked for; values of a topology key are summed up when somebody first asks. */
export class Matches {
  readonly #nodes = new Map<NodeInfo, number>();
  readonly #byKey = new Map<string, Map<string, number>>();

  change(node: NodeInfo, by: number): void {
    const n = (this.#nodes.get(node) ?? 0) + by;
    if (n === 0) this.#nodes.delete(node);
    else this.#nodes.set(node, n);
    for (const [key, values] of this.#byKey) {
      const value = node.labels[key];
      if (value !== undefined) add(values, value, by);
    }
  }
  on(node: NodeInfo): number {
    return this.#nodes.get(node) ?? 0;
  }
  by(topologyKey: string): ByValue {
    const known = this.#byKey.get(topologyKey);
    if (known) return known;
    if (this.#nodes.size === 0) return NONE;
    const values = new Map<string, number>();
    for (const [node, n] of this.#nodes) {
      const value = node.labels[topologyKey];
      if (value !== undefined) add(values, value, n);
    }
    this.#byKey.set(topologyKey, values);
    return values;
  }
  nodes(): Iterable<[NodeInfo, number]> {
    return this.#nodes;
  }
}

/** Of which pods it is asked where they are. */
export interface Asking {
  /** The question as text: the same text asks the same. */
  id: string;
  test(pod: PodInfo): boolean;
  /** What the labels of all of them meet: by it they are found faster. */
  selector?: readonly LabelRequirement[] | null;
  /** Labels of namespaces decide too. */
  byNamespaceLabels?: boolean;
}
interface Asked extends Asking {
  matches: Matches;
  /** Labels of which each of them has one; undefined: they may have any. */
  anchors: readonly string[] | undefined;
}
/** Questions that are kept answered: more than that many selectors are rarely in use at once, and each costs memory for the nodes where its pods are. */
const ASKED_MAX = 1024;

const labelOf = (key: string, value: string) => `${key}=${value}`;
function anchorsOf({ selector }: Asking): readonly string[] | undefined {
  const r = selector?.find((x) => x.op === 'In');
  return r?.values.map((v) => labelOf(r.key, v));
}

/** Which pods are where, by questions that were asked; the one that was asked longest ago goes first. */
export class Selections {
  readonly #by = new Map<string, Asked>();
  /** Questions by label; those that go by none under ''. */
  readonly #anchored = new Map<string, Set<Asked>>();
  /** Pods by label, from when somebody asks. */
  #pods: Map<string, Map<PodInfo, NodeInfo>> | undefined;

  change(pod: PodInfo, node: NodeInfo, by: 1 | -1): void {
    if (this.#pods === undefined) return;
    const seen = this.#by.size > 0 ? new Set<Asked>() : undefined;
    for (const key in pod.labels) {
      const label = labelOf(key, pod.labels[key] ?? '');
      this.#move(label, pod, node, by);
      if (seen) this.#tell(label, pod, node, by, seen);
    }
    if (seen) this.#tell('', pod, node, by, seen);
  }
  get(asking: Asking, nodes: () => Iterable<NodeInfo>): Matches {
    const known = this.#by.get(asking.id);
    if (known) {
      this.#by.delete(asking.id);
      this.#by.set(asking.id, known);
      return known.matches;
    }
    const matches = new Matches();
    const asked: Asked = { ...asking, matches, anchors: anchorsOf(asking) };
    for (const [pod, node] of this.#candidates(asked.anchors, nodes)) if (asking.test(pod)) matches.change(node, 1);
    const [oldest] = this.#by.values();
    if (this.#by.size >= ASKED_MAX && oldest) this.#forget(oldest);
    this.#by.set(asking.id, asked);
    for (const label of asked.anchors ?? ['']) {
      const there = this.#anchored.get(label);
      if (there) there.add(asked);
      else this.#anchored.set(label, new Set([asked]));
    }
    return matches;
  }
  /** Labels of a namespace are others. */
  forgetNamespaces(): void {
    for (const asked of this.#by.values()) if (asked.byNamespaceLabels) this.#forget(asked);
  }

  *#candidates(
    anchors: readonly string[] | undefined,
    nodes: () => Iterable<NodeInfo>,
  ): Iterable<readonly [PodInfo, NodeInfo]> {
    if (this.#pods === undefined) {
      this.#pods = new Map();
      for (const node of nodes())
        for (const pod of node.pods.values())
          for (const key in pod.labels) this.#move(labelOf(key, pod.labels[key] ?? ''), pod, node, 1);
    }
    if (anchors) for (const label of new Set(anchors)) yield* this.#pods.get(label) ?? [];
    else for (const node of nodes()) for (const pod of node.pods.values()) yield [pod, node];
  }
  #move(label: string, pod: PodInfo, node: NodeInfo, by: 1 | -1): void {
    const there = this.#pods?.get(label);
    if (by === 1) {
      if (there) there.set(pod, node);
      else this.#pods?.set(label, new Map([[pod, node]]));
      return;
    }
    there?.delete(pod);
    if (there?.size === 0) this.#pods?.delete(label);
  }
  #tell(label: string, pod: PodInfo, node: NodeInfo, by: 1 | -1, seen: Set<Asked>): void {
    for (const asked of this.#anchored.get(label) ?? []) {
      // A pod has one value for each key, but two questions may name it twice.
      if (seen.has(asked)) continue;
      seen.add(asked);
      if (asked.test(pod)) asked.matches.change(node, by);
    }
  }
  #forget(asked: Asked): void {
    this.#by.delete(asked.id);
    for (const label of asked.anchors ?? ['']) {
      const there = this.#anchored.get(label);
      there?.delete(asked);
      if (there?.size === 0) this.#anchored.delete(label);
    }
  }
}
