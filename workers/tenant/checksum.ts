import { StoreError } from '../../kube/store/store.ts';

/** A row of `history` as its checksum sees it: `facts` is the stored text, a null value is a deletion. */
export interface Summed {
  key: string;
  revision: number;
  prev: number;
  created: number;
  at: number;
  value: string | null;
  version: string;
  schema: string;
  enc: string | null;
  facts: string;
  by: string | null;
}

/**
 * The checksum of a row's body under its revision, with the body's length: what a joined page needs, so that its rows are told apart and looked at by this
 * number alone. One word changed always changes the sum, anything else goes unseen once in 2^32.
 */
export function sumOf({ revision, value }: Pick<Summed, 'revision' | 'value'>): number {
  const seed = number(BODY, revision);
  if (value === null) return mix(seed, DELETED) >>> 0;
  const length = encode(value);
  const sum = value.startsWith(PREFIX)
    ? sumBytes(view, PREFIX.length, length, seed)
    : sumBytes(view, 0, length, mix(seed, OTHER));
  return length * LENGTH + (sum >>> 0);
}

/** The checksum of all of a row but its body. */
export function headOf(row: Omit<Summed, 'value'>): number {
  let h = number(number(number(number(HEAD, row.revision), row.prev), row.created), row.at);
  h = mix(mix(h, known(row.version)), known(row.schema));
  h = mix(h, row.enc === null ? 0 : known(row.enc));
  h = mix(h, row.by === null ? 0 : sumText(row.by, 1));
  return sumText(row.key, sumText(row.facts, h)) >>> 0;
}

/** The checksum of a policy row. */
export function policySum(key: string, revision: number, policy: string | null, uid: string): number {
  return sumText(key, sumText(uid, sumText(policy ?? '', number(policy === null ? DELETED : HEAD, revision)))) >>> 0;
}

/** What sumOf() has below LENGTH, from the bytes of a joined page: of a body that begins with PREFIX, `from..to` is what comes after that. */
export const bodySum = (page: DataView, from: number, to: number, revision: number): number =>
  sumBytes(page, from, to, number(BODY, revision)) >>> 0;

/** What every body begins with; a joined page puts its own text in place of it. */
export const PREFIX = '{"metadata":{';
/** sumOf() is the body's length in UTF-8 by this, and 32 bits of checksum. */
export const LENGTH = 2 ** 32;

/** What a reader of a row that isn't as it was written gets; in no case the row. */
export function corruptRow(key: string, revision: number | null, what = 'its checksum does not match'): StoreError {
  return new StoreError('corrupt', `${key} at revision ${revision ?? 'unknown'}: ${what}`);
}

const BODY = 0x626f6479;
const HEAD = 0x68656164;
const DELETED = 0x676f6e65;
const OTHER = 0x6f746872;
// Odd, with bits set all over: a step by them is a bijection of the state, so that one changed word never goes unseen.
const M1 = 0x9e3779b1;
const M2 = 0x85ebca6b;
const M3 = 0xc2b2ae35;
const M4 = 0x27d4eb2f;

/** Four lanes of multiply and rotate over little-endian words, as many as a processor works on at once; what is left over is filled up with zeros. */
function sumBytes(view: DataView, from: number, to: number, seed: number): number {
  let a = seed;
  let b = ~seed;
  let c = seed ^ M3;
  let d = seed ^ M4;
  let i = from;
  for (const end = to - 15; i < end; i += 16) {
    a = Math.imul(a ^ view.getInt32(i, true), M1);
    b = Math.imul(b ^ view.getInt32(i + 4, true), M2);
    c = Math.imul(c ^ view.getInt32(i + 8, true), M3);
    d = Math.imul(d ^ view.getInt32(i + 12, true), M4);
    a = (a << 13) | (a >>> 19);
    b = (b << 15) | (b >>> 17);
    c = (c << 13) | (c >>> 19);
    d = (d << 15) | (d >>> 17);
  }
  for (const end = to - 3; i < end; i += 4) {
    const word = a ^ view.getInt32(i, true);
    a = b;
    b = c;
    c = d;
    d = mix(word, 0);
  }
  let rest = 0;
  for (let shift = 0; i < to; i++, shift += 8) rest |= view.getUint8(i) << shift;
  return finish(mix(mix(mix(mix(mix(a, rest), to - from), b), c), d));
}

const utf8 = new TextEncoder();
/** Texts pass through here: encodeInto() and words from a view are five times as fast as charCodeAt(). */
let buffer = new Uint8Array(64 * 1024);
let view = new DataView(buffer.buffer);

function sumText(text: string, seed: number): number {
  const length = encode(text);
  // Only now: a long text has a new view.
  return sumBytes(view, 0, length, seed);
}

function encode(text: string): number {
  if (text.length * 3 > buffer.length) {
    buffer = new Uint8Array(text.length * 3);
    view = new DataView(buffer.buffer);
  }
  return utf8.encodeInto(text, buffer).written;
}

/** Versions, schemas and keys of encryption are few. */
const KNOWN_MAX = 1_024;
const sums = new Map<string, number>();
function known(text: string): number {
  let sum = sums.get(text);
  if (sum === undefined) {
    sum = sumText(text, 2);
    if (sums.size >= KNOWN_MAX) sums.clear();
    sums.set(text, sum);
  }
  return sum;
}

function mix(h: number, word: number): number {
  const x = Math.imul(h ^ word, M1);
  return (x << 13) | (x >>> 19);
}

/** A whole number below 2^53. */
const number = (h: number, n: number): number => mix(mix(h, n | 0), (n / LENGTH) | 0);

/** Spreads what the last words left in few bits; a bijection. */
function finish(h: number): number {
  let x = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}
