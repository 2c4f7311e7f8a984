import { quote } from './issues.ts';

// Times and durations as Go's time package and metav1.Time, MicroTime and Duration read and print them.

const RFC3339 = '2006-01-02T15:04:05Z07:00';
const RFC3339_MICRO = '2006-01-02T15:04:05.000000Z07:00';
/** metav1.Time's zero, which is written as null. */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

const CANONICAL = /^\d{4}-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;
const CANONICAL_MICRO = /^\d{4}-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/;

interface Instant {
  /** Milliseconds since the epoch of the whole second. */
  ms: number;
  micros: number;
}

/** Milliseconds since the epoch of an RFC 3339 text (fractions kept to the millisecond); NaN when it isn't one. */
export function timeToMillis(text: string | undefined): number {
  if (text === undefined) return Number.NaN;
  const t = parse(text, false);
  return typeof t === 'string' ? Number.NaN : t.ms + Math.floor(t.micros / 1000);
}
/** `2026-11-21T11:00:00Z` of milliseconds since the epoch, cut to the second. */
export function formatTime(ms: number): string {
  return `${utc(ms)}Z`;
}
/** `2026-11-21T11:00:00.123000Z`, for MicroTime. */
export function formatMicroTime(ms: number): string {
  const fraction = Math.floor((ms - Math.floor(ms / 1000) * 1000) * 1000);
  return `${utc(ms)}.${String(fraction).padStart(6, '0')}Z`;
}
/** Most times that are printed are this second's. */
let last = { second: Number.NaN, text: '' };
function utc(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== last.second) {
    const iso = new Date(second * 1000).toISOString();
    last = { second, text: iso.slice(0, iso.length - 5) };
  }
  return last.text;
}

/** The text of a metav1.Time in UTC with second precision; null when it isn't RFC 3339. */
export function canonicalTime(text: string): string | null {
  const m = CANONICAL.exec(text);
  if (m && Number(m[1]) <= 12 && Number(m[1]) > 0 && Number(m[2]) <= 28 && Number(m[2]) > 0) return text;
  const t = parse(text, false);
  return typeof t === 'string' ? null : formatTime(t.ms);
}
/** The text of a metav1.MicroTime in UTC with six digits; null when it isn't in that layout. */
export function canonicalMicroTime(text: string): string | null {
  const m = CANONICAL_MICRO.exec(text);
  if (m && Number(m[1]) <= 12 && Number(m[1]) > 0 && Number(m[2]) <= 28 && Number(m[2]) > 0) return text;
  const t = parse(text, true);
  return typeof t === 'string' ? null : `${utc(t.ms)}.${String(t.micros).padStart(6, '0')}Z`;
}
/** Go's error for a text that isn't a time; empty when it is one. */
export function timeProblem(text: string, micro = false): string {
  const t = parse(text, micro);
  return typeof t === 'string' ? t : '';
}

