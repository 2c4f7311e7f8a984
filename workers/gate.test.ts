import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate, madeOrGone, outlive } from './gate.ts';

/** A clock that is moved by hand. */
function world() {
  let now = 1_000_000;
  const timers: { at: number; f: () => void }[] = [];
  return {
    env: {
      now: () => now,
      after(ms: number, f: () => void) {
        const timer = { at: now + ms, f };
        timers.push(timer);
        return () => {
          const i = timers.indexOf(timer);
          if (i >= 0) timers.splice(i, 1);
        };
      },
    },
    async pass(ms: number) {
      now += ms;
      const due = timers.filter((t) => t.at <= now);
      for (const t of due) timers.splice(timers.indexOf(t), 1);
      for (const t of due) t.f();
      for (let i = 0; i < 3; i++) await new Promise((next) => setImmediate(next));
    },
  };
}
/** A client; `abort` is its going. */
const stays = () => new AbortController();
type Seat = { since: number };
const seated = (x: unknown): x is Seat => !(x instanceof Promise);

test('a cluster that is alone has room for as many requests as clients make at once', () => {
  const { env } = world();
  const gate = new Gate(env, 4);
  for (let i = 0; i < 32; i++) assert.ok(seated(gate.enter('a', 1_000, stays())));
});

test('of two active clusters each has its share; the rest waits in order and gets the seats that become free', async () => {
  const { env, pass } = world();
  const gate = new Gate(env, 4);
  gate.enter('quiet', 1_000, stays());
  const first = [1, 2].map(() => gate.enter('busy', 1_000, stays()));
  assert.ok(first.every(seated));
  const order: number[] = [];
  for (const n of [1, 2]) void (gate.enter('busy', 1_000, stays()) as Promise<Seat>).then(() => order.push(n));
  assert.ok(seated(gate.enter('quiet', 1_000, stays())), 'the other one has seats');
  assert.deepEqual(order, []);
  await pass(5);
  gate.leave('busy', first[0] as Seat);
  await pass(0);
  await pass(4);
  assert.deepEqual(order, [], 'as long as the one before sat, others find the thread free');
  await pass(1);
  assert.deepEqual(order, [1]);
  gate.leave('busy', first[1] as Seat);
  await pass(0);
  await pass(10);
  assert.deepEqual(order, [1, 2]);
});

test('a seat that is held for long, as by a request that waits for a node, is free for another', async () => {
  const { env, pass } = world();
  const gate = new Gate(env, 4);
  gate.enter('quiet', 1_000, stays());
  for (let i = 0; i < 2; i++) gate.enter('busy', 1_000, stays());
  await pass(600);
  assert.ok(seated(gate.enter('busy', 1_000, stays())));
});

test('without seats nobody waits', () => {
  const { env } = world();
  const gate = new Gate(env, 0);
  gate.enter('quiet', 1_000, stays());
  for (let i = 0; i < 200; i++) assert.ok(seated(gate.enter('busy', 1_000, stays())));
});

test('beyond the rate and its burst requests are refused, after a moment, until time has brought new ones', async () => {
  const { env, pass } = world();
  const gate = new Gate(env, 4);
  for (let i = 0; i < 20; i++) assert.ok(seated(gate.enter('a', 10, stays())));
  const refused = gate.enter('a', 10, stays());
  assert.ok(!seated(refused));
  await pass(100);
  assert.equal(await refused, null);
  assert.ok(seated(gate.enter('a', 10, stays())), 'a tenth of a second brings one');
  assert.ok(!seated(gate.enter('a', 10, stays())));
  assert.ok(seated(gate.enter('b', 10, stays())), 'another cluster has a rate of its own');
});

test('no more wait than there is room for, and none of them for ever', async () => {
  const { env, pass } = world();
  const gate = new Gate(env, 4);
  gate.enter('quiet', 10_000, stays());
  for (let i = 0; i < 2; i++) gate.enter('busy', 10_000, stays());
  const waiting = Array.from({ length: 500 }, () => gate.enter('busy', 10_000, stays()));
  const over = gate.enter('busy', 10_000, stays());
  await pass(100);
  assert.equal(await over, null);
  let left = waiting.length;
  for (const w of waiting) void Promise.resolve(w).then(() => left--);
  for (let i = 0; i < 12; i++) {
    gate.enter('quiet', 10_000, stays());
    await pass(500);
  }
  assert.equal(left, 0);
});

test('requests that were dropped with their seats, or while they waited, hold nobody up', async () => {
  const { env, pass } = world();
  const gate = new Gate(env, 4);
  const all = () => gate.enter('quiet', 10_000, stays());
  all();
  // Two have seats and ten wait for them; none of them is ever heard of again.
  for (let i = 0; i < 12; i++) gate.enter('busy', 10_000, stays());
  let served = 0;
  const ask = gate.enter('busy', 10_000, stays()) as Promise<Seat | null>;
  void ask.then((seat) => {
    served += seat === null ? 0 : 1;
  });
  for (let i = 0; i < 8; i++) {
    all();
    await pass(520);
  }
  assert.equal(served, 1);
});

test('a clock that is set back by hours stops nobody', async () => {
  const { env, pass } = world();
  const gate = new Gate(env, 4);
  const enter = (cluster: string) => {
    const seat = gate.enter(cluster, 10, stays());
    if (seated(seat)) gate.leave(cluster, seat);
    return seated(seat);
  };
  for (const cluster of ['a', 'b']) assert.ok(enter(cluster));
  await pass(-5 * 3_600_000);
  for (let i = 0; i < 10; i++) {
    assert.ok(enter('a'), `request ${i}`);
    await pass(100);
  }
  await pass(2_000);
  assert.ok(
    Array.from({ length: 16 }, () => gate.enter('a', 10, stays())).every(seated),
    'alone again, it has every seat',
  );
});

