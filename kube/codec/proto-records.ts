import * as json from './json-scan.ts';
import type { BackBuffer } from './proto-buffer.ts';
import { afterName, type Keys, keysIn, slotOf } from './proto-keys.ts';
import type { PlanField } from './proto-plan.ts';
import * as op from './proto-plan.ts';

const START = 1 << 14;
/** Ints kept between texts: about what 2 MB of objects need. */
const KEEP_MAX = 1 << 20;
const NULL = 110;
/** An entry that stands further from its place than this leaves the sorting to the path that makes an object. */
const INSERT_MAX = 64;

/** Ints of an element of a list, of an entry of a map: the element before, where it stands; of an entry also where its key stands. */
const ELEMENT = 3;
const ENTRY = 5;

/**
 * Where the values of JSON texts stand that a buffer holds, by the fields that take them; values that no field takes, and raw JSON, are passed over.
 *
 * All is ints in one array. An object is a record with two ints for each slot (proto-keys.ts): 0 and anything when absent or null, else where the value begins
 * and where it ends, the beginning inverted for a string with escapes. Instead of its end, an object has its record, a list its last element or 0.
 * A map has its last entry in order of keys, 0 when empty, and its end inverted where its keys are odd (escapes, duplicates).
 */
export class Records {
  ints = new Int32Array(START);
  private top = 1;
  /** After the value that was read. */
  at = 0;

  reset(): void {
    if (this.ints.length > KEEP_MAX) this.ints = new Int32Array(START);
    this.top = 1;
  }

  /** Room for `n` ints, which are not cleared. */
  private take(n: number): number {
    const at = this.top;
    this.top += n;
    if (this.top > this.ints.length) {
      const more = new Int32Array(Math.max(this.top, this.ints.length * 2));
      more.set(this.ints);
      this.ints = more;
    }
    return at;
  }

  /** The record of the object at `from`; `at` is behind it. */
  readObject(o: BackBuffer, keys: Keys, from: number, limit: number): number {
    const { names, fields, follow } = keys;
    const size = fields.length * 2;
    const record = this.take(size);
    const ints = this.ints;
    for (let i = record; i < record + size; i++) ints[i] = 0;
    const b = o.bytes;
    let before = 0;
    for (let i = from + 1; ; ) {
      let c = b[i] as number;
      while (c === json.COMMA || (c <= json.SPACE && i < limit)) c = b[++i] as number;
      if (c === json.OBJECT_END) {
        this.at = i + 1;
        return record;
      }
      if (c !== json.QUOTE || i >= limit) throw new SyntaxError('not JSON');
      let slot = follow[before] as number;
      const found = slot < 0 ? 0 : afterName(o, names[slot] as Uint8Array, i);
      if (found === 0) {
        slot = this.readKey(o, keys, i, limit);
        if (slot >= 0) follow[before] = slot;
        i = this.at;
      } else i = found;
      if (slot < 0) i = json.endOfValue(o, i, limit);
      else {
        i = this.readValue(o, fields[slot] as PlanField, record + slot * 2, i, limit);
        before = slot + 1;
      }
      if (i > limit) throw new SyntaxError('not JSON');
    }
  }

  /** The slot of the key at `from`, -1 for none; `at` is where its value begins. */
  private readKey(o: BackBuffer, keys: Keys, from: number, limit: number): number {
    const b = o.bytes;
    let end = json.endOfString(o, from);
    let slot: number;
    if (end >= 0) slot = slotOf(keys, b, from + 1, end - 1);
    else {
      end = ~end;
      const name = utf8.encode(stringIn(b, from, end));
      slot = slotOf(keys, name, 0, name.length);
    }
    this.at = afterColon(b, end, limit);
    return slot;
  }

