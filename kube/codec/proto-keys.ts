import { GROUP, type Plan, type PlanField } from './proto-plan.ts';

/** How the members of a JSON object find their fields without a string being made of their names. */
export interface Keys {
  /** Number of slots: one for each field that JSON shows, those of embedded structs included. */
  slots: number;
  /** Slot of each of the plan's fields; of an embedded struct, where its own slots begin. */
  offsets: readonly number[];
  mask: number;
  /** By hash: slot + 1, or 0. */
  table: Int16Array;
  names: readonly Uint8Array[];
}

const utf8 = new TextEncoder();

/** The keys of a plan; made once. */
export function keysOf(plan: Plan): Keys {
  plan.keys ??= build(plan);
  return plan.keys;
}

function build(plan: Plan): Keys {
  const names: Uint8Array[] = [];
  const offsets: number[] = [];
  for (const f of plan.fields) {
    offsets.push(names.length);
    names.push(...namesOf(f));
  }
  let size = 16;
  while (size < names.length * 3) size *= 2;
  const table = new Int16Array(size);
  names.forEach((name, slot) => {
    let h = hashOf(name, 0, name.length) & (size - 1);
    while (table[h] !== 0) h = (h + 1) & (size - 1);
    table[h] = slot + 1;
  });
  return { slots: names.length, offsets, mask: size - 1, table, names };
}

const namesOf = (f: PlanField): readonly Uint8Array[] =>
  f.op === GROUP ? keysOf(f.sub()).names : [utf8.encode(f.name)];

/** Length, first, middle and last byte: enough to tell nearly all names of a struct apart. */
function hashOf(b: Uint8Array, from: number, to: number): number {
  const n = to - from;
  if (n === 0) return 0;
  const middle = b[from + (n >> 1)] as number;
  return n + (b[from] as number) * 31 + (b[to - 1] as number) * 7 + middle * 131;
}

/** The slot of the name in `b[from..to)`; -1 when no field has it. */
export function slotOf(k: Keys, b: Uint8Array, from: number, to: number): number {
  for (let h = hashOf(b, from, to) & k.mask; ; h = (h + 1) & k.mask) {
    const slot = (k.table[h] as number) - 1;
    if (slot < 0) return -1;
    const name = k.names[slot] as Uint8Array;
    if (name.length !== to - from) continue;
    let i = 0;
    while (i < name.length && name[i] === b[from + i]) i++;
    if (i === name.length) return slot;
  }
}
