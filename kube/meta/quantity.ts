// Quantities as apimachinery pkg/api/resource, v0.37.1, reads and prints them: a decimal with a suffix, rounded up to nano.

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

/** `unscaled * 10^scale`. */
export interface Quantity {
  readonly unscaled: bigint;
  readonly scale: number;
  readonly format: QuantityFormat;
  /** The canonical text; for some spellings (`1e3`, `1.500`) upstream keeps what was written. */
  readonly text: string;
}

export const QUANTITY_SHAPE =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const NOT_NUMERIC = 'unable to parse numeric part of quantity';
const BAD_SUFFIX = "unable to parse quantity's suffix";

/** An exponent beyond this is refused: upstream would compute 10^exponent for a comparison, we don't offer that to strangers. */
const EXPONENT_MAX = 10_000;
/** Of an int64. */
export const MAX_INT64 = (1n << 63n) - 1n;
const NANO = -9;
/** Decimal digits that always fit into an int64. */
const INT64_DIGITS = 18;

const DECIMAL: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY: Record<string, number> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const DECIMAL_NAMES = new Map(Object.entries(DECIMAL).map(([name, exponent]) => [exponent, name]));
const BINARY_NAMES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

const POWERS: bigint[] = Array.from({ length: 40 }, (_, i) => 10n ** BigInt(i));
const pow10 = (n: number): bigint => POWERS[n] ?? 10n ** BigInt(n);

/** Texts seen before: quantities repeat (100m, 128Mi), and parsing is exact arithmetic. Cleared when full. */
const CACHE_MAX = 4096;
const cache = new Map<string, Quantity | string>();

function parse(text: string): Quantity | string {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const parsed = parseFresh(text);
  if (text.length <= 64) {
    if (cache.size >= CACHE_MAX) cache.clear();
    cache.set(text, parsed);
  }
  return parsed;
}

/** The quantity of a text; null when it isn't one (quantityProblem says why). Surrounding blanks are not accepted. */
export function parseQuantity(text: string): Quantity | null {
  const q = parse(text);
  return typeof q === 'string' ? null : q;
}
/** Upstream's error for a text that isn't a quantity; empty when it is one. */
export function quantityProblem(text: string): string {
  const q = parse(text);
  return typeof q === 'string' ? q : '';
}
/** The canonical text of a quantity; null when it isn't one. */
export function canonicalQuantity(text: string): string | null {
  const q = parse(text);
  return typeof q === 'string' ? null : q.text;
}
/** The quantity of data that was validated before; zero when absent or malformed. */
export function quantity(value: unknown): Quantity {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return ZERO;
  return parseQuantity(String(value)) ?? ZERO;
}

export const ZERO: Quantity = { unscaled: 0n, scale: 0, format: 'DecimalSI', text: '0' };

// The digits may be missing altogether: upstream reads `.`, `-` and `Mi` as zero.
const SHAPE = /^([+-]?)(0*)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/;

function parseFresh(text: string): Quantity | string {
  if (text === '') return QUANTITY_SHAPE;
  const m = SHAPE.exec(text);
  if (!m) return QUANTITY_SHAPE;
  const negative = m[1] === '-';
  const whole = m[3] === '' ? '0' : (m[3] ?? '0');
  const fraction = m[4] ?? '';
  const suffix = readSuffix(m[5] ?? '');
  if (suffix === null) return BAD_SUFFIX;
  const { format, exponent } = suffix;
  if (format !== 'BinarySI' && Math.abs(exponent) > EXPONENT_MAX) return BAD_SUFFIX;
  const digits = whole + fraction;
  if (digits.length > EXPONENT_MAX) return NOT_NUMERIC;
  const magnitude = BigInt(digits);
  const small = parseSmall(text, negative, whole, fraction, magnitude, format, exponent);
  if (small) return small;
  // Only upstream's slow path minds that there is no digit at all (`Pi`; `Mi` is zero).
  if (m[2] === '' && m[3] === '' && fraction === '') return NOT_NUMERIC;
  return parseLarge(negative, fraction.length, magnitude, format, exponent);
}

function readSuffix(s: string): { format: QuantityFormat; exponent: number } | null {
  const decimal = DECIMAL[s];
  if (decimal !== undefined) return { format: 'DecimalSI', exponent: decimal };
  const binary = BINARY[s];
  if (binary !== undefined) return { format: 'BinarySI', exponent: binary };
  if (/^[eE][-+]?[0-9]+$/.test(s)) return { format: 'DecimalExponent', exponent: Number(s.slice(1)) };
  return null;
}

