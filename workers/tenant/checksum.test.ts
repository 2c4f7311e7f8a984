import assert from 'node:assert/strict';
import { test } from 'node:test';

// Each with a module of its own: what it keeps for texts is as a process has it that has just begun.
const fresh = (name: string) => import(`./checksum.ts?${name}`) as Promise<typeof import('./checksum.ts')>;
const LONG = 'x'.repeat(100_000);

test('the first text that a process sums may be long', async () => {
  const head = { key: 'k', revision: 1, prev: 0, created: 1, at: 0, version: 'v1', schema: '', enc: null, by: null };
  const a = await fresh('head');
  const first = a.headOf({ ...head, facts: LONG });
  assert.equal(a.headOf({ ...head, facts: LONG }), first);
  assert.notEqual(a.headOf({ ...head, facts: `${LONG}y` }), first);
  const b = await fresh('policy');
  assert.equal(b.policySum('k', 1, LONG, 'u'), b.policySum('k', 1, LONG, 'u'));
});
