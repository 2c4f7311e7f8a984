import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kindByStorage } from '../../kube/kinds/index.ts';
import { rowFacts } from '../../kube/kinds/rowfacts.ts';
import type { Facts } from '../../kube/meta/facts.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { isSpliceable } from '../../kube/store/splice.ts';
import type { ArchiveRow } from '../../kube/wire/archive.ts';
import { concernsFork, type Forking, forkedRow } from './forking.ts';

const forking: Forking = {
  uidPrefix: { from: '11111111-1111-4111-8111-', to: '22222222-2222-4222-8222-' },
  ca: '-----BEGIN CERTIFICATE-----\nnew\n',
};
const OLD = '11111111-1111-4111-8111-000000000003';
const NEW = '22222222-2222-4222-8222-000000000003';

function rowOf(resource: string, object: object): ArchiveRow {
  const o = object as KubeObject;
  const { namespace, name } = o.metadata;
  const kind = kindByStorage(resource);
  const facts: Facts = kind ? rowFacts(kind, o) : { uid: '' };
  return {
    key: namespace === undefined ? `${resource}/${name}` : `${resource}/${namespace}/${name}`,
    version: 'v1',
    schema: 'h',
    facts: JSON.stringify(facts),
    value: JSON.stringify(o),
  };
}
/** The object as the fork has it, and its facts; null: it doesn't. */
function forked(resource: string, object: object): { object: KubeObject; facts: Facts; same: boolean } | null {
  const row = rowOf(resource, object);
  const out = forkedRow(row, forking);
  if (out === null) return null;
  assert.ok(isSpliceable(out.value ?? ''), out.value ?? 'null');
  return {
    object: JSON.parse(out.value ?? '') as KubeObject,
    facts: JSON.parse(out.facts) as Facts,
    same: out === row,
  };
}
const meta = (name: string, more: object = {}) => ({ name, namespace: 'default', uid: `uid-${name}`, ...more });

