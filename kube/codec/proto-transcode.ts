import type { Json } from '../meta/json.ts';
import { bytesOfBase64 } from './base64.ts';
import { parseJson } from './json.ts';
import { LIST_OPEN, OBJECT, QUOTE, Tape } from './json-tape.ts';
import type { BackBuffer } from './proto-buffer.ts';
import { ProtoError } from './proto-error.ts';
import { type Keys, keysOf, slotOf } from './proto-keys.ts';
import type { Plan, PlanField } from './proto-plan.ts';
import * as op from './proto-plan.ts';
import { writeField, writeValue, writeZero } from './proto-write.ts';
import { canonicalSeconds } from './timestamp.ts';

const NULL = 110;
const TRUE = 116;
const MINUS = 45;
/** Digits that a number holds exactly. */
const EXACT_DIGITS = 15;
/** Up to this length a loop copies faster than TypedArray.set (measured in V8 13). */
const LOOP_MAX = 32;

const tape = new Tape();
/** For every message that is open: the entry of each field's value, 0 for none (entry 0 is the whole text). */
let slots = new Int32Array(1 << 12);
let top = 0;

/** Writes the protobuf body of an object that is JSON text, straight from its bytes: the result is writeMessage's of the parsed text. */
export function transcodeMessage(o: BackBuffer, plan: Plan, text: string): void {
  top = 0;
  tape.read(text);
  if (tape.first(0) !== OBJECT) throw new ProtoError('cannot encode a value that is not an object');
  writeObject(o, plan, 0);
}

function writeObject(o: BackBuffer, plan: Plan, entry: number): void {
  const keys = keysOf(plan);
  const base = top;
  top += keys.slots;
  if (top > slots.length) {
    const more = new Int32Array(Math.max(top, slots.length * 2));
    more.set(slots);
    slots = more;
  }
  for (let i = base; i < top; i++) slots[i] = 0;
  findMembers(keys, entry, base);
  writeFields(o, plan, keys, base);
  top = base;
}

/** The last of several members of a name counts, as in JSON.parse. */
function findMembers(keys: Keys, entry: number, base: number): void {
  const bytes = tape.bytes;
  const end = tape.next(entry);
  for (let key = entry + 1; key < end; ) {
    const value = key + 1;
    const slot = tape.escaped(key)
      ? escapedSlot(keys, key)
      : slotOf(keys, bytes, tape.start(key) + 1, tape.end(key) - 1);
    if (slot >= 0) slots[base + slot] = tape.first(value) === NULL ? 0 : value;
    key = tape.next(value);
  }
}

function escapedSlot(keys: Keys, key: number): number {
  const name = new TextEncoder().encode(tape.string(key));
  return slotOf(keys, name, 0, name.length);
}

function writeFields(o: BackBuffer, plan: Plan, keys: Keys, base: number): void {
  const fields = plan.fields;
  for (let i = fields.length - 1; i >= 0; i--) {
    const f = fields[i] as PlanField;
    const slot = base + (keys.offsets[i] as number);
    if (f.op === op.GROUP) {
      const end = o.written;
      const sub = f.sub();
      writeFields(o, sub, keysOf(sub), slot);
      o.varint(o.written - end);
      o.varint(f.tag);
      continue;
    }
    const entry = slots[slot] as number;
    if (entry !== 0) writeEntry(o, f, entry);
    else if (f.always) writeZero(o, f);
  }
}

function writeEntry(o: BackBuffer, f: PlanField, entry: number): void {
  if (f.op === op.LIST) writeItems(o, f, f.item as PlanField, entry);
  else if (f.op === op.MAP) writeMap(o, f, entry);
  else {
    writeOne(o, f, entry, f);
    o.varint(f.tag);
  }
}

/** Entries of a list, the last first: they are found by walking forward, so they are noted on the slot stack. */
function writeItems(o: BackBuffer, f: PlanField, item: PlanField, entry: number): void {
  if (tape.first(entry) !== LIST_OPEN) throw mismatch(f);
  const base = top;
  const end = tape.next(entry);
  for (let i = entry + 1; i < end; i = tape.next(i)) note(i);
  for (let i = top - 1; i >= base; i--) {
    writeOne(o, item, slots[i] as number, f);
    o.varint(item.tag);
  }
  top = base;
}

function note(entry: number): void {
  if (top === slots.length) {
    const more = new Int32Array(slots.length * 2);
    more.set(slots);
    slots = more;
  }
  slots[top++] = entry;
}

