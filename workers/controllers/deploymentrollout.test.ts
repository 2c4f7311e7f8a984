import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { deployment } from './deployment.ts';
import { replicaset } from './replicaset.ts';
import { foo, template } from './testing/deployments.ts';
import { image, images, isLive, isReady, respec, revise } from './testing/rollouts.ts';
import type { Given } from './testing/view.ts';
import { kubelet, World } from './testing/world.ts';

// Whole rollouts: the controller and nodes take turns until all is done, and between any two writes what must never be doesn't come to be.

const reason = (o: Given | undefined) =>
  ((o?.status as JsonObject | undefined)?.conditions as { type: string; reason: string }[] | undefined)?.find(
    (c) => c.type === 'Progressing',
  )?.reason;
const FOO = 'deployments.apps/default/foo';

describe('a Deployment', () => {
  const start = (surge: number | string, unavailable: number | string, replicas = 5, spec: JsonObject = {}) => {
    const w = new World(
      [deployment, replicaset],
      [foo({ replicas, surge, unavailable, spec: { progressDeadlineSeconds: 600, revisionHistoryLimit: 2, ...spec } })],
    );
    w.settle(() => kubelet(w));
    return w;
  };
  for (const [surge, unavailable] of [
    [1, 0],
    [0, 1],
    ['25%', '25%'],
    [2, 2],
    ['100%', 0],
    [0, '100%'],
  ] as const)
    it(`rolls out with surge ${surge} and ${unavailable} unavailable, and never beyond`, () => {
      const w = start(surge, unavailable);
      const part = (v: number | string, up: boolean) =>
        typeof v === 'number' ? v : (up ? Math.ceil : Math.floor)((Number.parseInt(v, 10) * 5) / 100);
      let most = 0;
      let least = 5;
      w.watch = () => {
        const live = w.list('pods').filter(isLive);
        most = Math.max(most, live.length);
        least = Math.min(least, live.filter(isReady).length);
      };
      revise(w, FOO, 'v2');
      w.settle(() => kubelet(w));
      assert.deepEqual(images(w), Array(5).fill('v2'));
      assert.ok(most <= 5 + part(surge, true), `${most} at once`);
      assert.ok(least >= 5 - part(unavailable, false), `only ${least} worked`);
      assert.equal(reason(w.get(FOO)), 'NewReplicaSetAvailable');
    });

  it('stays up while its new version does not work, says so after the deadline, and comes back', () => {
    const w = start(1, 1);
    revise(w, FOO, 'broken');
    const broken = (p: Given) => image(p) === 'broken';
    w.settle(() => kubelet(w, broken));
    assert.equal(w.list('pods').filter((p) => isReady(p)).length, 4);
    assert.equal(reason(w.get(FOO)), 'ReplicaSetUpdated');
    w.now += 601_000;
    w.settle(() => kubelet(w, broken));
    assert.equal(reason(w.get(FOO)), 'ProgressDeadlineExceeded');
    revise(w, FOO, 'v1');
    w.settle(() => kubelet(w, broken));
    assert.deepEqual(images(w), Array(5).fill('v1'));
    assert.equal(reason(w.get(FOO)), 'NewReplicaSetAvailable');
    assert.equal(w.names('replicasets.apps').length, 2, 'the first ReplicaSet is used again');
    const set = w.list('replicasets.apps').find((s) => (s.spec as { replicas: number }).replicas === 5);
    assert.equal(set?.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
    assert.equal(set?.metadata.annotations?.['deployment.kubernetes.io/revision-history'], '1');
    assert.equal(w.get(FOO)?.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
  });

  it('keeps as many old ReplicaSets as its history limit says', () => {
    const w = start(1, 0, 2);
    for (const v of ['v2', 'v3', 'v4', 'v5']) {
      revise(w, FOO, v);
      w.settle(() => kubelet(w));
    }
    assert.equal(w.names('replicasets.apps').length, 3);
  });

  it('replaced as a whole has no pod of the old version beside one of the new', () => {
    const w = start(0, 0, 3, { strategy: { type: 'Recreate' } });
    w.watch = () => assert.ok(new Set(w.list('pods').map(image)).size <= 1, images(w).join());
    revise(w, FOO, 'v2');
    w.settle(() => kubelet(w));
    assert.deepEqual(images(w), Array(3).fill('v2'));
  });

  it('that is paused rolls nothing out, is scaled, and goes on when it is resumed', () => {
    const w = start(1, 0, 2);
    const set = (more: JsonObject) => respec(w, FOO, more);
    set({ paused: true, template: template('v2') });
    w.settle(() => kubelet(w));
    set({ replicas: 4 });
    w.settle(() => kubelet(w));
    assert.deepEqual(images(w), Array(4).fill('v1'));
    assert.equal(reason(w.get(FOO)), 'DeploymentPaused');
    set({ paused: false });
    w.settle(() => kubelet(w));
    assert.deepEqual(images(w), Array(4).fill('v2'));
  });

  it('whose ReplicaSet is refused says why until it is not', () => {
    const w = new World([deployment, replicaset], [foo({ unavailable: 1, spec: { progressDeadlineSeconds: 600 } })]);
    w.refuse = (x) => (x.do === 'create' && x.object.kind === 'ReplicaSet' ? 'quota' : undefined);
    for (let i = 0; i < 5; i++) w.round();
    assert.equal(reason(w.get(FOO)), 'ReplicaSetCreateError');
    assert.match(w.told[0] ?? '', /^ReplicaSetCreateError: Failed to create new replica set "foo-.*": quota$/);
    w.refuse = () => undefined;
    w.settle(() => kubelet(w));
    assert.equal(reason(w.get(FOO)), 'NewReplicaSetAvailable');
  });

  it('tells of each change of size once', () => {
    const w = start(1, 0, 1);
    revise(w, FOO, 'v2');
    w.settle(() => kubelet(w));
    const [a, b] = w
      .list('replicasets.apps')
      .map((s) => [image({ ...s, spec: (s.spec as { template: Given }).template.spec } as Given), s.metadata.name])
      .sort() as [string, string][];
    assert.deepEqual(
      w.told.filter((t) => t.startsWith('ScalingReplicaSet')),
      [
        `ScalingReplicaSet: Scaled up replica set ${a?.[1]} from 0 to 1`,
        `ScalingReplicaSet: Scaled up replica set ${b?.[1]} from 0 to 1`,
        `ScalingReplicaSet: Scaled down replica set ${a?.[1]} from 1 to 0`,
      ],
    );
  });
});
