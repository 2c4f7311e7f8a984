import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Facts } from '../../kube/meta/facts.ts';
import { type Commit, type Entry, type Op, type Page, type PutOp, StoreError } from '../../kube/store/store.ts';
import { VirtualClock } from '../../kube/store/suite-clock.ts';
import { RemoteStore } from './remote.ts';
import { answersTo, type CallsStub, type SharedAnswer, type SharedCall, SharedCalls } from './sharedcalls.ts';

const row = (name: string) => ({ from: name, to: `${name}\0` });
const keyOf = (c: SharedCall) => ('read' in c ? c.read.from : 'commit' in c ? (c.commit[0] as PutOp).key : 'confirm');
const put = (key: string, text = ''): Op[] => [
  { key, expect: 0, value: { text, version: '', schema: '' }, facts: { uid: '' } as Facts },
];

/** An object whose calls come back when they are let go. */
function object() {
  const clock = new VirtualClock();
  const env = { ...clock.env, uuid: () => 'one', random: () => 0.5 };
  const shared = new SharedCalls(env);
  const carried: { keys: string[]; calls: SharedCall[]; back(answer?: SharedAnswer[] | Error): Promise<void> }[] = [];
  const alone: unknown[][] = [];
  const kept: Promise<unknown>[] = [];
  const answersOf = (calls: SharedCall[]) =>
    calls.map((c) => ({ answer: `to ${keyOf(c)}` }) as unknown as SharedAnswer);
  const raw = {
    calls: (calls: SharedCall[]) =>
      new Promise((resolve, reject) =>
        carried.push({
          keys: calls.map(keyOf),
          calls,
          async back(answer = answersOf(calls)) {
            if (answer instanceof Error) reject(answer);
            else resolve(answer);
            for (let i = 0; i < 10; i++) await Promise.resolve();
          },
        }),
      ),
    read: async (...a: unknown[]) => alone.push(a),
  } as unknown as CallsStub;
  const stub = (name = 'a') =>
    shared.stub(
      name,
      () => raw,
      (p) => kept.push(p),
    );
  return { clock, env, shared, carried, alone, kept, stub };
}

