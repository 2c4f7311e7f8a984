import type { Pool } from './store.ts';

/**
 * The values of a pool as numbers 0..size-1, so that taken ones are small integers. Values below `band` are taken last:
 * they are kept for who asks for one by name (upstream: KEP-3070, KEP-3668).
 */
export interface PoolSpace {
  size: number;
  band: number;
  valueAt(index: number): string;
  /** -1 when the text isn't a value of this pool. */
  indexOf(value: string): number;
}

/** Upstream's limit of an IPv6 service range that one allocator covers: /64 and smaller. */
const INDEX_MAX = 2 ** 52;

const spaces = new Map<string, PoolSpace>();
/** Distinct pools of one isolate: a few per cluster, most clusters have the same. */
const SPACES_MAX = 1_000;

/** The space of a pool; remembered by its bounds. */
export function poolSpace(pool: Pool): PoolSpace {
  const id = `${pool.cidr ?? ''} ${pool.block ?? ''} ${pool.ports?.from ?? ''} ${pool.ports?.to ?? ''}`;
  let space = spaces.get(id);
  if (!space) {
    if (spaces.size >= SPACES_MAX) spaces.clear();
    space = pool.ports ? portSpace(pool.ports) : addressSpace(pool.cidr ?? '', pool.block);
    spaces.set(id, space);
  }
  return space;
}

/** Upstream's lower band: min(max(16, size / step), max), none in ranges of 16 and fewer. */
const bandOf = (size: number, step: number, max: number) =>
  size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / step)), max);

function portSpace({ from, to }: { from: number; to: number }): PoolSpace {
  const size = Math.max(0, to - from + 1);
  return {
    size,
    band: bandOf(size, 32, 128),
    valueAt: (i) => String(from + i),
    indexOf(value) {
      const n = /^[0-9]{1,5}$/.test(value) ? Number(value) - from : -1;
      return n >= 0 && n < size ? n : -1;
    },
  };
}

function addressSpace(cidr: string, block: number | undefined): PoolSpace {
  const [text = '', length = ''] = cidr.split('/');
  const parsed = parseAddress(text);
  const bits = parsed?.bits ?? 0;
  const prefix = Number(length);
  if (!parsed || !/^[0-9]{1,3}$/.test(length) || prefix > bits) return EMPTY;
  const hostBits = bits - prefix;
  const base = (parsed.value >> BigInt(hostBits)) << BigInt(hostBits);
  if (block !== undefined) return blockSpace(base, bits, prefix, block);
  const total = hostBits > 52 ? INDEX_MAX : 2 ** hostBits;
  const size = Math.max(0, total - (bits === 32 ? 2 : 1));
  return {
    size,
    band: bandOf(total, 16, 256),
    valueAt: (i) => printAddress(base + 1n + BigInt(i), bits),
    indexOf(value) {
      const a = parseAddress(value);
      if (!a || a.bits !== bits) return -1;
      const offset = a.value - base - 1n;
      return offset >= 0n && offset < BigInt(size) ? Number(offset) : -1;
    },
  };
}

function blockSpace(base: bigint, bits: number, prefix: number, block: number): PoolSpace {
  if (block < prefix || block > bits) return EMPTY;
  const size = Math.min(2 ** (block - prefix), INDEX_MAX);
  const shift = BigInt(bits - block);
  return {
    size,
    band: 0,
    valueAt: (i) => `${printAddress(base + (BigInt(i) << shift), bits)}/${block}`,
    indexOf(value) {
      const [text = '', length] = value.split('/');
      const a = parseAddress(text);
      if (!a || a.bits !== bits || length !== String(block)) return -1;
      const offset = (a.value - base) >> shift;
      return offset >= 0n && offset < BigInt(size) && base + (offset << shift) === a.value ? Number(offset) : -1;
    },
  };
}

const EMPTY: PoolSpace = { size: 0, band: 0, valueAt: () => '', indexOf: () => -1 };

function parseAddress(text: string): { value: bigint; bits: 32 | 128 } | null {
  return text.includes(':') ? parseV6(text) : parseV4(text);
}

function parseV4(text: string): { value: bigint; bits: 32 } | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let value = 0n;
  for (const p of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(p) || Number(p) > 255) return null;
    value = (value << 8n) | BigInt(p);
  }
  return { value, bits: 32 };
}

function parseV6(text: string): { value: bigint; bits: 128 } | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = halves[0] ? halves[0].split(':') : [];
  const tail = halves[1] ? halves[1].split(':') : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  let value = 0n;
  for (const g of groups) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(g)) return null;
    value = (value << 16n) | BigInt(`0x${g}`);
  }
  return { value, bits: 128 };
}

/** As Go prints it (RFC 5952): the longest run of two or more zero groups is `::`. */
function printAddress(value: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((s) => String((value >> s) & 255n)).join('.');
  const groups: string[] = [];
  for (let s = 112n; s >= 0n; s -= 16n) groups.push(((value >> s) & 0xffffn).toString(16));
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (groups[i + n] === '0') n++;
    if (n > length) {
      start = i;
      length = n;
    }
  }
  if (start < 0) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}

/**
 * The index to try from: after the last one taken, so that a value just given back isn't given out at once. `cursor` is
 * the last index taken from the pool, -1 at first. `taken(from)` yields taken indices from `from` on, rising.
 */
export function freeIndex(space: PoolSpace, cursor: number, taken: (from: number) => Iterable<number>): number {
  const start = cursor + 1 > space.band && cursor + 1 < space.size ? cursor + 1 : space.band;
  const spans: [number, number][] = [
    [start, space.size],
    [space.band, start],
    [0, space.band],
  ];
  for (const [from, to] of spans) {
    const free = firstGap(from, to, taken);
    if (free >= 0) return free;
  }
  return -1;
}

function firstGap(from: number, to: number, taken: (from: number) => Iterable<number>): number {
  if (from >= to) return -1;
  let candidate = from;
  for (const t of taken(from)) {
    if (t > candidate) break;
    candidate = t + 1;
    if (candidate >= to) return -1;
  }
  return candidate;
}
