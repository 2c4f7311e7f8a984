import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../../test/fuzz/random.ts';
import { InOrder } from './inorder.ts';
import { type SharedFrame, SharedFrames } from './sharedframes.ts';

const frame = (n: number, revision: number, o: { before?: number; of?: string } = {}): SharedFrame => {
  const { before, of = 'x' } = o;
  const batch: SharedFrame['batch'] = { revision, events: [], id: `${of}/${n}` };
  if (before !== undefined) batch.before = `${of}/${before}`;
  return { batch, units: 1 };
};

/** A watch of an isolate: what it passes on, by number and revision. */
function watcher(shared: SharedFrames, reached = 0) {
  const passed: string[] = [];
  const order = new InOrder(shared, reached, ({ batch }) => passed.push(`${batch.id ?? 'own'}@${batch.revision}`));
  /** A frame that comes to this one. */
  const whole = (f: SharedFrame) => {
    if (f.batch.id !== undefined) shared.keep(f.batch.id, f);
    order.take(f);
  };
  return { order, passed, whole };
}
/** Nothing is due later unless a test says so. */
const env = (due: (() => void)[] = []) => ({
  uuid: () => 'isolate',
  after: (_ms: number, f: () => void) => {
    due.push(f);
    return () => {};
  },
});
const isolate = () => new SharedFrames(env());

test('a frame that came to one watch goes to those that have had the one before', () => {
  const shared = isolate();
  const [a, b, late] = [watcher(shared), watcher(shared), watcher(shared)];
  a.whole(frame(1, 10));
  b.order.take('x/1');
  a.whole(frame(2, 11, { before: 1 }));
  late.order.take('x/2');
  a.whole(frame(3, 12, { before: 2 }));
  assert.deepEqual(a.passed, ['x/1@10', 'x/2@11', 'x/3@12']);
  assert.deepEqual(b.passed, a.passed);
  assert.deepEqual(late.passed, ['x/2@11', 'x/3@12']);
});

test('a watch that was told at its beginning which frame it has had follows that one', () => {
  const shared = isolate();
  const began = { batch: { revision: 9, events: [], at: 'x/1' }, units: 1 };
  const [a, b, c] = [watcher(shared), watcher(shared), watcher(shared)];
  for (const w of [a, b]) w.whole(began);
  a.whole(frame(2, 10, { before: 1 }));
  // Here before its own beginning: the next frame has come to another by then.
  c.whole(began);
  a.whole(frame(3, 11, { before: 2 }));
  // What a progress is preceded by.
  b.order.take('x/1');
  for (const w of [a, b, c]) assert.deepEqual(w.passed, ['own@9', 'x/2@10', 'x/3@11']);
});

test('what a watch has had already is not passed on again, also where two frames say the same revision', () => {
  const shared = isolate();
  const [a, b] = [watcher(shared), watcher(shared)];
  a.whole(frame(1, 10));
  b.order.take('x/1');
  // Progress: nothing new.
  a.whole(frame(2, 10, { before: 1 }));
  a.whole(frame(3, 11, { before: 2 }));
  for (const id of ['x/1', 'x/3']) b.order.take(id);
  b.whole(frame(2, 10, { before: 1 }));
  assert.deepEqual(b.passed, ['x/1@10', 'x/2@10', 'x/3@11']);
  assert.deepEqual([a.passed, a.order.missing, b.order.missing], [b.passed, undefined, undefined]);
});

test('progress alone is no end: the next frame follows it', () => {
  const shared = isolate();
  const a = watcher(shared, 10);
  a.whole(frame(1, 10));
  a.whole(frame(2, 10, { before: 1 }));
  a.whole(frame(3, 10, { before: 2 }));
  a.whole(frame(4, 11, { before: 3 }));
  assert.deepEqual(a.passed.at(-1), 'x/4@11');
});

test('a frame whose predecessor did not come waits for it', () => {
  const shared = isolate();
  const [a, b] = [watcher(shared), watcher(shared)];
  a.whole(frame(1, 10));
  b.order.take('x/1');
  // 2 and 3 went to a watch that has gone.
  b.whole(frame(4, 13, { before: 3 }));
  assert.equal(b.order.missing, 'x/3');
  b.whole(frame(3, 12, { before: 2 }));
  assert.deepEqual([b.passed, b.order.missing], [['x/1@10'], 'x/2']);
  b.whole(frame(2, 11, { before: 1 }));
  assert.deepEqual([b.passed, b.order.missing], [['x/1@10', 'x/2@11', 'x/3@12', 'x/4@13'], undefined]);
  assert.deepEqual(a.passed, b.passed, 'and so does everybody who waits for it');
});