describe('calls of several requests to one object', () => {
  it('go at once while none is under way, and together with others that came meanwhile', async () => {
    const o = object();
    const answers = ['1', '2', '3'].map((n) => o.stub().read(row(n)));
    assert.deepEqual(
      o.carried.map((c) => c.keys),
      [['1']],
    );
    await o.carried[0]?.back();
    assert.deepEqual(o.carried[1]?.keys, ['2', '3']);
    await o.carried[1]?.back();
    assert.deepEqual(await Promise.all(answers), ['to 1', 'to 2', 'to 3']);
    await o.clock.advance(2_000);
    // Nothing stays: the next one goes at once.
    void o.stub().read(row('4'));
    assert.deepEqual(o.carried[2]?.keys, ['4']);
    assert.equal(o.kept.length, 2, 'who carries is kept until it is back');
  });

  it('go after a turn for a while after some have met, with those who come in it', async () => {
    const o = object();
    const met = ['1', '2'].map((n) => o.stub().read(row(n)));
    for (const c of [0, 1]) await o.carried[c]?.back();
    await Promise.all(met);
    const answers = [o.stub().read(row('3')), o.stub().commit(put('4'))];
    assert.equal(o.carried.length, 2);
    answers.push(o.stub().read(row('5')));
    await o.clock.advance(0);
    assert.deepEqual(
      o.carried.slice(2).map((c) => c.keys),
      [['3', '5'], ['4']],
    );
    for (const c of [2, 3]) await o.carried[c]?.back();
    assert.deepEqual(await Promise.all(answers), ['to 3', 'to 4', 'to 5']);
  });

  it('that write wait for those who are on their way, as long as they are few and one comes with each turn', async () => {
    const o = object();
    const write = (n: number) => void o.stub().commit(put(`${n}`));
    for (const n of [1, 2, 3]) write(n);
    await o.carried[0]?.back();
    // The one that was answered comes back.
    await o.clock.turn();
    write(4);
    await o.clock.turn();
    assert.deepEqual(o.carried.length, 1);
    await o.clock.turn();
    assert.deepEqual(o.carried[1]?.keys, ['2', '3', '4']);
    for (const n of [5, 6, 7, 8, 9]) write(n);
    await o.carried[1]?.back();
    await o.clock.turn();
    assert.equal(o.carried.length, 2, 'five may be joined by another');
    write(10);
    await o.clock.turn();
    assert.deepEqual(o.carried[2]?.keys, ['5', '6', '7', '8', '9', '10']);
    for (const n of [11, 12, 13, 14, 15, 16]) write(n);
    await o.carried[2]?.back();
    assert.equal(o.carried[3]?.keys.length, 6, 'six are enough');
  });

  it('whose answers have no room beside the others’ are made again, before those that came later', async () => {
    const o = object();
    const answers = ['1', '2', '3', '4'].map((n) => o.stub().read(row(n)));
    await o.carried[0]?.back();
    answers.push(o.stub().read(row('5')));
    await o.carried[1]?.back([{ answer: 'to 2' as never }, 'later', 'later']);
    assert.deepEqual(o.carried[2]?.keys, ['3', '4', '5']);
    await o.carried[2]?.back();
    assert.deepEqual(
      await Promise.all(answers),
      ['1', '2', '3', '4', '5'].map((n) => `to ${n}`),
    );
  });

  it('to different objects, and reads and writes, do not wait for each other', () => {
    const o = object();
    void o.stub('a').read(row('1'));
    void o.stub('b').read(row('2'));
    void o.stub('a').commit(put('3'));
    assert.deepEqual(
      o.carried.map((c) => c.keys),
      [['1'], ['2'], ['3']],
    );
  });

  it('that carry much or wait for long go by themselves', async () => {
    const o = object();
    void o.stub().read(row('1'));
    await o.stub().read({ from: 'a', to: 'b' });
    await o.stub().read(row('2'), { assume: { policy: 1, watch: true } });
    assert.equal(o.alone.length, 2);
  });

  it('are no more at once than RPC can carry', async () => {
    const o = object();
    const large = 'x'.repeat(1_500_000);
    for (let i = 0; i < 6; i++) void o.stub().commit(put(`${i}`, large));
    for (let i = 0; i < 40; i++) void o.stub().read(row(`${i}`));
    await o.clock.advance(0);
    for (let i = 0; i < 6; i++) {
      await o.carried[i]?.back();
      await o.clock.advance(0);
    }
    const counts = (of: (c: SharedCall) => boolean) =>
      o.carried.filter((c) => c.calls.some(of)).map((c) => c.calls.length);
    assert.deepEqual(
      counts((c) => 'commit' in c),
      [1, 2, 2, 1],
    );
    assert.deepEqual(
      counts((c) => 'read' in c),
      [32, 8],
    );
  });

  it('have errors of their own, and share those of the way', async () => {
    const o = object();
    const store = new RemoteStore(o.stub, o.env);
    const said = (p: Promise<unknown>) =>
      p.then(String, (e: unknown) => (e instanceof StoreError ? e.code : String(e)));
    const answers = ['0', '1', '2'].map((n) => said(store.read(row(n))));
    await o.carried[0]?.back();
    await o.carried[1]?.back([{ error: 'Error: compacted: gone' }, { answer: 'yes' as never }]);
    assert.deepEqual(await Promise.all(answers), ['to 0', 'compacted', 'yes']);
    await o.clock.advance(2_000);
    const both = ['0', '1', '2'].map((n) => said(store.commit(put(n))));
    await o.carried[2]?.back();
    await o.clock.advance(0);
    await o.carried[3]?.back(Object.assign(new Error('reset'), { overloaded: true }));
    assert.deepEqual(await Promise.all(both), ['to 0', 'overloaded', 'overloaded']);
  });

  it('that wait are so many at most: the next ones are refused, softly', async () => {
    const o = object();
    const codes: string[] = [];
    const refused = (e: unknown) => codes.push((e as StoreError).code);
    for (let i = 0; i < 2_003; i++)
      o.stub()
        .read(row(`${i}`))
        .catch(refused);
    await o.clock.advance(2_000);
    const body = put('a', 'x'.repeat(1_000_000));
    for (let i = 0; i < 36; i++) o.stub().commit(body).catch(refused);
    for (let i = 0; i < 10; i++) await Promise.resolve();
    assert.deepEqual(codes, Array(4).fill('overloaded'));
  });

  it('are carried by somebody else when one has carried for long', async () => {
    const o = object();
    void o.stub().read(row('1'));
    await o.clock.advance(100);
    void o.stub().read(row('2'));
    assert.deepEqual(o.carried[1]?.keys, ['2']);
    void o.stub().read(row('3'));
    await o.carried[0]?.back();
    assert.equal(o.carried.length, 2, 'the first has been relieved');
    await o.carried[1]?.back();
    assert.deepEqual(o.carried[2]?.keys, ['3']);
  });

  it('are carried by somebody else, too, when the clock was set back meanwhile', async () => {
    const o = object();
    void o.stub().read(row('1'));
    o.clock.nowMs -= 3_600_000;
    void o.stub().read(row('2'));
    assert.deepEqual(o.carried[1]?.keys, ['2']);
  });

  it('whose carrier is lost are made again, a commit as the repeat that it is', async () => {
    const o = object();
    const store = new RemoteStore(o.stub, o.env);
    void o.stub().commit(put('1'));
    const answer = store.commit(put('2'));
    await o.clock.advance(11_000);
    const repeated = o.carried.at(-1);
    assert.deepEqual(repeated?.keys, ['2']);
    const [call] = repeated?.calls ?? [];
    assert.ok(call && 'commit' in call && call.o?.repeat);
    await repeated?.back();
    assert.equal(await answer, 'to 2');
  });
});

