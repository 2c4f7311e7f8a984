import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { nodeObject as node, podObject as pod } from './testing/objects.ts';
import { World } from './testing/world.ts';

const SECOND = 1000;
const KEY = 'pods/default/p';
const term = (key: string, labels: Record<string, string>) => ({
  requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: key, labelSelector: { matchLabels: labels } }],
});
const red = { color: 'red' };
const spread = [
  { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: red } },
];

/** A world in which `p` has been rejected, after its rest. */
function rejected(p: Parameters<typeof pod>[1], ...objects: ReturnType<typeof node>[]): World {
  const w = new World();
  for (const o of objects) w.put(o);
  w.put(pod('p', p));
  w.run();
  assert.equal(w.nodeOf('p'), undefined, 'it fits nowhere at first');
  w.pass(60 * SECOND);
  return w;
}
const setNode = (w: World, name: string, o: Parameters<typeof node>[1]) => w.put(node(name, o));

describe('a pod that was rejected is tried again when', () => {
  const big = { requests: { cpu: '3' } };
  const busy = pod('x', { nodeName: 'n', requests: { cpu: '3' } });
  const blue = pod('blue', { nodeName: 'n', labels: { color: 'blue' } });
  const table: { what: string; w: () => World; act: (w: World) => void; is: boolean }[] = [
    { what: 'the first node comes', w: () => rejected({}), act: (w) => setNode(w, 'n', {}), is: true },
    {
      what: 'a pod leaves its node',
      w: () => rejected(big, node('n'), busy),
      act: (w) => w.remove('pods/default/x'),
      is: true,
    },
    {
      what: 'a pod ends on its node',
      w: () => rejected(big, node('n'), busy),
      act: (w) => w.edit('pods/default/x', (o) => Object.assign(o, { status: { phase: 'Succeeded' } })),
      is: true,
    },
    {
      what: 'not when it runs on',
      w: () => rejected(big, node('n'), busy),
      act: (w) => w.edit('pods/default/x', (o) => Object.assign(o, { status: { phase: 'Running' } })),
      is: false,
    },
    {
      what: 'a pod asks for less',
      w: () => rejected(big, node('n'), busy),
      act: (w) => w.put(pod('x', { nodeName: 'n', requests: { cpu: '500m' } })),
      is: true,
    },
    {
      what: 'a node comes with room',
      w: () => rejected(big, node('n'), busy),
      act: (w) => setNode(w, 'm', {}),
      is: true,
    },
    {
      what: 'not when it is too small',
      w: () => rejected(big, node('n'), busy),
      act: (w) => setNode(w, 'm', { allocatable: { cpu: '2' } }),
      is: false,
    },
    {
      what: 'a node grows',
      w: () => rejected(big, node('n'), busy),
      act: (w) => setNode(w, 'n', { allocatable: { cpu: '8' } }),
      is: true,
    },
    {
      what: 'not when a node gets a label that nobody asked for',
      w: () => rejected(big, node('n'), busy),
      act: (w) => setNode(w, 'n', { labels: { a: 'b' } }),
      is: false,
    },
    {
      what: 'a node gets the label that it wants',
      w: () => rejected({ nodeSelector: { disk: 'ssd' } }, node('n')),
      act: (w) => setNode(w, 'n', { labels: { disk: 'ssd' } }),
      is: true,
    },
    {
      what: 'not when a pod leaves a node that it does not want',
      w: () => rejected({ nodeSelector: { disk: 'ssd' } }, node('n'), busy),
      act: (w) => w.remove('pods/default/x'),
      is: false,
    },
    {
      what: 'a taint goes',
      w: () => rejected({}, node('n', { taints: [{ key: 'k', effect: 'NoSchedule' }] })),
      act: (w) => setNode(w, 'n', {}),
      is: true,
    },
    {
      what: 'not when another taint comes',
      w: () => rejected({}, node('n', { taints: [{ key: 'k', effect: 'NoSchedule' }] })),
      act: (w) =>
        setNode(w, 'n', {
          taints: [
            { key: 'k', effect: 'NoSchedule' },
            { key: 'l', effect: 'NoSchedule' },
          ],
        }),
      is: false,
    },
    {
      what: 'a node is no longer cordoned',
      w: () => rejected({}, node('n', { unschedulable: true })),
      act: (w) => setNode(w, 'n', {}),
      is: true,
    },
    {
      what: 'its port is free',
      w: () => rejected({ ports: [80] }, node('n'), pod('x', { nodeName: 'n', ports: [80] })),
      act: (w) => w.remove('pods/default/x'),
      is: true,
    },
    {
      what: 'not when another is',
      w: () =>
        rejected(
          { ports: [80] },
          node('n'),
          pod('x', { nodeName: 'n', ports: [80] }),
          pod('y', { nodeName: 'n', ports: [81] }),
        ),
      act: (w) => w.remove('pods/default/y'),
      is: false,
    },
    {
      what: 'company comes that it wants',
      w: () => rejected({ affinity: { podAffinity: term('zone', red) } }, node('n', { labels: { zone: 'a' } })),
      act: (w) => w.put(pod('c', { nodeName: 'n', labels: red })),
      is: true,
    },
    {
      what: 'not when other company comes',
      w: () => rejected({ affinity: { podAffinity: term('zone', red) } }, node('n', { labels: { zone: 'a' } })),
      act: (w) => w.put(pod('c', { nodeName: 'n', labels: { color: 'blue' } })),
      is: false,
    },
    {
      what: 'a pod becomes the company that it wants',
      w: () => rejected({ affinity: { podAffinity: term('zone', red) } }, node('n', { labels: { zone: 'a' } }), blue),
      act: (w) => w.put(pod('blue', { nodeName: 'n', labels: red })),
      is: true,
    },
    {
      what: 'company goes that it does not want',
      w: () =>
        rejected(
          { affinity: { podAntiAffinity: term('zone', red) } },
          node('n', { labels: { zone: 'a' } }),
          pod('r', { nodeName: 'n', labels: red }),
        ),
      act: (w) => w.remove('pods/default/r'),
      is: true,
    },
    {
      what: 'a pod goes that did not want it',
      w: () =>
        rejected(
          { labels: red },
          node('n', { labels: { zone: 'a' } }),
          pod('r', { nodeName: 'n', affinity: { podAntiAffinity: term('zone', red) } }),
        ),
      act: (w) => w.remove('pods/default/r'),
      is: true,
    },
    {
      what: 'a pod goes of which there are too many',
      w: () =>
        rejected(
          { labels: red, topologySpreadConstraints: spread },
          node('n', { labels: { zone: 'a' } }),
          node('m', { labels: { zone: 'b' }, taints: [{ key: 'k', effect: 'NoSchedule' }] }),
          pod('r', { nodeName: 'n', labels: red }),
          pod('s', { nodeName: 'n', labels: red }),
          pod('t', { nodeName: 'm', labels: red }),
        ),
      act: (w) => w.remove('pods/default/s'),
      is: true,
    },
  ];
  for (const { what, w, act, is } of table)
    it(what, () => {
      const made = w();
      act(made);
      assert.equal((made.nextDue() ?? Number.POSITIVE_INFINITY) <= made.now, is);
      made.run();
    });
});

