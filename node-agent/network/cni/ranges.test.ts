import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KubeObject } from '../../../kube/meta/object.ts';
import { clusterRanges } from './ranges.ts';

const at = (podCIDRs: string[]): KubeObject =>
  ({ metadata: { name: 'a' }, spec: { podCIDRs } }) as unknown as KubeObject;
const env = {
  log: () => undefined,
  after(_ms: number, f: () => void) {
    const t = setImmediate(f);
    return () => clearImmediate(t);
  },
};

test('a node waits for its range, remembers it, and starts with it when nobody can be asked', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ranges-'));
  try {
    const file = join(dir, 'cni', 'ranges.json');
    const answers: (KubeObject | Error)[] = [new Error('connect ECONNREFUSED'), at([]), at(['10.244.3.0/24'])];
    const ask = async () => {
      const a = answers.shift() ?? new Error('nobody is there');
      if (a instanceof Error) throw a;
      return a;
    };
    assert.deepEqual(await clusterRanges(ask, file, env), ['10.244.3.0/24']);
    assert.deepEqual(await clusterRanges(ask, file, env), ['10.244.3.0/24']);
    assert.equal(answers.length, 0);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
