import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Controller } from '../../kube/reconcile/controller.ts';
import { pvcprotection, pvprotection, vacprotection } from './protection.ts';
import { type Given, keyFor, NOW, planFor, viewOf } from './testing/view.ts';

const GOING = { deletionTimestamp: '2026-11-21T11:59:50Z' };
const of = (kind: string, finalizer: string, more: object = {}, meta: object = GOING): Given => ({
  apiVersion: kind === 'VolumeAttributesClass' ? 'storage.k8s.io/v1' : 'v1',
  kind,
  metadata: { name: 'a', finalizers: ['keep.example/me', finalizer], ...meta },
  ...more,
});
const claim = (meta: object = GOING) =>
  of('PersistentVolumeClaim', 'kubernetes.io/pvc-protection', {}, { namespace: 'n', ...meta });
const pod = (volume: object, nodeName = 'node', namespace = 'n'): Given => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace },
  spec: { nodeName, volumes: [{ name: 'v', ...volume }] },
});
const used = { persistentVolumeClaim: { claimName: 'a' } };
const bound = { status: { phase: 'Bound' } };
const volume = (more: object = {}) => of('PersistentVolume', 'kubernetes.io/pv-protection', more);

/** The finalizers that a plan leaves; undefined when it writes nothing. */
function left(c: Controller, given: [Given, ...Given[]], more = {}): string[] | undefined {
  const [write] = planFor(c, given, more).writes;
  return write?.do === 'update' ? write.object.metadata.finalizers : undefined;
}

test('a claim or volume that is being deleted loses its finalizer once nobody uses it, and no other', () => {
  const free = ['keep.example/me'];
  const table: [string, Controller, [Given, ...Given[]], string[] | undefined][] = [
    ['a claim without users', pvcprotection, [claim()], free],
    ['a claim that stays', pvcprotection, [claim({})], undefined],
    ['a claim of a pod on a node', pvcprotection, [claim(), pod(used)], undefined],
    ['a claim of a pod without a node', pvcprotection, [claim(), pod(used, '')], free],
    ['a claim of the same name elsewhere', pvcprotection, [claim(), pod(used, 'node', 'other')], free],
    ['a claim beside a pod with another', pvcprotection, [claim(), pod({ emptyDir: {} })], free],
    ['a volume that is bound', pvprotection, [volume(bound)], undefined],
    ['a volume that is free', pvprotection, [volume({ status: { phase: 'Released' } })], free],
  ];
  for (const [what, c, given, wanted] of table) assert.deepEqual(left(c, given), wanted, what);
});

test('an ephemeral volume uses the claim that bears its name, and a pod that goes wakes its claims', () => {
  const ephemeral = pod({ ephemeral: {} });
  const own: Given = { ...claim(), metadata: { ...claim().metadata, name: 'p-v' } };
  assert.equal(left(pvcprotection, [own, ephemeral]), undefined);
  const view = viewOf(pvcprotection, [ephemeral]);
  const row = view.get(keyFor(ephemeral));
  assert.deepEqual(row && pvcprotection.watches?.[0]?.map(row, view), ['persistentvolumeclaims/n/p-v']);
});

test('a class is asked about while it is being deleted, and released by the answer', () => {
  const vac = of('VolumeAttributesClass', 'kubernetes.io/vac-protection');
  const [effect] = planFor(vacprotection, [vac]).effects ?? [];
  assert.deepEqual([effect?.name, effect?.input], ['classUsers', { name: 'a' }]);
  const answered = (isUsed: boolean) => ({
    now: NOW,
    results: { [effect?.id ?? '']: { ok: true, value: { used: isUsed } } },
  });
  assert.equal(left(vacprotection, [vac], answered(true)), undefined);
  assert.deepEqual(left(vacprotection, [vac], answered(false)), ['keep.example/me']);
});
