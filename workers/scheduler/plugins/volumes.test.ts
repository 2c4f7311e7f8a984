import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../../kube/meta/json.ts';
import type { NodeInfo, Pod } from '../framework.ts';
import { podInfo } from '../podinfo.ts';
import { filtered, node, pod, scores, snapshotOf } from '../testing/pods.ts';
import { volumebinding, volumeWrites } from './volumebinding.ts';
import { nodevolumelimits, volumerestrictions, volumezone } from './volumes.ts';

// Cases after volumebinding, volumezone, volumerestrictions and nodevolumelimits of upstream's plugins.

type Rows = Record<string, JsonObject>;
const BOUND = { 'pv.kubernetes.io/bind-completed': 'yes' };
const claim = (name: string, spec: JsonObject, more: { metadata?: JsonObject; phase?: string } = {}): Rows => ({
  [`persistentvolumeclaims/default/${name}`]: {
    metadata: { uid: `uid-${name}`, ...(spec.volumeName ? { annotations: BOUND } : {}), ...more.metadata },
    spec: { resources: { requests: { storage: '1Gi' } }, ...spec },
    status: { phase: more.phase ?? (spec.volumeName ? 'Bound' : 'Pending') },
  },
});
const volume = (name: string, spec: JsonObject = {}, phase = 'Available'): Rows => ({
  [`persistentvolumes/${name}`]: {
    metadata: {},
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], ...spec },
    status: { phase },
  },
});
const on = (...values: string[]) => ({
  nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'host', operator: 'In', values }] }] } },
});
const klass = (name: string, volumeBindingMode: string, more: JsonObject = {}): Rows => ({
  [`storageclasses.storage.k8s.io/${name}`]: { provisioner: 'csi.example.com', volumeBindingMode, ...more },
});
const mounting = (...claims: string[]): Pod =>
  pod('p', { volumes: claims.map((c) => ({ name: c, persistentVolumeClaim: { claimName: c } })) });
const host = (name: string) => node(name, { labels: { host: name } });

