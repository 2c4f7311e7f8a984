import { type History, KINDS, type Kind, nsOf, type Op, type Seen } from './history.ts';
import { linearize, type Timed } from './linear.ts';
import { difference, folds, type Log, logOf, within } from './log.ts';
import { type KeyOp, register } from './register.ts';
import { checkWatch, isReplayable } from './watches.ts';

/** What a check looked at, and what it found. */
export interface Findings {
  wrong: string[];
  operations: number;
  keys: number;
  events: number;
  lists: number;
  unknown: number;
  /** Of those, writes that were seen to have taken effect. */
  settled: number;
  /** Reads of the past and watches that were told, rightly, that history doesn't reach back so far. */
  expired: number;
}

/** Checks a whole history: revisions, lists, watches, and each object's operations. */
export function checkHistory(h: History): Findings {
  const f: Findings = {
    wrong: [],
    operations: h.ops.length,
    keys: 0,
    events: 0,
    lists: 0,
    unknown: 0,
    settled: 0,
    expired: 0,
  };
  const clusters = new Set([...h.ops, ...h.watches].map((o) => o.cluster));
  for (const cluster of clusters) for (const kind of KINDS) checkKind(h, cluster, kind, f);
  return f;
}

function checkKind(h: History, cluster: number, kind: Kind, f: Findings): void {
  const ops = h.ops.filter((o) => o.cluster === cluster && o.kind === kind);
  const watches = h.watches.filter((w) => w.cluster === cluster && w.kind === kind);
  if (ops.length === 0 && watches.length === 0) return;
  const log = logOf(h, cluster, kind);
  const say = (text: string) => f.wrong.push(`cluster ${cluster}, ${kind}: ${text}`);
  f.events += log.events.length;
  for (const text of log.wrong) say(text);
  for (const o of ops) if (o.told.is === 'wrong') say(`${describe(o)}: ${o.told.why}`);
  f.expired += ops.filter((o) => o.told.is === 'expired').length;
  for (const w of watches) f.expired += w.entries.filter((e) => e.is === 'expired').length;
  const seen = observations(ops, log);
  const newest = newestBy(ops, h, cluster, kind);
  for (const text of checkRevisions(ops, log, seen, newest)) say(text);
  f.lists += checkLists(ops, log, say);
  for (const w of watches) for (const text of checkWatch(w, log, newest)) say(text);
  const byKey = keyHistories(ops, seen, f);
  for (const [key, timed] of byKey) {
    f.keys++;
    const verdict = linearize(register, timed);
    if (verdict.ok === true) continue;
    say(verdict.ok === 'gave-up' ? `${key}: too many possible orders` : `${key}: ${stuckText(timed, verdict)}`);
  }
}

export function describe(o: Op): string {
  const { do: verb, ...ask } = o.ask;
  return `${o.id} ${verb} ${JSON.stringify(ask)} from ${o.start} to ${o.end}`;
}

function stuckText(timed: readonly Timed<KeyOp>[], v: { stuck: number; placed: number[] }): string {
  const tell = (i: number | undefined) => {
    const t = i === undefined ? undefined : timed[i];
    return t
      ? `${t.op.id} ${t.op.ask.do} ${'expect' in t.op.ask ? `of ${t.op.ask.expect} ` : ''}-> ${JSON.stringify(t.op.told)} [${t.start}, ${t.end}]`
      : '?';
  };
  return `no order explains ${tell(v.stuck)}; as far as one goes it ends with ${v.placed.slice(-3).map(tell).join('; ')}`;
}

/** Where and when each write was first seen to have taken effect. */
type Observed = ReadonlyMap<string, { rev: number; at: number }>;
function observations(ops: readonly Op[], log: Log): Observed {
  const seen = new Map<string, { rev: number; at: number }>();
  const note = ({ w, rev }: Seen, at: number) => {
    const known = seen.get(w);
    if (!known || at < known.at) seen.set(w, { rev, at });
  };
  for (const o of ops) {
    if (o.told.is === 'seen') note(o.told.seen, o.end);
    if (o.told.is === 'list') for (const [, s] of o.told.items) note(s, o.end);
  }
  for (const e of log.events) if (e.type !== 'DELETED') note(e.seen, e.at);
  return seen;
}

/** The newest revision that anybody had seen at a tick. */
function newestBy(ops: readonly Op[], h: History, cluster: number, kind: Kind): (tick: number) => number {
  const points: [at: number, rev: number][] = [];
  for (const o of ops) {
    const { told } = o;
    if (told.is === 'done' && told.rev !== undefined) points.push([o.end, told.rev]);
    if (told.is === 'seen') points.push([o.end, told.seen.rev]);
    if (told.is === 'list') points.push([o.end, told.rev]);
  }
  for (const w of h.watches) {
    if (w.cluster !== cluster || w.kind !== kind) continue;
    for (const e of w.entries)
      if (e.is === 'event' || e.is === 'bookmark' || e.is === 'list') points.push([e.at, e.rev]);
  }
  points.sort((a, b) => a[0] - b[0]);
  let top = 0;
  const steps = points.map(([at, rev]): [number, number] => {
    top = Math.max(top, rev);
    return [at, top];
  });
  return (tick) => {
    let low = 0;
    let high = steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((steps[middle]?.[0] ?? 0) <= tick) low = middle + 1;
      else high = middle;
    }
    return steps[low - 1]?.[1] ?? 0;
  };
}

