import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { User } from '../attributes.ts';
import { nodeRestriction } from './noderestriction.ts';
import { admitWith, type Request, type World } from './testing.ts';

const n1: User = { name: 'system:node:n1', groups: ['system:nodes'] };
const world: World = {
  'nodes/n1': { metadata: { uid: 'u1' } },
  'pods/ns/mine': {
    metadata: { uid: 'pm', name: 'mine', namespace: 'ns' },
    spec: {
      nodeName: 'n1',
      serviceAccountName: 'sa',
      volumes: [
        {
          name: 't',
          projected: {
            sources: [{ serviceAccountToken: { audience: 'vault' } }, { podCertificate: { signerName: 'a.io/b' } }],
          },
        },
        { name: 'd', csi: { driver: 'csi.io' } },
      ],
    },
  },
  'pods/ns/theirs': { metadata: { uid: 'pt' }, spec: { nodeName: 'n2' } },
  'csidrivers.storage.k8s.io/csi.io': { spec: { tokenRequests: [{ audience: 'aws' }] } },
  'serviceaccounts/ns/sa': { metadata: { uid: 'us' } },
};
const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u1', controller: true };
const mirror = (more: { owners?: JsonObject[]; spec?: JsonObject } = {}): JsonObject => ({
  metadata: {
    name: 'm',
    annotations: { 'kubernetes.io/config.mirror': 'x' },
    ownerReferences: more.owners ?? [owner],
  },
  spec: { nodeName: 'n1', ...more.spec },
});
const token = (ref: JsonObject, audiences: string[] = ['vault']): JsonObject => ({
  spec: { audiences, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...ref } },
});
const node = (labels: JsonObject = {}, spec: JsonObject = {}): JsonObject => ({
  metadata: { name: 'n1', labels },
  spec,
});
const certificate = (more: JsonObject = {}): JsonObject => ({
  metadata: { name: 'r' },
  spec: {
    signerName: 'a.io/b',
    podName: 'mine',
    podUID: 'pm',
    serviceAccountName: 'sa',
    serviceAccountUID: 'us',
    nodeName: 'n1',
    nodeUID: 'u1',
    ...more,
  },
});
const status = (s: JsonObject): JsonObject => ({ metadata: { name: 'mine' }, spec: { nodeName: 'n1' }, status: s });
const claim = (s: JsonObject): JsonObject => ({ metadata: { name: 'c' }, spec: { a: 1 }, status: s });
const POD = 'pods "m" is forbidden: ';
const NODE = 'nodes "n1" is forbidden: ';
const TOKEN = 'serviceaccounts "sa" is forbidden: ';

