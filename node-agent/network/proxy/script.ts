import type { Piece } from './render.ts';
import type { PortTable, Table } from './table.ts';

/** What the kernel holds of one of our tables, as far as we know it. */
export interface Loaded {
  /** Rules by chain; undefined: there, with content unknown. */
  chains: Map<string, string | undefined>;
  /** Sets that belong to Services (affinities); undefined: there, as declared by an earlier agent. */
  sets: Map<string, string | undefined>;
  /** Fixed sets and maps (`set name`, `map name`) that are there with unknown content: to be emptied first. */
  dirty: Set<string>;
  /** Set -> key -> Service -> value. More than one Service may ask for the same element: the first one's counts. */
  elements: Map<string, Map<string, Map<string, string>>>;
  ranges: Map<string, string>;
  services: Map<string, { ports: readonly PortTable[]; piece: Piece }>;
  /** Chains that are empty and wait for their deletion, since when. */
  stale: Map<string, number>;
}

/** How our tables look in the kernel: render.ts has it for nftables. */
export interface Layout {
  name: string;
  /** The fixed part has to be declared. */
  setUp: boolean;
  /** The table goes first, with all that is in it. */
  deleteFirst: boolean;
  declarations: readonly string[];
  fixed: ReadonlyMap<string, readonly string[]>;
  ranges: Readonly<Record<string, readonly string[]>>;
  rangeNames: readonly string[];
  render(ports: readonly PortTable[]): Piece;
  now: number;
}

/** A table of which nothing is known but these names. */
export function loaded(
  names: { chains: readonly string[]; sets: readonly string[]; maps: readonly string[] } = {
    chains: [],
    sets: [],
    maps: [],
  },
): Loaded {
  const own = names.sets.filter((s) => s.startsWith('affinity-'));
  const fixed = names.sets.filter((s) => !s.startsWith('affinity-'));
  return {
    chains: new Map(names.chains.map((c) => [c, undefined])),
    sets: new Map(own.map((s) => [s, undefined])),
    dirty: new Set([...fixed.map((s) => `set ${s}`), ...names.maps.map((m) => `map ${m}`)]),
    elements: new Map(),
    ranges: new Map(),
    services: new Map(),
    stale: new Map(),
  };
}

/** Chains of Services have a slash in their names, fixed ones don't. */
const isServices = (chain: string) => chain.includes('/');

/** The commands that make of `state` what `table` says, in an order that the kernel takes as one transaction. `state` is changed with it. */
export function script(table: Table, state: Loaded, layout: Layout): string[] {
  const at = `${table.family} ${layout.name}`;
  const lines: string[] = [];
  const first: string[] = [];
  if (layout.deleteFirst) first.push(`add table ${at}`, `delete table ${at}`);
  if (layout.setUp) {
    first.push(`table ${at} {`, ...layout.declarations, '}');
    for (const which of state.dirty) lines.push(`flush ${which.replace(' ', ` ${at} `)}`);
    state.dirty.clear();
  }
  const edit = new Edit(at, state, lines);
  if (layout.setUp) for (const [chain, rules] of layout.fixed) edit.chain(chain, rules);

  for (const [name, was] of state.services) {
    if (table.services.has(name)) continue;
    state.services.delete(name);
    edit.piece(name, was.piece, undefined);
  }
  for (const [name, ports] of table.services) {
    const was = state.services.get(name);
    if (was?.ports === ports) continue;
    const piece = layout.render(ports);
    edit.piece(name, was?.piece, piece);
    state.services.set(name, { ports, piece });
  }
  // What an earlier agent left, and no Service has now.
  if (layout.setUp) edit.sweep();
  edit.finish();

  for (const name of layout.rangeNames) {
    const text = (layout.ranges[name] ?? []).join(', ');
    if ((state.ranges.get(name) ?? '') === text) continue;
    lines.push(`flush set ${at} ${name}`);
    if (text) lines.push(`add element ${at} ${name} { ${text} }`);
    state.ranges.set(name, text);
  }
  for (const [chain] of state.stale)
    if (state.stale.get(chain) === Number.POSITIVE_INFINITY) state.stale.set(chain, layout.now);
  return [...first, ...edit.declared, ...lines];
}

