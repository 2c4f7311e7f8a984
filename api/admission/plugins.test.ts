import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at } from '../../kube/meta/object.ts';
import { organizationsOf } from './csr.ts';
import { chain } from './index.ts';
import { admitWith, type Request, type World } from './testing.ts';

const world: World = {
  'namespaces/ns': { status: { phase: 'Active' } },
  'namespaces/old': { status: { phase: 'Terminating' } },
  'serviceaccounts/ns/default': { metadata: { uid: 'u' }, imagePullSecrets: [{ name: 'pull' }] },
  'serviceaccounts/ns/quiet': { automountServiceAccountToken: false },
  'serviceaccounts/ns/strict': {
    metadata: { annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } },
    secrets: [{ name: 'known' }],
  },
  'priorityclasses.scheduling.k8s.io/high': { value: 1000, preemptionPolicy: 'Never' },
  'priorityclasses.scheduling.k8s.io/usual': { value: 5, globalDefault: true },
  'storageclasses.storage.k8s.io/a': {
    metadata: {
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
    },
    allowVolumeExpansion: true,
  },
  'storageclasses.storage.k8s.io/b': {
    metadata: {
      creationTimestamp: '2026-01-02T00:00:00Z',
      annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
    },
  },
  'ingressclasses.networking.k8s.io/nginx': {
    metadata: { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
  },
  'runtimeclasses.node.k8s.io/kata': {
    handler: 'kata',
    overhead: { podFixed: { cpu: '250m' } },
    scheduling: { nodeSelector: { kata: 'yes' }, tolerations: [{ key: 'kata', operator: 'Exists' }] },
  },
};
const pod = (spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) =>
  ({ metadata: { name: 'p', ...metadata }, spec: { containers: [{ name: 'c' }], ...spec } }) as Request['object'];
const claim = (storage: string, more: object = {}) =>
  ({
    metadata: { name: 'c' },
    spec: { resources: { requests: { storage } }, ...more },
    status: { phase: 'Bound' },
  }) as Request['object'];

const refused: { name: string; request: Request; error: string }[] = [
  {
    name: 'creating in a namespace that does not exist',
    request: { what: 'create configmaps gone', object: { metadata: { name: 'c' } } },
    error: 'namespaces "gone" not found',
  },
  {
    name: 'creating in a namespace that is being deleted',
    request: { what: 'create configmaps old', object: { metadata: { generateName: 'c-' } } },
    error: 'configmaps "c-" is forbidden: unable to create new content in namespace old because it is being terminated',
  },
  {
    name: 'deleting kube-system',
    request: { what: 'delete namespaces /kube-system' },
    error: 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
  },
  {
    name: 'a pod of a ServiceAccount that does not exist',
    request: { what: 'create pods ns', object: pod({ serviceAccountName: 'nobody' }) },
    error: 'pods "p" is forbidden: error looking up service account ns/nobody: serviceaccount "nobody" not found',
  },
  {
    name: 'a mirror pod with a Secret',
    request: {
      what: 'create pods ns',
      object: pod(
        { volumes: [{ secret: { secretName: 's' } }] },
        { annotations: { 'kubernetes.io/config.mirror': 'x' } },
      ),
    },
    error: 'pods "p" is forbidden: a mirror pod may not reference secrets',
  },
  {
    name: 'a Secret that the account does not list',
    request: {
      what: 'create pods ns',
      object: pod({ serviceAccountName: 'strict', volumes: [{ name: 'v', secret: { secretName: 'other' } }] }),
    },
    error:
      'pods "p" is forbidden: volume with secret.secretName="other" is not allowed because service account strict does not reference that secret',
  },
  {
    name: 'a priority of its own',
    request: { what: 'create pods ns', object: pod({ priority: 7, priorityClassName: 'high' }) },
    error:
      'pods "p" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name',
  },
  {
    name: 'an unknown priority class',
    request: { what: 'create pods ns', object: pod({ priorityClassName: 'x' }) },
    error: 'pods "p" is forbidden: no PriorityClass with name x was found',
  },
  {
    name: 'a second default priority class',
    request: {
      what: 'create priorityclasses.scheduling.k8s.io',
      object: { metadata: { name: 'n' }, value: 1, globalDefault: true },
    },
    error:
      'priorityclasses.scheduling.k8s.io "n" is forbidden: PriorityClass usual is already marked as default. Only one default can exist',
  },
  {
    name: 'an unknown runtime class',
    request: { what: 'create pods ns', object: pod({ runtimeClassName: 'x' }) },
    error: 'pods "p" is forbidden: pod rejected: RuntimeClass "x" not found',
  },
  {
    name: 'overhead without a runtime class',
    request: { what: 'create pods ns', object: pod({ overhead: { cpu: '1' } }) },
    error: 'pods "p" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
  },
  {
    name: 'a node selector against the runtime class',
    request: { what: 'create pods ns', object: pod({ runtimeClassName: 'kata', nodeSelector: { kata: 'no' } }) },
    error:
      'pods "p" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no',
  },
  {
    name: 'growing a claim whose class does not allow it',
    request: {
      what: 'update persistentvolumeclaims ns/c',
      object: claim('2Gi', { storageClassName: 'b' }),
      old: claim('1Gi', { storageClassName: 'b' }),
    },
    error:
      'persistentvolumeclaims "c" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
  },
  {
    name: 'approving a certificate without the right',
    request: {
      what: 'update certificatesigningrequests.certificates.k8s.io/approval /r',
      object: { spec: { signerName: 'a.io/b' } },
      old: { spec: { signerName: 'a.io/b' } },
    },
    error:
      'certificatesigningrequests.certificates.k8s.io "r" is forbidden: user not permitted to approve requests with signerName "a.io/b"',
  },
  {
    name: 'signing a certificate without the right',
    request: {
      what: 'update certificatesigningrequests.certificates.k8s.io/status /r',
      object: { spec: { signerName: 'a.io/b' }, status: { certificate: 'eA==' } },
      old: { spec: { signerName: 'a.io/b' } },
      rights: ['approve signers a.io/*'],
    },
    error:
      'certificatesigningrequests.certificates.k8s.io "r" is forbidden: user not permitted to sign requests with signerName "a.io/b"',
  },
];
for (const r of refused) {
  test(`admission refuses ${r.name}`, async () => {
    assert.equal((await admitWith(chain, r.request, world)).error, r.error);
  });
}