describe('VolumeBinding', () => {
  const late = klass('late', 'WaitForFirstConsumer');
  const early = klass('early', 'Immediate');
  const table: { what: string; pod?: Pod; rows: Rows; is?: string[] }[] = [
    { what: 'no claims', pod: pod('p'), rows: {} },
    { what: 'a claim that is not there', rows: {}, is: ['persistentvolumeclaim "c" not found'] },
    {
      what: 'a claim of its own that is not there yet',
      pod: pod('p', { volumes: [{ name: 'v', ephemeral: {} }] }),
      rows: {},
      is: ['waiting for ephemeral volume controller to create the persistentvolumeclaim "p-v"'],
    },
    {
      what: 'a claim of its own name that is not its own',
      pod: pod('p', { volumes: [{ name: 'v', ephemeral: {} }] }),
      rows: claim('p-v', {}),
      is: ['PVC default/p-v was not created for pod default/p (pod is not owner)'],
    },
    {
      what: 'a claim that goes',
      rows: claim('c', {}, { metadata: { deletionTimestamp: 'now' } }),
      is: ['persistentvolumeclaim "c" is being deleted'],
    },
    {
      what: 'a claim whose volume is lost',
      rows: claim('c', { volumeName: 'v' }, { phase: 'Lost' }),
      is: ['persistentvolumeclaim "c" bound to non-existent persistentvolume "v"'],
    },
    { what: 'a claim without a class', rows: claim('c', {}), is: ['pod has unbound immediate PersistentVolumeClaims'] },
    {
      what: 'a claim that is bound at once, and is not',
      rows: { ...claim('c', { storageClassName: 'early' }), ...early },
      is: ['pod has unbound immediate PersistentVolumeClaims'],
    },
    {
      what: 'a claim that names its volume, and is not bound',
      rows: {
        ...claim('c', { storageClassName: 'late', volumeName: 'v' }, { metadata: { annotations: {} } }),
        ...late,
        ...volume('v'),
      },
      is: ['pod has unbound immediate PersistentVolumeClaims'],
    },
    { what: 'a bound claim', rows: { ...claim('c', { volumeName: 'v' }), ...volume('v') } },
    {
      what: 'a bound claim whose volume is here',
      rows: { ...claim('c', { volumeName: 'v' }), ...volume('v', on('n')) },
    },
    {
      what: 'a bound claim whose volume is elsewhere',
      rows: { ...claim('c', { volumeName: 'v' }), ...volume('v', on('m')) },
      is: ["node(s) didn't match PersistentVolume's node affinity"],
    },
    {
      what: 'a bound claim whose volume is gone',
      rows: claim('c', { volumeName: 'v' }),
      is: ['node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'],
    },
    { what: 'a claim that waits, and its provisioner', rows: { ...claim('c', { storageClassName: 'late' }), ...late } },
    {
      what: 'a claim that waits, and nobody makes volumes',
      rows: {
        ...claim('c', { storageClassName: 'late' }),
        ...klass('late', 'WaitForFirstConsumer', { provisioner: 'kubernetes.io/no-provisioner' }),
      },
      is: ["node(s) didn't find available persistent volumes to bind"],
    },
    {
      what: 'a claim that waits, and a volume that suits it',
      rows: {
        ...claim('c', { storageClassName: 'late', accessModes: ['ReadWriteOnce'] }),
        ...klass('late', 'WaitForFirstConsumer', { provisioner: 'kubernetes.io/no-provisioner' }),
        ...volume('v', { storageClassName: 'late', ...on('n') }),
      },
    },
    {
      what: 'volumes that are too small, taken, elsewhere or of another mode',
      rows: {
        ...claim('c', { storageClassName: 'late', accessModes: ['ReadWriteOnce'] }),
        ...klass('late', 'WaitForFirstConsumer', { provisioner: 'kubernetes.io/no-provisioner' }),
        ...volume('a', { storageClassName: 'late', capacity: { storage: '1Mi' } }),
        ...volume('b', { storageClassName: 'late', claimRef: { namespace: 'default', name: 'x' } }),
        ...volume('c', { storageClassName: 'late', ...on('m') }),
        ...volume('d', { storageClassName: 'late', volumeMode: 'Block' }),
        ...volume('e', { storageClassName: 'late', accessModes: ['ReadOnlyMany'] }),
        ...volume('f', { storageClassName: 'other' }),
        ...volume('g', { storageClassName: 'late' }, 'Released'),
      },
      is: ["node(s) didn't find available persistent volumes to bind"],
    },
    {
      what: 'a claim that is being made elsewhere',
      rows: {
        ...claim(
          'c',
          { storageClassName: 'late' },
          { metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'm' } } },
        ),
        ...late,
      },
      is: ["node(s) didn't find available persistent volumes to bind"],
    },
    {
      what: 'a class that is had elsewhere',
      rows: {
        ...claim('c', { storageClassName: 'late' }),
        ...klass('late', 'WaitForFirstConsumer', {
          allowedTopologies: [{ matchLabelExpressions: [{ key: 'host', values: ['m'] }] }],
        }),
      },
      is: ["node(s) didn't find available persistent volumes to bind"],
    },
    {
      what: 'a driver that says how much room it has, and has too little',
      rows: {
        ...claim('c', { storageClassName: 'late' }),
        ...late,
        'csidrivers.storage.k8s.io/csi.example.com': { spec: { storageCapacity: true } },
        'csistoragecapacities.storage.k8s.io/default/x': {
          storageClassName: 'late',
          capacity: '1Mi',
          nodeTopology: {},
        },
      },
      is: ['node(s) did not have enough free storage'],
    },
    {
      what: 'a driver that says how much room it has, and has enough here',
      rows: {
        ...claim('c', { storageClassName: 'late' }),
        ...late,
        'csidrivers.storage.k8s.io/csi.example.com': { spec: { storageCapacity: true } },
        'csistoragecapacities.storage.k8s.io/default/x': {
          storageClassName: 'late',
          capacity: '1Ti',
          nodeTopology: { matchLabels: { host: 'n' } },
        },
      },
    },
  ];
  for (const { what, pod: p, rows, is } of table)
    it(what, () => {
      const r = filtered(volumebinding, p ?? mounting('c'), host('n'), undefined, { rows });
      assert.deepEqual(r?.reasons, is);
      if (is) assert.equal(r?.final, true);
    });

  const writesFor = (rows: Rows) => volumeWrites(podInfo(mounting('c')), host('n'), snapshotOf([host('n')], { rows }));
  it('a claim that waits is told for which node', () =>
    assert.deepEqual(writesFor({ ...claim('c', { storageClassName: 'late' }), ...late }), [
      {
        do: 'patch',
        key: 'persistentvolumeclaims/default/c',
        patch: { metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'n' } } },
      },
    ]));
  it('the smallest volume that suits is kept for it', () => {
    const rows = {
      ...claim('c', { storageClassName: 'late' }),
      ...late,
      ...volume('large', { storageClassName: 'late', capacity: { storage: '5Gi' } }),
      ...volume('small', { storageClassName: 'late', capacity: { storage: '2Gi' } }),
    };
    const [w] = writesFor(rows) ?? [];
    assert.ok(w?.do === 'patch');
    assert.equal(w.key, 'persistentvolumes/small');
    assert.deepEqual(w.patch, {
      metadata: { annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' } },
      spec: {
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'default', name: 'c', uid: 'uid-c' },
      },
    });
  });
  it('nothing where all are bound', () =>
    assert.equal(writesFor({ ...claim('c', { volumeName: 'v' }), ...volume('v') }), undefined));
  it('prefers where less of what there is would be taken', () => {
    const rows = {
      ...claim('c', { storageClassName: 'late' }),
      ...late,
      ...volume('a', { storageClassName: 'late', capacity: { storage: '2Gi' }, ...on('n') }),
      ...volume('b', { storageClassName: 'late', capacity: { storage: '4Gi' }, ...on('m') }),
    };
    assert.deepEqual(scores(volumebinding, mounting('c'), [host('n'), host('m')], { rows }), [50, 75]);
  });
});

