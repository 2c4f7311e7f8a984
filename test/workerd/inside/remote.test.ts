import assert from 'node:assert/strict';
import { it } from 'node:test';
import { StoreError } from '../../../kube/store/store.ts';
import { storeSuite } from '../../../kube/store/suite.ts';
import { get, JOIN, podKey, pods, put, putPod, Tap, throwsCode, won } from '../../../kube/store/suite-kit.ts';
import { world } from '../../../workers/env.ts';
import { RemoteStore, type StoreStub } from '../../../workers/tenant/remote.ts';
import { type CallsStub, SharedCalls } from '../../../workers/tenant/sharedcalls.ts';
import { SharedFrames } from '../../../workers/tenant/sharedframes.ts';
import { seeded } from '../../fuzz/random.ts';
import { wakes } from './objects.ts';
import { newCluster, stubOf } from './tenants.ts';

type Fault = 'none' | 'lost-call' | 'lost-reply' | 'crash';

/** A stub whose calls fail as `next` says, before they reach the object or after. */
function faulty(id: string, next: () => Fault): () => CallsStub {
  const wrap =
    (method: Exclude<keyof CallsStub, 'fetch'>) =>
    async (...args: unknown[]): Promise<never> => {
      const fault = next();
      if (fault === 'lost-call') throw new Error('Network connection lost.');
      if (fault === 'crash') await Promise.resolve(stubOf(id).crash()).catch(() => {});
      const answer = await (stubOf(id)[method] as (...a: unknown[]) => Promise<never>)(...args);
      if (fault === 'lost-reply') throw new Error('Network connection lost.');
      return answer;
    };
  return () =>
    ({
      read: wrap('read'),
      commit: wrap('commit'),
      confirm: wrap('confirm'),
      compact: wrap('compact'),
      grant: wrap('grant'),
      release: wrap('release'),
      related: wrap('related'),
      versions: wrap('versions'),
      info: wrap('info'),
      calls: wrap('calls'),
      fetch: (url: string, init: { headers: Record<string, string> }) => stubOf(id).fetch(url, init),
    }) as unknown as CallsStub;
}
const shared = (connect: () => CallsStub) => {
  const stub = new SharedCalls(world).stub('', connect, () => undefined);
  return () => stub;
};

storeSuite('RemoteStore', async () => {
  const id = await newCluster();
  return { store: new RemoteStore(() => stubOf(id), world), advance: (ms) => stubOf(id).advance(ms) as Promise<void> };
});

storeSuite('RemoteStore whose calls share their way', async () => {
  const id = await newCluster();
  const connect = shared(() => stubOf(id) as unknown as CallsStub);
  return { store: new RemoteStore(connect, world), advance: (ms) => stubOf(id).advance(ms) as Promise<void> };
});

storeSuite('RemoteStore whose watches share frames', async () => {
  const id = await newCluster();
  const frames = new SharedFrames(world);
  return {
    store: new RemoteStore(() => stubOf(id), world, frames),
    advance: (ms) => stubOf(id).advance(ms) as Promise<void>,
  };
});

storeSuite('RemoteStore whose isolate keeps the last frame alone', async () => {
  const id = await newCluster();
  const frames = new SharedFrames(world, 0);
  return {
    store: new RemoteStore(() => stubOf(id), world, frames),
    advance: (ms) => stubOf(id).advance(ms) as Promise<void>,
  };
});

/** Loses calls and answers, never more in a row than the store repeats. */
function losses(): () => Fault {
  const random = seeded(7).next;
  let quiet = 0;
  return () => {
    if (quiet > 0 || random() > 0.3) {
      quiet = Math.max(0, quiet - 1);
      return 'none';
    }
    quiet = 2;
    return random() < 0.5 ? 'lost-call' : 'lost-reply';
  };
}

storeSuite('RemoteStore whose calls and answers get lost', async () => {
  const id = await newCluster();
  const store = new RemoteStore(faulty(id, losses()), world);
  return { store, advance: (ms) => stubOf(id).advance(ms) as Promise<void> };
});

storeSuite('RemoteStore whose calls get lost together', async () => {
  const id = await newCluster();
  const store = new RemoteStore(shared(faulty(id, losses())), world);
  return { store, advance: (ms) => stubOf(id).advance(ms) as Promise<void> };
});

