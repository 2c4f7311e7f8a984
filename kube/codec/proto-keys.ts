import { COLON, QUOTE } from './json-scan.ts';
import type { BackBuffer } from './proto-buffer.ts';
import { GROUP, type Plan, type PlanField } from './proto-plan.ts';

/** How the members of a JSON object find their fields without a string being made of their names. */
export interface Keys {
  plan: Plan;
  /** Field of each slot: one for each member that JSON shows, those of embedded structs included. */
  fields: readonly PlanField[];
  /** Slot of each of the plan's fields; of an embedded struct, where its own slots begin. */
  offsets: readonly number[];
  /** Of each slot, with the quote and colon that follow in compact JSON. */
  names: readonly Uint8Array[];
  /** Slot that came after a slot (plus 1; 0: the first) when it was last looked up: stored objects of a kind have their members in one order. */
  follow: Int16Array;
  mask: number;
  /** By hash: slot + 1, or 0. */
  table: Int16Array;
  /** What is written for each of the plan's fields when it is absent: null for nothing, undefined for an embedded struct. Filled on first use. */
  zeros: readonly (Uint8Array | null | undefined)[] | null;
}

const utf8 = new TextEncoder();

/** The keys of a plan; made once. */
export function keysOf(plan: Plan): Keys {
  plan.keys ??= build(plan);
  return plan.keys;
}

/** The keys of the message in a field. */
export function keysIn(f: PlanField): Keys {
  f.keys ??= keysOf(f.sub());
  return f.keys;
}

function build(plan: Plan): Keys {
  const fields: PlanField[] = [];
  const offsets: number[] = [];
  for (const f of plan.fields) {
    offsets.push(fields.length);
    if (f.op === GROUP) fields.push(...keysOf(f.sub()).fields);
    else fields.push(f);
  }
  const names = fields.map((f) => utf8.encode(`${f.name}":`));
  let size = 16;
  while (size < names.length * 3) size *= 2;
  const table = new Int16Array(size);
  names.forEach((name, slot) => {
    let h = hashOf(name, 0, name.length - 2) & (size - 1);
    while (table[h] !== 0) h = (h + 1) & (size - 1);
    table[h] = slot + 1;
  });
  const follow = new Int16Array(names.length + 1).fill(-1);
  return { plan, fields, offsets, names, follow, mask: size - 1, table, zeros: null };
}

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
    const n = to - from;
    if (name.length !== n + 2) continue;
    let i = 0;
    while (i < n && name[i] === b[from + i]) i++;
    if (i === n) return slot;
  }
}

/** Where the value begins when `name` stands behind the quote at `at`, 0 when another name does. */
export function afterName(o: BackBuffer, name: Uint8Array, at: number): number {
  const b = o.bytes;
  const n = name.length;
  // The last byte of the name tells most names apart at once.
  if (b[at + n - 1] !== QUOTE || b[at + n] !== COLON) return 0;
  for (let i = n - 3; i >= 0; i--) if (name[i] !== b[at + 1 + i]) return 0;
  return at + 1 + n;
}