function writeMap(o: BackBuffer, f: PlanField, entry: number): void {
  if (tape.first(entry) !== OBJECT) throw mismatch(f);
  const item = f.item as PlanField;
  const end = tape.next(entry);
  const base = top;
  let sorted = true;
  for (let key = entry + 1; key < end; key = tape.next(key + 1)) {
    if (tape.escaped(key)) sorted = false;
    else if (top > base && sorted) sorted = before(slots[top - 1] as number, key);
    note(key);
  }
  // Rare: unsorted or odd keys take the path that makes an object, where duplicates and order are seen to.
  if (!sorted) {
    top = base;
    writeField(o, f, valueAt(entry));
    return;
  }
  for (let i = top - 1; i >= base; i--) {
    const key = slots[i] as number;
    const from = o.written;
    if (tape.first(key + 1) !== NULL || item.op !== op.BYTES) {
      writeOne(o, item, key + 1, f);
      o.varint(item.tag);
    }
    copyString(o, key);
    o.varint(10);
    o.varint(o.written - from);
    o.varint(f.tag);
  }
  top = base;
}

/** Is key a less than key b, by bytes? False when equal. */
function before(a: number, b: number): boolean {
  const bytes = tape.bytes;
  const [x, xEnd, y, yEnd] = [tape.start(a) + 1, tape.end(a) - 1, tape.start(b) + 1, tape.end(b) - 1];
  for (let i = 0; x + i < xEnd && y + i < yEnd; i++) {
    const d = (bytes[x + i] as number) - (bytes[y + i] as number);
    if (d !== 0) return d < 0;
  }
  return xEnd - x < yEnd - y;
}

/** What comes after the tag. Plain texts, integers and structs are done here, all else from a made value. */
function writeOne(o: BackBuffer, p: PlanField, entry: number, f: PlanField): void {
  const first = tape.first(entry);
  switch (p.op) {
    case op.STRING:
      if (first !== QUOTE) break;
      copyString(o, entry);
      return;
    case op.STRUCT: {
      if (first !== OBJECT) break;
      const end = o.written;
      writeObject(o, p.sub(), entry);
      o.varint(o.written - end);
      return;
    }
    case op.BOOL:
      if (first !== TRUE && first !== 102) break;
      o.varint(first === TRUE ? 1 : 0);
      return;
    case op.INT: {
      const n = smallInteger(entry);
      if (n === null) break;
      o.signed(n);
      return;
    }
    case op.RAW: {
      if (first === NULL) break;
      const end = o.written;
      copyBytes(o, tape.start(entry), tape.end(entry));
      o.varint(10);
      o.varint(o.written - end);
      return;
    }
    case op.TIME:
      if (first !== QUOTE || !copyTime(o, entry)) break;
      return;
    case op.BYTES: {
      const bytes = first === QUOTE ? bytesOfBase64(tape.string(entry)) : 0;
      if (typeof bytes === 'number') break;
      o.lengthDelimited(bytes);
      return;
    }
    case op.QUANTITY: {
      if (first !== QUOTE) break;
      const end = o.written;
      copyString(o, entry);
      o.varint(10);
      o.varint(o.written - end);
      return;
    }
  }
  writeValue(o, p, valueAt(entry), f);
}

const valueAt = (entry: number): Json => parseJson(tape.text(entry));

/** Text and its length; without escapes its bytes are copied. */
function copyString(o: BackBuffer, entry: number): void {
  if (tape.escaped(entry)) o.string(tape.string(entry));
  else copyBytes(o, tape.start(entry) + 1, tape.end(entry) - 1);
}

function copyBytes(o: BackBuffer, from: number, to: number): void {
  const n = to - from;
  o.need(n + 10);
  const at = o.at - n;
  const source = tape.bytes;
  const target = o.bytes;
  if (n <= LOOP_MAX) for (let i = 0; i < n; i++) target[at + i] = source[from + i] as number;
  else target.set(source.subarray(from, to), at);
  o.at = at;
  o.varint(n);
}

/** A time in the form that is stored, `2026-11-21T09:15:00Z`; false for every other. */
function copyTime(o: BackBuffer, entry: number): boolean {
  const seconds = canonicalSeconds(tape.bytes, tape.start(entry) + 1, tape.end(entry) - 1);
  if (Number.isNaN(seconds)) return false;
  const end = o.written;
  o.varint(0);
  o.varint(16);
  o.signed(seconds);
  o.varint(8);
  o.varint(o.written - end);
  return true;
}

/** A plain integer of few digits; null for all other numbers. */
function smallInteger(entry: number): number | null {
  const b = tape.bytes;
  const from = tape.start(entry);
  const end = tape.end(entry);
  const negative = b[from] === MINUS;
  let n = 0;
  const digits = negative ? from + 1 : from;
  if (end - digits > EXACT_DIGITS || end === digits) return null;
  for (let i = digits; i < end; i++) {
    const d = (b[i] as number) - 48;
    if (d < 0 || d > 9) return null;
    n = n * 10 + d;
  }
  return negative ? -n : n;
}

const mismatch = (f: PlanField) => new ProtoError(`cannot encode a value that does not fit in field ${f.name}`, f.name);