describe('a pod that was rejected', () => {
  const full = () =>
    rejected({ requests: { cpu: '3' } }, node('n'), pod('x', { nodeName: 'n', requests: { cpu: '3' } }));

  it('is left alone until something happens, but for five minutes', () => {
    const w = full();
    const tried = w.tried;
    assert.equal(w.nextDue(), w.now + 4 * 60 * SECOND);
    w.pass(239 * SECOND);
    assert.equal(w.tried, tried);
    w.objects.delete('pods/default/x');
  });
  it('fits after five minutes though nobody said so', () => {
    const w = rejected({ ports: [80] }, node('n', { taints: [{ key: 'k', effect: 'NoSchedule' }] }));
    w.edit(KEY, (o) => Object.assign(o.metadata, { annotations: { a: 'b' } }));
    w.run();
    assert.ok((w.nextDue() ?? 0) > w.now, 'what means nothing changes nothing');
    w.pass(5 * 60 * SECOND);
    assert.equal(w.nextDue(), w.now + 5 * 60 * SECOND, 'it was looked at anew');
  });
  it('is tried at once when its own tolerations allow more', () => {
    const w = rejected({}, node('n', { taints: [{ key: 'k', effect: 'NoSchedule' }] }));
    w.edit(KEY, (o) => Object.assign(o.spec as JsonObject, { tolerations: [{ operator: 'Exists' }] }));
    w.run();
    assert.equal(w.nodeOf('p'), 'n');
  });
  it('is told the same once, and something else at once', () => {
    const w = full();
    const told = w.told('p');
    w.put(node('m', { allocatable: { cpu: '1' } }));
    w.put(pod('y', { nodeName: 'n' }));
    w.remove('pods/default/y');
    w.run();
    assert.notEqual(w.told('p'), told);
    assert.deepEqual(
      w.events.filter((e) => e.startsWith('FailedScheduling')),
      ['FailedScheduling p', 'FailedScheduling p'],
    );
  });
  it('is planned for anew where the write was refused', () => {
    const w = new World();
    w.put(pod('p'));
    w.round(() => true);
    assert.equal(w.told('p'), '');
    w.pass(SECOND);
    assert.equal(w.told('p'), 'no nodes available to schedule pods');
  });
});