/** time.Parse with the RFC 3339 layouts; the result is Go's error text when it fails. */
function parse(text: string, micro: boolean): Instant | string {
  const layout = micro ? RFC3339_MICRO : RFC3339;
  let rest = text;
  const bad = (element: string) =>
    `parsing time ${quote(text)} as ${quote(layout)}: cannot parse ${quote(rest)} as ${quote(element)}`;
  const outOfRange = (what: string) => `parsing time ${quote(text)}: ${what} out of range`;
  const number = (digits: RegExp): number => {
    const m = digits.exec(rest);
    if (!m) return -1;
    rest = rest.slice(m[0].length);
    return Number(m[0]);
  };
  const fields: number[] = [];
  // Go takes one digit for the hour ("15" in a layout), but wants two elsewhere.
  for (const [element, digits, separator] of ELEMENTS) {
    const n = number(digits);
    if (n < 0) return bad(element);
    fields.push(n);
    const range = RANGES[element];
    if (range && (n < range.min || n > range.max)) return outOfRange(range.name);
    if (separator === '') break;
    if (!rest.startsWith(separator)) return bad(separator);
    rest = rest.slice(1);
  }
  let micros = 0;
  const fraction = micro ? /^[.,]\d{6}/.exec(rest) : /^[.,]\d+/.exec(rest);
  if (fraction) {
    micros = Number(fraction[0].slice(1, 7).padEnd(6, '0'));
    rest = rest.slice(fraction[0].length);
  } else if (micro) return bad('.000000');
  const offset = readOffset(rest);
  if (offset === null) return bad('Z07:00');
  if (offset.hours > 24) return outOfRange('time zone offset hour');
  if (offset.minutes > 60) return outOfRange('time zone offset minute');
  if (rest.length > offset.length) {
    rest = rest.slice(offset.length);
    return `parsing time ${quote(text)}: extra text: ${quote(rest)}`;
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields;
  if (day < 1 || day > daysIn(year, month)) return outOfRange('day');
  const at = new Date(0);
  at.setUTCFullYear(year, month - 1, day);
  at.setUTCHours(hour, minute, second, 0);
  return { ms: at.getTime() - offset.sign * (offset.hours * 60 + offset.minutes) * 60_000, micros };
}

const ELEMENTS: readonly [string, RegExp, string][] = [
  ['2006', /^\d{4}/, '-'],
  ['01', /^\d{2}/, '-'],
  ['02', /^\d{2}/, 'T'],
  ['15', /^\d{1,2}/, ':'],
  ['04', /^\d{2}/, ':'],
  ['05', /^\d{2}/, ''],
];
const RANGES: Record<string, { name: string; min: number; max: number }> = {
  '01': { name: 'month', min: 1, max: 12 },
  '15': { name: 'hour', min: 0, max: 23 },
  '04': { name: 'minute', min: 0, max: 59 },
  '05': { name: 'second', min: 0, max: 59 },
};

function readOffset(s: string): { sign: number; hours: number; minutes: number; length: number } | null {
  if (s.startsWith('Z')) return { sign: 1, hours: 0, minutes: 0, length: 1 };
  const m = /^([+-])(\d\d):(\d\d)/.exec(s);
  return m && { sign: m[1] === '-' ? -1 : 1, hours: Number(m[2]), minutes: Number(m[3]), length: 6 };
}
const daysIn = (year: number, month: number) => new Date(Date.UTC(year % 400 || 400, month, 0)).getUTCDate();

const UNITS: Record<string, bigint> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const MAX_DURATION = 1n << 63n;

/** Nanoseconds of a Go duration (`1h15m30.918s`), or Go's error text. */
function readDuration(text: string): bigint | string {
  const invalid = `time: invalid duration ${quote(text)}`;
  const m = /^([-+]?)(.*)$/s.exec(text);
  const negative = m?.[1] === '-';
  let rest = m?.[2] ?? '';
  if (rest === '0') return 0n;
  if (rest === '') return invalid;
  let total = 0n;
  while (rest !== '') {
    const n = /^(\d*)(?:\.(\d*))?/.exec(rest);
    const whole = n?.[1] ?? '';
    const fraction = n?.[2] ?? '';
    if (whole === '' && fraction === '') return invalid;
    rest = rest.slice(n?.[0].length ?? 0);
    const unitText = /^[^.\d]*/.exec(rest)?.[0] ?? '';
    if (unitText === '') return `time: missing unit in duration ${quote(text)}`;
    const unit = UNITS[unitText];
    if (unit === undefined) return `time: unknown unit ${quote(unitText)} in duration ${quote(text)}`;
    rest = rest.slice(unitText.length);
    total += BigInt(whole === '' ? '0' : whole) * unit;
    if (fraction !== '') {
      const digits = fraction.slice(0, 18);
      // In floating point, as Go does.
      total += BigInt(Math.trunc(Number(digits) * (Number(unit) / 10 ** digits.length)));
    }
    if (total > MAX_DURATION) return invalid;
  }
  if (!negative && total === MAX_DURATION) return invalid;
  return negative ? -total : total;
}

/** Nanoseconds of a Go duration; null when it isn't one. */
export function parseDuration(text: string): bigint | null {
  const d = readDuration(text);
  return typeof d === 'string' ? null : d;
}
/** Milliseconds of a Go duration; NaN when it isn't one. */
export function durationToMillis(text: string): number {
  const d = readDuration(text);
  return typeof d === 'string' ? Number.NaN : Number(d) / 1e6;
}
/** Go's error for a text that isn't a duration; empty when it is one. */
export function durationProblem(text: string): string {
  const d = readDuration(text);
  return typeof d === 'string' ? d : '';
}
/** The text as Go prints it (`1h0m0s`); null when it isn't a duration. */
export function canonicalDuration(text: string): string | null {
  const d = parseDuration(text);
  return d === null ? null : formatDuration(d);
}

/** time.Duration.String of nanoseconds. */
export function formatDuration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  const n = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (n < 1_000n) return `${sign}${n}ns`;
  if (n < 1_000_000n) return `${sign}${decimal(n, 1_000n, 3)}µs`;
  if (n < 1_000_000_000n) return `${sign}${decimal(n, 1_000_000n, 6)}ms`;
  const seconds = decimal(n % 60_000_000_000n, 1_000_000_000n, 9);
  const minutes = n / 60_000_000_000n;
  if (minutes === 0n) return `${sign}${seconds}s`;
  const hours = minutes / 60n;
  return hours === 0n ? `${sign}${minutes}m${seconds}s` : `${sign}${hours}h${minutes % 60n}m${seconds}s`;
}
function decimal(n: bigint, unit: bigint, digits: number): string {
  const fraction = (n % unit).toString().padStart(digits, '0').replace(/0+$/, '');
  return fraction === '' ? `${n / unit}` : `${n / unit}.${fraction}`;
}
