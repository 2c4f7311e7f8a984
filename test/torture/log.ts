import {
  colourOf,
  type History,
  type Kind,
  nsOf,
  type Scope,
  type Seen,
  sameSeen,
  type WatchEntry,
} from './history.ts';

/** One revision as the watchers of a whole kind saw it. */
export interface LogEvent {
  rev: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  key: string;
  seen: Seen;
  /** When the first watcher had it. */
  at: number;
}

/** The state at a revision, key by key. */
export type Fold = ReadonlyMap<string, Seen>;

/** Everything that happened to one kind in one cluster, in order of revisions. */
export interface Log {
  events: readonly LogEvent[];
  /** Where two watchers disagree, or the order makes no sense. */
  wrong: string[];
}

const isWhole = (s: Scope): boolean => s.ns === '' && s.name === undefined && s.colour === undefined;

/** What all watchers of the whole kind saw, together. */
export function logOf(h: History, cluster: number, kind: Kind): Log {
  const byRev = new Map<number, LogEvent>();
  const wrong: string[] = [];
  for (const w of h.watches) {
    if (w.cluster !== cluster || w.kind !== kind || !isWhole(w.scope)) continue;
    for (const e of w.entries) {
      if (e.is !== 'event') continue;
      const known = byRev.get(e.rev);
      if (!known) byRev.set(e.rev, logEvent(e));
      else if (known.key !== e.key || known.type !== e.type || !sameSeen(known.seen, e.seen))
        wrong.push(`revision ${e.rev} is two things: ${print(known)} and, to ${w.id}, ${print(e)}`);
      else known.at = Math.min(known.at, e.at);
    }
  }
  const events = [...byRev.values()].sort((a, b) => a.rev - b.rev);
  return { events, wrong: [...wrong, ...sense(events)] };
}
const logEvent = ({ rev, type, key, seen, at }: WatchEntry & { is: 'event' }): LogEvent => ({
  rev,
  type,
  key,
  seen,
  at,
});

export const print = (e: Pick<LogEvent, 'type' | 'key' | 'seen'>): string =>
  `${e.type} ${e.key} rev ${e.seen.rev} by ${e.seen.w} (contents of ${e.seen.v}${e.seen.p === '' ? '' : `, patched by ${e.seen.p}`})`;

/** What is added was not there, what is changed or deleted was, and a deletion shows what it deletes. */
function sense(events: readonly LogEvent[]): string[] {
  const wrong: string[] = [];
  const now = new Map<string, Seen>();
  for (const e of events) {
    const prev = now.get(e.key);
    if ((e.type === 'ADDED') !== (prev === undefined))
      wrong.push(`revision ${e.rev}: ${print(e)}, where ${prev ? `${prev.w} stood at ${prev.rev}` : 'nothing stood'}`);
    if (e.seen.rev !== e.rev) wrong.push(`revision ${e.rev} carries an object of revision ${e.seen.rev}: ${print(e)}`);
    if (e.type === 'DELETED' && prev && !sameSeen({ ...e.seen, rev: 0 }, { ...prev, rev: 0 }))
      wrong.push(`revision ${e.rev}: ${print(e)}, but ${prev.w} stood there`);
    if (e.type === 'DELETED') now.delete(e.key);
    else now.set(e.key, e.seen);
  }
  return wrong;
}

const inScope = (s: Scope, key: string, seen: Seen | undefined): boolean =>
  seen !== undefined &&
  (s.ns === '' || nsOf(key) === s.ns) &&
  (s.name === undefined || key === `${s.ns}/${s.name}`) &&
  (s.colour === undefined || colourOf(seen.v) === s.colour);

/** The part of a fold that a scope shows. */
export function within(s: Scope, fold: Fold): Map<string, Seen> {
  const part = new Map<string, Seen>();
  for (const [key, seen] of fold) if (inScope(s, key, seen)) part.set(key, seen);
  return part;
}

/** The events that a watch with this scope has to show: what comes into it is added, what leaves it is deleted. */
export function scoped(s: Scope, events: readonly LogEvent[]): LogEvent[] {
  if (isWhole(s)) return [...events];
  const out: LogEvent[] = [];
  const now = new Map<string, Seen>();
  for (const e of events) {
    const prev = now.get(e.key);
    const next = e.type === 'DELETED' ? undefined : e.seen;
    if (next) now.set(e.key, next);
    else now.delete(e.key);
    const was = inScope(s, e.key, prev);
    const is = inScope(s, e.key, next);
    if (is) out.push({ ...e, type: was ? 'MODIFIED' : 'ADDED' });
    else if (was && prev) out.push({ ...e, type: 'DELETED', seen: { ...prev, rev: e.rev } });
  }
  return out;
}

/** Calls back with the state at each of some revisions, in their order. The map is the same one each time. */
export function folds<T extends { rev: number }>(
  events: readonly LogEvent[],
  at: readonly T[],
  each: (fold: Fold, at: T) => void,
): void {
  const now = new Map<string, Seen>();
  let i = 0;
  for (const point of [...at].sort((a, b) => a.rev - b.rev)) {
    for (; i < events.length; i++) {
      const e = events[i];
      if (!e || e.rev > point.rev) break;
      if (e.type === 'DELETED') now.delete(e.key);
      else now.set(e.key, e.seen);
    }
    each(now, point);
  }
}

/** The first difference between what was shown and what stood; undefined when they are the same. */
export function difference(shown: readonly [string, Seen][], stood: Fold): string | undefined {
  const left = new Map(stood);
  for (const [key, seen] of shown) {
    const has = left.get(key);
    if (!sameSeen(has, seen))
      return `${key} is shown at ${seen.rev} by ${seen.w}, but ${has ? `${has.w} stood there at ${has.rev}` : 'nothing stood there'}`;
    left.delete(key);
  }
  const [missing] = left;
  return missing && `${missing[0]} is not shown, but ${missing[1].w} stood there at ${missing[1].rev}`;
}