const admitted: { name: string; request: Request }[] = [
  {
    name: 'access reviews in namespaces that do not exist',
    request: { what: 'create localsubjectaccessreviews.authorization.k8s.io gone', object: {} },
  },
  {
    name: 'updates in a namespace that is being deleted',
    request: { what: 'update configmaps old/c', object: {}, old: {} },
  },
  { name: 'deleting an ordinary namespace', request: { what: 'delete namespaces /ns' } },
  {
    name: 'approval with the right on the domain',
    request: {
      what: 'update certificatesigningrequests.certificates.k8s.io/approval /r',
      object: {},
      old: { spec: { signerName: 'a.io/b' } },
      rights: ['approve signers a.io/*'],
    },
  },
  {
    name: 'growing a claim whose class allows it',
    request: {
      what: 'update persistentvolumeclaims ns/c',
      object: claim('2Gi', { storageClassName: 'a' }),
      old: claim('1Gi', { storageClassName: 'a' }),
    },
  },
  {
    name: 'the default priority class being written again',
    request: {
      what: 'update priorityclasses.scheduling.k8s.io /usual',
      object: { metadata: { name: 'usual' }, globalDefault: true },
      old: {},
    },
  },
];
for (const r of admitted) {
  test(`admission allows ${r.name}`, async () => {
    assert.equal((await admitWith(chain, r.request, world)).error, '');
  });
}

test('a pod gets its account, token, pull secrets, priority and tolerations', async () => {
  const { object, error } = await admitWith(chain, { what: 'create pods ns', object: pod() }, world);
  assert.equal(error, '');
  assert.deepEqual(object?.spec, {
    containers: [
      {
        name: 'c',
        volumeMounts: [
          {
            name: 'kube-api-access-bbbbb',
            readOnly: true,
            mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
          },
        ],
      },
    ],
    serviceAccountName: 'default',
    serviceAccount: 'default',
    volumes: [
      {
        name: 'kube-api-access-bbbbb',
        projected: {
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
            { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            {
              downwardAPI: {
                items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
              },
            },
          ],
          defaultMode: 420,
        },
      },
    ],
    imagePullSecrets: [{ name: 'pull' }],
    priorityClassName: 'usual',
    priority: 5,
    tolerations: ['not-ready', 'unreachable'].map((c) => ({
      key: `node.kubernetes.io/${c}`,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300,
    })),
  });
});

test('running the chain twice changes nothing more', async () => {
  const once = await admitWith(chain, { what: 'create pods ns', object: pod({ runtimeClassName: 'kata' }) }, world);
  const twice = await admitWith(chain, { what: 'create pods ns', object: once.object ?? {} }, world);
  assert.deepEqual(twice, once);
  assert.deepEqual(at(once.object ?? {}, 'spec.overhead'), { cpu: '250m' });
  assert.deepEqual(at(once.object ?? {}, 'spec.nodeSelector'), { kata: 'yes' });
});

