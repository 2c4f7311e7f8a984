import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { ask } from './http.ts';
import { ANSWER_MS_MAX, killOne, type Run, rollOne, startRun } from './run.ts';
import { startSystem, type TestSystem } from './system.ts';

// The short form of test/cluster/main.ts: one kill, one roll, few clusters.

/** With a cold build of the S3 server by the Go toolchain. */
const BEGIN_MS_MAX = 900_000;
const TEST_MS_MAX = 300_000;
const noGo = (() => {
  try {
    execFileSync('go', ['version']);
    return false;
  } catch {
    return 'the S3 server is built by the Go toolchain, which is not here';
  }
})();

describe('three instances over one bucket', { skip: noGo }, () => {
  let s: TestSystem;
  let run: Run;
  before(
    async () => {
      s = await startSystem({ instances: 3 });
      await Promise.all(s.instances.map((x) => x.start()));
      run = await startRun(s, 4, 1);
      await run.settle();
    },
    { timeout: BEGIN_MS_MAX },
  );
  after(() => s?.close());
  const at = (i: number) => s.instances[i] ?? assert.fail();

  it('take over from one that was killed: controllers, schedulers and tunnels too', {
    timeout: TEST_MS_MAX,
  }, async (t) => {
    const d = await killOne(s, run, at(1));
    await run.settle();
    t.diagnostic(`without an answer for ${d.gaps.join(', ')} ms`);
    assert.ok((d.gaps.at(-1) ?? 0) <= ANSWER_MS_MAX, `${d.gaps} ms`);
  });

  it('hand over to a new release, watches ending in order', { timeout: TEST_MS_MAX }, async (t) => {
    const { d, code } = await rollOne(run, at(0), s.releases[1]);
    await run.settle();
    t.diagnostic(`without an answer for ${d.gaps.join(', ')} ms`);
    assert.equal(code, 0);
    assert.equal(d.broken, 0, 'a watch was cut');
    assert.equal((await ask(s.agent, 'GET', `${at(0).url}/healthz`)).body.message, 'ok, release 2');
    assert.equal((await ask(s.agent, 'GET', `${at(2).url}/healthz`)).body.message, 'ok, release 1');
  });

  it('lost nothing that was acknowledged, no event, and no revision was given twice', {
    timeout: TEST_MS_MAX,
  }, async (t) => {
    const { acknowledged, unknown, events, lost } = await run.finish();
    t.diagnostic(`${acknowledged} writes acknowledged, ${unknown} of open outcome, ${events} events`);
    assert.deepEqual(lost, []);
    assert.ok(acknowledged > 0 && events > 0);
  });
});