storeSuite('RemoteStore whose object is killed again and again', async () => {
  const id = await newCluster();
  const random = seeded(11).next;
  const connect = faulty(id, () => (random() < 0.1 ? 'crash' : 'none'));
  return { store: new RemoteStore(connect, world), advance: (ms) => stubOf(id).advance(ms) as Promise<void> };
});

it('a commit whose answer is lost is made once', async () => {
  const id = await newCluster();
  const faults: Fault[] = ['lost-reply', 'lost-reply'];
  const store = new RemoteStore(
    faulty(id, () => faults.shift() ?? 'none'),
    world,
  );
  const commit = await won(store, [putPod('a', {}, 0), { charge: 'x', by: 1 }]);
  assert.deepEqual([commit.repeated, commit.revision], [true, 1]);
  assert.equal((await store.commit([{ charge: 'x', by: 1, limit: 2 }])).ok, true);
});

it('a commit that can not be settled says so', async () => {
  const id = await newCluster();
  const store = new RemoteStore(
    faulty(id, () => 'lost-reply'),
    world,
  );
  await throwsCode('unknown-outcome', () => store.commit([putPod('a', {}, 0)]));
  assert.ok(await get(new RemoteStore(() => stubOf(id), world), podKey('a')));
});

it('what an overloaded object refuses is not repeated', async () => {
  let calls = 0;
  const stub = {
    commit: async () => {
      calls++;
      throw Object.assign(new Error('Durable Object is overloaded.'), { overloaded: true });
    },
  } as unknown as StoreStub;
  await throwsCode('overloaded', () => new RemoteStore(() => stub, world).commit([putPod('a')]));
  assert.equal(calls, 1);
});

it('an object killed between commits has lost nothing, and watches go on', async () => {
  const id = await newCluster();
  const store = new RemoteStore(() => stubOf(id), world);
  const start = await put(store, 'a');
  const tap = new Tap(store.watch(pods(), start));
  await tap.upTo(start);
  const expected: string[] = [];
  for (let i = 0; i < 10; i++) {
    if (i % 3 === 1) await Promise.resolve(stubOf(id).crash()).catch(() => {});
    expected.push(`ADDED p${i}@${await put(store, `p${i}`)}`);
  }
  assert.deepEqual(await tap.take(10), expected);
  await tap.stop();
});

it('an object without a cluster refuses everything but creation, a deleted one that too', async () => {
  const id = `c${crypto.randomUUID()}`;
  const store = new RemoteStore(() => stubOf(id), world);
  const refusedAll = async () => {
    await throwsCode('no-cluster', () => store.read(pods()));
    await throwsCode('no-cluster', () => store.commit([putPod('a')]));
    await throwsCode('no-cluster', () => store.info());
    await throwsCode('no-cluster', () => new Tap(store.watch(pods(), 0)).step());
  };
  await refusedAll();
  await throwsCode('no-cluster', () => new RemoteStore(() => stubOf(`${id}/events`), world).info());
  await stubOf(id).create({ base: '', uidPrefix: '', createdMs: 0 });
  await put(store, 'a');
  const tap = new Tap(store.watch(pods(), 1));
  await tap.upTo(1);
  await stubOf(id).destroy();
  await refusedAll();
  await throwsCode('no-cluster', () => tap.take(1));
  await assert.rejects(async () => stubOf(id).create({ base: '', uidPrefix: '', createdMs: 0 }), /no-cluster/);
});

it('a sibling knows a new policy revision before its writer is answered', async () => {
  const id = await newCluster();
  const main = new RemoteStore(() => stubOf(id), world);
  const events = new RemoteStore(() => stubOf(`${id}/events`), world);
  const first = await put(main, 'role', { policy: 'A' });
  await put(events, 'e');
  assert.equal((await events.confirm({ policy: first })).ok, true);
  const second = await put(main, 'role', { policy: 'B' });
  const stale = await events.commit([putPod('e2')], { assume: { policy: first } });
  assert.ok('stale' in stale);
  assert.deepEqual([stale.policy, stale.changes], [second, []]);
  assert.equal((await events.commit([putPod('e2')], { assume: { policy: second } })).ok, true);
  assert.equal((await events.info()).policy, second);
  // Its namespace lives in the main object: the sibling leaves that to the policy revision.
  const exist = [{ key: 'namespaces/default', uid: 'u' }];
  assert.equal((await events.commit([putPod('e3')], { assume: { policy: second, exist } })).ok, true);
});

