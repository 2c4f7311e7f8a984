/** Seconds of Go's zero time, 0001-01-01T00:00:00Z: protobuf carries it as an empty message, JSON as null. */
export const ZERO_TIME_SECONDS = -62135596800;

/** A point in time as protobuf carries it. */
export interface Timestamp {
  seconds: number;
  nanos: number;
}

const DAY = 86400;
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:[.,](\d+))?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** Days from 1970-01-01 of a proleptic Gregorian date; month from 1. */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const ofEra = y - era * 400;
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719468;
}

const two = (s: string, i: number) => s.charCodeAt(i) * 10 + s.charCodeAt(i + 1) - 528;

/** Reads RFC 3339; null when it isn't. */
export function parseTime(s: string): Timestamp | null {
  const m = RFC3339.exec(s);
  if (m === null) return null;
  const year = two(s, 0) * 100 + two(s, 2);
  const month = two(s, 5);
  const day = two(s, 8);
  const hour = two(s, 11);
  const minute = two(s, 14);
  const second = two(s, 17);
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) return null;
  if (day > 28 && daysOf(year, month, day) >= daysOf(month === 12 ? year + 1 : year, (month % 12) + 1, 1)) return null;
  let seconds = daysOf(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
  const zone = s.charAt(s.length - 6);
  if (zone === '+' || zone === '-') {
    const away = two(s, s.length - 5) * 3600 + two(s, s.length - 2) * 60;
    seconds += zone === '+' ? -away : away;
  }
  return { seconds, nanos: m[1] === undefined ? 0 : Number(m[1].slice(0, 9).padEnd(9, '0')) };
}

/** Two digits; NaN for anything else. */
function pairIn(b: Uint8Array, at: number): number {
  const tens = (b[at] as number) - 48;
  const ones = (b[at + 1] as number) - 48;
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? Number.NaN : tens * 10 + ones;
}

const DASH = 45;
const COLON = 58;
/** Seconds of a time in bytes, in the form in which times are stored (`2026-11-21T09:15:00Z`); NaN for any other form, which parseTime reads. */
export function canonicalSeconds(b: Uint8Array, from: number, to: number): number {
  if (to - from !== 20 || b[from + 4] !== DASH || b[from + 7] !== DASH || b[from + 10] !== 84) return Number.NaN;
  if (b[from + 13] !== COLON || b[from + 16] !== COLON || b[from + 19] !== 90) return Number.NaN;
  const century = pairIn(b, from);
  const year = century * 100 + pairIn(b, from + 2);
  const month = pairIn(b, from + 5);
  const day = pairIn(b, from + 8);
  const hour = pairIn(b, from + 11);
  const minute = pairIn(b, from + 14);
  const second = pairIn(b, from + 17);
  // Days that only some months have are left to parseTime.
  const common = century > 0 && month >= 1 && month <= 12 && day >= 1 && day <= (month === 2 ? 28 : 30);
  if (!common || !(hour <= 23 && minute <= 59 && second <= 59)) return Number.NaN;
  return daysOf(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
}

const pad2: string[] = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'));

/** RFC 3339 in UTC with whole seconds; with `micros` six digits of fraction (metav1.MicroTime). */
export function printTime(seconds: number, micros?: number): string {
  const days = Math.floor(seconds / DAY);
  const rest = seconds - days * DAY;
  const z = days + 719468;
  const era = Math.floor(z / 146097);
  const ofEra = z - era * 146097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36524) - Math.floor(ofEra / 146096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const mp = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * mp + 2) / 5) + 1;
  const month = mp < 10 ? mp + 3 : mp - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const date = `${year > 999 ? year : String(year).padStart(4, '0')}-${pad2[month]}-${pad2[day]}`;
  const clock = `${pad2[Math.floor(rest / 3600)]}:${pad2[Math.floor(rest / 60) % 60]}:${pad2[rest % 60]}`;
  return micros === undefined ? `${date}T${clock}Z` : `${date}T${clock}.${String(micros).padStart(6, '0')}Z`;
}
