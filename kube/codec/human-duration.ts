const DAY_HOURS = 24;
const YEAR_DAYS = 365;

/** Milliseconds as upstream shows an age: `45s`, `5m12s`, `3h`, `2d5h`, `400d`, `3y20d` (apimachinery pkg/util/duration HumanDuration). */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  // Clocks differ by a second or two; more than that is an error in the data.
  if (seconds < -1) return '<invalid>';
  if (seconds <= 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / DAY_HOURS);
  if (days < 8) return pair(days, 'd', hours % DAY_HOURS, 'h');
  const years = Math.trunc(days / YEAR_DAYS);
  if (years < 2) return `${days}d`;
  return years < 8 ? pair(years, 'y', days % YEAR_DAYS, 'd') : `${years}y`;
}

const pair = (a: number, unit: string, b: number, rest: string) => `${a}${unit}${b === 0 ? '' : `${b}${rest}`}`;

/** Milliseconds in one unit: `45s`, `5m`, `3h`, `2d`, `1y` (ShortHumanDuration). */
export function shortHumanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds <= 0) return '0s';
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < DAY_HOURS) return `${hours}h`;
  const days = Math.trunc(hours / DAY_HOURS);
  return days < YEAR_DAYS ? `${days}d` : `${Math.trunc(days / YEAR_DAYS)}y`;
}
