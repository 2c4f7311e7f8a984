import type { Env } from '../meta/env.ts';
import type { Status } from '../meta/status.ts';
import { type Interest, Interests } from '../store/interest.ts';
import { parseKey, resourceOfKey } from '../store/key.ts';
import type { Entry, Key, Revision } from '../store/store.ts';
import { attempt, backoff } from './attempt.ts';
import { type ChangeSource, type Changes, inSteps } from './changes.ts';
import { asks, concernsOf, isRootNow } from './concerns.ts';
import {
  type Controller,
  type Effect,
  type EffectResult,
  LATER,
  type Note,
  type Plan,
  type Row,
  type View,
  type Write,
} from './controller.ts';
import { type Beside, besideOf, interestsOf, isWhole, resourceOf } from './interests.ts';
import { doneNote, refusedNote } from './notes.ts';
import type { Projection, QueueItem } from './projection.ts';
import { objectOf, projectionsOf, rowOf, sameRow } from './row.ts';
import { FAILURE, viewOf } from './view.ts';

/** Applies one write through the API's whole chain under the controller's identity and the loop's fence. */
export interface Client {
  write(controller: string, write: Write): Promise<WriteResult>;
  note(controller: string, note: Note, row: Row | undefined): Promise<void>;
  effect(controller: string, effect: Effect): Promise<EffectResult>;
}
export type WriteResult =
  /** `gone`: a deletion found nothing. */
  | { ok: true; revision: Revision; gone?: boolean }
  /** `deposed`: the loop's lease has gone to another; nothing it writes counts any more. */
  | { ok: false; status: Status; deposed?: boolean };

/** Changes read per call, where the source takes as many. */
const CHANGES_LIMIT = 500;
/** Keys taken from the queue between two looks at the store. */
const TAKE_LIMIT = 64;
/** Keys whose plans are applied at the same time, so that their commits share transactions; upstream's controllers have 5 workers, its scheduler binds beside. */
const APPLY_AT_ONCE = 8;
/** Events on their way at the same time. */
const NOTES_AT_ONCE = 16;

/** How much one wake-up may do before it gives way; the rest comes at the next. */
export interface Budget {
  writes: number;
  ms: number;
}
export interface Outcome {
  /** The cursor reached: what the loop may report as cleared. */
  revision: Revision;
  /** Call again after this many milliseconds; undefined = nothing waits. */
  again: number | undefined;
  writes: number;
  /** Rows that had changed. */
  rows: number;
  /** The lease went to another: nothing more was written. */
  deposed: boolean;
}

export interface Runner {
  /** Reads what changed, reconciles what is due, applies plans, until nothing is left or the budget is spent. */
  round(budget: Budget): Promise<Outcome>;
  /** What the controllers look at now: what the loop registers. It moves with the namespaces that hold their roots. */
  interests(): readonly Interest[];
}