describe('VolumeRestrictions', () => {
  const alone = claim('c', { accessModes: ['ReadWriteOncePod'] });
  const other = (namespace: string) =>
    pod('x', { namespace, volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] });
  const used = [
    'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
  ];
  const disk = (name: string, source: JsonObject) => pod(name, { volumes: [{ name: 'v', ...source }] });
  const rbd = (image: string, readOnly = false) => ({ rbd: { monitors: ['a', 'b'], pool: 'p', image, readOnly } });
  const taken = ['node(s) had no available disk'];
  const table: { what: string; pod: Pod; node: NodeInfo; rows?: Rows; is?: string[] }[] = [
    { what: 'a claim for one pod alone that nobody has', pod: mounting('c'), node: node('n'), rows: alone },
    {
      what: 'a claim for one pod alone that another has',
      pod: mounting('c'),
      node: node('n', { on: [other('default')] }),
      rows: alone,
      is: used,
    },
    { what: 'a claim of that name elsewhere', pod: mounting('c'), node: node('n', { on: [other('ns')] }), rows: alone },
    {
      what: 'a claim for many',
      pod: mounting('c'),
      node: node('n', { on: [other('default')] }),
      rows: claim('c', { accessModes: ['ReadWriteOnce'] }),
    },
    {
      what: 'a claim that is not there',
      pod: mounting('c'),
      node: node('n'),
      is: ['persistentvolumeclaim "c" not found'],
    },
    {
      what: 'a disk that another writes',
      pod: disk('p', rbd('i')),
      node: node('n', { on: [disk('x', rbd('i'))] }),
      is: taken,
    },
    {
      what: 'a disk that both read',
      pod: disk('p', rbd('i', true)),
      node: node('n', { on: [disk('x', rbd('i', true))] }),
    },
    { what: 'another disk', pod: disk('p', rbd('i')), node: node('n', { on: [disk('x', rbd('j'))] }) },
    {
      what: 'the same volume of EBS even to read',
      pod: disk('p', { awsElasticBlockStore: { volumeID: 'v', readOnly: true } }),
      node: node('n', { on: [disk('x', { awsElasticBlockStore: { volumeID: 'v', readOnly: true } })] }),
      is: taken,
    },
  ];
  for (const { what, pod: p, node: n, rows, is } of table)
    it(what, () => assert.deepEqual(filtered(volumerestrictions, p, n, undefined, { rows: rows ?? {} })?.reasons, is));
});

