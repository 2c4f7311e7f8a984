import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { daemonset } from './daemonset.ts';
import { deployment } from './deployment.ts';
import { replicaset } from './replicaset.ts';
import { statefulset } from './statefulset.ts';
import { foo, template } from './testing/deployments.ts';
import { images, isLive, isReady, revise } from './testing/rollouts.ts';
import type { Given } from './testing/view.ts';
import { kubelet, World } from './testing/world.ts';

// Rollouts in which every third write is refused, so that plans end anywhere, and a node plays only now and then. Seeds are in the tests' names.

const SEEDS = Array.from({ length: 15 }, (_, i) => i + 1);
/** How long everything goes wrong before it goes well. */
const ROUNDS = 60;

/** Numbers from 0 to 1 (a linear congruential generator). */
function numbers(seed: number): () => number {
  let n = seed;
  return () => {
    n = (Math.imul(n, 1664525) + 1013904223) >>> 0;
    return n / 2 ** 32;
  };
}
/** Rolls out two versions among faults, then one without; `holds` looks at every state in between. */
function roll(w: World, key: string, seed: number, holds: () => void): void {
  const random = numbers(seed);
  w.settle(() => kubelet(w));
  w.watch = holds;
  for (const version of ['v2', 'v3']) {
    revise(w, key, version);
    w.refuse = () => (random() < 1 / 3 ? 'not now' : undefined);
    for (let i = 0; i < ROUNDS; i++) {
      w.round();
      if (random() < 1 / 2) kubelet(w);
    }
  }
  revise(w, key, 'v4');
  w.refuse = () => undefined;
  w.settle(() => kubelet(w));
}
const working = (w: World) => w.list('pods').filter((p) => isLive(p) && isReady(p)).length;
const asked = (w: World) =>
  w.list('replicasets.apps').reduce((n, s) => n + (s.spec as { replicas: number }).replicas, 0);
const live = (w: World) => w.list('pods').filter(isLive).length;

describe('whatever is refused on the way', () => {
  for (const seed of SEEDS)
    it(`a Deployment keeps to its surge and to what may be unavailable (seed ${seed})`, () => {
      const w = new World(
        [deployment, replicaset],
        [foo({ replicas: 5, surge: 2, unavailable: 1, spec: { progressDeadlineSeconds: 600 } })],
      );
      roll(w, 'deployments.apps/default/foo', seed, () => {
        // Pods that a smaller ReplicaSet hasn't deleted yet aren't counted: upstream doesn't either.
        assert.ok(asked(w) <= 7, `${asked(w)} pods are asked for`);
        assert.ok(working(w) >= 4, `${working(w)} work`);
      });
      assert.deepEqual(images(w), Array(5).fill('v4'));
      assert.equal(new Set(w.names('replicasets.apps')).size, 4);
    });

  const node = (_: unknown, i: number): Given =>
    ({ apiVersion: 'v1', kind: 'Node', metadata: { name: `n${i}` }, spec: {} }) as Given;
  const set = (kind: string, spec: JsonObject): Given =>
    ({
      apiVersion: 'apps/v1',
      kind,
      metadata: { name: 'set', namespace: 'default', uid: 'set' },
      spec: { selector: { matchLabels: { app: 'foo' } }, template: template('v1'), revisionHistoryLimit: 10, ...spec },
    }) as unknown as Given;

  for (const seed of SEEDS)
    it(`a DaemonSet has one pod on each node, and few without (seed ${seed})`, () => {
      const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 2, maxSurge: 0 } };
      const w = new World([daemonset], [set('DaemonSet', { updateStrategy }), ...Array.from({ length: 5 }, node)]);
      roll(w, 'daemonsets.apps/default/set', seed, () => {
        assert.ok(live(w) <= 5, `${live(w)} pods`);
        assert.ok(working(w) >= 3, `${working(w)} work`);
      });
      assert.deepEqual(images(w), Array(5).fill('v4'));
    });

  for (const policy of ['OrderedReady', 'Parallel'])
    for (const seed of SEEDS)
      it(`a StatefulSet, ${policy}, has each name once, and few are away (seed ${seed})`, () => {
        const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 0, maxUnavailable: 2 } };
        const w = new World(
          [statefulset],
          [set('StatefulSet', { replicas: 5, podManagementPolicy: policy, updateStrategy })],
        );
        roll(w, 'statefulsets.apps/default/set', seed, () => assert.ok(working(w) >= 3, `${working(w)} work`));
        assert.deepEqual(
          w.names('pods'),
          [0, 1, 2, 3, 4].map((i) => `set-${i}`),
        );
        assert.deepEqual(images(w), Array(5).fill('v4'));
      });
});
