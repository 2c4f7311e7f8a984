import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { serviceRange } from './servicerange.ts';

const cidrs = (...all: string[]) => ({ items: all.map((c) => ({ spec: { cidrs: [c] } })) });

test('a node asks for the range of Services until it is known, and never again for the same cluster', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'coracle-range-'));
  t.after(() => rm(dir, { recursive: true }));
  const answers = [new Error('not reached'), cidrs(), cidrs('172.30.0.0/20'), cidrs('10.9.0.0/16')];
  const logged: string[] = [];
  const env = {
    after: (_: number, f: () => void) => {
      setImmediate(f);
      return () => undefined;
    },
    log: (_: string, event: string) => void logged.push(event),
  };
  const ask = (url: string) => {
    const get = async () => {
      const next = answers.shift();
      if (next instanceof Error || next === undefined) throw next ?? new Error('asked once too often');
      return next;
    };
    return serviceRange({ get: get as never, connection: { url } }, join(dir, 'cni', 'services.json'), env);
  };
  assert.equal(await ask('https://a'), '172.30.0.0/20');
  assert.deepEqual(logged, ['service.range.failed', 'service.range.missing']);
  assert.equal(await ask('https://a'), '172.30.0.0/20');
  assert.equal(answers.length, 1);
  assert.equal(await ask('https://b'), '10.9.0.0/16', "another cluster's is another");
});
