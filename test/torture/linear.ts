/** What an object of the real system is, when nobody shares it. */
export interface Model<S, O> {
  start: S;
  /** The state after the operation, or undefined when it can't have had its answer in this state. */
  step(state: S, op: O): S | undefined;
  /** Equal texts = equal states. */
  print(state: S): string;
}

/** One operation with its time. */
export interface Timed<O> {
  start: number;
  /** Infinity: its outcome is unknown; it may take effect at any time after its start, or never. */
  end: number;
  op: O;
  /** Operations of unknown outcome and of equal effect carry the same text: they are tried in order of their start only. */
  twin?: string;
}

/** `order`: indices of the operations in an order that explains all answers. `stuck`: one that none of the orders tried could place. */
export type Verdict =
  | { ok: true; order: number[] }
  | { ok: false; stuck: number; placed: number[] }
  | { ok: 'gave-up' };

/** States looked at before the search gives up: some seconds, and far more than a history that has an order ever takes. */
export const STEPS_MAX = 4_000_000;

interface Node {
  index: number;
  /** A call; else a return. */
  call: boolean;
  before: Node | null;
  after: Node | null;
  /** Of a call: its return, if it has one. */
  back: Node | null;
}

/**
 * Whether some order of the operations, in which none comes before one that had ended when it started, gives all their answers: Wing and
 * Gong's search with Lowe's memory of configurations, as in Porcupine.
 */
export function linearize<S, O>(model: Model<S, O>, ops: readonly Timed<O>[], stepsMax = STEPS_MAX): Verdict {
  const head = chain(ops);
  const twins = twinRanks(ops);
  const seen = new Set<string>();
  const done: { node: Node; state: S }[] = [];
  const hash = new Hash(ops.length);
  let state = model.start;
  let required = ops.filter((o) => o.end !== Number.POSITIVE_INFINITY).length;
  let best: number[] = [];
  let stuck = -1;
  let node = head.after;
  for (let steps = 0; required > 0; ) {
    if (node?.call && twins.free(node.index)) {
      if (++steps > stepsMax) return { ok: 'gave-up' };
      const op = ops[node.index];
      const next = op && model.step(state, op.op);
      if (next !== undefined) {
        hash.flip(node.index);
        const configuration = `${hash.text()} ${model.print(next)}`;
        if (!seen.has(configuration)) {
          seen.add(configuration);
          done.push({ node, state });
          state = next;
          twins.take(node.index, 1);
          if (node.back) required--;
          lift(node);
          node = head.after;
          continue;
        }
        hash.flip(node.index);
      }
      node = node.after;
      continue;
    }
    if (node?.call) {
      node = node.after;
      continue;
    }
    // A return whose call has no place before it, or the end of what could be tried.
    if (done.length > best.length || stuck < 0) {
      best = done.map((d) => d.node.index);
      stuck = node?.index ?? stuck;
    }
    const last = done.pop();
    if (!last) return { ok: false, stuck, placed: best };
    state = last.state;
    hash.flip(last.node.index);
    twins.take(last.node.index, -1);
    if (last.node.back) required++;
    unlift(last.node);
    node = last.node.after;
  }
  return { ok: true, order: done.map((d) => d.node.index) };
}

/** Calls and returns by time, as a list from which a placed operation is lifted out. */
function chain<O>(ops: readonly Timed<O>[]): Node {
  const nodes: { time: number; node: Node }[] = [];
  ops.forEach((op, index) => {
    const call: Node = { index, call: true, before: null, after: null, back: null };
    nodes.push({ time: op.start, node: call });
    if (op.end === Number.POSITIVE_INFINITY) return;
    call.back = { index, call: false, before: null, after: null, back: null };
    nodes.push({ time: op.end, node: call.back });
  });
  // At the same time, calls come first: such operations overlap.
  nodes.sort((a, b) => a.time - b.time || Number(b.node.call) - Number(a.node.call));
  const head: Node = { index: -1, call: false, before: null, after: null, back: null };
  let last = head;
  for (const { node } of nodes) {
    last.after = node;
    node.before = last;
    last = node;
  }
  return head;
}

function lift(call: Node): void {
  for (const n of [call, call.back]) {
    if (!n) continue;
    if (n.before) n.before.after = n.after;
    if (n.after) n.after.before = n.before;
  }
}
/** The reverse of lift(), in reverse order. */
function unlift(call: Node): void {
  for (const n of [call.back, call]) {
    if (!n) continue;
    if (n.after) n.after.before = n;
    if (n.before) n.before.after = n;
  }
}

/** Which of several operations of equal effect is next. */
function twinRanks<O>(ops: readonly Timed<O>[]) {
  const rank = new Map<number, { group: string; at: number }>();
  const size = new Map<string, number>();
  const taken = new Map<string, number>();
  const order = ops.map((_, i) => i).sort((a, b) => (ops[a]?.start ?? 0) - (ops[b]?.start ?? 0));
  for (const i of order) {
    const { twin, end } = ops[i] ?? { end: 0 };
    if (twin === undefined || end !== Number.POSITIVE_INFINITY) continue;
    const at = size.get(twin) ?? 0;
    size.set(twin, at + 1);
    rank.set(i, { group: twin, at });
  }
  return {
    free(i: number): boolean {
      const r = rank.get(i);
      return r === undefined || r.at === (taken.get(r.group) ?? 0);
    },
    take(i: number, by: 1 | -1): void {
      const r = rank.get(i);
      if (r) taken.set(r.group, (taken.get(r.group) ?? 0) + by);
    },
  };
}

/** A set of indices as 64 bits: each index has random ones of its own, so a set differs from another almost surely. */
class Hash {
  readonly #bits: Uint32Array;
  #low = 0;
  #high = 0;
  constructor(size: number) {
    this.#bits = new Uint32Array(size * 2);
    let x = 0x9e3779b9;
    for (let i = 0; i < this.#bits.length; i++) {
      x = (x + 0x6d2b79f5) >>> 0;
      let t = Math.imul(x ^ (x >>> 15), x | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      this.#bits[i] = t ^ (t >>> 14);
    }
  }
  flip(i: number): void {
    this.#low ^= this.#bits[2 * i] ?? 0;
    this.#high ^= this.#bits[2 * i + 1] ?? 0;
  }
  text(): string {
    return `${this.#low},${this.#high}`;
  }
}