test('an object that slept begins a new chain', () => {
  const shared = isolate();
  const [a, b] = [watcher(shared), watcher(shared)];
  a.whole(frame(7, 10));
  b.order.take('x/7');
  a.whole(frame(1, 11, { of: 'y' }));
  b.order.take('y/1');
  a.whole(frame(2, 12, { of: 'y', before: 1 }));
  assert.deepEqual(b.passed, ['x/7@10', 'y/1@11', 'y/2@12']);
});

test('what comes to a watch itself keeps its place behind what it was told of', () => {
  const shared = isolate();
  const [a, b] = [watcher(shared), watcher(shared)];
  b.order.take('x/1');
  b.order.take({ batch: { revision: 10, events: [] }, units: 1 });
  assert.deepEqual([b.passed, b.order.missing], [[], 'x/1']);
  a.whole(frame(1, 9));
  b.order.follow();
  assert.deepEqual(b.passed, ['x/1@9', 'own@10']);
});

test('one that has ended passes nothing on', () => {
  const shared = isolate();
  const [a, b] = [watcher(shared), watcher(shared)];
  a.whole(frame(1, 10));
  b.order.take('x/1');
  b.order.end();
  a.whole(frame(2, 11, { before: 1 }));
  assert.deepEqual(b.passed, ['x/1@10']);
});

test('whatever is lost, told twice or late, each watch gets every frame once and in order, or says what it misses', () => {
  for (let seed = 0; seed < 300; seed++) {
    const { next: random } = seeded(seed);
    const due: (() => void)[] = [];
    const shared = new SharedFrames(env(due), Math.floor(random() * 12));
    const watchers = Array.from({ length: seed % 10 === 0 ? 50 : 4 }, () => watcher(shared));
    const frames: SharedFrame[] = [];
    let revision = 5;
    for (let n = 0; n < 40; n++) {
      if (random() < 0.7) revision++;
      const f = frame(n, revision, n === 0 ? {} : { before: n - 1 });
      frames.push(f);
      const leader = watchers[Math.floor(random() * watchers.length)];
      if (n === 0 || random() < 0.7) leader?.whole(f);
      for (const w of watchers) if (n === 0 || random() < 0.1) w.order.take(`x/${n}`);
      while (random() < 0.5) due.shift()?.();
    }
    while (due.length > 0) due.shift()?.();
    for (const w of watchers) w.order.take('x/39');
    // Who misses something asks for it.
    for (const w of watchers) {
      for (let i = 0; i < 200 && w.order.missing !== undefined; i++)
        w.whole(frames[Number(w.order.missing.slice(2))] as SharedFrame);
    }
    const all = frames.map(({ batch }) => `${batch.id}@${batch.revision}`);
    for (const w of watchers) assert.deepEqual(w.passed, all, `seed ${seed}`);
  }
});

test('of many watches few are told at once, and those that leave meanwhile are not', () => {
  const due: (() => void)[] = [];
  const shared = new SharedFrames(env(due));
  const [leader, ...others] = Array.from({ length: 40 }, () => watcher(shared));
  const heard = (revision: number) => others.filter((w) => w.passed.some((p) => p.endsWith(`@${revision}`))).length;
  leader?.whole(frame(1, 10));
  for (const w of others) w.order.take('x/1');
  leader?.whole(frame(2, 11, { before: 1 }));
  // And the leader itself.
  assert.equal(heard(11), 15);
  others[38]?.order.end();
  // Another one comes before all have been told of this one.
  leader?.whole(frame(3, 12, { before: 2 }));
  assert.equal(heard(12), 15);
  for (const most of [31, 38]) {
    due.shift()?.();
    assert.equal(heard(11), most);
  }
  while (due.length > 0) due.shift()?.();
  assert.equal(heard(12), 38);
  for (const w of others.slice(0, 38)) assert.deepEqual(w.passed, ['x/1@10', 'x/2@11', 'x/3@12']);
});

test('a frame that is forgotten before all have been told of it is told of at once', () => {
  const due: (() => void)[] = [];
  // Nothing but the last frame is kept.
  const shared = new SharedFrames(env(due), 0);
  const [leader, ...others] = Array.from({ length: 40 }, () => watcher(shared));
  leader?.whole(frame(1, 10));
  for (const w of others) w.order.take('x/1');
  leader?.whole(frame(2, 11, { before: 1 }));
  leader?.whole(frame(3, 12, { before: 2 }));
  assert.equal(shared.get('x/2'), undefined);
  for (const w of others) assert.ok(w.passed.includes('x/2@11'));
  while (due.length > 0) due.shift()?.();
  for (const w of others) assert.deepEqual(w.passed, ['x/1@10', 'x/2@11', 'x/3@12']);
});