test('nothing is mounted when the account or the container says so', async () => {
  const quiet = await admitWith(chain, { what: 'create pods ns', object: pod({ serviceAccountName: 'quiet' }) }, world);
  assert.equal(at(quiet.object ?? {}, 'spec.volumes'), undefined);
  const mount = { name: 'own', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' };
  const own = pod({ containers: [{ name: 'c', volumeMounts: [mount] }] });
  const kept = await admitWith(chain, { what: 'create pods ns', object: own }, world);
  assert.equal(at(kept.object ?? {}, 'spec.volumes'), undefined);
});

test('claims, volumes, ingresses and nodes get their defaults', async () => {
  const created = async (what: string, object: Request['object']) =>
    (await admitWith(chain, { what: `create ${what}`, object }, world)).object ?? {};
  const pvc = await created('persistentvolumeclaims ns', { spec: {} });
  assert.equal(at(pvc, 'spec.storageClassName'), 'b');
  assert.deepEqual(at(pvc, 'metadata.finalizers'), ['kubernetes.io/pvc-protection']);
  assert.equal(
    at(await created('persistentvolumeclaims ns', { spec: { storageClassName: '' } }), 'spec.storageClassName'),
    '',
  );
  assert.deepEqual(at(await created('persistentvolumes', {}), 'metadata.finalizers'), ['kubernetes.io/pv-protection']);
  assert.equal(at(await created('ingresses.networking.k8s.io ns', { spec: {} }), 'spec.ingressClassName'), 'nginx');
  assert.deepEqual(at(await created('nodes', { spec: {} }), 'spec.taints'), [
    { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' },
  ]);
});

/** Made by `openssl req -new -subj "/O=system:masters/O=b/CN=x"`. */
const CSR =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIc01JR1RBZ0VBTURFeEZ6QVZCZ05WQkFvTURuTjVjM1JsYlRwdFlYTjBaWEp6TVFvd0NBWURWUVFLREFGaQpNUW93Q0FZRFZRUUREQUY0TUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowREFRY0RRZ0FFSWJTY3RxWSt5ZjRxCktzc2p6TUcrVjRRcGkrUWwzRk4rMHBuTlAwQXp1azRObTNzMmRaM3Vad3ZlWUNVcHRXMlZJMmQxK2NHWXUrODIKYWR0aVNLTG5aS0FBTUFvR0NDcUdTTTQ5QkFNQ0EwZ0FNRVVDSUJ0bVdKVjU3VGdXQVQzU2VTeks3S29sdEVodwpMV05NYjRZbHlKVDR4WWlPQWlFQXNQOFUwZDhNMTV2NnEyL1FyaTBpZjFsV29LYjBnZkRNRExmZmRyUEUwOFE9Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=';
test('a client certificate of system:masters is refused, whatever else the subject says', async () => {
  assert.deepEqual(organizationsOf(CSR), ['system:masters', 'b']);
  assert.equal(organizationsOf('bm90IHBlbQ=='), null);
  const ask = async (signerName: string, request = CSR) => {
    const object = { metadata: { name: 'r' }, spec: { signerName, request } };
    return (await admitWith(chain, { what: 'create certificatesigningrequests.certificates.k8s.io', object })).error;
  };
  const client = 'kubernetes.io/kube-apiserver-client';
  assert.equal(
    await ask(client),
    `certificatesigningrequests.certificates.k8s.io "r" is forbidden: use of ${client} signer with system:masters group is not allowed`,
  );
  assert.equal(await ask('example.com/other'), '');
  assert.match(await ask(client, ''), /failed to parse CSR/);
});

test('a pod takes the zone and region of its node, also from a Binding', async () => {
  const labels = { 'topology.kubernetes.io/zone': 'z', 'topology.kubernetes.io/region': 'r', other: 'x' };
  const nodes: World = { ...world, 'nodes/n': { metadata: { labels } } };
  const copied = { 'topology.kubernetes.io/zone': 'z', 'topology.kubernetes.io/region': 'r' };
  const bound = await admitWith(
    chain,
    { what: 'create pods/binding ns/p', object: { target: { kind: 'Node', name: 'n' } } },
    nodes,
  );
  assert.deepEqual(bound.object?.metadata.labels, copied);
  const created = await admitWith(chain, { what: 'create pods ns', object: pod({ nodeName: 'n' }) }, nodes);
  assert.deepEqual(created.object?.metadata.labels, copied);
});

test('roles are guarded against escalation as the last of the chain', async () => {
  const object = { metadata: { name: 'r' }, rules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] };
  const { error } = await admitWith(chain, { what: 'create roles.rbac.authorization.k8s.io ns', object }, world);
  assert.equal(
    error,
    'roles.rbac.authorization.k8s.io "r" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:["*"], Resources:["*"], Verbs:["*"]}',
  );
});

test('a resize stays within the node', async () => {
  const sized = (cpu: string, generation: number) => ({
    metadata: { name: 'p', generation },
    spec: { nodeName: 'n', overhead: { cpu: '100m' }, containers: [{ name: 'c', resources: { requests: { cpu } } }] },
  });
  const resize = async (cpu: string, labels: Record<string, string> = {}) => {
    const nodes = { 'nodes/n': { metadata: { labels }, status: { allocatable: { cpu: '1', memory: '1Gi' } } } };
    const request = { what: 'update pods/resize ns/p', object: sized(cpu, 2), old: sized('100m', 1) };
    return (await admitWith(chain, request, nodes)).error;
  };
  assert.equal(await resize('900m'), '');
  assert.equal(
    await resize('901m'),
    'pods "p" is forbidden: node didn\'t have enough allocatable resources: cpu, requested: 1001, allocatable: 1000',
  );
  assert.match(
    await resize('1', { 'kubernetes.io/os': 'windows' }),
    /only supported on linux nodes, node "n" is "windows"/,
  );
});