describe('calls that came together', () => {
  const entry = (units: number) => ({ key: '', value: 'x'.repeat(units), facts: { uid: '' } }) as unknown as Entry;
  /** Rows by name, of so many units. */
  const store = (sizes: Record<string, number>) => {
    const read: string[] = [];
    return {
      read,
      readNow({ from }: { from: string }) {
        read.push(from);
        return { ok: true, revision: 1, entries: [entry(sizes[from] ?? 0)], count: 1 } as Page;
      },
      async commit([op]: Op[]): Promise<Commit> {
        const { key } = op as PutOp;
        return sizes[key] === undefined
          ? { ok: true, revision: 7, revisions: [7] }
          : { ok: false, lost: 'race', found: [entry(sizes[key])] };
      },
      confirm: async () => assert.fail(),
    };
  };
  const told = (a: SharedAnswer) =>
    typeof a === 'object' && 'answer' in a && a.answer.ok ? 'ok' : a === 'later' ? a : 'lost';
  const MI = 1024 * 1024;

  it('are answered as far as RPC can carry, and no more is read; one alone however long it is', async () => {
    const s = store({ a: 1.5 * MI, b: 6 * MI, c: 1.5 * MI, d: 1, e: 40 * MI });
    const reads = ['a', 'b', 'c', 'd', 'a'].map((name): SharedCall => ({ read: row(name), o: undefined }));
    assert.deepEqual((await answersTo(s, reads, async () => {})).map(told), ['ok', 'ok', 'later', 'ok', 'later']);
    const long = ['e', 'a', 'd'].map((name): SharedCall => ({ read: row(name), o: undefined }));
    s.read.length = 0;
    assert.deepEqual((await answersTo(s, long, async () => {})).map(told), ['ok', 'later', 'later']);
    assert.deepEqual(s.read, ['e']);
  });

  it('a commit that was made is answered in any case', async () => {
    const s = store({ a: 6 * MI, b: 6 * MI });
    const commits = ['a', 'b', 'c'].map((key): SharedCall => ({ commit: put(key), o: undefined }));
    assert.deepEqual((await answersTo(s, commits, async () => {})).map(told), ['lost', 'later', 'ok']);
  });

  it('let others have their turn between large rows', async () => {
    const s = store({ a: 300_000, b: 100 });
    let turns = 0;
    const reads = [...'ababbbba'].map((name): SharedCall => ({ read: row(name), o: undefined }));
    await answersTo(s, reads, async () => {
      turns++;
    });
    assert.equal(turns, 2);
  });
});