/** A runner of controllers over one projection. `turn` lets everybody else have theirs between two steps of the work. */
export function createRunner(
  controllers: readonly Controller[],
  projection: Projection,
  source: ChangeSource,
  client: Client,
  env: Env,
  turn: () => Promise<void> = () => Promise.resolve(),
): Runner {
  const concerns = concernsOf(controllers);
  const besides = controllers.filter((c) => besideOf(c).length > 0);
  const followed = new Set(besides.map((c) => resourceOf(c.for)));
  const beside = (): Beside => JSON.parse(projection.meta(BESIDE) ?? '{}') as Beside;
  let interests = interestsOf(controllers, beside());
  /** Roots came or went: their namespaces may be others. */
  let rootsMoved = besides.length > 0;
  const projections = projectionsOf(controllers);
  const byName = new Map(controllers.map((c) => [c.name, c]));
  const takeLimit = controllers.some((c) => c.takesAll) ? Number.POSITIVE_INFINITY : TAKE_LIMIT;

  /** Events on their way. */
  const telling = new Set<Promise<void>>();
  const memories = new Map<string, Map<string, unknown>>();
  function memoryOf(controller: string): Map<string, unknown> {
    const known = memories.get(controller) ?? new Map<string, unknown>();
    memories.set(controller, known);
    return known;
  }
  const view = (controller: string, key: Key, attempts: number, now: number): View =>
    viewOf(projection, memoryOf(controller), controller, key, attempts, now);

  /** Enqueues what a changed row concerns; `row` is the new state with its entry, or the last one of an object that is gone. */
  function dirty(row: Row, now: number, entry: Entry | null, before?: Row): void {
    const { resource, name } = parseKey(row.key);
    for (const { c, isRoot, owns, watches } of concerns.get(resource) ?? []) {
      const enqueue = (key: Key) => projection.enqueue({ controller: c.name, key, due: now });
      if (isRoot && isRootNow(c, row.key, entry)) enqueue(row.key);
      if (owns && row.owner !== '') {
        const owner = projection.byUid(row.owner);
        if (owner && resourceOfKey(owner.key) === resourceOf(c.for)) enqueue(owner.key);
      }
      if (watches.length === 0) continue;
      const seen = view(c.name, row.key, 0, now);
      for (const w of watches) {
        if (w.name !== undefined && w.name !== name) continue;
        const keys = attempt(() => w.map(row, seen, before));
        // One object that can't be mapped must not keep the cursor where it is for ever.
        if (keys instanceof Error) complain(c.name, row.key, keys);
        else for (const key of keys) enqueue(key);
      }
    }
  }

  function take(changes: Changes): void {
    projection.transaction(() => {
      const now = env.now();
      for (const { key, revision, entry } of changes.rows) put(key, revision, entry, projection.get(key), now, true);
      projection.setCursor(changes.revision);
    });
  }

  /** Takes a whole snapshot in, in steps: until the last one the cursor says that nothing has been read. What isn't in it is gone. */
  async function takeAnew(changes: Changes): Promise<void> {
    projection.setCursor(0);
    const there = new Set(changes.rows.map((row) => row.key));
    const gone = [...projection.keys()]
      .filter((key) => !there.has(key))
      .map((key) => ({ key, revision: changes.revision, entry: null }));
    for (const rows of inSteps([...changes.rows, ...gone])) {
      projection.transaction(() => {
        const now = env.now();
        for (const { key, revision, entry } of rows) put(key, revision, entry, projection.get(key), now, false);
      });
      await turn();
    }
    rootsMoved = besides.length > 0;
    projection.setCursor(changes.revision);
  }

  /** Takes one row's new state in, and enqueues what it concerns. */
  function put(
    key: Key,
    revision: Revision,
    entry: Entry | null,
    old: Row | undefined,
    now: number,
    kept: boolean,
  ): void {
    const resource = resourceOfKey(key);
    if (followed.has(resource) && (entry === null) !== (old === undefined)) rootsMoved = true;
    if (entry === null) {
      if (old === undefined) return;
      projection.remove(key);
      dirty({ ...old, revision }, now, null);
      return;
    }
    const partial = projections.get(resource);
    const row = rowOf(entry, partial);
    projection.put(row);
    // What no controller keeps isn't worth a look. Of an object that is kept whole everything is.
    if (kept && old && partial !== undefined && sameRow(old, row)) return;
    if (old && followed.has(resource) && besides.some((c) => asks(c, resource, old) !== asks(c, resource, row)))
      rootsMoved = true;
    dirty(row, now, entry, old);
    // A changed owner concerns the former one too.
    if (old && old.owner !== row.owner) dirty({ ...old, revision }, now, entry);
  }

  async function pull(spent: { rows: number }): Promise<void> {
    for (;;) {
      const changes = await source.changes(projection.cursor(), interests, CHANGES_LIMIT);
      if (changes.restart) await takeAnew(changes);
      else {
        take(changes);
        if (changes.rows.length > 0) await turn();
      }
      spent.rows += changes.rows.length;
      if (changes.more) continue;
      if (!rootsMoved || !(await follow())) return;
    }
  }

  /** Namespaces that hold roots which want something beside them, in order. */
  function besideNamespaces(c: Controller): string[] {
    const resource = resourceOf(c.for);
    const all = projection.namespaces(resource);
    const wants = c.besideOf;
    return wants ? all.filter((n) => Iterator.from(projection.list(resource, n)).some(wants)) : all;
  }

  /** Looks at other namespaces where roots came or went. False where they are the same. */
  async function follow(): Promise<boolean> {
    rootsMoved = false;
    const old = beside();
    const next = Object.fromEntries(besides.map((c) => [c.name, besideNamespaces(c)]));
    const moved = besides.filter((c) => JSON.stringify(old[c.name] ?? []) !== JSON.stringify(next[c.name]));
    if (moved.length === 0) return false;
    interests = interestsOf(controllers, next);
    // Before the rows are read: what changes after that wakes the loop.
    await source.register(interests);
    const anew = new Set<string>();
    for (const c of moved)
      for (const resource of besideOf(c).filter((r) => !isWhole(interests, r)))
        for (const n of new Set(old[c.name]).symmetricDifference(new Set(next[c.name]))) anew.add(`${resource}/${n}`);
    for (const part of anew) await readAnew(part);
    projection.setMeta(BESIDE, JSON.stringify(next));
    return true;
  }

  /** Brings the rows of `<resource>/<namespace>` to what the interests are now. */
  async function readAnew(part: string): Promise<void> {
    const { resource, name: namespace } = parseKey(part);
    const wanted = new Interests(interests.map((i) => [i, true] as const));
    const { entries } = await source.snapshot({ resource, namespaces: [namespace] });
    projection.transaction(() => {
      const now = env.now();
      const left = new Map([...projection.list(resource, namespace)].map((row) => [row.key, row]));
      for (const entry of entries) {
        const old = left.get(entry.key);
        const wants = wanted.wants(entry.key, entry.facts);
        if (wants) left.delete(entry.key);
        if (wants && (old?.revision ?? 0) < entry.revision) put(entry.key, entry.revision, entry, old, now, true);
      }
      for (const old of left.values()) put(old.key, old.revision, null, old, now, true);
    });
  }

  /** Applies a plan in order; the first failure ends it, but for those that are apart. */
  async function apply(item: QueueItem, plan: Plan, spent: { writes: number }): Promise<'done' | 'deposed'> {
    let hold = 0;
    let refused: { write: Write; status: Status } | undefined;
    const passed = new Set<Key>();
    for (const write of plan.writes) {
      if ('key' in write && passed.has(write.key)) continue;
      spent.writes++;
      const result = await client.write(item.controller, write);
      if (!result.ok && result.deposed) return 'deposed';
      // A namespace that goes away takes no new objects: nobody is told, and there is nothing to try again.
      const moot = !result.ok && write.do === 'create' && hasCause(result.status, NAMESPACE_TERMINATING);
      if (!moot) await tell(item.controller, write, result);
      if (result.ok) hold = Math.max(hold, result.revision);
      else if (!moot) {
        refused ??= { write, status: result.status };
        if (!('apart' in write)) break;
        passed.add(write.key);
      }
    }
    if (refused) return retry(item, refused.write, refused.status, hold);
    for (const note of plan.notes ?? []) await later(item.controller, note);
    const results = new Map<string, EffectResult>();
    const known = projection.results(item.controller, item.key);
    for (const effect of plan.effects ?? [])
      results.set(effect.id, known.get(effect.id) ?? (await client.effect(item.controller, effect)));
    const fresh = [...results.keys()].some((k) => !known.has(k));
    projection.transaction(() => {
      projection.setResults(item.controller, item.key, results);
      if (fresh) projection.settle(item, { due: env.now(), hold });
      else if (plan.again !== undefined) projection.settle(item, { due: env.now() + plan.again, hold });
      // Until its own write has come back as a change, the key must not run on the older View.
      else if (hold > projection.cursor()) projection.settle(item, { due: env.now(), hold });
      else projection.settle(item);
    });
    return 'done';
  }

  /** A refused write: the key comes again later, never before the View has moved past what this plan already wrote. */
  function retry(item: QueueItem, write: Write, status: Status, hold: Revision): 'done' {
    const message = status.message ?? '';
    env.log('debug', 'reconcile.write.failed', { controller: item.controller, key: item.key, message });
    projection.transaction(() => {
      const results = projection.results(item.controller, item.key);
      if (write.do === 'create' || write.do === 'delete') results.set(FAILURE, { ok: false, error: message });
      projection.setResults(item.controller, item.key, results);
      projection.settle(item, { due: env.now() + backoff(item.attempts), attempts: item.attempts + 1, hold });
    });
    return 'done';
  }

  /** The Events that a write asked for. */
  async function tell(controller: string, write: Write, result: WriteResult): Promise<void> {
    const n = write.do === 'post' ? undefined : write.note;
    if (!n || (result.ok && result.gone)) return;
    const note = result.ok ? doneNote(n) : refusedNote(n, write, result.status);
    if (note) await later(controller, note);
  }

  /** Events are best effort: nothing waits for one, but for many. */
  async function later(controller: string, note: Note): Promise<void> {
    if (telling.size >= NOTES_AT_ONCE) await Promise.race(telling);
    const told: Promise<void> = client.note(controller, note, projection.get(note.on)).then(
      () => void telling.delete(told),
      (error: unknown) => {
        telling.delete(told);
        env.log('debug', 'reconcile.note.failed', { controller, key: note.on, message: String(error) });
      },
    );
    telling.add(told);
  }

  /** One by one, as they are asked for: the plan of a large object is a step of milliseconds. */
  function* plansOf(items: QueueItem[], now: number): Generator<[QueueItem, Plan | Error]> {
    for (const [name, group] of Map.groupBy(items, (i) => i.controller)) {
      const c = byName.get(name);
      if (c?.reconcileAll) {
        const all = attempt(() =>
          c.reconcileAll?.(
            group.map((i) => i.key),
            view(name, '', 0, now),
          ),
        );
        for (const i of group) {
          const plan = all instanceof Error ? all : all?.get(i.key);
          if (plan !== LATER) yield [i, plan ?? NOTHING];
        }
        continue;
      }
      // Without a controller: one that this release no longer has.
      for (const i of group)
        yield [
          i,
          c
            ? attempt(() =>
                c.reconcile(i.key, objectOf(projection.get(i.key), c.for), view(name, i.key, i.attempts, now)),
              )
            : NOTHING,
        ];
    }
  }

  function complain(controller: string, key: Key, error: Error): void {
    env.log('error', 'reconcile.failed', { controller, key, error: error.stack ?? error.message });
  }

  /** One that can't be planned for must not stop the others. */
  function failed(item: QueueItem, error: Error): void {
    complain(item.controller, item.key, error);
    projection.settle(item, { due: env.now() + backoff(item.attempts), attempts: item.attempts + 1, hold: item.hold });
  }

  async function round(budget: Budget): Promise<Outcome> {
    const end = env.now() + budget.ms;
    const spent = { writes: 0, rows: 0 };
    const over = () => spent.writes >= budget.writes || env.now() >= end;
    let deposed = false;
    do {
      await pull(spent);
      const items = projection.take(env.now(), takeLimit);
      if (items.length === 0) break;
      const plans = plansOf(items, env.now());
      const broken: unknown[] = [];
      const worker = async () => {
        for (;;) {
          await turn();
          // What is left stays queued as it is.
          if (deposed || broken.length > 0 || (over() && spent.writes > 0)) return;
          const next = plans.next();
          if (next.done) return;
          const [item, p] = next.value;
          if (p instanceof Error) failed(item, p);
          else if ((await apply(item, p, spent)) === 'deposed') deposed = true;
        }
      };
      const work = () => worker().catch((error: unknown) => void broken.push(error));
      // Whatever breaks, nothing goes on once the round has ended.
      await Promise.all(Array.from({ length: Math.min(APPLY_AT_ONCE, items.length) }, work));
      if (broken.length > 0) throw broken[0];
    } while (!deposed && !over());
    await Promise.all(telling);
    const next = projection.nextDue();
    return {
      revision: projection.cursor(),
      again: next === undefined ? undefined : Math.max(0, next - env.now()),
      ...spent,
      deposed,
    };
  }
  return { round, interests: () => interests };
}

/** Name of what the projection keeps: the namespaces that are looked at for the sake of roots in them. */
const BESIDE = 'beside';
const NOTHING: Plan = { writes: [] };
const NAMESPACE_TERMINATING = 'NamespaceTerminating';
const hasCause = (s: Status, reason: string) => s.details?.causes?.some((c) => c.reason === reason) ?? false;
