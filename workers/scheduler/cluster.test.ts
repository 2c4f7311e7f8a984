import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { LabelRequirement } from '../../kube/meta/selectors.ts';
import type { View } from '../../kube/reconcile/controller.ts';
import { MemoryProjection } from '../../kube/reconcile/projection.ts';
import type { Key } from '../../kube/store/store.ts';
import { clusterOf } from './cluster.ts';
import { plugins } from './plugins/index.ts';
import { podInfo } from './podinfo.ts';
import { nodeRow, pod as podOf, rowOf } from './testing/pods.ts';

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
  const put = (row: Parameters<typeof rows.put>[0]) => {
    rows.put(row);
    moved?.add(row.key);
  };
  return {
    view,
    listed: () => listed,
    node: (name: string, o: Parameters<typeof nodeRow>[1] = {}) => put(nodeRow(name, o)),
    pod: (name: string, o: Parameters<typeof podOf>[1] = {}, status: JsonObject = {}) =>
      put(rowOf(`pods/default/${name}`, { ...podOf(name, o), status } as unknown as JsonObject, o.labels)),
    remove(key: Key) {
      rows.remove(key);
      moved?.add(key);
    },
    /** From now on it is told what moves. */
    follow() {
      clusterOf(view, plugins);
      moved = new Set();
    },
    cluster: () => clusterOf(view, plugins),
    /** As one that was never told anything sees it. */
    anew: () => clusterOf({ ...view, memory: new Map(), moved: () => undefined } as View, plugins),
  };
}
type World = ReturnType<typeof world>;
type Cluster = ReturnType<World['cluster']>;
const RED: LabelRequirement[] = [{ key: 'color', op: 'In', values: ['red'] }];
/** The same without a label to go by. */
const some = (c: Cluster) => c.matching({ id: 'some', test: (p) => p.labels.color !== undefined });
const red = (c: Cluster) => c.matching({ id: 'red', selector: RED, test: (p) => p.labels.color === 'red' });
const shown = (c: Cluster) => ({
  nodes: c.nodes,
  waiting: [...c.waiting.keys()].sort(),
  promised: c.nodes.map((n) => c.nominated(n.name).map((p) => p.key)),
  terms: [...c.terms.all()].map((t) => [t.use, t.weight, t.term.id, [...t.values].sort()]).sort(),
  red: [[...red(c).by('zone')].sort(), c.nodes.map((n) => red(c).on(n))],
  some: c.nodes.map((n) => some(c).on(n)),
  images: c.imageNodes('image:1'),
});
const assertSame = (w: World) => assert.deepEqual(shown(w.cluster()), shown(w.anew()));

const zone = (value: string) => ({ labels: { zone: value } });
const alone = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: 'zone', labelSelector: { matchLabels: { color: 'red' } } },
    ],
  },
};

describe('the cluster in memory', () => {
  const requests = { cpu: '1' };
  const labels = { color: 'red' };
  const table: [what: string, act: (w: World) => unknown][] = [
    ['a pod that comes', (w) => w.pod('new', { requests })],
    ['a pod that is bound', (w) => w.pod('waits', { requests, nodeName: 'n' })],
    ['a pod that asks for more', (w) => w.pod('runs', { requests: { cpu: '3' }, nodeName: 'n' })],
    ['a pod that gets a label', (w) => w.pod('runs', { requests, nodeName: 'n', labels })],
    ['a pod that ends', (w) => w.pod('also', { requests, nodeName: 'n' }, { phase: 'Failed' })],
    ['a pod that goes', (w) => w.remove('pods/default/also')],
    ['a pod that goes while it waits', (w) => w.remove('pods/default/waits')],
    ['a pod that is promised a node', (w) => w.pod('waits', { requests }, { nominatedNodeName: 'n' })],
    ['a pod with terms that is bound', (w) => w.pod('waits', { requests, labels, affinity: alone, nodeName: 'm' })],
    ['a pod on a node that is not there yet', (w) => w.pod('early', { requests, labels, nodeName: 'later' })],
    [
      'a node that comes, with a pod on it',
      (w) => [w.pod('early', { requests, labels, nodeName: 'later' }), w.node('later', zone('a'))],
    ],
    ['a node that comes first by name', (w) => w.node('a')],
    ['a node that changes', (w) => w.node('n', { ...zone('a'), allocatable: { cpu: '64' } })],
    ['a node that moves', (w) => w.node('n', zone('z'))],
    ['a node that gets an image', (w) => w.node('n', { ...zone('a'), images: { 'image:1': 1 } })],
    ['a node that loses its labels', (w) => w.node('m')],
    ['a node that goes', (w) => w.remove('nodes/n')],
    ['a node that goes and comes back', (w) => [w.remove('nodes/n'), w.cluster(), w.node('n', zone('b'))]],
  ];
  for (const [what, act] of table)
    it(`is kept up with ${what}`, () => {
      const w = world();
      w.node('n', zone('a'));
      w.node('m', { ...zone('b'), images: { 'image:1': 5 } });
      w.pod('runs', { requests, nodeName: 'n' });
      w.pod('also', { requests, nodeName: 'n', ports: [80], labels, affinity: alone });
      w.pod('waits', { requests });
      w.follow();
      red(w.cluster());
      some(w.cluster());
      const before = w.listed();
      act(w);
      w.cluster();
      assert.equal(w.listed(), before, 'nothing is read that did not move');
      assertSame(w);
    });

  it('forgets what a round assumed', () => {
    const w = world();
    w.node('n', zone('a'));
    w.pod('x', { requests, labels, affinity: alone }, { nominatedNodeName: 'n' });
    w.follow();
    const c = w.cluster();
    const info = c.node('n');
    assert.ok(info);
    c.assume(podInfo(podOf('x', { requests, labels, affinity: alone })), info);
    assert.deepEqual([info.pods.size, c.terms.size, red(c).on(info), c.nominated('n').length], [1, 1, 1, 0]);
    assertSame(w);
  });
  it('looks at the nodes of each zone by turns', () => {
    const w = world();
    for (const [name, at] of Object.entries({ a: 'x', b: 'x', c: 'y', d: 'z', e: 'y', f: 'x' }))
      w.node(name, { labels: { 'topology.kubernetes.io/zone': at } });
    assert.deepEqual(
      w.cluster().nodes.map((n) => n.name),
      ['a', 'c', 'd', 'b', 'e', 'f'],
    );
  });
});