/** Collects commands: what is new is declared before anything refers to it, what is over goes last. */
class Edit {
  readonly declared: string[] = [];
  readonly #at: string;
  readonly #state: Loaded;
  readonly #lines: string[];
  readonly #touched = new Map<string, Map<string, string | undefined>>();
  readonly #endings: string[] = [];

  constructor(at: string, state: Loaded, lines: string[]) {
    this.#at = at;
    this.#state = state;
    this.#lines = lines;
  }

  /** Gives a chain these rules. */
  chain(name: string, rules: readonly string[]): void {
    const text = rules.join('\n');
    const { chains, stale } = this.#state;
    const known = chains.has(name);
    if (known && chains.get(name) === text) return;
    stale.delete(name);
    if (!known) this.declared.push(`add chain ${this.#at} ${name}`);
    // One that was declared just now may also be there since before: emptied in any case.
    this.#lines.push(`flush chain ${this.#at} ${name}`);
    for (const rule of rules) this.#lines.push(`add rule ${this.#at} ${name} ${rule}`);
    chains.set(name, text);
  }

  /** Puts one Service's part in place of what it had. */
  piece(service: string, was: Piece | undefined, now: Piece | undefined): void {
    for (const [name, text] of now?.sets ?? []) {
      if (!this.#state.sets.has(name)) this.declared.push(`add set ${this.#at} ${name} { ${text} }`);
      this.#state.sets.set(name, text);
    }
    for (const [name, rules] of now?.chains ?? []) this.chain(name, rules);
    for (const name of was?.chains.keys() ?? []) if (!now?.chains.has(name)) this.#drop(name);
    for (const name of was?.sets.keys() ?? []) if (!now?.sets.has(name)) this.#dropSet(name);
    for (const [set, keys] of was?.elements ?? [])
      for (const key of keys.keys()) if (!now?.elements.get(set)?.has(key)) this.#element(set, key, service, undefined);
    for (const [set, keys] of now?.elements ?? [])
      for (const [key, value] of keys) this.#element(set, key, service, value);
  }

  /** Drops chains and sets of Services that were there and that nobody asked for. */
  sweep(): void {
    for (const [name, rules] of this.#state.chains) if (rules === undefined && isServices(name)) this.#drop(name);
    for (const [name, text] of this.#state.sets) if (text === undefined) this.#dropSet(name);
  }

  /** The elements: those to go, then those to come; then what is over. */
  finish(): void {
    for (const [set, keys] of this.#touched) {
      const elements = this.#state.elements.get(set);
      const gone: string[] = [];
      const come: string[] = [];
      for (const [key, before] of keys) {
        const [after] = elements?.get(key)?.values() ?? [];
        if (before === after) continue;
        if (before !== undefined) gone.push(key);
        if (after !== undefined) come.push(after === '' ? key : `${key} : ${after}`);
      }
      if (gone.length > 0) this.#lines.push(`delete element ${this.#at} ${set} { ${gone.join(', ')} }`);
      if (come.length > 0) this.#lines.push(`add element ${this.#at} ${set} { ${come.join(', ')} }`);
    }
    this.#lines.push(...this.#endings);
  }

  #drop(chain: string): void {
    this.#state.chains.delete(chain);
    this.#state.stale.set(chain, Number.POSITIVE_INFINITY);
    this.#lines.push(`flush chain ${this.#at} ${chain}`);
  }
  #dropSet(name: string): void {
    this.#state.sets.delete(name);
    this.#endings.push(`delete set ${this.#at} ${name}`);
  }
  #element(set: string, key: string, service: string, value: string | undefined): void {
    const elements = this.#state.elements.get(set) ?? new Map<string, Map<string, string>>();
    this.#state.elements.set(set, elements);
    const owners = elements.get(key) ?? new Map<string, string>();
    const touched = this.#touched.get(set) ?? new Map<string, string | undefined>();
    this.#touched.set(set, touched);
    if (!touched.has(key)) touched.set(key, [...owners.values()][0]);
    if (value === undefined) owners.delete(service);
    else owners.set(service, value);
    if (owners.size > 0) elements.set(key, owners);
    else elements.delete(key);
  }
}