describe('NodeVolumeLimits', () => {
  const csi = (name: string, driver = 'csi.example.com') => ({
    ...claim(name, { volumeName: `v-${name}` }),
    ...volume(`v-${name}`, { csi: { driver, volumeHandle: name } }),
  });
  const limit = (count?: number): Rows => ({
    'csinodes.storage.k8s.io/n': {
      spec: { drivers: [{ name: 'csi.example.com', ...(count === undefined ? {} : { allocatable: { count } }) }] },
    },
  });
  const with2 = () =>
    node('n', { on: [{ ...mounting('a', 'b'), metadata: { name: 'x', namespace: 'default', uid: 'x' } }] });
  const all = { ...csi('a'), ...csi('b'), ...csi('c') };
  const full = ['node(s) exceed max volume count'];
  const table: { what: string; pod: Pod; rows: Rows; is?: string[] }[] = [
    { what: 'room for one more', pod: mounting('c'), rows: { ...all, ...limit(3) } },
    { what: 'room for no more', pod: mounting('c'), rows: { ...all, ...limit(2) }, is: full },
    { what: 'one that is there already', pod: mounting('b'), rows: { ...all, ...limit(2) } },
    { what: 'no limit', pod: mounting('c'), rows: { ...all, ...limit() } },
    { what: 'a node that says nothing', pod: mounting('c'), rows: all },
    { what: 'another driver', pod: mounting('d'), rows: { ...all, ...csi('d', 'other'), ...limit(2) } },
    {
      what: 'a claim that is still to be made counts',
      pod: mounting('new'),
      rows: {
        ...all,
        ...claim('new', { storageClassName: 'late' }),
        ...klass('late', 'WaitForFirstConsumer'),
        ...limit(2),
      },
      is: full,
    },
    {
      what: 'what is attached still counts',
      pod: mounting('c'),
      rows: {
        ...all,
        ...csi('old'),
        ...limit(3),
        'volumeattachments.storage.k8s.io/x': {
          spec: { attacher: 'csi.example.com', nodeName: 'n', source: { persistentVolumeName: 'v-old' } },
        },
      },
      is: full,
    },
    {
      what: 'a driver that must be there',
      pod: mounting('d'),
      rows: {
        ...csi('d', 'other'),
        ...limit(9),
        'csidrivers.storage.k8s.io/other': { spec: { preventPodSchedulingIfMissing: true } },
      },
      is: ['other CSI driver is not installed on the node'],
    },
  ];
  for (const { what, pod: p, rows, is } of table)
    it(what, () => assert.deepEqual(filtered(nodevolumelimits, p, with2(), undefined, { rows })?.reasons, is));
});

describe('VolumeZone', () => {
  const ZONE = 'topology.kubernetes.io/zone';
  const OLD = 'failure-domain.beta.kubernetes.io/zone';
  const at = (labels: Record<string, string>) => node('n', { labels });
  const table: { what: string; labels: Record<string, string>; node: NodeInfo; is?: string[] }[] = [
    { what: 'a volume without a zone', labels: {}, node: at({ [ZONE]: 'a' }) },
    { what: 'a volume of the zone', labels: { [ZONE]: 'a' }, node: at({ [ZONE]: 'a' }) },
    { what: 'a volume of several zones', labels: { [ZONE]: 'b__a' }, node: at({ [ZONE]: 'a' }) },
    {
      what: 'a volume of another zone',
      labels: { [ZONE]: 'b' },
      node: at({ [ZONE]: 'a' }),
      is: ['node(s) had no available volume zone'],
    },
    { what: 'a node without places', labels: { [ZONE]: 'b' }, node: at({}) },
    { what: 'an old name of the label', labels: { [OLD]: 'a' }, node: at({ [ZONE]: 'a' }) },
    {
      what: 'an old name, another zone',
      labels: { [OLD]: 'b' },
      node: at({ [ZONE]: 'a' }),
      is: ['node(s) had no available volume zone'],
    },
  ];
  for (const { what, labels, node: n, is } of table)
    it(what, () => {
      const rows = { ...claim('c', { volumeName: 'v' }), ...volume('v') };
      assert.deepEqual(
        filtered(volumezone, mounting('c'), n, undefined, { rows, labels: { 'persistentvolumes/v': labels } })?.reasons,
        is,
      );
    });
  it('a volume that is not there', () =>
    assert.deepEqual(
      filtered(volumezone, mounting('c'), at({}), undefined, { rows: claim('c', { volumeName: 'v' }) })?.reasons,
      ['persistentvolume "v" not found'],
    ));
});