describe('pods that have been rejected rest while others are at work', () => {
  const many = Array.from({ length: 100 }, (_, i) => pod(`p${i}`, { requests: { cpu: '9' } }));
  it('one second, then two, and never more than ten', () => {
    const w = new World();
    w.put(node('n'));
    w.put(pod('x', { nodeName: 'n' }));
    for (const p of many) w.put(p);
    const rests: number[] = [];
    w.run();
    for (let i = 0; i < 6; i++) {
      w.put(node('n', { allocatable: { cpu: `${10 + i}`, pods: '1' } }));
      w.round();
      rests.push(((w.nextDue() ?? 0) - w.now) / SECOND);
      w.pass((w.nextDue() ?? 0) - w.now);
    }
    assert.deepEqual(rests, [1, 2, 4, 8, 10, 10]);
  });
  it('few of them do not, where there is nothing else to do', () => {
    const w = new World();
    w.put(node('n', { allocatable: { cpu: '1' } }));
    w.put(many[0] as (typeof many)[number]);
    w.run();
    w.put(node('n', { allocatable: { cpu: '10' } }));
    w.run();
    assert.equal(w.nodeOf('p0'), 'n');
  });
});

describe('of many pods', () => {
  it('the more important go first, however many come', () => {
    const w = new World();
    w.put(node('n', { allocatable: { cpu: '100', pods: '10' } }));
    for (let i = 0; i < 300; i++) w.put(pod(`p${i}`, { priority: i, preemptionPolicy: 'Never' }));
    w.run();
    const bound = Array.from({ length: 300 }, (_, i) => i).filter((i) => w.nodeOf(`p${i}`) === 'n');
    assert.deepEqual(bound, [290, 291, 292, 293, 294, 295, 296, 297, 298, 299]);
  });
  it('a plan is of a part of them', () => {
    const w = new World();
    w.put(node('n', { allocatable: { pods: '1000' } }));
    for (let i = 0; i < 100; i++) w.put(pod(`p${i}`));
    w.round();
    assert.equal([...w.objects.values()].filter((o) => o.spec?.nodeName).length, 64);
  });
  it('those with gates are left alone until the last is open', () => {
    const w = new World();
    w.put(node('n'));
    w.put(pod('p', { schedulingGates: [{ name: 'a' }, { name: 'b' }] }));
    w.run();
    assert.equal(w.nextDue(), undefined);
    w.edit(KEY, (o) => Object.assign(o.spec as JsonObject, { schedulingGates: [{ name: 'b' }] }));
    w.run();
    assert.equal(w.nodeOf('p'), undefined);
    w.edit(KEY, (o) => delete o.spec?.schedulingGates);
    w.run();
    assert.equal(w.nodeOf('p'), 'n');
  });
});

describe('a pod with a claim', () => {
  const CLAIM = 'persistentvolumeclaims/default/c';
  const claim = (spec: JsonObject = {}, annotations: Record<string, string> = {}) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'c', namespace: 'default', uid: 'uid-c', annotations },
    spec: { storageClassName: 'late', resources: { requests: { storage: '1Gi' } }, ...spec },
  });
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }];
  const late = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClasses',
    metadata: { name: 'late' },
    provisioner: 'csi.example.com',
    volumeBindingMode: 'WaitForFirstConsumer',
  };
  const BOUND = { 'pv.kubernetes.io/bind-completed': 'yes' };

  it('waits until the claim is there', () => {
    const w = rejected({ volumes }, node('n'));
    assert.match(w.told('p'), /^0\/1 nodes are available: persistentvolumeclaim "c" not found\. preemption: /);
    w.put({ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'v' }, spec: {} });
    w.put(claim({ volumeName: 'v' }, BOUND));
    w.run();
    assert.equal(w.nodeOf('p'), 'n');
  });
  it('says where it wants its volume, keeps room there, and is bound when the volume is there', () => {
    const w = new World();
    for (const o of [node('n', { allocatable: { pods: '1' } }), late, claim()]) w.put(o);
    w.put(pod('p', { volumes, priority: 5 }));
    w.run();
    assert.equal(w.nodeOf('p'), undefined);
    assert.equal(w.objects.get(CLAIM)?.metadata.annotations?.['volume.kubernetes.io/selected-node'], 'n');
    assert.equal(w.objects.get(KEY)?.status?.nominatedNodeName, 'n');
    assert.deepEqual(w.events, []);
    w.put(pod('q'));
    w.pass(SECOND);
    assert.equal(w.nodeOf('q'), undefined, 'the room is kept');
    w.put({ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'v' }, spec: {} });
    w.put(claim({ volumeName: 'v' }, BOUND));
    w.run();
    assert.equal(w.nodeOf('p'), 'n');
  });
});
