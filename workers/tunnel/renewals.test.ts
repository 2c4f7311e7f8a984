import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore } from '../../kube/store/memory.ts';
import type { Page } from '../../kube/store/store.ts';
import { RENEWED_BY } from '../../kube/wire/messages.ts';
import { withTunnelRenewals } from './renewals.ts';

const PREFIX = 'leases.coordination.k8s.io/';
const ALL = { from: PREFIX, to: 'leases.coordination.k8s.io0' };
const STORED = '2026-01-01T00:00:00.000000Z';
const HEARD_MS = Date.UTC(2026, 0, 1, 0, 4);

async function stores(heard: Record<string, number>) {
  const env = { now: () => 0, after: () => () => undefined };
  const memory = new MemoryStore(env);
  const put = async (key: string, tunnel: boolean) => {
    const name = key.slice(key.lastIndexOf('/') + 1);
    const annotations = tunnel ? { [RENEWED_BY]: 'tunnel' } : {};
    const text = JSON.stringify({ metadata: { name, annotations }, spec: { renewTime: STORED } });
    const value = { text, version: 'coordination.k8s.io/v1', schema: 's' };
    await memory.commit([{ key: PREFIX + key, expect: 0, value, facts: { uid: name } }]);
  };
  await put('kube-node-lease/linked', true);
  await put('kube-node-lease/gone', true);
  await put('kube-node-lease/foreign', false);
  await put('kube-system/leader', true);
  const asked: string[] = [];
  const store = withTunnelRenewals(memory, async (node) => {
    asked.push(node);
    return heard[node] ?? 0;
  });
  return { store, asked };
}
const timesOf = (page: Page) =>
  Object.fromEntries(
    page.entries.map((e) => [
      e.key.slice(PREFIX.length),
      (JSON.parse(e.value) as { spec: { renewTime: string } }).spec.renewTime,
    ]),
  );

test('Leases that tunnels renew show when their nodes were last heard of; all others what is stored', async () => {
  const { store, asked } = await stores({ linked: HEARD_MS, foreign: HEARD_MS, leader: HEARD_MS });
  const page = await store.read(ALL, { join: { version: 'coordination.k8s.io/v1', schema: 's' } });
  assert.ok(page.ok);
  assert.deepEqual(timesOf(page), {
    'kube-node-lease/foreign': STORED,
    'kube-node-lease/gone': STORED,
    'kube-node-lease/linked': '2026-01-01T00:04:00.000000Z',
    'kube-system/leader': STORED,
  });
  assert.deepEqual(asked.sort(), ['gone', 'linked']);
});

test('a list of other namespaces asks no tunnel and stays joined', async () => {
  const { store, asked } = await stores({ linked: HEARD_MS });
  const range = { from: `${PREFIX}kube-system/`, to: `${PREFIX}kube-system0` };
  const page = await store.read(range, { join: { version: 'coordination.k8s.io/v1', schema: 's' } });
  assert.ok(page.ok);
  assert.equal(page.items?.length, 1);
  assert.deepEqual(asked, []);
});

test('the past shows what was stored', async () => {
  const { store } = await stores({ linked: HEARD_MS });
  const page = await store.read(
    { from: `${PREFIX}kube-node-lease/linked`, to: `${PREFIX}kube-node-lease/linked\0` },
    { at: 4 },
  );
  assert.ok(page.ok);
  assert.deepEqual(Object.values(timesOf(page)), [STORED]);
});
