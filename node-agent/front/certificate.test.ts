import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Env } from '../../kube/meta/env.ts';
import type { Json } from '../../kube/meta/json.ts';
import { type Identity, keepIdentity, renewAt } from './certificate.ts';
import { testIdentity } from './testing/identity.ts';

const HOUR_MS = 3_600_000;
/** Whole seconds, as certificates have them. */
const START = Math.floor(Date.now() / 1000) * 1000;

describe("a node's certificate", () => {
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'coracle-front-'));
  });
  after(() => rm(home, { recursive: true, force: true }));

  it('is asked for anew halfway through its life, and not used when that is over', async () => {
    const { cert } = await testIdentity(START, HOUR_MS);
    assert.equal(renewAt(cert, START), START + HOUR_MS / 2);
    assert.equal(renewAt(cert, START + HOUR_MS), null);
    assert.equal(renewAt('nonsense', START), null);
  });

  it('is kept on disk for a start without the control plane, asked for until there is one, renewed in time', async () => {
    const file = join(home, 'serving', 'tls.json');
    let now = START;
    const waits: number[] = [];
    let wake: () => void = () => undefined;
    let asleep: () => void = () => undefined;
    const env: Env = {
      now: () => now,
      random: () => 0,
      uuid: () => '',
      after(ms, f) {
        waits.push(ms);
        wake = f;
        asleep();
        return () => undefined;
      },
      log: () => undefined,
    };
    const sleeping = () => new Promise<void>((r) => (asleep = r));
    const asked: Json[] = [];
    let there = true;
    const api = {
      async send(_method: string, path: string, body: Json) {
        if (!there) throw new Error('away');
        asked.push(body);
        assert.equal(path, '/.coracle/v1/serving');
        return { certificate: (await testIdentity(now, HOUR_MS)).cert };
      },
    };
    const used: Identity[] = [];
    const run = (signal: AbortSignal) => keepIdentity({ api, domain: 'x.y', file, env, signal }, (i) => used.push(i));

    let stop = new AbortController();
    let next = sleeping();
    let done = run(stop.signal);
    await next;
    assert.deepEqual([used.length, waits.pop()], [1, HOUR_MS / 2]);
    const [{ publicKey, domain }] = asked as [{ publicKey: string; domain: string }];
    assert.equal(domain, 'x.y');
    assert.deepEqual(
      createPublicKey(used[0]?.key ?? '').export({ type: 'spki', format: 'der' }),
      Buffer.from(publicKey, 'base64'),
    );
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    next = sleeping();
    now += HOUR_MS / 2;
    wake();
    await next;
    assert.equal(used.length, 2);
    assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), used[1]);
    stop.abort();
    await done;

    there = false;
    waits.length = 0;
    stop = new AbortController();
    next = sleeping();
    done = run(stop.signal);
    await next;
    assert.deepEqual(used[2], used[1]);
    next = sleeping();
    wake();
    await next;
    assert.deepEqual(waits, [1_000, 2_000]);
    there = true;
    next = sleeping();
    wake();
    await next;
    assert.equal(used.length, 4);
    stop.abort();
    await done;
  });
});
