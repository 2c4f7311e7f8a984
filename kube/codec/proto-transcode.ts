import type { Json } from '../meta/json.ts';
import { bytesOfBase64 } from './base64.ts';
import { parseJson } from './json.ts';
import * as json from './json-scan.ts';
import { BackBuffer } from './proto-buffer.ts';
import { ProtoError } from './proto-error.ts';
import { type Keys, keysIn, keysOf } from './proto-keys.ts';
import type { Plan, PlanField } from './proto-plan.ts';
import * as op from './proto-plan.ts';
import { Records, stringIn, textIn } from './proto-records.ts';
import { writeField, writeValue, writeZero } from './proto-write.ts';
import { canonicalSeconds } from './timestamp.ts';

const TRUE = 116;
const FALSE = 102;
const MINUS = 45;
/** Digits that a number holds exactly. */
const EXACT_DIGITS = 15;

const records = new Records();

/** Writes the protobuf body of the object whose JSON text the buffer holds (`length` bytes): the result is writeMessage's of the parsed text. */
export function transcodeMessage(o: BackBuffer, plan: Plan, length: number): void {
  records.reset();
  const keys = keysOf(plan);
  writeFields(o, keys, readWhole(o, keys, 0, length));
}

/** Begins to read the held text as objects that stand on a line each. */
export function beginLines(): void {
  records.reset();
}

/** Reads the line at `from`: the record for writeLine(). `endOfLine()` is behind it. */
export function readLine(o: BackBuffer, plan: Plan, from: number, limit: number): number {
  const record = readWhole(o, keysOf(plan), from, limit);
  if (records.at < limit && o.bytes[records.at] !== json.NEWLINE) throw new SyntaxError('not lines of JSON');
  return record;
}

/** Where the line ends that was read last, without its newline. */
export const endOfLine = (): number => records.at;

/** Writes the body of the object on a line that was read. */
export function writeLine(o: BackBuffer, plan: Plan, record: number): void {
  writeFields(o, keysOf(plan), record);
}

function readWhole(o: BackBuffer, keys: Keys, from: number, limit: number): number {
  const b = o.bytes;
  let i = from;
  while ((b[i] as number) <= json.SPACE && i < limit) i++;
  if (i >= limit) throw new SyntaxError('not JSON');
  if (b[i] !== json.OBJECT) throw new ProtoError('cannot encode a value that is not an object');
  return records.readObject(o, keys, i, limit);
}

function writeFields(o: BackBuffer, keys: Keys, record: number): void {
  const { fields } = keys.plan;
  const { offsets } = keys;
  const zeros = keys.zeros ?? zerosOf(keys);
  const ints = records.ints;
  for (let i = fields.length - 1; i >= 0; i--) {
    const at = record + (offsets[i] as number) * 2;
    const zero = zeros[i];
    if (zero === undefined) {
      const f = fields[i] as PlanField;
      const end = o.written;
      writeFields(o, f.keys ?? keysIn(f), at);
      o.varint(o.written - end);
      o.varint(f.tag);
    } else if (ints[at] !== 0) {
      writeSlot(o, fields[i] as PlanField, at);
    } else if (zero !== null) {
      o.raw(zero);
    }
  }
}

/** What is written for each absent field: null for nothing; undefined for embedded structs, which are never absent. */
function zerosOf(keys: Keys): readonly (Uint8Array | null | undefined)[] {
  const o = new BackBuffer(1024);
  const zeros = keys.plan.fields.map((f) => {
    if (f.op === op.GROUP) return undefined;
    if (!f.always) return null;
    o.reset();
    writeZero(o, f);
    return o.take();
  });
  keys.zeros = zeros;
  return zeros;
}

function writeSlot(o: BackBuffer, f: PlanField, at: number): void {
  if (f.op === op.LIST) writeList(o, f, at);
  else if (f.op === op.MAP) writeMap(o, f, at);
  else {
    writeOne(o, f, at, f);
    o.varint(f.tag);
  }
}

function writeList(o: BackBuffer, f: PlanField, at: number): void {
  const ints = records.ints;
  if (o.bytes[ints[at] as number] !== json.LIST) throw mismatch(f);
  const item = f.item as PlanField;
  for (let e = ints[at + 1] as number; e !== 0; e = ints[e] as number) {
    writeOne(o, item, e + 1, f);
    o.varint(item.tag);
  }
}

