import { quote } from '../meta/issues.ts';

// What a cron schedule may say, with the error texts of robfig/cron v3's standard parser.

interface Bounds {
  min: number;
  max: number;
  names?: Readonly<Record<string, number>>;
}
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: Object.fromEntries(MONTHS.map((m, i) => [m, i + 1])) },
  { min: 0, max: 6, names: Object.fromEntries(DAYS.map((d, i) => [d, i])) },
];
const DESCRIPTORS = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);

/** What is wrong with a schedule; '' when nothing is. */
export function cronProblem(schedule: string): string {
  let spec = schedule;
  if (spec === '') return 'empty spec string';
  const zone = /^(TZ|CRON_TZ)=([^ ]*) ?/.exec(spec);
  if (zone) spec = spec.slice(zone[0].length).trim();
  if (spec.startsWith('@')) return descriptor(spec);
  const fields = spec.split(/\s+/).filter((f) => f !== '');
  if (fields.length !== FIELDS.length) {
    return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  }
  for (const [i, b] of FIELDS.entries()) {
    for (const part of (fields[i] ?? '').split(',')) {
      const problem = part === '' ? '' : range(part, b);
      if (problem !== '') return problem;
    }
  }
  return '';
}
function descriptor(spec: string): string {
  if (DESCRIPTORS.has(spec)) return '';
  if (spec.startsWith('@every ')) {
    return /^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$/.test(spec.slice(7))
      ? ''
      : `failed to parse duration ${spec}: time: invalid duration ${quote(spec.slice(7))}`;
  }
  return `unrecognized descriptor: ${spec}`;
}
function range(expr: string, b: Bounds): string {
  const [span = '', step, ...more] = expr.split('/');
  const [low = '', high, ...extra] = span.split('-');
  let start = b.min;
  let end = b.max;
  if (low !== '*' && low !== '?') {
    const first = value(low, b);
    if (typeof first === 'string') return first;
    start = first;
    if (extra.length > 0) return `too many hyphens: ${expr}`;
    end = start;
    if (high !== undefined) {
      const last = value(high, b);
      if (typeof last === 'string') return last;
      end = last;
    }
  }
  if (more.length > 0) return `too many slashes: ${expr}`;
  let by = 1;
  if (step !== undefined) {
    const n = integer(step);
    if (typeof n === 'string') return n;
    by = n;
    if (high === undefined) end = b.max;
  }
  if (start < b.min) return `beginning of range (${start}) below minimum (${b.min}): ${expr}`;
  if (end > b.max) return `end of range (${end}) above maximum (${b.max}): ${expr}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${expr}`;
  return by === 0 ? `step of range should be a positive number: ${expr}` : '';
}
const value = (text: string, b: Bounds): number | string => b.names?.[text.toLowerCase()] ?? integer(text);
function integer(text: string): number | string {
  if (!/^[+-]?[0-9]+$/.test(text)) {
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${quote(text)}: invalid syntax`;
  }
  const n = Number(text);
  return n < 0 ? `negative number (${n}) not allowed: ${text}` : n;
}
