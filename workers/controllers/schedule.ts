import { cronProblem } from '../../kube/kinds/cron.ts';
import { durationToMillis } from '../../kube/meta/time.ts';

// When a cron schedule is due: robfig/cron v3's standard parser and SpecSchedule.Next, which kube-controller-manager runs, in any time zone that
// the platform knows.

/** When a schedule is due next. */
export interface Schedule {
  /** Milliseconds since the epoch of the next time after `ms`; undefined where there is none within five years. */
  next(ms: number): number | undefined;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** How far a schedule is looked for. */
const YEARS = 5;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

interface Field {
  values: ReadonlySet<number>;
  /** Every value, said with a star: of two days one with a star doesn't decide. */
  star: boolean;
}

/** Reads a schedule; an Error with upstream's text where it can't be read. `zone`: an IANA name; a TZ= in the text goes before it. */
export function parseSchedule(text: string, zone = 'UTC'): Schedule | Error {
  const problem = cronProblem(text);
  if (problem !== '') return new Error(problem);
  const prefix = /^(?:CRON_)?TZ=([^ ]*) */.exec(text);
  const name = prefix ? (prefix[1] ?? '') : zone;
  const clock = clockOf(name === '' ? 'UTC' : name);
  if (clock === undefined) return new Error(`provided bad location ${name}: unknown time zone ${name}`);
  const spec = prefix ? text.slice(prefix[0].length).trim() : text;
  if (spec.startsWith('@every ')) return every(spec.slice('@every '.length));
  const [minute = '', hour = '', dom = '', month = '', dow = ''] = (MACROS[spec] ?? spec).trim().split(/\s+/);
  const fields = {
    minute: fieldOf(minute, 0, 59),
    hour: fieldOf(hour, 0, 23),
    dom: fieldOf(dom, 1, 31),
    month: fieldOf(month, 1, 12, MONTHS),
    dow: fieldOf(dow, 0, 6, DAYS),
  };
  return { next: (ms) => next(fields, clock, ms) };
}

/** Each so often, a second at least, from when it is asked. */
function every(duration: string): Schedule {
  const ms = Math.max(1_000, Math.floor(durationToMillis(duration) / 1_000) * 1_000);
  return { next: (from) => Math.floor(from / 1_000) * 1_000 + ms };
}

function fieldOf(text: string, min: number, max: number, names: readonly string[] = []): Field {
  const values = new Set<number>();
  let star = false;
  const number = (t: string) => {
    const named = names.indexOf(t.toLowerCase());
    return named < 0 ? Number(t) : named + min;
  };
  for (const part of text.split(',')) {
    if (part === '') continue;
    const [span = '', step] = part.split('/');
    const [low = '', high] = span.split('-');
    const all = low === '*' || low === '?';
    const from = all ? min : number(low);
    const by = step === undefined ? 1 : Number(step);
    const to = all || (step !== undefined && high === undefined) ? max : high === undefined ? from : number(high);
    if (all && by === 1) star = true;
    for (let v = from; v <= to; v += by) values.add(v);
  }
  return { values, star };
}

type Fields = Record<'minute' | 'hour' | 'dom' | 'month' | 'dow', Field>;

/** What a zone's clocks show: an instant as if they were UTC's, and back as Go's time.Date has it. */
interface Clock {
  wall(ms: number): Date;
  at(year: number, month: number, day: number, hour?: number): number;
}

function next(f: Fields, clock: Clock, after: number): number | undefined {
  let t = Math.floor(after / 1_000) * 1_000 + 1_000;
  // Whether a field has been moved: those below it are at their beginning then.
  let moved = false;
  const limit = clock.wall(t).getUTCFullYear() + YEARS;
  for (;;) {
    let w = clock.wall(t);
    if (w.getUTCFullYear() > limit) return undefined;
    const monthly = toMonth(f, clock, t, moved);
    moved = monthly.moved;
    t = monthly.t;
    if (monthly.wraps) continue;
    const daily = toDay(f, clock, t, moved);
    moved = daily.moved;
    t = daily.t;
    if (daily.wraps) continue;
    const hourly = toHour(f, clock, t, moved);
    moved = hourly.moved;
    t = hourly.t;
    if (hourly.wraps) continue;
    let wraps = false;
    for (w = clock.wall(t); !f.minute.values.has(w.getUTCMinutes()); w = clock.wall(t)) {
      if (!moved) t = Math.floor(t / MINUTE) * MINUTE;
      moved = true;
      t += MINUTE;
      wraps = clock.wall(t).getUTCMinutes() === 0;
      if (wraps) break;
    }
    if (wraps) continue;
    // Standard schedules are due at second 0.
    if (clock.wall(t).getUTCSeconds() === 0) return t;
    t = Math.floor(t / MINUTE) * MINUTE + MINUTE;
    moved = true;
  }
}
interface Step {
  t: number;
  moved: boolean;
  /** A field above has moved: everything is looked at anew. */
  wraps: boolean;
}

function toMonth(f: Fields, clock: Clock, from: number, before: boolean): Step {
  let t = from;
  let moved = before;
  for (let w = clock.wall(t); !f.month.values.has(w.getUTCMonth() + 1); w = clock.wall(t)) {
    moved = true;
    t = clock.at(w.getUTCFullYear(), w.getUTCMonth() + 1, 1);
    if (clock.wall(t).getUTCMonth() === 0) return { t, moved, wraps: true };
  }
  return { t, moved, wraps: false };
}

function toDay(f: Fields, clock: Clock, from: number, before: boolean): Step {
  let t = from;
  let moved = before;
  for (let w = clock.wall(t); !isDay(f, w); w = clock.wall(t)) {
    moved = true;
    t = clock.at(w.getUTCFullYear(), w.getUTCMonth(), w.getUTCDate() + 1);
    // Where clocks go forward at midnight there is none.
    const hour = clock.wall(t).getUTCHours();
    if (hour !== 0) t += (hour > 12 ? 24 - hour : -hour) * HOUR;
    if (clock.wall(t).getUTCDate() === 1) return { t, moved, wraps: true };
  }
  return { t, moved, wraps: false };
}
/** Two restricted days are either, one of them with a star both. */
function isDay(f: Fields, w: Date): boolean {
  const [dom, dow] = [f.dom.values.has(w.getUTCDate()), f.dow.values.has(w.getUTCDay())];
  return f.dom.star || f.dow.star ? dom && dow : dom || dow;
}

function toHour(f: Fields, clock: Clock, from: number, before: boolean): Step {
  let t = from;
  let moved = before;
  for (let w = clock.wall(t); !f.hour.values.has(w.getUTCHours()); w = clock.wall(t)) {
    if (!moved) t = clock.at(w.getUTCFullYear(), w.getUTCMonth(), w.getUTCDate(), w.getUTCHours());
    moved = true;
    t += HOUR;
    if (clock.wall(t).getUTCHours() === 0) return { t, moved, wraps: true };
  }
  return { t, moved, wraps: false };
}

const clocks = new Map<string, Clock>();
/** Zones whose clocks are kept: making one costs a millisecond. */
const CLOCKS_MAX = 64;

/** The clock of a zone; undefined where the platform doesn't know it. */
export function clockOf(zone: string): Clock | undefined {
  const known = clocks.get(zone);
  if (known) return known;
  const offset = offsets(zone);
  if (offset === undefined) return undefined;
  const clock: Clock = {
    wall: (ms) => new Date(ms + offset(ms)),
    at(year, month, day, hour = 0) {
      const wall = Date.UTC(year, month, day, hour);
      const guess = offset(wall);
      const then = offset(wall - guess);
      return wall - (guess === 0 ? 0 : then);
    },
  };
  if (clocks.size >= CLOCKS_MAX) clocks.clear();
  clocks.set(zone, clock);
  return clock;
}

/** Milliseconds that a zone's clocks are ahead of UTC at an instant. */
function offsets(zone: string): ((ms: number) => number) | undefined {
  if (zone === 'UTC' || zone === 'Etc/UTC') return () => 0;
  let format: Intl.DateTimeFormat;
  try {
    const two = '2-digit';
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: two,
      day: two,
      hour: two,
      minute: two,
      second: two,
    });
  } catch {
    return undefined;
  }
  return (ms) => {
    const p: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(ms)) p[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = p;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1_000) * 1_000;
  };
}

/** `2026-11-21T11:00:00+01:00`, as Go prints a time in a zone. */
export function formatInZone(ms: number, zone: string): string {
  const clock = clockOf(zone);
  const wall = clock ? clock.wall(ms).getTime() : ms;
  const text = new Date(wall).toISOString().slice(0, 19);
  const minutes = Math.round((wall - ms) / MINUTE);
  if (minutes === 0) return `${text}Z`;
  const two = (n: number) => String(n).padStart(2, '0');
  const size = Math.abs(minutes);
  return `${text}${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