/** Upstream's int64 path: it keeps the text as written when that is "canonical enough". */
function parseSmall(
  text: string,
  negative: boolean,
  whole: string,
  fraction: string,
  magnitude: bigint,
  format: QuantityFormat,
  exponent: number,
): Quantity | null {
  const digits = whole + fraction;
  const sign = negative ? -1n : 1n;
  if (format === 'BinarySI') {
    if (fraction !== '' || 15 - whole.length - Math.trunc((exponent * 3) / 10) - 1 < 0) return null;
    const unscaled = sign * (magnitude << BigInt(exponent));
    return (magnitude & 7n) !== 0n ? { unscaled, scale: 0, format, text } : finish(unscaled, 0, format);
  }
  const scale = exponent - fraction.length;
  if (digits.length > INT64_DIGITS || scale < NANO) return null;
  if (scale % 3 === 0 && !digits.endsWith('000') && !digits.startsWith('0')) {
    return { unscaled: sign * magnitude, scale, format, text };
  }
  return finish(sign * magnitude, scale, format);
}

function parseLarge(
  negative: boolean,
  fractionDigits: number,
  magnitude: bigint,
  format: QuantityFormat,
  exponent: number,
): Quantity {
  let scale = -fractionDigits;
  let value = magnitude;
  if (format === 'BinarySI') value <<= BigInt(exponent);
  else scale += exponent;
  if (scale < NANO) {
    value = divideUp(value, pow10(NANO - scale));
    scale = NANO;
  }
  let shape = format;
  if (format === 'BinarySI') {
    const limit = scale < 0 ? MAX_INT64 * pow10(-scale) : MAX_INT64;
    if (value > limit) {
      value = MAX_INT64;
      scale = 0;
    }
    if (value > 0n && scale < 0 && value < pow10(-scale)) shape = 'DecimalSI';
  }
  return finish(negative ? -value : value, scale, shape);
}

/** Division of non-negative numbers, rounded up. */
const divideUp = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

const finish = (unscaled: bigint, scale: number, format: QuantityFormat): Quantity => ({
  unscaled,
  scale,
  format,
  text: print(unscaled, scale, format),
});

function print(unscaled: bigint, scale: number, format: QuantityFormat): string {
  if (unscaled === 0n) return '0';
  if (format === 'BinarySI') {
    const text = printBinary(unscaled, scale);
    if (text !== null) return text;
  }
  let mantissa = unscaled;
  let exponent = scale;
  while (mantissa % 10n === 0n) {
    mantissa /= 10n;
    exponent++;
  }
  while (exponent % 3 !== 0) {
    mantissa *= 10n;
    exponent--;
  }
  if (format === 'DecimalExponent') return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
  // Beyond E and below n upstream finds no suffix and prints none.
  return `${mantissa}${DECIMAL_NAMES.get(exponent) ?? ''}`;
}

/** Null when the value is a fraction or under 1024, which print as decimals. */
function printBinary(unscaled: bigint, scale: number): string | null {
  let value = unscaled;
  if (scale < 0) {
    const unit = pow10(-scale);
    if (value % unit !== 0n) return null;
    value /= unit;
  } else value *= pow10(scale);
  if (value > -1024n && value < 1024n) return null;
  let n = 0;
  while (n < 6 && value % 1024n === 0n) {
    value /= 1024n;
    n++;
  }
  return `${value}${BINARY_NAMES[n]}`;
}

/** A quantity of a number of units of 10^scale, as resource.NewScaledQuantity and its kin make it. */
export function quantityOf(value: number | bigint, scale = 0, format: QuantityFormat = 'DecimalSI'): Quantity {
  return finish(BigInt(value), scale, format);
}

function align(a: Quantity, b: Quantity): [bigint, bigint, number] {
  if (a.scale === b.scale) return [a.unscaled, b.unscaled, a.scale];
  if (a.scale > b.scale) return [a.unscaled * pow10(a.scale - b.scale), b.unscaled, b.scale];
  return [a.unscaled, b.unscaled * pow10(b.scale - a.scale), a.scale];
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  const [x, y] = align(a, b);
  return x < y ? -1 : x > y ? 1 : 0;
}
/** The sum; it keeps `a`'s format unless `a` is zero. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  const [x, y, scale] = align(a, b);
  return finish(x + y, scale, a.unscaled === 0n ? b.format : a.format);
}
/** The difference; it keeps `a`'s format unless `a` is zero. */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  const [x, y, scale] = align(a, b);
  return finish(x - y, scale, a.unscaled === 0n ? b.format : a.format);
}
/** The quantity times a whole number. */
export function multiplyQuantity(q: Quantity, by: number | bigint): Quantity {
  return finish(q.unscaled * BigInt(by), q.scale, q.format);
}

/** The value in units of 10^scale, rounded away from zero, within int64 (upstream's ScaledValue). */
export function scaledValue(q: Quantity, scale: number): bigint {
  const shift = q.scale - scale;
  if (shift >= 0) {
    const value = q.unscaled * pow10(shift);
    return value > MAX_INT64 ? MAX_INT64 : value < -MAX_INT64 ? -MAX_INT64 : value;
  }
  const unit = pow10(-shift);
  return q.unscaled < 0n ? -divideUp(-q.unscaled, unit) : divideUp(q.unscaled, unit);
}
/** The value rounded up to a whole number: bytes of memory, counts. */
export const wholeValue = (q: Quantity): number => Number(scaledValue(q, 0));
/** The value in thousandths, rounded up: CPU. */
export const milliValue = (q: Quantity): number => Number(scaledValue(q, -3));
