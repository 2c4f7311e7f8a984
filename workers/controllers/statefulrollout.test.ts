import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { statefulset } from './statefulset.ts';
import { template } from './testing/deployments.ts';
import { image, images, isLive, isReady, respec, revise, specOf } from './testing/rollouts.ts';
import type { Given } from './testing/view.ts';
import { kubelet, World } from './testing/world.ts';

// Whole rollouts: the controller and nodes take turns until all is done, and between any two writes what must never be doesn't come to be.

describe('a StatefulSet', () => {
  const STS = 'statefulsets.apps/default/web';
  const sts = (replicas: number, spec: JsonObject = {}): Given =>
    ({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'web', namespace: 'default', uid: 'web' },
      spec: {
        replicas,
        serviceName: 'svc',
        selector: { matchLabels: { app: 'foo' } },
        template: template('v1'),
        podManagementPolicy: 'OrderedReady',
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
        revisionHistoryLimit: 2,
        ...spec,
      },
    }) as unknown as Given;
  const start = (replicas: number, spec: JsonObject = {}) => {
    const w = new World([statefulset], [sts(replicas, spec)]);
    w.watch = () => orderly(w);
    w.settle(() => kubelet(w));
    return w;
  };
  const set = (w: World, more: JsonObject) => respec(w, STS, more);
  const statusOf = (w: World) => w.get(STS)?.status as Record<string, number> | undefined;
  const ordinal = (p: Given) => Number(p.metadata.name?.split('-').at(-1));
  /** assertMonotonicInvariants: a pod is there only where all before it are there and ready. */
  const orderly = (w: World) => {
    const all = w.list('pods').sort((a, b) => ordinal(a) - ordinal(b));
    if ((w.get(STS)?.spec as JsonObject | undefined)?.podManagementPolicy === 'Parallel') return;
    for (const p of all.slice(0, -1).filter(isLive)) {
      const later = all.filter((q) => ordinal(q) > ordinal(p) && !isReady(q) && isReady(p) === false);
      assert.deepEqual(
        later.map((q) => q.metadata.name),
        [],
        `beside ${p.metadata.name}`,
      );
    }
  };

  it('makes its pods one after another, with names that stay', () => {
    const made: string[] = [];
    const w = new World([statefulset], [sts(3)]);
    w.watch = () => {
      const live = w.list('pods').filter((p) => !isReady(p));
      assert.ok(live.length <= 1, 'two that are not ready');
      for (const p of w.names('pods')) if (!made.includes(p)) made.push(p);
    };
    w.settle(() => kubelet(w));
    assert.deepEqual(made, ['web-0', 'web-1', 'web-2']);
    const pod = w.get('pods/default/web-1');
    assert.equal(pod?.metadata.labels?.['statefulset.kubernetes.io/pod-name'], 'web-1');
    assert.equal(pod?.metadata.labels?.['apps.kubernetes.io/pod-index'], '1');
    assert.deepEqual([specOf(pod).hostname, specOf(pod).subdomain], ['web-1', 'svc']);
    assert.equal(statusOf(w)?.currentRevision, statusOf(w)?.updateRevision);
  });
  it('in parallel makes them at once', () => {
    const w = new World([statefulset], [sts(3, { podManagementPolicy: 'Parallel' })]);
    w.round();
    assert.deepEqual(w.names('pods'), ['web-0', 'web-1', 'web-2']);
  });
  it('waits for one that is not ready', () => {
    const w = new World([statefulset], [sts(3)]);
    w.settle(() => kubelet(w, (p) => p.metadata.name === 'web-1'));
    assert.deepEqual(w.names('pods'), ['web-0', 'web-1']);
  });
  it('begins at the ordinal that it is told, and moves its range', () => {
    const w = start(2, { ordinals: { start: 5 } });
    assert.deepEqual(w.names('pods'), ['web-5', 'web-6']);
    set(w, { ordinals: { start: 0 } });
    w.settle(() => kubelet(w));
    assert.deepEqual(w.names('pods'), ['web-0', 'web-1']);
  });
  it('shrinks from the end, one after another', () => {
    const w = start(4);
    const gone: string[] = [];
    let last = w.names('pods');
    w.watch = () => {
      const now = w.names('pods');
      gone.push(...last.filter((n) => !now.includes(n)));
      last = now;
      assert.ok(w.list('pods').filter((p) => !isLive(p)).length <= 1);
    };
    set(w, { replicas: 1 });
    w.settle(() => kubelet(w));
    assert.deepEqual(gone, ['web-3', 'web-2', 'web-1']);
    assert.equal(statusOf(w)?.replicas, 1);
  });
  for (const policy of ['OrderedReady', 'Parallel'])
    for (const max of [1, 2, '50%'] as const)
      it(`${policy}: is replaced from the end, with ${max} unavailable`, () => {
        const w = start(4, {
          podManagementPolicy: policy,
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0, maxUnavailable: max } },
        });
        let least = 4;
        w.watch = () => {
          least = Math.min(least, w.list('pods').filter((p) => isLive(p) && isReady(p)).length);
        };
        revise(w, STS, 'v2');
        w.settle(() => kubelet(w));
        assert.deepEqual(images(w), Array(4).fill('v2'));
        assert.equal(least, 4 - (max === 1 ? 1 : 2));
        const s = statusOf(w);
        assert.deepEqual([s?.currentRevision, s?.currentReplicas, s?.updatedReplicas], [s?.updateRevision, 4, 4]);
      });
  it('leaves pods below the partition as they are, also when they come anew', () => {
    const w = start(4);
    set(w, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } });
    revise(w, STS, 'v2');
    w.settle(() => kubelet(w));
    w.remove('pods/default/web-0');
    w.settle(() => kubelet(w));
    assert.deepEqual(w.list('pods').map(image), ['v1', 'v1', 'v2', 'v2']);
    const s = statusOf(w);
    assert.deepEqual([s?.currentReplicas, s?.updatedReplicas], [2, 2]);
    assert.notEqual(s?.currentRevision, s?.updateRevision);
  });
  it('on deletion alone replaces what somebody deleted', () => {
    const w = start(2, { updateStrategy: { type: 'OnDelete' } });
    revise(w, STS, 'v2');
    w.settle(() => kubelet(w));
    assert.deepEqual(w.list('pods').map(image), ['v1', 'v1']);
    w.remove('pods/default/web-0');
    w.settle(() => kubelet(w));
    assert.deepEqual(w.list('pods').map(image), ['v2', 'v1']);
  });
  it('goes back to an old template by its revision, and keeps its history to its limit', () => {
    const w = start(1);
    for (const v of ['v2', 'v3', 'v4', 'v5']) {
      revise(w, STS, v);
      w.settle(() => kubelet(w));
    }
    assert.equal(w.names('controllerrevisions.apps').length, 3);
    revise(w, STS, 'v4');
    w.settle(() => kubelet(w));
    assert.deepEqual(
      w
        .list('controllerrevisions.apps')
        .map((r) => r.revision as number)
        .sort(),
      [3, 5, 6],
    );
    assert.deepEqual(w.list('pods').map(image), ['v4']);
  });
  it('takes the place of a pod that ended once it is gone', () => {
    const w = start(2);
    const old = w.get('pods/default/web-1');
    w.put({ ...(old as Given), status: { phase: 'Failed' } });
    w.settle(() => kubelet(w));
    assert.notEqual(w.get('pods/default/web-1')?.metadata.uid, old?.metadata.uid);
    assert.ok(isReady(w.get('pods/default/web-1') as Given));
  });
  it('makes a claim for each pod, and keeps it', () => {
    const claims = [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }];
    const w = start(2, { volumeClaimTemplates: claims as never });
    assert.deepEqual(w.names('persistentvolumeclaims'), ['data-web-0', 'data-web-1']);
    assert.deepEqual(w.get('persistentvolumeclaims/default/data-web-0')?.metadata.labels, { app: 'foo' });
    assert.deepEqual(specOf(w.get('pods/default/web-0')).volumes, [
      { name: 'data', persistentVolumeClaim: { claimName: 'data-web-0' } },
    ]);
    set(w, { replicas: 0 });
    w.settle(() => kubelet(w));
    assert.deepEqual(
      w.list('persistentvolumeclaims').map((c) => c.metadata.ownerReferences ?? []),
      [[], []],
    );
  });
  it('with a retention policy lets claims go with their pods and with itself', () => {
    const w = start(2, {
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] as never,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' },
    });
    const owners = () =>
      w.list('persistentvolumeclaims').map((c) => (c.metadata.ownerReferences ?? []).map((r) => `${r.kind} ${r.name}`));
    assert.deepEqual(owners(), [['StatefulSet web'], ['StatefulSet web']]);
    set(w, { replicas: 1 });
    w.round();
    assert.deepEqual(owners(), [['StatefulSet web'], ['Pod web-1']]);
  });
  it('tells of what it makes and deletes in its own words', () => {
    const w = start(1);
    set(w, { replicas: 0 });
    w.settle(() => kubelet(w));
    assert.deepEqual(w.told, [
      'SuccessfulCreate: Create Pod web-0 in StatefulSet web successful',
      'SuccessfulDelete: Delete Pod web-0 in StatefulSet web successful',
    ]);
  });
});
