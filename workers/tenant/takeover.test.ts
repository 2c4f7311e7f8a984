import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StoreError } from '../../kube/store/store.ts';
import { RemoteStore, type StoreStub } from './remote.ts';

/** A stub whose object has no owner until `backMs`, on a clock that only waiting moves. */
function ownerless(backMs: number, error: () => Error) {
  let now = 0;
  const requests: (string | undefined)[] = [];
  const env = {
    now: () => now,
    random: () => 0.5,
    uuid: () => 'one',
    after(ms: number, f: () => void) {
      now += ms;
      queueMicrotask(f);
      return () => undefined;
    },
  };
  const answer = async (o?: { request?: string }) => {
    requests.push(o?.request);
    if (now < backMs) throw error();
    return { ok: true, revision: 7 };
  };
  const stub = { info: () => answer(), commit: (_ops: unknown, o: { request?: string }) => answer(o) };
  return { store: new RemoteStore(() => stub as unknown as StoreStub, env), requests, now: () => now };
}
const lost = () => Object.assign(new Error('Network connection lost.'), { retryable: true });
const code = (expected: string) => (e: unknown) => e instanceof StoreError && e.code === expected;

describe('an object whose owner has died', () => {
  it('is waited for until another must have taken it over, and a commit keeps its request id', async () => {
    const { store, requests } = ownerless(20_000, lost);
    assert.deepEqual(await store.commit([]), { ok: true, revision: 7 });
    assert.deepEqual([...new Set(requests)], ['one']);
  });

  it('is not waited for any longer than that: a read is unavailable, the outcome of a commit is open', async () => {
    const never = ownerless(Number.POSITIVE_INFINITY, lost);
    await assert.rejects(never.store.info(), code('unavailable'));
    assert.ok(never.now() > 25_000 && never.now() < 30_000, `${never.now()} ms`);
    await assert.rejects(never.store.commit([]), code('unknown-outcome'));
  });

  it('is not meant by a damaged file, of which it says what it said', async () => {
    const said = 'corrupt: the database file is damaged: database disk image is malformed: SQLITE_CORRUPT';
    const { store, requests } = ownerless(20_000, () => new Error(said));
    await assert.rejects(store.info(), { code: 'corrupt', message: said });
    assert.equal(requests.length, 1);
  });

  it("is not meant by an object's own error: that is repeated a few times only", async () => {
    const { store, requests } = ownerless(20_000, () => new Error('a bug'));
    await assert.rejects(store.info(), /a bug/);
    assert.equal(requests.length, 4);
  });
});