const cases: [name: string, request: Request, error: string][] = [
  ['a mirror pod', { what: 'create pods ns', object: mirror() }, ''],
  [
    'an ordinary pod',
    { what: 'create pods ns', object: { metadata: { name: 'm' } } },
    `${POD}pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods`,
  ],
  [
    'a mirror pod on another node',
    { what: 'create pods ns', object: mirror({ spec: { nodeName: 'n2' } }) },
    `${POD}node "n1" can only create pods with spec.nodeName set to itself`,
  ],
  [
    'a mirror pod without owner',
    { what: 'create pods ns', object: mirror({ owners: [] }) },
    `${POD}node "n1" can only create pods with an owner reference set to itself`,
  ],
  [
    'a mirror pod with two owners',
    { what: 'create pods ns', object: mirror({ owners: [owner, owner] }) },
    `${POD}node "n1" can only create pods with a single owner reference set to itself`,
  ],
  [
    'a mirror pod whose owner is no controller',
    { what: 'create pods ns', object: mirror({ owners: [{ ...owner, controller: false }] }) },
    `${POD}node "n1" can only create pods with a controller owner reference set to itself`,
  ],
  [
    'a mirror pod that blocks its owner',
    { what: 'create pods ns', object: mirror({ owners: [{ ...owner, blockOwnerDeletion: true }] }) },
    `${POD}node "n1" must not set blockOwnerDeletion on an owner reference`,
  ],
  [
    'a mirror pod of an earlier node',
    { what: 'create pods ns', object: mirror({ owners: [{ ...owner, uid: 'old' }] }) },
    `${POD}node n1 UID mismatch: expected old got u1`,
  ],
  [
    'a mirror pod with a claim',
    { what: 'create pods ns', object: mirror({ spec: { volumes: [{ persistentVolumeClaim: { claimName: 'c' } }] } }) },
    `${POD}node "n1" can not create pods that reference persistentvolumeclaims`,
  ],
  ['deleting its pod', { what: 'delete pods ns/mine' }, ''],
  [
    "deleting another node's pod",
    { what: 'delete pods ns/theirs' },
    'pods "theirs" is forbidden: node "n1" can only delete pods with spec.nodeName set to itself',
  ],
  ['deleting a pod that is gone', { what: 'delete pods ns/none' }, 'pods "none" not found'],
  [
    'updating a pod',
    { what: 'update pods ns/mine', object: {}, old: {} },
    'pods "mine" is forbidden: unexpected operation "UPDATE", node "n1" can only create and delete mirror pods',
  ],
  [
    'binding a pod',
    { what: 'create pods/binding ns/mine', object: {} },
    `pods "mine" is forbidden: unexpected pod subresource "binding", only 'status' and 'eviction' are allowed`,
  ],
  ['evicting its pod', { what: 'create pods/eviction ns/mine', object: {} }, ''],
  [
    "evicting another node's pod",
    { what: 'create pods/eviction ns/theirs', object: {} },
    'pods "theirs" is forbidden: node n1 can only evict pods with spec.nodeName set to itself',
  ],
  [
    'the status of its pod',
    { what: 'update pods/status ns/mine', object: status({ phase: 'Running' }), old: status({}) },
    '',
  ],
  [
    'labels through the status',
    {
      what: 'update pods/status ns/mine',
      object: { metadata: { labels: { a: 'b' } }, spec: { nodeName: 'n1' } },
      old: status({}),
    },
    'pods "mine" is forbidden: node "n1" cannot update labels through pod status',
  ],
  [
    'resource claim statuses',
    { what: 'update pods/status ns/mine', object: status({ resourceClaimStatuses: [{ name: 'a' }] }), old: status({}) },
    'pods "mine" is forbidden: node "n1" cannot update resource claim statues',
  ],
  [
    'its claim status',
    { what: 'update persistentvolumeclaims/status ns/c', object: claim({ capacity: { a: '1' } }), old: claim({}) },
    '',
  ],
  [
    'the phase of a claim',
    { what: 'update persistentvolumeclaims/status ns/c', object: claim({ phase: 'Lost' }), old: claim({}) },
    'persistentvolumeclaims "c" is forbidden: node "n1" is not allowed to update fields other than status.quantity and status.conditions: status',
  ],
  [
    'a claim',
    { what: 'update persistentvolumeclaims ns/c', object: {}, old: {} },
    'persistentvolumeclaims "c" is forbidden: may only update PVC status',
  ],
  [
    'itself',
    { what: 'create nodes', object: node({ 'kubernetes.io/os': 'linux', 'node.kubernetes.io/x': '', own: 'l' }) },
    '',
  ],
  [
    'another node',
    { what: 'update nodes /n2', object: { metadata: { name: 'n2' } }, old: {} },
    'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
  ],
  [
    'itself with a label that draws workloads',
    { what: 'create nodes', object: node({ 'a.node-restriction.kubernetes.io/b': '', 'k8s.io/x': '' }) },
    `${NODE}node "n1" is not allowed to set the following labels: a.node-restriction.kubernetes.io/b, k8s.io/x`,
  ],
  [
    'a changed role label',
    { what: 'update nodes /n1', object: node({ 'node-role.kubernetes.io/x': '' }), old: node() },
    `${NODE}is not allowed to modify labels: node-role.kubernetes.io/x`,
  ],
  [
    'its taints',
    { what: 'update nodes /n1', object: node(), old: node({}, { taints: [{ key: 'a' }] }) },
    `${NODE}node "n1" is not allowed to modify taints`,
  ],
  [
    'a token for its pod',
    { what: 'create serviceaccounts/token ns/sa', object: token({ name: 'mine', uid: 'pm' }) },
    '',
  ],
  [
    'a token that a CSI driver asks for',
    { what: 'create serviceaccounts/token ns/sa', object: token({ name: 'mine', uid: 'pm' }, ['aws']) },
    '',
  ],
  [
    'a token for an audience that nothing mounts',
    { what: 'create serviceaccounts/token ns/sa', object: token({ name: 'mine', uid: 'pm' }, ['gcp']) },
    `${TOKEN}system:node:n1 is not authorized to request tokens for audience "gcp"`,
  ],
  [
    'a token for an audience that RBAC allows',
    {
      what: 'create serviceaccounts/token ns/sa',
      object: token({ name: 'mine', uid: 'pm' }, ['gcp']),
      rights: ['request-serviceaccounts-token-audience gcp sa'],
    },
    '',
  ],
  [
    'a token for no pod',
    { what: 'create serviceaccounts/token ns/sa', object: { spec: {} } },
    `${TOKEN}node requested token not bound to a pod`,
  ],
  [
    'a token without uid',
    { what: 'create serviceaccounts/token ns/sa', object: token({ name: 'mine' }) },
    `${TOKEN}node requested token with a pod binding without a uid`,
  ],
  [
    "a token for another node's pod",
    { what: 'create serviceaccounts/token ns/sa', object: token({ name: 'theirs', uid: 'pt' }) },
    `${TOKEN}node requested token bound to a pod scheduled on a different node`,
  ],
  ['a pod certificate', { what: 'create podcertificaterequests.certificates.k8s.io ns', object: certificate() }, ''],
  [
    'a pod certificate of another signer',
    { what: 'create podcertificaterequests.certificates.k8s.io ns', object: certificate({ signerName: 'c.io/d' }) },
    'podcertificaterequests.certificates.k8s.io "r" is forbidden: pod "ns/mine" does not mount a podCertificate projected volume for signer "c.io/d"',
  ],
  [
    'a pod certificate for another node',
    { what: 'create podcertificaterequests.certificates.k8s.io ns', object: certificate({ nodeName: 'n2' }) },
    'podcertificaterequests.certificates.k8s.io "r" is forbidden: PodCertificateRequest.Spec.NodeName="n2", which is not the requesting node "n1"',
  ],
  [
    'its lease',
    { what: 'create leases.coordination.k8s.io kube-node-lease', object: { metadata: { name: 'n1' } } },
    '',
  ],
  [
    "another node's lease",
    { what: 'create leases.coordination.k8s.io kube-node-lease', object: { metadata: { name: 'n2' } } },
    'leases.coordination.k8s.io "n2" is forbidden: can only access node lease with the same name as the requesting node',
  ],
  [
    "another node's CSINode",
    { what: 'update csinodes.storage.k8s.io /n2', object: {}, old: {} },
    'csinodes.storage.k8s.io "n2" is forbidden: can only access CSINode with the same name as the requesting node',
  ],
  [
    "another node's ResourceSlice",
    { what: 'create resourceslices.resource.k8s.io', object: { metadata: { name: 's' }, spec: { nodeName: 'n2' } } },
    'resourceslices.resource.k8s.io "s" is forbidden: can only create ResourceSlice with the same NodeName as the requesting node',
  ],
];
for (const [name, request, error] of cases) {
  test(`a node may ${error === '' ? '' : 'not '}write ${name}`, async () => {
    assert.equal((await admitWith([nodeRestriction], { user: n1, ...request }, world)).error, error);
  });
}

test('who is not a node is not restricted', async () => {
  const r = { what: 'update nodes /n1', object: node({ 'node-role.kubernetes.io/x': '' }), old: node() };
  assert.equal((await admitWith([nodeRestriction], r, world)).error, '');
  const lookalike = { name: 'system:node:n1', groups: ['system:authenticated'] };
  assert.equal((await admitWith([nodeRestriction], { ...r, user: lookalike }, world)).error, '');
});