it('a write that finds the disk full is repeated, for it may have gone through; after a lost call a refusal leaves the outcome open', async () => {
  const lost = new Error('Network connection lost.');
  const full = new Error('database or disk is full: SQLITE_FULL');
  const busy = new StoreError('overloaded', 'too many writes are waiting');
  const cases: [failures: Error[], code: string, calls: number][] = [
    [[full, full, full, full], 'full', 4],
    [[full, full, full, lost], 'unknown-outcome', 4],
    [[busy], 'overloaded', 1],
    [[lost, busy], 'unknown-outcome', 2],
    [[full, busy], 'unknown-outcome', 2],
  ];
  for (const [failures, code, calls] of cases) {
    let n = 0;
    const stub = { commit: () => Promise.reject(failures[n++]) } as unknown as StoreStub;
    await throwsCode(code as 'full', () => new RemoteStore(() => stub, world).commit([putPod('a')]));
    assert.equal(n, calls, code);
  }
});

it('an empty sibling has a revision: 0 would mean any to a client that watches from there', async () => {
  const id = await newCluster();
  const events = new RemoteStore(() => stubOf(`${id}/events`), world);
  assert.equal((await events.info()).revision, 1);
});

it('a loop is woken once per mark, again while it is not cleared, and reads what changed', async () => {
  const id = await newCluster();
  const stub = stubOf(id);
  const store = new RemoteStore(() => stubOf(id), world);
  const mine = () => wakes.filter((w) => w.startsWith(id)).map((w) => w.slice(id.length + 1));
  await stub.register('scheduler', ['pods', 'nodes']);
  const r1 = await put(store, 'a');
  await put(store, 'b');
  await won(store, [{ ...putPod('x'), key: 'configmaps/default/x' }]);
  assert.deepEqual(mine(), [`scheduler ${r1}`]);
  await stub.advance(5_001);
  assert.equal(mine().length, 2);
  const last = (await won(store, [{ key: podKey('a'), expect: undefined, value: null }])).revision;
  const changes = await stub.changes(['pods'], r1);
  assert.deepEqual(
    changes.rows.map((r) => [r.key, r.revision, r.entry === null]),
    [
      [podKey('b'), r1 + 1, false],
      [podKey('a'), last, true],
    ],
  );
  assert.deepEqual([changes.revision, changes.whole, changes.more], [last, false, false]);
  assert.equal(await stub.cleared('scheduler', r1), false);
  assert.equal(await stub.cleared('scheduler', last), true);
  await stub.advance(5_001);
  assert.equal(mine().length, 2);
  const r2 = await put(store, 'c');
  assert.equal(mine().at(-1), `scheduler ${r2}`);
  await store.compact(r2);
  assert.equal((await stub.changes(['pods'], r1)).whole, true);
});

it('equal watches share one encoding and each sees all', async () => {
  const id = await newCluster();
  const store = new RemoteStore(() => stubOf(id), world);
  const start = await put(store, 'a');
  const taps = Array.from({ length: 20 }, () => new Tap(store.watch(pods(), start)));
  for (const tap of taps) await tap.upTo(start);
  const all = await Promise.all(Array.from({ length: 40 }, (_, i) => put(store, `p${i}`)));
  for (const tap of taps) {
    const seen = await tap.take(40);
    assert.deepEqual(
      seen.map((e) => Number(e.split('@')[1])),
      [...all].sort((a, b) => a - b),
    );
    await tap.stop();
  }
});

it('watches that may be joined share frames of bytes', async () => {
  const id = await newCluster();
  const store = new RemoteStore(() => stubOf(id), world);
  const r = await put(store, 'a');
  const taps = [1, 2, 3].map(() => new Tap(store.watch(pods(), r, { join: JOIN })));
  for (const tap of taps) await tap.upTo(r);
  const next = await put(store, 'b');
  for (const tap of taps) {
    assert.deepEqual(await tap.take(1), [`ADDED b@${next}`]);
    assert.equal(tap.joined, 1);
    await tap.stop();
  }
});
