import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OwnerReference } from '../../kube/meta/object.ts';
import { hasUnexpectedController, isUpToDate, ownersOf } from './statefulclaims.ts';
import { parseName, type StatefulSet } from './statefulpods.ts';

// Tables named after upstream's hold what its tests of pkg/controller/statefulset expect.

describe('who owns the claims of a pod', () => {
  const pod1 = { name: 'pod-1', uid: 'pod-123', inRange: true };
  const policies: { deleted: string; scaled: string; inRange: boolean; set: boolean; pod: boolean }[] = [
    { deleted: 'Retain', scaled: 'Retain', inRange: true, set: false, pod: false },
    { deleted: 'Delete', scaled: 'Retain', inRange: true, set: true, pod: false },
    { deleted: 'Retain', scaled: 'Delete', inRange: false, set: false, pod: true },
    { deleted: 'Retain', scaled: 'Delete', inRange: true, set: false, pod: false },
    { deleted: 'Delete', scaled: 'Delete', inRange: false, set: false, pod: true },
    { deleted: 'Delete', scaled: 'Delete', inRange: true, set: true, pod: false },
  ];
  const owning = (deleted: string, scaled: string) =>
    ({
      metadata: { name: 'stateful-set', uid: 'ss-456' },
      spec: { persistentVolumeClaimRetentionPolicy: { whenDeleted: deleted, whenScaled: scaled } },
    }) as unknown as StatefulSet;
  const setRef = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'stateful-set', uid: 'ss-456', controller: true };
  const podRef = { apiVersion: 'v1', kind: 'Pod', name: 'pod-1', uid: 'pod-123', controller: true };
  const other = { apiVersion: 'v1', kind: 'Pod', name: 'rand', uid: 'rand' };
  for (const t of policies)
    it(`deleted ${t.deleted}, scaled ${t.scaled}, ${t.inRange ? 'it stays' : 'it goes'} (TestIsClaimOwnerUpToDate, TestUpdateClaimOwnerRefForSetAndPod)`, () => {
      const s = owning(t.deleted, t.scaled);
      const p = { ...pod1, inRange: t.inRange };
      for (const hasPod of [false, true])
        for (const hasSet of [false, true])
          for (const others of [[], [other]]) {
            const refs = [...(hasPod ? [podRef] : []), ...(hasSet ? [setRef] : []), ...others] as OwnerReference[];
            assert.equal(isUpToDate(refs, s, p), hasPod === t.pod && hasSet === t.set, JSON.stringify(refs));
            const next = ownersOf(refs, s, p).map((r) => r.uid);
            assert.deepEqual(
              [next.includes('pod-123'), next.includes('ss-456'), next.includes('rand')],
              [t.pod, t.set, others.length > 0],
            );
          }
    });
  const edges: { what: string; refs: object[]; is: boolean; inRange?: boolean }[] = [
    { what: 'the pod as controller', refs: [podRef], is: true, inRange: false },
    { what: 'the pod, but not as controller', refs: [{ ...podRef, controller: undefined }], is: false, inRange: false },
    { what: 'a former pod', refs: [{ ...podRef, uid: 'stale' }], is: true, inRange: false },
    {
      what: 'the pod and another controller',
      refs: [podRef, { ...other, controller: true }],
      is: false,
      inRange: false,
    },
    { what: 'another controller alone', refs: [{ ...other, controller: true }], is: true },
    { what: 'the set as controller', refs: [setRef], is: true },
    { what: 'the set, but not as controller', refs: [{ ...setRef, controller: undefined }], is: false },
    { what: 'a former set', refs: [{ ...setRef, uid: 'stale' }], is: true },
  ];
  for (const t of edges)
    it(`${t.what}: ${t.is ? 'left' : 'changed'} (TestClaimOwnerUpToDateEdgeCases)`, () =>
      assert.equal(
        isUpToDate(t.refs as OwnerReference[], owning('Delete', 'Delete'), { ...pod1, inRange: t.inRange ?? true }),
        t.is,
      ));
  const strangers: { refs: object[]; is: boolean }[] = [
    { refs: [{ ...other, controller: true }], is: true },
    { refs: [{ ...other, controller: false }], is: false },
    { refs: [other], is: false },
    { refs: [setRef], is: false },
    { refs: [{ ...setRef, uid: 'stale' }], is: true },
    { refs: [podRef], is: false },
    { refs: [{ ...podRef, uid: 'stale' }], is: true },
    { refs: [podRef, { ...other, controller: true }], is: true },
  ];
  for (const t of strangers)
    it(`${t.refs.map((r) => Object.values(r).slice(1).join(' ')).join(', ')} (TestHasUnexpectedController)`, () => {
      assert.equal(hasUnexpectedController(t.refs as OwnerReference[], owning('Delete', 'Delete'), pod1), t.is);
      assert.equal(hasUnexpectedController(t.refs as OwnerReference[], owning('Retain', 'Retain'), pod1), false);
    });
});

describe('names (TestGetParentNameAndOrdinal)', () => {
  const table: [string, string, number][] = [
    ['foo-1', 'foo', 1],
    ['foo-bar-12', 'foo-bar', 12],
    ['foo', '', -1],
    ['foo-', '', -1],
    ['foo-1a', '', -1],
    ['foo-99999999999', 'foo', -1],
  ];
  for (const [name, parent, ordinal] of table) it(name, () => assert.deepEqual(parseName(name), { parent, ordinal }));
});
