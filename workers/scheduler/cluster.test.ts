import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Row, View } from '../../kube/reconcile/controller.ts';
import { MemoryProjection } from '../../kube/reconcile/projection.ts';
import type { Key } from '../../kube/store/store.ts';
import { clusterOf } from './cluster.ts';
import { pod as podOf } from './testing/pods.ts';

/** Rows of which each View tells what moved, as a loop's projection does. */
function world() {
  const rows = new MemoryProjection();
  const memory = new Map<string, unknown>();
  let moved: Set<Key> | undefined;
  let listed = 0;
  const view = {
    now: 0,
    get: (key: Key) => rows.get(key),
    list(resource: string) {
      listed++;
      return rows.list(resource);
    },
    moved(resource: string) {
      const mine = moved && new Set([...moved].filter((key) => key.startsWith(`${resource}/`)));
      for (const key of mine ?? []) moved?.delete(key);
      return mine;
    },
    memory,
  } as unknown as View;
  const put = (key: Key, data: JsonObject, labels = {}): Row => {
    const row = { key, revision: 1, uid: key, labels, owner: '', data };
    rows.put(row);
    moved?.add(key);
    return row;
  };
  return {
    view,
    listed: () => listed,
    node: (name: string, cpu = '4', labels = {}) =>
      put(`nodes/${name}`, { spec: {}, status: { allocatable: { pods: '110', cpu, memory: '8Gi' } } }, labels),
    pod: (name: string, o: Parameters<typeof podOf>[1] = {}, status: JsonObject = {}) =>
      put(`pods/default/${name}`, { ...podOf(name, o), status } as unknown as JsonObject),
    remove(key: Key) {
      rows.remove(key);
      moved?.add(key);
    },
    /** From now on it is told what moves. */
    follow() {
      clusterOf(view);
      moved = new Set();
    },
    /** As one that was never told anything sees it. */
    anew: () => clusterOf({ ...view, memory: new Map(), moved: () => undefined } as View),
  };
}
type World = ReturnType<typeof world>;
const shown = (c: ReturnType<typeof clusterOf>) => ({ room: c.room().nodes, waiting: [...c.waiting].sort() });
const assertSame = (w: World) => assert.deepEqual(shown(clusterOf(w.view)), shown(w.anew()));

describe('the cluster in memory', () => {
  const requests = { cpu: '1' };
  const table: [what: string, act: (w: World) => unknown][] = [
    ['a pod that comes', (w) => w.pod('new', { requests })],
    ['a pod that is bound', (w) => w.pod('waits', { requests, nodeName: 'n' })],
    ['a pod that asks for more', (w) => w.pod('runs', { requests: { cpu: '3' }, nodeName: 'n' })],
    ['a pod that ends', (w) => w.pod('runs', { requests, nodeName: 'n' }, { phase: 'Failed' })],
    ['a pod that goes', (w) => w.remove('pods/default/runs')],
    ['a pod that goes while it waits', (w) => w.remove('pods/default/waits')],
    ['a pod on a node that is not there yet', (w) => w.pod('early', { requests, nodeName: 'later' })],
    ['a node that comes, with a pod on it', (w) => [w.pod('early', { requests, nodeName: 'later' }), w.node('later')]],
    ['a node that comes first by name', (w) => w.node('a')],
    ['a node that changes', (w) => w.node('n', '64')],
    ['a node that goes', (w) => w.remove('nodes/n')],
    ['a node that goes and comes back', (w) => [w.remove('nodes/n'), clusterOf(w.view), w.node('n')]],
  ];
  for (const [what, act] of table)
    it(`is kept up with ${what}`, () => {
      const w = world();
      for (const n of ['n', 'm']) w.node(n);
      w.pod('runs', { requests, nodeName: 'n' });
      w.pod('also', { requests, nodeName: 'n', ports: [80] });
      w.pod('waits', { requests });
      w.follow();
      const before = w.listed();
      act(w);
      clusterOf(w.view);
      assert.equal(w.listed(), before, 'nothing is read that did not move');
      assertSame(w);
    });

  it('forgets what a round assumed', () => {
    const w = world();
    w.node('n');
    w.follow();
    const { byName } = clusterOf(w.view).room();
    const info = byName.get('n');
    assert.ok(info);
    clusterOf(w.view).assume(info, podOf('x', { requests }));
    assert.equal(info.pods, 1, 'this round counts it');
    assertSame(w);
  });
});

describe('who may hope', () => {
  const keys = (names: string[]) => names.map((n) => `pods/default/${n}`);
  function hoping() {
    const w = world();
    w.pod('big', { requests: { cpu: '8' } });
    w.pod('picky', { nodeSelector: { disk: 'ssd' } });
    w.pod('new');
    const c = clusterOf(w.view);
    c.blame('pods/default/big', ['NodeResourcesFit']);
    c.blame('pods/default/picky', ['NodeAffinity']);
    return { w, c };
  }
  it('of a small node: who was never tried', () => {
    const { w, c } = hoping();
    assert.deepEqual(c.hopeful('node', w.view, w.node('n')), keys(['new']));
  });
  it('of a node with what a pod lacked: that pod', () => {
    const { w, c } = hoping();
    assert.deepEqual(c.hopeful('node', w.view, w.node('n', '16')), keys(['big', 'new']));
    assert.deepEqual(c.hopeful('node', w.view, w.node('m', '4', { disk: 'ssd' })).sort(), keys(['new', 'picky']));
  });
  it('of a pod that leaves: who lacked room, not who wants another node', () => {
    const { w, c } = hoping();
    assert.deepEqual(c.hopeful('pod-deleted', w.view), keys(['big', 'new']));
  });
  it('of anything: who found no nodes at all', () => {
    const { w, c } = hoping();
    c.blame('pods/default/big', []);
    assert.deepEqual(c.hopeful('node', w.view, w.node('n')), keys(['big', 'new']));
  });
});