/** Each acknowledged write has a revision of its own, newer than all that was seen before it began, and watchers saw it there. */
function checkRevisions(ops: readonly Op[], log: Log, seen: Observed, newest: (tick: number) => number): string[] {
  const wrong: string[] = [];
  const byRev = new Map(log.events.map((e) => [e.rev, e]));
  const taken = new Map<number, Op>();
  for (const o of ops) {
    const { told, ask } = o;
    if (told.is === 'list' && !('at' in ask && ask.at !== undefined) && told.rev < newest(o.start))
      wrong.push(`${describe(o)} shows revision ${told.rev} though ${newest(o.start)} had been seen before`);
    if (told.is === 'expired' && 'at' in ask && ask.at !== undefined && isReplayable(ask.at, newest(o.end)))
      wrong.push(`${describe(o)}: 410, though the newest revision is ${newest(o.end)}`);
    if (told.is === 'refused' && seen.has(o.id))
      wrong.push(`${describe(o)} was refused with ${told.code}, and took effect`);
    if (told.is !== 'done' || told.rev === undefined || !('key' in ask)) continue;
    const other = taken.get(told.rev);
    if (other) wrong.push(`revision ${told.rev} was given to ${describe(other)} and to ${describe(o)}`);
    taken.set(told.rev, o);
    if (told.rev <= newest(o.start))
      wrong.push(`${describe(o)} got revision ${told.rev} though ${newest(o.start)} had been seen before`);
    const event = byRev.get(told.rev);
    const isIt = event?.key === ask.key && (event.type === 'DELETED') === (ask.do === 'delete');
    if (!isIt || (event?.type !== 'DELETED' && event?.seen.w !== o.id))
      wrong.push(
        `acknowledged and lost: ${describe(o)} at revision ${told.rev}, where the watchers saw ${event ? event.seen.w : 'nothing'}`,
      );
  }
  return wrong;
}

/** Every list shows what stood at its revision, the whole and nothing else. How many were compared. */
function checkLists(ops: readonly Op[], log: Log, say: (text: string) => void): number {
  const lists: { rev: number; op: Op; items: [string, Seen][] }[] = [];
  for (const op of ops) if (op.told.is === 'list') lists.push({ rev: op.told.rev, op, items: op.told.items });
  folds(log.events, lists, (fold, { op, items, rev }) => {
    const { ask } = op;
    if (ask.do !== 'list' && ask.do !== 'sweep') return;
    if ('at' in ask && ask.at !== undefined && rev !== ask.at) say(`${describe(op)} answered for ${rev}`);
    const scope = ask.do === 'sweep' ? { ns: ask.ns, colour: ask.colour } : { ns: ask.ns };
    const d = difference(items, within(scope, fold));
    if (d) say(`${describe(op)}, at ${rev}: ${d}`);
  });
  return lists.length;
}

/** Operations by key. Reads of lists count for every key that they could have shown. */
function keyHistories(ops: readonly Op[], seen: Observed, f: Findings): Map<string, Timed<KeyOp>[]> {
  const byKey = new Map<string, Timed<KeyOp>[]>();
  const byNs = new Map<string, Set<string>>();
  for (const { ask } of ops) {
    if (!('key' in ask)) continue;
    byKey.set(ask.key, []);
    const ns = nsOf(ask.key);
    byNs.set(ns, (byNs.get(ns) ?? new Set()).add(ask.key));
  }
  const keysOf = (ns: string): Iterable<string> => (ns === '' ? byKey.keys() : (byNs.get(ns) ?? []));
  const add = (key: string, t: Timed<KeyOp>) => byKey.get(key)?.push(t);
  for (const o of ops) {
    if (o.told.is === 'unknown') f.unknown++;
    if ('key' in o.ask) {
      const t = timedOf(o, seen, f);
      if (t) add(o.ask.key, t);
    } else if (o.ask.do === 'list') {
      if (o.told.is === 'list' && o.ask.at === undefined) addList(o, o.told.items, keysOf(o.ask.ns), add);
    } else if (o.told.is === 'list') {
      for (const [key, s] of o.told.items) {
        add(key, keyOp(o, { do: 'get', key }, { is: 'seen', seen: s }));
        add(key, keyOp(o, { do: 'drop' }, { is: 'done' }));
      }
    } else if (o.told.is === 'unknown') {
      for (const key of keysOf(o.ask.ns))
        add(key, { ...keyOp(o, { do: 'drop' }, o.told), end: Number.POSITIVE_INFINITY, twin: 'drop' });
    }
  }
  return byKey;
}

const keyOp = (o: Op, ask: KeyOp['ask'], told: KeyOp['told']): Timed<KeyOp> => ({
  start: o.start,
  end: o.end,
  op: { id: o.id, kind: o.kind, ask, told },
});

function addList(
  o: Op,
  items: readonly [string, Seen][],
  keys: Iterable<string>,
  add: (key: string, t: Timed<KeyOp>) => void,
): void {
  const shown = new Map(items);
  for (const key of keys) {
    const s = shown.get(key);
    add(key, keyOp(o, { do: 'get', key }, s ? { is: 'seen', seen: s } : { is: 'none' }));
  }
}

/** An operation with what was learnt of it elsewhere; undefined when it says nothing. */
function timedOf(o: Op, seen: Observed, f: Findings): Timed<KeyOp> | undefined {
  const t = keyOp(o, o.ask, o.told);
  if (o.told.is === 'refused' || o.told.is === 'wrong' || o.told.is === 'expired') return undefined;
  const found = seen.get(o.id);
  if (found) t.end = Math.min(t.end, found.at);
  if (o.told.is !== 'unknown') return t;
  if (o.ask.do === 'get') return undefined;
  if (found) {
    f.settled++;
    return { ...t, end: found.at, op: { ...t.op, rev: found.rev } };
  }
  // Watchers see every revision: a write that none saw has changed nothing. Deletions don't tell whose they are.
  if (o.ask.do !== 'delete') return undefined;
  return { ...t, end: Number.POSITIVE_INFINITY, twin: `delete ${o.ask.expect ?? ''}` };
}
