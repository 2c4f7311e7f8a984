import { REPLAY_REVISIONS } from '../../kube/store/window.ts';
import type { WatchLog } from './history.ts';
import { difference, folds, type Log, type LogEvent, print, scoped, within } from './log.ts';

/** Writes under way that nobody has seen: a 410 is judged by the newest revision that was seen. */
const SLACK = 500;

/** Whether history certainly reaches back to a revision: a 410 for it is wrong. */
export const isReplayable = (rev: number, newest: number): boolean => newest + SLACK - rev < REPLAY_REVISIONS;

/**
 * What is wrong with one watcher's life: events out of order, left out or shown twice, a bookmark past an event that hadn't come, an initial
 * list that never stood, a 410 for a revision inside the replay window, events that never came.
 */
export function checkWatch(w: WatchLog, log: Log, newestAt: (tick: number) => number): string[] {
  const wrong: string[] = [];
  const say = (text: string) => wrong.push(`watch ${w.id}: ${text}`);
  const due = scoped(w.scope, log.events);
  /** Everything up to here has been shown. */
  let reached = -1;
  let next = 0;
  const skipTo = (rev: number) => {
    while (next < due.length && (due[next]?.rev ?? 0) <= rev) next++;
    reached = rev;
  };
  for (const e of w.entries) {
    if (e.is === 'wrong') say(e.why);
    else if (e.is === 'list') {
      if (e.rev < reached) say(`a list at ${e.rev} after ${reached} had been reached`);
      skipTo(e.rev);
    } else if (e.is === 'open') {
      if (e.after !== reached) say(`resumed after ${e.after}, but had reached ${reached}`);
    } else if (e.is === 'event') {
      const expected = due[next];
      if (e.rev <= reached) say(`${print(e)} after revision ${reached} had been reached`);
      else if (expected && expected.rev < e.rev) say(`${print(expected)} was left out before ${e.rev}`);
      else if (!expected || expected.rev !== e.rev) say(`${print(e)}: nobody else saw it`);
      else if (!agrees(expected, e)) say(`${print(e)}, where ${print(expected)} was due`);
      skipTo(Math.max(reached, e.rev));
    } else if (e.is === 'bookmark') {
      const expected = due[next];
      if (e.rev < reached) say(`a bookmark at ${e.rev} after ${reached} had been reached`);
      else if (expected && expected.rev <= e.rev) say(`a bookmark at ${e.rev} before ${print(expected)} was shown`);
      skipTo(Math.max(reached, e.rev));
    } else if (isReplayable(e.after, newestAt(e.at))) {
      say(`410 for revision ${e.after}, ${newestAt(e.at) - e.after} behind the newest`);
    }
  }
  const late = due[next];
  if (late) say(`${due.length - next} events never came, first ${print(late)}`);
  const lists = w.entries.filter((e) => e.is === 'list');
  folds(log.events, lists, (fold, e) => {
    const d = difference(e.items, within(w.scope, fold));
    if (d) say(`its ${e.streamed ? 'initial events' : 'list'} at ${e.rev}: ${d}`);
  });
  return wrong;
}

const agrees = (a: LogEvent, b: Pick<LogEvent, 'type' | 'key' | 'seen'>): boolean => print(a) === print(b);

/** Events of a watcher's scope that it hasn't been shown yet. */
export function pending(w: WatchLog, log: Log): number {
  let reached = -1;
  for (const e of w.entries)
    if (e.is === 'list' || e.is === 'event' || e.is === 'bookmark') reached = Math.max(reached, e.rev);
  return scoped(w.scope, log.events).filter((e) => e.rev > reached).length;
}
