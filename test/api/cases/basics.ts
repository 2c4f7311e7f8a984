import { type Case, configMap, get, NS, patch, post, put } from '../case.ts';

const CM = `${NS}/configmaps`;
/** The basic verbs, resourceVersion, uid, generation and names. */
export const basics: readonly Case[] = [
  { name: 'create answers 201 with the object', steps: [post(CM, configMap('a')), get(`${CM}/a`)] },
  { name: 'create takes the namespace of the path', steps: [post(CM, configMap('a', {}, { namespace: '{ns}' }))] },
  {
    name: 'create in another namespace than the path is 400',
    steps: [post(CM, configMap('a', {}, { namespace: 'other' }))],
  },
  { name: 'create of what exists is 409', steps: [post(CM, configMap('a')), post(CM, configMap('a'))] },
  { name: 'create with a resourceVersion is 400', steps: [post(CM, configMap('a', {}, { resourceVersion: '7' }))] },
  {
    name: 'create ignores uid, creationTimestamp and deletionTimestamp',
    steps: [
      post(
        CM,
        configMap(
          'a',
          {},
          {
            uid: '11111111-2222-4333-8444-555555555555',
            creationTimestamp: '2001-01-01T00:00:00Z',
            deletionTimestamp: '2001-01-01T00:00:00Z',
            deletionGracePeriodSeconds: 7,
            selfLink: '/x',
          },
        ),
      ),
    ],
  },
  {
    name: 'create keeps a generation that the kind does not count',
    steps: [
      post(CM, configMap('a', {}, { generation: 7 })),
      put(`${CM}/a`, configMap('a', { b: '2' }, { generation: 9 })),
    ],
  },
  {
    name: 'generateName makes a name of five random characters',
    steps: [post(CM, { metadata: { generateName: 'gen-' } })],
  },
  {
    name: 'generateName beside a name is kept',
    steps: [post(CM, { metadata: { generateName: 'gen-', name: 'named' } })],
  },
  { name: 'a bad generateName is 422', steps: [post(CM, { metadata: { generateName: 'Bad_' } })] },
  { name: 'neither name nor generateName is 422', steps: [post(CM, { metadata: {} })] },
  {
    name: 'create without kind and apiVersion takes those of the path',
    steps: [post(CM, { metadata: { name: 'a' } })],
  },
  {
    name: 'empty labels and annotations are left out',
    steps: [post(CM, configMap('a', {}, { labels: {}, annotations: {}, finalizers: [], ownerReferences: [] }))],
  },
  {
    name: 'nulls are left out',
    steps: [
      post(CM, {
        metadata: { name: 'a', labels: null, annotations: null },
        data: null,
        binaryData: null,
        immutable: null,
      }),
    ],
  },
  { name: 'get of what is absent is 404', steps: [get(`${CM}/absent`)] },
  { name: 'get in a namespace that is absent is 404', steps: [get('/api/v1/namespaces/absent-{ns}/configmaps/a')] },
  {
    name: 'create in a namespace that is absent is 404',
    steps: [post('/api/v1/namespaces/absent-{ns}/configmaps', configMap('a'))],
  },
  {
    name: 'update answers 200 with a new resourceVersion',
    steps: [post(CM, configMap('a')), put(`${CM}/a`, configMap('a', { a: '2' })), get(`${CM}/a`)],
  },
  {
    name: 'an update that changes nothing keeps the resourceVersion',
    steps: [post(CM, configMap('a')), put(`${CM}/a`, configMap('a'))],
  },
  { name: 'update of what is absent is 404', steps: [put(`${CM}/a`, configMap('a'))] },
  {
    name: 'update with a stale resourceVersion is 409',
    steps: [
      post(CM, configMap('a')),
      put(`${CM}/a`, configMap('a', { a: '2' })),
      put(`${CM}/a`, configMap('a', { a: '3' }, { resourceVersion: '{{0.metadata.resourceVersion}}' })),
    ],
  },
  {
    name: 'update with the right resourceVersion is 200',
    steps: [
      post(CM, configMap('a')),
      put(`${CM}/a`, configMap('a', { a: '2' }, { resourceVersion: '{{0.metadata.resourceVersion}}' })),
    ],
  },
  {
    name: 'update with a resourceVersion that is no number is 400',
    steps: [post(CM, configMap('a')), put(`${CM}/a`, configMap('a', { a: '2' }, { resourceVersion: 'x' }))],
  },
  {
    name: 'update with another uid is 409',
    steps: [
      post(CM, configMap('a')),
      put(`${CM}/a`, configMap('a', {}, { uid: '11111111-2222-4333-8444-555555555555' })),
    ],
  },
  { name: 'update with another name is 400', steps: [post(CM, configMap('a')), put(`${CM}/a`, configMap('b'))] },
  {
    name: 'update with another namespace is 400',
    steps: [post(CM, configMap('a')), put(`${CM}/a`, configMap('a', {}, { namespace: 'other' }))],
  },
  {
    name: 'update without a name takes that of the path',
    steps: [post(CM, configMap('a')), put(`${CM}/a`, { data: { z: '1' } })],
  },
  {
    name: 'update keeps creationTimestamp and uid',
    steps: [
      post(CM, configMap('a')),
      put(`${CM}/a`, configMap('a', { q: '1' }, { creationTimestamp: '2001-01-01T00:00:00Z' })),
    ],
  },
  { name: 'dry-run create stores nothing', steps: [post(`${CM}?dryRun=All`, configMap('a')), get(`${CM}/a`)] },
  {
    name: 'dry-run update stores nothing',
    steps: [post(CM, configMap('a')), put(`${CM}/a?dryRun=All`, configMap('a', { a: '2' })), get(`${CM}/a`)],
  },
  {
    name: 'dry-run patch stores nothing',
    steps: [post(CM, configMap('a')), patch('merge', `${CM}/a?dryRun=All`, { data: { a: '2' } }), get(`${CM}/a`)],
  },
  {
    name: 'dry-run delete deletes nothing',
    steps: [post(CM, configMap('a')), { method: 'DELETE', path: `${CM}/a?dryRun=All` }, get(`${CM}/a`)],
  },
  { name: 'an unknown dryRun value is 422', steps: [post(`${CM}?dryRun=Some`, configMap('a'))] },
  {
    name: 'a field manager that is too long is 422',
    steps: [post(`${CM}?fieldManager=${'m'.repeat(129)}`, configMap('a'))],
  },
  {
    name: 'the field manager is that of the query',
    steps: [post(`${CM}?fieldManager=me`, configMap('a')), put(`${CM}/a?fieldManager=you`, configMap('a', { b: '2' }))],
  },
  {
    name: 'managed fields of an update follow the changes',
    steps: [
      post(CM, configMap('a', { a: '1', b: '2' })),
      put(`${CM}/a?fieldManager=other`, configMap('a', { a: '1', c: '3' })),
    ],
  },
  {
    name: 'managed fields can be cleared',
    steps: [post(CM, configMap('a')), put(`${CM}/a`, configMap('a', { a: '1' }, { managedFields: [{}] }))],
  },
  {
    name: 'lease is created by an update',
    steps: [
      put('/apis/coordination.k8s.io/v1/namespaces/{ns}/leases/l', {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'l' },
        spec: { holderIdentity: 'me', leaseDurationSeconds: 15 },
      }),
    ],
  },
  {
    name: 'a lease update without resourceVersion is 422',
    steps: [
      post('/apis/coordination.k8s.io/v1/namespaces/{ns}/leases', { metadata: { name: 'l' } }),
      put('/apis/coordination.k8s.io/v1/namespaces/{ns}/leases/l', {
        metadata: { name: 'l' },
        spec: { holderIdentity: 'x' },
      }),
    ],
  },
  {
    name: 'YAML is read',
    steps: [
      {
        method: 'POST',
        path: CM,
        headers: { 'content-type': 'application/yaml' },
        body: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: "1"\n  t: |\n    two\n    lines\n',
      },
    ],
  },
  { name: 'YAML is written', steps: [post(CM, configMap('a', { a: '1' }), { accept: 'application/yaml' })] },
  {
    name: 'numbers beyond 2^53 survive',
    steps: [
      post(`${NS}/pods?dryRun=All`, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'a', labels: { a: '9007199254740993' } },
        spec: {
          automountServiceAccountToken: false,
          activeDeadlineSeconds: 2147483647,
          containers: [{ name: 'c', image: 'i:1' }],
        },
      }),
    ],
  },
  { name: 'pretty printing', steps: [post(`${CM}?pretty=true&dryRun=All`, configMap('a'))] },
];
