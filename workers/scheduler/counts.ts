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

interface Asked {
  test: (pod: PodInfo) => boolean;
  byNamespaceLabels: boolean;
  matches: Matches;
}
/** Tests that are kept up: more than that many selectors are rarely in use at once, and each costs a look at every pod that comes or goes. */
const ASKED_MAX = 128;

/** Which pods are where, by tests that were asked for; the one that was asked for longest ago goes first. */
export class Selections {
  readonly #by = new Map<string, Asked>();

  change(pod: PodInfo, node: NodeInfo, by: 1 | -1): void {
    for (const { test, matches } of this.#by.values()) if (test(pod)) matches.change(node, by);
  }
  get(
    id: string,
    test: (pod: PodInfo) => boolean,
    byNamespaceLabels: boolean,
    nodes: () => Iterable<NodeInfo>,
  ): Matches {
    const known = this.#by.get(id);
    if (known) {
      this.#by.delete(id);
      this.#by.set(id, known);
      return known.matches;
    }
    const matches = new Matches();
    for (const node of nodes()) {
      let n = 0;
      for (const pod of node.pods.values()) if (test(pod)) n++;
      if (n > 0) matches.change(node, n);
    }
    const [oldest] = this.#by.keys();
    if (this.#by.size >= ASKED_MAX && oldest !== undefined) this.#by.delete(oldest);
    this.#by.set(id, { test, byNamespaceLabels, matches });
    return matches;
  }
  /** Labels of a namespace are others. */
  forgetNamespaces(): void {
    for (const [id, { byNamespaceLabels }] of this.#by) if (byNamespaceLabels) this.#by.delete(id);
  }
}