  /** Notes the value at `from` for its field; where it ends. */
  private readValue(o: BackBuffer, f: PlanField, into: number, from: number, limit: number): number {
    const b = o.bytes;
    let i = from;
    let c = b[i] as number;
    while (c <= json.SPACE && i < limit) c = b[++i] as number;
    if (i >= limit) throw new SyntaxError('not JSON');
    let end: number;
    let begin = i;
    if (c === json.QUOTE) {
      end = json.endOfString(o, i);
      if (end < 0) {
        begin = ~i;
        end = ~end;
      }
      this.ints[into] = begin;
      this.ints[into + 1] = end;
      return end;
    }
    if (c === json.OBJECT && f.op === op.STRUCT) {
      const record = this.readObject(o, f.keys ?? keysIn(f), i, limit);
      this.ints[into] = i;
      this.ints[into + 1] = record;
      return this.at;
    }
    if (c === json.LIST && f.op === op.LIST) {
      const last = this.readList(o, f.item as PlanField, i, limit);
      this.ints[into] = i;
      this.ints[into + 1] = last;
      return this.at;
    }
    if (c === json.OBJECT && f.op === op.MAP) {
      const last = this.readMap(o, f.item as PlanField, i, limit);
      this.ints[into] = i;
      this.ints[into + 1] = last;
      return this.at;
    }
    end = json.endOfValue(o, i, limit);
    this.ints[into] = c === NULL ? 0 : i;
    this.ints[into + 1] = end;
    return end;
  }

  private readList(o: BackBuffer, item: PlanField, from: number, limit: number): number {
    const b = o.bytes;
    let last = 0;
    for (let i = from + 1; i < limit; ) {
      const c = b[i] as number;
      if (c === json.LIST_END) {
        this.at = i + 1;
        return last;
      }
      if (c === json.COMMA || c <= json.SPACE) {
        i++;
        continue;
      }
      const element = this.take(ELEMENT);
      this.ints[element] = last;
      i = this.readValue(o, item, element + 1, i, limit);
      last = element;
    }
    throw new SyntaxError('not JSON');
  }

  private readMap(o: BackBuffer, item: PlanField, from: number, limit: number): number {
    const b = o.bytes;
    let last = 0;
    let odd = false;
    for (let i = from + 1; i < limit; ) {
      const c = b[i] as number;
      if (c === json.OBJECT_END) {
        this.at = i + 1;
        return odd ? ~this.at : last;
      }
      if (c === json.COMMA || c <= json.SPACE) {
        i++;
        continue;
      }
      let end = json.endOfString(o, i);
      if (end < 0) {
        odd = true;
        end = ~end;
      }
      const entry = this.take(ENTRY);
      const ints = this.ints;
      ints[entry + 3] = i + 1;
      ints[entry + 4] = end - 1;
      i = this.readValue(o, item, entry + 1, afterColon(b, end, limit), limit);
      if (odd) continue;
      if (last === 0 || this.order(b, last, entry) < 0) {
        this.ints[entry] = last;
        last = entry;
      } else odd = !this.insert(b, last, entry);
    }
    throw new SyntaxError('not JSON');
  }

  /** Puts an entry before the last one; false when its key is there, or its place too far away. */
  private insert(b: Uint8Array, last: number, entry: number): boolean {
    const ints = this.ints;
    let after = last;
    for (let steps = 0; steps < INSERT_MAX; steps++) {
      const e = ints[after] as number;
      const order = e === 0 ? -1 : this.order(b, e, entry);
      if (order < 0) {
        ints[entry] = e;
        ints[after] = entry;
      }
      if (order <= 0) return order < 0 && this.order(b, entry, after) < 0;
      after = e;
    }
    return false;
  }

  /** The keys of two entries by their bytes: negative when the first comes first, 0 when they are equal. */
  private order(b: Uint8Array, first: number, second: number): number {
    const ints = this.ints;
    const x = ints[first + 3] as number;
    const y = ints[second + 3] as number;
    const n = (ints[first + 4] as number) - x;
    const m = (ints[second + 4] as number) - y;
    for (let i = 0; i < n && i < m; i++) {
      const d = (b[x + i] as number) - (b[y + i] as number);
      if (d !== 0) return d;
    }
    return n - m;
  }
}

const utf8 = new TextEncoder();
const text8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: false });

function afterColon(b: Uint8Array, from: number, limit: number): number {
  let i = from;
  while (b[i] !== json.COLON && i < limit) i++;
  i++;
  while ((b[i] as number) <= json.SPACE && i < limit) i++;
  return i;
}

/** The value of the string with escapes that stands there, quotes included. */
export const stringIn = (b: Uint8Array, from: number, to: number): string =>
  (JSON.parse(text8.decode(b.subarray(from, to))) as string).toWellFormed();

/** The JSON that stands there. */
export const textIn = (b: Uint8Array, from: number, to: number): string => text8.decode(b.subarray(from, to));
