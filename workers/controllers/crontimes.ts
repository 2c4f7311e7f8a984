import type { Schedule } from './schedule.ts';

// Which time of a schedule is due: kubernetes pkg/controller/cronjob/utils.go.

/** Added to the next time, so that clocks that differ a little miss none. */
const DELTA_MS = 100;
/** From here on a warning is due. */
const MANY = 100;

export interface Recent {
  /** Milliseconds since the epoch of the newest time that isn't over yet; undefined: none since. */
  due: number | undefined;
  missed: 'none' | 'few' | 'many';
}

/** The newest time of a schedule after `since` and not after `now`. `deadlineSeconds`: nothing older is due. */
export function mostRecent(since: number, now: number, schedule: Schedule, deadlineSeconds?: number): Recent | Error {
  const from = deadlineSeconds === undefined ? since : Math.max(since, now - deadlineSeconds * 1000);
  const first = schedule.next(from);
  if (first !== undefined && now < first) return { due: undefined, missed: 'none' };
  const second = first === undefined ? undefined : schedule.next(first);
  if (first !== undefined && second !== undefined && now < second) return { due: first, missed: 'none' };
  const between = first === undefined || second === undefined ? 0 : Math.round((second - first) / 1000);
  if (between < 1 || first === undefined)
    return new Error('time difference between two schedules is less than 1 second');
  // About how many there were; then back by one, since they needn't be evenly apart.
  const count = Math.floor(Math.floor((now - first) / 1000) / between) + 1;
  let due: number | undefined;
  const start = first + (count - 2) * between * 1000;
  for (let t = schedule.next(start); t !== undefined && t <= now; t = schedule.next(t)) due = t;
  return { due, missed: count > MANY ? 'many' : 'few' };
}

/** Milliseconds until the schedule is due next, after what is due now. */
export function nextAfter(since: number, now: number, schedule: Schedule): number | undefined {
  const found = mostRecent(since, now, schedule);
  const from = found instanceof Error ? now : (found.due ?? (found.missed === 'none' ? since : now));
  const next = schedule.next(from);
  return next === undefined ? undefined : next + DELTA_MS - now;
}