describe('a fork does not have', () => {
  for (const [resource, object] of [
    ['nodes', { metadata: { name: 'n', uid: 'u' } }],
    ['csinodes.storage.k8s.io', { metadata: { name: 'n', uid: 'u' } }],
    ['volumeattachments.storage.k8s.io', { metadata: { name: 'v', uid: 'u' }, spec: { nodeName: 'n' } }],
    ['certificatesigningrequests.certificates.k8s.io', { metadata: { name: 'c', uid: 'u' } }],
    ['clusterkeys.coracle.dev', { metadata: { name: 'main' } }],
    ['statictokens.coracle.dev', { metadata: { name: 'abc' } }],
    ['secrets', { metadata: meta('bootstrap-token-abcdef'), type: 'bootstrap.kubernetes.io/token' }],
    ['endpointslices.discovery.k8s.io', { metadata: meta('kubernetes') }],
    ['endpoints', { metadata: meta('kubernetes') }],
    [
      'endpointslices.discovery.k8s.io',
      {
        metadata: meta('web-x', {
          labels: { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' },
        }),
      },
    ],
    ['pods', { metadata: meta('p', { deletionTimestamp: '2026-11-21T10:00:00Z' }), spec: { nodeName: 'n' } }],
    ['pods', { metadata: meta('p', { annotations: { 'kubernetes.io/config.mirror': 'x' } }), spec: { nodeName: 'n' } }],
    [
      'pods',
      {
        metadata: meta('p', {
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd', controller: true }],
        }),
        spec: {},
        status: { phase: 'Pending' },
      },
    ],
  ] as const) {
    it(`${resource} ${JSON.stringify(object).slice(0, 90)}`, () => assert.equal(forked(resource, object), null));
  }
});

describe('a fork has as they are', () => {
  for (const [what, resource, object] of [
    ['a ConfigMap', 'configmaps', { metadata: meta('c'), data: { a: 'b' } }],
    ['a Secret', 'secrets', { metadata: meta('s'), type: 'Opaque', data: { a: 'Yg==' } }],
    [
      'an EndpointSlice that somebody made',
      'endpointslices.discovery.k8s.io',
      { metadata: meta('own'), endpoints: [] },
    ],
    ['a namespace of its own', 'namespaces', { metadata: { name: 'n', uid: 'n' }, status: { phase: 'Active' } }],
    ['a pod that waits for a node', 'pods', { metadata: meta('p'), spec: {}, status: { phase: 'Pending' } }],
    ['a pod that has ended', 'pods', { metadata: meta('p'), spec: { nodeName: 'n' }, status: { phase: 'Succeeded' } }],
    ['a pod that has failed', 'pods', { metadata: meta('p'), spec: { nodeName: 'n' }, status: { phase: 'Failed' } }],
    ['a bound volume', 'persistentvolumes', { metadata: { name: 'v', uid: 'v' }, spec: { hostPath: { path: '/x' } } }],
    ['a custom resource', 'widgets.example.com', { metadata: meta('w'), n: 1 }],
  ] as const) {
    it(what, () => assert.equal(forked(resource, object)?.same, true));
  }
});

describe('a fork has anew', () => {
  it('a bound pod: it waits for a node as if it had just been created, and keeps numbers beyond 2^53', () => {
    const pod = {
      metadata: meta('p', {
        labels: { app: 'a', 'topology.kubernetes.io/zone': 'z' },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r', controller: true }],
        managedFields: [{ manager: 'kubectl' }, { manager: 'kubelet', subresource: 'status' }],
      }),
      spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] },
      status: {
        phase: 'Running',
        qosClass: 'BestEffort',
        podIP: '10.0.0.1',
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    };
    const row = rowOf('pods', pod);
    row.value = row.value?.replace('"image":"i"', '"image":"i","securityContext":{"runAsUser":9007199254740993}') ?? '';
    const out = forkedRow(row, forking);
    assert.ok(out?.value);
    assert.ok(out.value.includes('9007199254740993'));
    const object = JSON.parse(out.value) as KubeObject;
    assert.deepEqual(object.status, { phase: 'Pending', qosClass: 'BestEffort' });
    assert.equal((object.spec as { nodeName?: string }).nodeName, undefined);
    assert.deepEqual(object.metadata.labels, { app: 'a' });
    assert.deepEqual(object.metadata.managedFields, [{ manager: 'kubectl' }]);
    assert.deepEqual(Object.keys(object.metadata), [
      'name',
      'namespace',
      'uid',
      'labels',
      'ownerReferences',
      'managedFields',
    ]);
    const facts = JSON.parse(out.facts) as Facts;
    assert.equal(facts.node, undefined);
    assert.equal(facts.fields?.['spec.nodeName'], '');
    assert.equal(facts.fields?.['status.phase'], 'Pending');
    assert.deepEqual(facts.owners, ['r']);
  });

  it('a ServiceAccount token Secret: without the token that other keys signed', () => {
    const secret = {
      metadata: meta('t', { annotations: { 'kubernetes.io/service-account.name': 'default' } }),
      type: 'kubernetes.io/service-account-token',
      data: { token: 'eA==', 'ca.crt': 'eA==', namespace: 'eA==', own: 'eA==' },
    };
    const out = forked('secrets', secret);
    assert.deepEqual(out?.object.data, { own: 'eA==' });
    assert.equal(out?.facts.fields?.type, 'kubernetes.io/service-account-token');
  });

  it("the cluster's CA in each namespace", () => {
    const out = forked('configmaps', { metadata: meta('kube-root-ca.crt'), data: { 'ca.crt': 'old' } });
    assert.deepEqual(out?.object.data, { 'ca.crt': forking.ca });
  });

  it('a namespace of the base layer: its uid, and its policy text with it', () => {
    const out = forked('namespaces', {
      metadata: { name: 'kube-system', uid: OLD, labels: { a: 'b' } },
      status: { phase: 'Active' },
    });
    assert.equal(out?.object.metadata.uid, NEW);
    assert.equal(out?.facts.uid, NEW);
    assert.ok(out?.facts.policy?.includes(NEW) && !out.facts.policy.includes(OLD));
  });

  it('who is owned by such a namespace', () => {
    const owner = { apiVersion: 'v1', kind: 'Namespace', name: 'kube-system', uid: OLD };
    const out = forked('configmaps', { metadata: meta('c', { ownerReferences: [owner] }) });
    assert.equal(out?.object.metadata.ownerReferences?.[0]?.uid, NEW);
    assert.deepEqual(out?.facts.owners, [NEW]);
  });

  it('a claim that waits for its volume: no node is chosen for it', () => {
    const annotations = { 'volume.kubernetes.io/selected-node': 'n', own: 'x' };
    const waiting = forked('persistentvolumeclaims', { metadata: meta('c', { annotations }), spec: {} });
    assert.deepEqual(waiting?.object.metadata.annotations, { own: 'x' });
    const bound = forked('persistentvolumeclaims', { metadata: meta('c', { annotations }), spec: { volumeName: 'v' } });
    assert.equal(bound?.same, true);
  });
});

it('a row that no rule concerns is told by its key and facts alone', () => {
  const { from } = forking.uidPrefix;
  for (const [key, facts, expected] of [
    ['configmaps/default/a', '{"uid":"u"}', false],
    ['configmaps/default/kube-root-ca.crt', '{"uid":"u"}', true],
    ['configmaps/default/a', `{"uid":"u","owners":["${OLD}"]}`, true],
    ['pods/default/a', '{"uid":"u"}', true],
    ['widgets.example.com/default/a', '{"uid":"u"}', false],
  ] as const)
    assert.equal(concernsFork(key, facts, from), expected, key);
});

it('what the cluster deleted of its base layer stays deleted', () => {
  const row: ArchiveRow = {
    key: 'clusterroles.rbac.authorization.k8s.io/view',
    version: '',
    schema: '',
    facts: '{"uid":""}',
    value: null,
  };
  assert.equal(forkedRow(row, forking), row);
});
