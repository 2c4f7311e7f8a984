import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { checkHistory } from './check.ts';
import {
  colourOf,
  type History,
  loadHistory,
  type Op,
  type Scope,
  type Seen,
  save,
  type WatchEntry,
} from './history.ts';
import { type LogEvent, scoped } from './log.ts';

/** A store that does everything right, and two watchers of it; cases then spoil what was recorded. */
class Right {
  readonly history: History = { seed: 1, ops: [], watches: [] };
  readonly #standing = new Map<string, Seen>();
  readonly #events: LogEvent[] = [];
  #tick = 0;
  #rev = 10;
  constructor() {
    for (const id of ['whole', 'second']) this.#watch(id, { ns: '' });
  }
  #watch(id: string, scope: Scope): void {
    const start = ++this.#tick;
    const entries: WatchEntry[] = [{ is: 'list', at: ++this.#tick, start, rev: this.#rev, items: [] }];
    entries.push({ is: 'open', at: ++this.#tick, after: this.#rev });
    this.history.watches.push({ id, cluster: 0, kind: 'configmaps', scope, entries });
  }
  /** A watcher of a part, that sees what it has to. */
  part(id: string, scope: Scope): this {
    const entries: WatchEntry[] = [{ is: 'list', at: 1, start: 1, rev: 10, items: [] }];
    for (const { at, type, rev, key, seen } of scoped(scope, this.#events))
      entries.push({ is: 'event', at, type, rev, key, seen });
    this.history.watches.push({ id, cluster: 0, kind: 'configmaps', scope, entries });
    return this;
  }
  #op(id: string, ask: Op['ask'], told: (start: number) => Op['told']): void {
    const start = ++this.#tick;
    const answer = told(start);
    this.history.ops.push({ id, cluster: 0, kind: 'configmaps', start, end: ++this.#tick, ask, told: answer });
  }
  #happens(key: string, type: LogEvent['type'], seen: Seen): void {
    const event: LogEvent = { rev: seen.rev, type, key, seen, at: ++this.#tick };
    this.#events.push(event);
    for (const w of this.history.watches) w.entries.push({ is: 'event', ...event, at: ++this.#tick });
  }
  create(id: string, key: string): this {
    this.#op(id, { do: 'create', key }, () => {
      const seen = { rev: ++this.#rev, w: id, v: id, p: '' };
      this.#standing.set(key, seen);
      this.#happens(key, 'ADDED', seen);
      return { is: 'done', rev: seen.rev };
    });
    return this;
  }
  update(id: string, key: string): this {
    this.#op(id, { do: 'update', key, expect: this.#standing.get(key)?.rev ?? 0 }, () => {
      const seen = { rev: ++this.#rev, w: id, v: id, p: '' };
      this.#standing.set(key, seen);
      this.#happens(key, 'MODIFIED', seen);
      return { is: 'done', rev: seen.rev };
    });
    return this;
  }
  remove(id: string, key: string): this {
    this.#op(id, { do: 'delete', key }, () => {
      const last = this.#standing.get(key);
      assert.ok(last);
      this.#standing.delete(key);
      this.#happens(key, 'DELETED', { ...last, rev: ++this.#rev });
      return { is: 'done' };
    });
    return this;
  }
  get(id: string, key: string): this {
    const seen = this.#standing.get(key);
    this.#op(id, { do: 'get', key }, () => (seen ? { is: 'seen', seen } : { is: 'none' }));
    return this;
  }
  list(id: string): this {
    this.#op(id, { do: 'list', ns: '' }, () => ({ is: 'list', rev: this.#rev, items: [...this.#standing] }));
    return this;
  }
  bookmark(): this {
    for (const w of this.history.watches) w.entries.push({ is: 'bookmark', at: ++this.#tick, rev: this.#rev });
    return this;
  }
}

const story = (): Right =>
  new Right()
    .create('c1', 't-0/a')
    .create('c2', 't-1/b')
    .list('l1')
    .update('u1', 't-0/a')
    .get('g1', 't-0/a')
    .bookmark()
    .remove('d1', 't-1/b')
    .get('g2', 't-1/b')
    .list('l2')
    .create('c3', 't-1/b')
    .list('l3')
    .bookmark();

it('what a right store did has nothing wrong, also after it was written to a file and read', () => {
  const { history } = story().part('ns', { ns: 't-1' }).part('name', { ns: 't-0', name: 'a' });
  for (const colour of ['red', 'green', 'blue']) story().part(colour, { ns: '', colour });
  assert.deepEqual(checkHistory(history).wrong, []);
  const dir = mkdtempSync(join(tmpdir(), 'torture-'));
  try {
    save(join(dir, 'h'), history);
    assert.deepEqual(loadHistory(join(dir, 'h')), history);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

const op = (h: History, id: string): Op => {
  const found = h.ops.find((o) => o.id === id);
  assert.ok(found);
  return found;
};
const entriesOf = (h: History, watcher: string): WatchEntry[] => h.watches.find((w) => w.id === watcher)?.entries ?? [];
const isEvent = (w: string) => (e: WatchEntry) => e.is === 'event' && e.seen.w === w && e.type !== 'DELETED';
/** Takes an entry out of the watchers that are named, or all. */
const without = (h: History, test: (e: WatchEntry) => boolean, ...watchers: string[]): void => {
  for (const w of h.watches)
    if (watchers.length === 0 || watchers.includes(w.id)) w.entries = w.entries.filter((e) => !test(e));
};

const spoilt: Record<string, [spoil: (h: History) => void, finding: RegExp]> = {
  'an acknowledged write that nobody ever saw': [
    (h) => {
      without(h, isEvent('c3'));
      op(h, 'l3').told = op(h, 'l2').told;
    },
    /acknowledged and lost: c3 create/,
  ],
  'a revision given twice': [
    (h) => {
      op(h, 'c3').told = { is: 'done', rev: 13 };
    },
    /revision 13 was given to u1 .* and to c3/,
  ],
  'a revision that is older than one that had been seen': [
    (h) => {
      const late = op(h, 'c1');
      late.start = 1_000;
      late.end = 1_001;
    },
    /c1 create .* got revision 11 though 15 had been seen before/,
  ],
  'a list of an older revision than one that had been seen': [
    (h) => {
      op(h, 'l3').told = op(h, 'l1').told;
    },
    /l3 list .* shows revision 12 though 15 had been seen before/,
  ],
  'a list that lacks an object': [
    (h) => {
      const { told } = op(h, 'l1');
      if (told.is === 'list') told.items.pop();
    },
    /l1 list .*t-1\/b is not shown, but c2 stood there/,
  ],
  'a list that shows an object of another revision': [
    (h) => {
      const { told } = op(h, 'l2');
      if (told.is === 'list') told.items = [['t-0/a', { rev: 11, w: 'c1', v: 'c1', p: '' }]];
    },
    /l2 list .*t-0\/a is shown at 11 by c1, but u1 stood there at 13/,
  ],
  'a stale read': [
    (h) => {
      op(h, 'g1').told = { is: 'seen', seen: { rev: 11, w: 'c1', v: 'c1', p: '' } };
    },
    /t-0\/a: no order explains g1 get/,
  ],
  'a deleted object that is read again': [
    (h) => {
      op(h, 'g2').told = { is: 'seen', seen: { rev: 12, w: 'c2', v: 'c2', p: '' } };
    },
    /t-1\/b: no order explains g2 get/,
  ],
  'a watch that leaves an event out': [
    (h) => without(h, isEvent('u1'), 'second'),
    /watch second: MODIFIED t-0\/a .* was left out|watch second: a bookmark at 13 before MODIFIED t-0\/a/,
  ],
  'a bookmark before an event at or below it': [
    (h) => {
      const entries = entriesOf(h, 'second');
      const i = entries.findIndex(isEvent('u1'));
      entries.splice(i, 0, { is: 'bookmark', at: 0, rev: 13 });
    },
    /watch second: a bookmark at 13 before MODIFIED t-0\/a .* was shown/,
  ],
  'a watch that shows an event twice': [
    (h) => {
      const entries = entriesOf(h, 'second');
      const i = entries.findIndex(isEvent('u1'));
      entries.splice(i, 0, ...entries.slice(i, i + 1));
    },
    /watch second: MODIFIED t-0\/a .* after revision 13 had been reached/,
  ],
  'a deletion that no watch showed': [
    (h) => without(h, (e) => e.is === 'event' && e.type === 'DELETED'),
    /revision 15: ADDED t-1\/b .* where c2 stood at 12/,
  ],
  'a deletion that one watch missed': [
    (h) => without(h, (e) => e.is === 'event' && e.type === 'DELETED', 'second'),
    /watch second: DELETED t-1\/b .* was left out/,
  ],
  'events that never came': [
    (h) => {
      entriesOf(h, 'second').splice(-2);
    },
    /watch second: 1 events never came, first ADDED t-1\/b/,
  ],
  'two watches that saw one revision differently': [
    (h) => {
      const e = entriesOf(h, 'second').find(isEvent('u1'));
      if (e?.is === 'event') e.seen = { ...e.seen, v: 'c1' };
    },
    /revision 13 is two things/,
  ],
  'a watch that is sent away from inside the replay window': [
    (h) => {
      entriesOf(h, 'second').push({ is: 'expired', at: 10_000, after: 12 });
    },
    /watch second: 410 for revision 12, 3 behind the newest/,
  ],
  'an answer that no correct server gives': [
    (h) => {
      op(h, 'g1').told = { is: 'wrong', why: '403 Forbidden' };
    },
    /g1 get .* 403 Forbidden/,
  ],
  'a refusal that took effect': [
    (h) => {
      op(h, 'u1').told = { is: 'refused', code: 429 };
    },
    /u1 update .* was refused with 429, and took effect/,
  ],
  'a compare-and-swap that won twice': [
    (h) => {
      const first = op(h, 'u1');
      const second: Op = { ...first, id: 'u2', told: { is: 'done', rev: 16 }, start: 900, end: 902 };
      h.ops.push(second);
      for (const w of h.watches)
        w.entries.push({
          is: 'event',
          at: 901,
          type: 'MODIFIED',
          rev: 16,
          key: 't-0/a',
          seen: { rev: 16, w: 'u2', v: 'u2', p: '' },
        });
    },
    /t-0\/a: no order explains u2 update of 11/,
  ],
};
for (const [name, [spoil, finding]] of Object.entries(spoilt))
  it(`is found: ${name}`, () => {
    const { history } = story();
    spoil(history);
    const { wrong } = checkHistory(history);
    assert.ok(
      wrong.some((text) => finding.test(text)),
      wrong.join('\n') || 'nothing found',
    );
  });

it('a watch of one colour shows what takes it on as added and what gives it up as deleted', () => {
  const ids = Array.from({ length: 50 }, (_, i) => `w${i}`);
  const red = ids.find((id) => colourOf(id) === 'red') ?? '';
  const blue = ids.find((id) => colourOf(id) === 'blue') ?? '';
  const right = new Right().create(blue, 't-0/a').update(red, 't-0/a').update(`${blue}0`, 't-0/a');
  const entries = right.part('reds', { ns: '', colour: 'red' }).history.watches.at(-1)?.entries ?? [];
  const types = entries.flatMap((e) => (e.is === 'event' ? [e.type] : []));
  assert.deepEqual(types, colourOf(`${blue}0`) === 'red' ? ['ADDED', 'MODIFIED'] : ['ADDED', 'DELETED']);
  assert.deepEqual(checkHistory(right.history).wrong, []);
  entries.pop();
  assert.match(checkHistory(right.history).wrong.join(), /watch reds: 1 events never came/);
});