function writeMap(o: BackBuffer, f: PlanField, at: number): void {
  const ints = records.ints;
  const from = ints[at] as number;
  if (o.bytes[from] !== json.OBJECT) throw mismatch(f);
  const last = ints[at + 1] as number;
  if (last < 0) {
    writeField(o, f, parseJson(textIn(o.bytes, from, ~last)));
    return;
  }
  const item = f.item as PlanField;
  for (let e = last; e !== 0; e = ints[e] as number) {
    const end = o.written;
    if (ints[e + 1] !== 0 || item.op !== op.BYTES) {
      writeOne(o, item, e + 1, f);
      o.varint(item.tag);
    }
    o.copy(ints[e + 3] as number, ints[e + 4] as number);
    o.varint(10);
    o.varint(o.written - end);
    o.varint(f.tag);
  }
}

/** What comes after the tag. The usual forms are copied, all else goes by a made value. */
function writeOne(o: BackBuffer, p: PlanField, at: number, f: PlanField): void {
  const ints = records.ints;
  const from = ints[at] as number;
  const to = ints[at + 1] as number;
  // Strings with escapes begin at an inverted place, and null at 0, where no value begins.
  const first = from > 0 ? o.bytes[from] : 0;
  switch (p.op) {
    case op.STRING:
      if (first === json.QUOTE) o.copy(from + 1, to - 1);
      else if (from < 0) o.string(stringIn(o.bytes, ~from, to));
      else break;
      return;
    case op.STRUCT: {
      if (first !== json.OBJECT) break;
      const end = o.written;
      writeFields(o, p.keys ?? keysIn(p), to);
      o.varint(o.written - end);
      return;
    }
    case op.BOOL:
      if (first !== TRUE && first !== FALSE) break;
      o.varint(first === TRUE ? 1 : 0);
      return;
    case op.INT: {
      const n = integerIn(o.bytes, from, to);
      if (Number.isNaN(n)) break;
      o.signed(n);
      return;
    }
    default:
      if (from > 0 && writeSpecial(o, p, from, to)) return;
  }
  writeValue(o, p, valueAt(o.bytes, from, to), f);
}

/** Forms that are messages of their own; false when this one needs a made value. */
function writeSpecial(o: BackBuffer, p: PlanField, from: number, to: number): boolean {
  const end = o.written;
  const isText = o.bytes[from] === json.QUOTE;
  switch (p.op) {
    case op.RAW:
      o.copy(from, to);
      o.varint(10);
      break;
    case op.TIME: {
      const seconds = isText ? canonicalSeconds(o.bytes, from + 1, to - 1) : Number.NaN;
      if (Number.isNaN(seconds)) return false;
      o.varint(0);
      o.varint(16);
      o.signed(seconds);
      o.varint(8);
      break;
    }
    case op.QUANTITY:
      if (!isText) return false;
      o.copy(from + 1, to - 1);
      o.varint(10);
      break;
    case op.INT_OR_STRING: {
      const n = isText ? 0 : integerIn(o.bytes, from, to);
      if (Number.isNaN(n)) return false;
      if (isText) o.copy(from + 1, to - 1);
      else o.varint(0);
      o.varint(26);
      o.signed(n);
      o.varint(16);
      o.varint(isText ? 1 : 0);
      o.varint(8);
      break;
    }
    case op.BYTES: {
      const bytes = isText ? bytesOfBase64(textIn(o.bytes, from + 1, to - 1)) : 0;
      if (typeof bytes === 'number') return false;
      o.lengthDelimited(bytes);
      return true;
    }
    default:
      return false;
  }
  o.varint(o.written - end);
  return true;
}

function valueAt(b: Uint8Array, from: number, to: number): Json {
  if (from === 0) return null;
  return from < 0 ? stringIn(b, ~from, to) : parseJson(textIn(b, from, to));
}

/** A plain integer of few digits; NaN for all else. */
function integerIn(b: Uint8Array, from: number, to: number): number {
  const negative = b[from] === MINUS;
  const digits = negative ? from + 1 : from;
  if (from <= 0 || to - digits > EXACT_DIGITS || to === digits) return Number.NaN;
  let n = 0;
  for (let i = digits; i < to; i++) {
    const d = (b[i] as number) - 48;
    if (d < 0 || d > 9) return Number.NaN;
    n = n * 10 + d;
  }
  return negative && n !== 0 ? -n : n;
}

const mismatch = (f: PlanField) => new ProtoError(`cannot encode a value that does not fit in field ${f.name}`, f.name);
