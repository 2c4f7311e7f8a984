import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { daemonset } from './daemonset.ts';
import { template } from './testing/deployments.ts';
import { image, images, isLive, isReady, revise } from './testing/rollouts.ts';
import type { Given } from './testing/view.ts';
import { kubelet, World } from './testing/world.ts';

// Whole rollouts: the controller and nodes take turns until all is done, and between any two writes what must never be doesn't come to be.

const node = (name: string, more: { labels?: Record<string, string>; taints?: JsonObject[] } = {}): Given =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: more.labels ?? {} },
    spec: { taints: more.taints ?? [] },
  }) as unknown as Given;
const nodesOf = (n: number) => Array.from({ length: n }, (_, i) => node(`n${i}`));
const where = (p: Given) => (p.spec as { nodeName?: string }).nodeName ?? '';

describe('a DaemonSet', () => {
  const DS = 'daemonsets.apps/default/ds';
  const ds = (o: { rolling?: JsonObject; spec?: JsonObject } = {}): Given =>
    ({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'ds', namespace: 'default', uid: 'ds' },
      spec: {
        selector: { matchLabels: { app: 'foo' } },
        template: template('v1'),
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: o.rolling ?? { maxUnavailable: 1, maxSurge: 0 } },
        revisionHistoryLimit: 2,
        ...o.spec,
      },
    }) as unknown as Given;
  const start = (n: number, o: Parameters<typeof ds>[0] = {}) => {
    const w = new World([daemonset], [ds(o), ...nodesOf(n)]);
    w.settle(() => kubelet(w));
    return w;
  };
  const statusOf = (w: World) => w.get(DS)?.status as Record<string, number> | undefined;

  it('has one pod on each node, which the scheduler must put there', () => {
    const w = start(3);
    assert.deepEqual(w.list('pods').map(where).sort(), ['n0', 'n1', 'n2']);
    assert.deepEqual(statusOf(w), {
      currentNumberScheduled: 3,
      numberMisscheduled: 0,
      desiredNumberScheduled: 3,
      numberReady: 3,
      observedGeneration: 1,
      updatedNumberScheduled: 3,
      numberAvailable: 3,
    });
  });
  for (const unavailable of [1, 2, '50%'] as const)
    it(`is replaced with ${unavailable} unavailable, and never more`, () => {
      const w = start(5, { rolling: { maxUnavailable: unavailable, maxSurge: 0 } });
      let least = 5;
      w.watch = () => {
        least = Math.min(least, w.list('pods').filter((p) => isLive(p) && isReady(p)).length);
        assert.ok(w.list('pods').filter(isLive).length <= 5);
      };
      revise(w, DS, 'v2');
      w.settle(() => kubelet(w));
      assert.deepEqual(images(w), Array(5).fill('v2'));
      const allowed = unavailable === '50%' ? 3 : unavailable;
      assert.ok(least >= 5 - allowed, `only ${least} worked`);
      assert.equal(statusOf(w)?.updatedNumberScheduled, 5);
    });
  it('with a surge has no node without a pod that works', () => {
    const w = start(4, { rolling: { maxUnavailable: 0, maxSurge: 2 } });
    let most = 0;
    w.watch = () => {
      const live = w.list('pods').filter(isLive);
      most = Math.max(most, live.length);
      assert.equal(new Set(live.filter(isReady).map(where)).size, 4);
    };
    revise(w, DS, 'v2');
    w.settle(() => kubelet(w));
    assert.deepEqual(images(w), Array(4).fill('v2'));
    assert.equal(most, 6);
  });
  it('stops at what may be unavailable where the new version does not work', () => {
    const w = start(4, { rolling: { maxUnavailable: 2, maxSurge: 0 } });
    revise(w, DS, 'broken');
    w.settle(() => kubelet(w, (p) => image(p) === 'broken'));
    assert.equal(w.list('pods').filter(isReady).length, 2);
  });
  it('on deletion alone replaces what somebody deleted', () => {
    const w = start(2, { spec: { updateStrategy: { type: 'OnDelete' } } });
    revise(w, DS, 'v2');
    w.settle(() => kubelet(w));
    assert.deepEqual(images(w), ['v1', 'v1']);
    w.remove(`pods/default/${w.names('pods')[0]}`);
    w.settle(() => kubelet(w));
    assert.deepEqual(images(w), ['v1', 'v2']);
  });
  it('comes to nodes that come, and goes where it is not meant any more', () => {
    const w = start(2);
    w.put(node('n9'));
    w.put(node('n0', { taints: [{ key: 'k', effect: 'NoExecute' }] }));
    w.put(node('n1', { taints: [{ key: 'k', effect: 'NoSchedule' }] }));
    w.settle(() => kubelet(w));
    assert.deepEqual(w.list('pods').map(where).sort(), ['n1', 'n9']);
    assert.equal(statusOf(w)?.numberMisscheduled, 1);
  });
  it('keeps its history to its limit, and knows an old template again', () => {
    const w = start(1);
    for (const v of ['v2', 'v3', 'v4', 'v5']) {
      revise(w, DS, v);
      w.settle(() => kubelet(w));
    }
    assert.equal(w.names('controllerrevisions.apps').length, 3);
    revise(w, DS, 'v4');
    w.settle(() => kubelet(w));
    const numbers = w.list('controllerrevisions.apps').map((r) => r.revision as number);
    assert.deepEqual(numbers.sort(), [3, 5, 6]);
  });
  it('replaces a pod that failed at once, then after longer and longer', () => {
    const w = start(1);
    const gaps: number[] = [];
    let since = w.now;
    for (let n = 0; n < 4; n++) {
      const [p] = w.list('pods') as [Given];
      w.put({ ...p, status: { phase: 'Failed' } });
      while (w.list('pods').some((x) => x.metadata.uid === p.metadata.uid)) {
        w.settle(() => kubelet(w));
        if (!w.list('pods').some((x) => x.metadata.uid === p.metadata.uid)) break;
        w.now += w.plan(daemonset, DS).again ?? Number.NaN;
      }
      gaps.push(w.now - since);
      since = w.now;
    }
    assert.deepEqual(gaps, [0, 1_000, 2_000, 4_000]);
    assert.equal(w.told.filter((t) => t.startsWith('FailedDaemonPod: Found failed daemon pod default/ds-')).length, 4);
  });
});