test('who has waited takes its own timers back: those of another request can not be reached', async () => {
  const { env, pass } = world();
  const left = new Set<object>();
  let leaving = false;
  const after = (ms: number, f: () => void) => {
    const timer = {};
    left.add(timer);
    const cancel = env.after(ms, () => {
      left.delete(timer);
      f();
    });
    return () => {
      if (leaving) return;
      left.delete(timer);
      cancel();
    };
  };
  const gate = new Gate({ now: env.now, after }, 4);
  gate.enter('quiet', 1_000, stays());
  const [first] = [1, 2].map(() => gate.enter('busy', 1_000, stays()));
  const waiting = gate.enter('busy', 1_000, stays());
  assert.ok(!seated(waiting));
  leaving = true;
  gate.leave('busy', first as Seat);
  leaving = false;
  await pass(0);
  await pass(100);
  assert.ok(await waiting);
  assert.equal(left.size, 0);
});

test('who goes while it waits gives its place back at once', async () => {
  const { env, pass } = world();
  const gate = new Gate(env, 4);
  gate.enter('quiet', 10_000, stays());
  for (let i = 0; i < 2; i++) gate.enter('busy', 10_000, stays());
  const clients = Array.from({ length: 500 }, stays);
  const answers = clients.map((c) => gate.enter('busy', 10_000, c));
  for (const c of clients) c.abort();
  assert.deepEqual(new Set(await Promise.all(answers)), new Set([null]));
  let answer: Seat | null | undefined;
  void Promise.resolve(gate.enter('busy', 10_000, stays())).then((seat) => {
    answer = seat;
  });
  await pass(100);
  assert.equal(answer, undefined, 'there is room to wait');
  await pass(500);
  await pass(20);
  assert.ok(answer, 'and nobody before it');
});

test('a seat whose owner goes before it begins is for the next at once', async () => {
  const { env, pass } = world();
  const gate = new Gate(env, 4);
  gate.enter('quiet', 1_000, stays());
  const [first] = [1, 2].map(() => gate.enter('busy', 1_000, stays()));
  const [goes, next] = [stays(), stays()];
  const left = gate.enter('busy', 1_000, goes);
  const served = gate.enter('busy', 1_000, next);
  gate.leave('busy', first as Seat);
  await pass(0);
  goes.abort();
  assert.equal(await left, null);
  await pass(0);
  await pass(2);
  assert.ok(await served);
});

test('who goes while it is refused is refused at once, and others are held back as before', async () => {
  const { env, pass } = world();
  const gate = new Gate(env, 4);
  for (let i = 0; i < 2; i++) gate.enter('a', 1, stays());
  const clients = Array.from({ length: 128 }, stays);
  const answers = clients.map((c) => gate.enter('a', 1, c));
  for (const c of clients) c.abort();
  assert.deepEqual(new Set(await Promise.all(answers)), new Set([null]));
  let refused = false;
  void Promise.resolve(gate.enter('a', 1, stays())).then(() => {
    refused = true;
  });
  await pass(50);
  assert.equal(refused, false);
  await pass(50);
  assert.equal(refused, true);
});

test('a request whose client goes is kept until its work has ended, or until its seat counts no more', async () => {
  const { env, pass } = world();
  const kept: boolean[] = [];
  const outlived = (c: AbortController) =>
    outlive(c, env, (p) => {
      const i = kept.push(true) - 1;
      void p.then(() => {
        kept[i] = false;
      });
    });
  const [stayed, ends, hangs] = [stays(), stays(), stays()];
  outlived(stayed)();
  const end = outlived(ends);
  outlived(hangs);
  ends.abort();
  hangs.abort();
  assert.equal(kept.length, 2, 'those whose clients stay are kept by them');
  await pass(400);
  assert.deepEqual(kept, [true, true]);
  end();
  await pass(0);
  assert.deepEqual(kept, [false, true]);
  await pass(100);
  assert.deepEqual(kept, [false, false]);
});

test('an answer that is being made is waited for until it is made or its client has gone', async () => {
  const goes = stays();
  const { promise, resolve } = Promise.withResolvers<void>();
  const told = madeOrGone(promise, goes);
  assert.equal(await Promise.race([told, Promise.resolve('not yet')]), 'not yet');
  goes.abort();
  await told;
  await madeOrGone(promise, goes);
  const made = madeOrGone(promise, stays());
  resolve();
  await made;
});

test('nothing listens any more for the client of a request that is over', async () => {
  const { env, pass } = world();
  const listened: EventListener[] = [];
  const client = () => {
    const { signal } = new AbortController();
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (type: string, f: EventListener) => {
      listened.push(f);
      add(type, f);
    };
    signal.removeEventListener = (type: string, f: EventListener) => {
      const i = listened.indexOf(f);
      if (i >= 0) listened.splice(i, 1);
      remove(type, f);
    };
    return { signal };
  };
  const gate = new Gate(env, 1);
  const first = await gate.enter('a', 1_000, stays());
  await gate.enter('b', 1_000, stays());
  const waits = client();
  const entered = gate.enter('a', 1_000, waits);
  const end = outlive(waits, env, () => undefined);
  const made = madeOrGone(Promise.resolve(), waits);
  assert.equal(listened.length, 3);
  gate.leave('a', first as Exclude<typeof first, null>);
  await pass(0);
  await pass(50);
  assert.notEqual(await entered, null);
  end();
  await made;
  assert.deepEqual(listened, []);
});
