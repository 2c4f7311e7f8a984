import { type Case, configMap, get, NS, patch, pod, post, put } from '../case.ts';

const CM = `${NS}/configmaps`;
const raw = (body: string, type = 'application/json', path = CM) => ({
  method: 'POST',
  path,
  headers: { 'content-type': type },
  body,
});
/** What can be wrong with a request. */
export const errors: readonly Case[] = [
  { name: 'malformed JSON is 400', steps: [raw('{"metadata":'), raw('{]'), raw('nonsense')] },
  {
    name: 'an empty body is 400',
    steps: [{ method: 'POST', path: CM, headers: { 'content-type': 'application/json' }, body: '' }],
  },
  { name: 'a JSON array is 400', steps: [raw('[]'), raw('"text"'), raw('7'), raw('null')] },
  { name: 'malformed YAML is 400', steps: [raw('a: b: c', 'application/yaml'), raw('\tkind: x', 'application/yaml')] },
  {
    name: 'malformed protobuf is 400',
    steps: [
      raw('not protobuf', 'application/vnd.kubernetes.protobuf'),
      raw('k8s\0\xff\xff', 'application/vnd.kubernetes.protobuf'),
    ],
  },
  { name: 'an unknown content type is 415', steps: [raw('{}', 'text/plain'), raw('{}', 'application/xml')] },
  {
    name: 'an unknown accept is 406',
    steps: [get(CM, { accept: 'text/html' }), get(CM, { accept: 'application/xml' })],
  },
  {
    name: 'accept with several takes the first that is known',
    steps: [get(`${CM}/absent`, { accept: 'text/html,application/json' }), get(`${CM}/absent`, { accept: '*/*' })],
  },
  {
    name: 'wrong types are 400',
    steps: [
      post(CM, { metadata: { name: 'a' }, data: { a: 1 } }),
      post(CM, { metadata: { name: 'a' }, data: 'x' }),
      post(CM, { metadata: { name: 7 } }),
      post(CM, { metadata: { name: 'a', labels: { a: true } } }),
      post(CM, { metadata: 'x' }),
      post(CM, { metadata: { name: 'a', creationTimestamp: 'yesterday' } }),
    ],
  },
  {
    name: 'wrong types in a pod are 400',
    steps: [
      post(`${NS}/pods`, pod('a', { containers: 'x' })),
      post(`${NS}/pods`, pod('a', { activeDeadlineSeconds: 'x' })),
      post(`${NS}/pods`, pod('a', { hostNetwork: 'yes' })),
      post(`${NS}/pods`, pod('a', { activeDeadlineSeconds: 1.5 })),
      post(`${NS}/pods`, pod('a', { containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: 'lots' } } }] })),
    ],
  },
  {
    name: 'another kind than the path names is 400',
    steps: [
      post(CM, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } }),
      post(CM, { apiVersion: 'v2', kind: 'ConfigMap', metadata: { name: 'a' } }),
      post(CM, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' } }),
      post(CM, { apiVersion: 'a/b/c', kind: 'ConfigMap', metadata: { name: 'a' } }),
    ],
  },
  {
    name: 'unknown fields: strict is 400',
    steps: [
      post(`${CM}?fieldValidation=Strict`, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'a', colour: 'red' },
        extra: 1,
      }),
    ],
  },
  {
    name: 'unknown fields: warn is a warning',
    steps: [
      post(`${CM}?fieldValidation=Warn`, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'a', colour: 'red' },
        extra: 1,
      }),
    ],
  },
  {
    name: 'unknown fields: warn is the default',
    steps: [post(CM, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, extra: 1 })],
  },
  {
    name: 'unknown fields: ignore is silent',
    steps: [post(`${CM}?fieldValidation=Ignore`, { metadata: { name: 'a' }, extra: 1 })],
  },
  { name: 'unknown fieldValidation is 422', steps: [post(`${CM}?fieldValidation=Maybe`, configMap('a'))] },
  {
    name: 'duplicate fields: strict is 400',
    steps: [
      raw(
        '{"metadata":{"name":"a","name":"b"},"data":{"k":"1","k":"2"}}',
        'application/json',
        `${CM}?fieldValidation=Strict`,
      ),
    ],
  },
  {
    name: 'duplicate fields: warn takes the last',
    steps: [
      raw(
        '{"metadata":{"name":"a","name":"b"},"data":{"k":"1","k":"2"}}',
        'application/json',
        `${CM}?fieldValidation=Warn`,
      ),
    ],
  },
  {
    name: 'duplicate fields in YAML: strict is 400',
    steps: [
      raw('metadata:\n  name: a\ndata:\n  k: "1"\n  k: "2"\n', 'application/yaml', `${CM}?fieldValidation=Strict`),
    ],
  },
  {
    name: 'field names in another case are unknown',
    steps: [post(`${CM}?fieldValidation=Strict`, { metadata: { name: 'a' }, Data: { a: '1' } })],
  },
  {
    name: 'unknown fields of an update: strict is 400',
    steps: [post(CM, configMap('a')), put(`${CM}/a?fieldValidation=Strict`, { ...configMap('a'), extra: 1 })],
  },
  {
    name: 'unknown fields of a patch: strict is 422',
    steps: [
      post(CM, configMap('a')),
      patch('merge', `${CM}/a?fieldValidation=Strict`, { extra: 1 }),
      patch('strategic', `${CM}/a?fieldValidation=Strict`, { extra: 1 }),
      patch('json', `${CM}/a?fieldValidation=Strict`, [{ op: 'add', path: '/extra', value: 1 }]),
    ],
  },
  {
    name: 'unknown fields in a pod warn with their paths',
    steps: [
      post(
        `${NS}/pods?dryRun=All`,
        pod('a', { containers: [{ name: 'c', image: 'i:1', imag: 'x', env: [{ name: 'A', vlue: '1' }] }], foo: 1 }),
      ),
    ],
  },
  {
    name: 'bad names are 422',
    steps: ['A', 'a_b', '-a', 'a-', 'a..b', 'x'.repeat(254), 'a/b', '..'].map((n) => post(CM, configMap(n))),
  },
  {
    name: 'bad namespace names are 422',
    steps: ['A', 'a.b', 'x'.repeat(64), '-a'].map((n) =>
      post('/api/v1/namespaces?dryRun=All', { metadata: { name: n } }),
    ),
  },
  {
    name: 'bad labels are 422',
    steps: [
      post(CM, configMap('a', {}, { labels: { 'a b': 'x' } })),
      post(CM, configMap('a', {}, { labels: { a: 'x y' } })),
      post(CM, configMap('a', {}, { labels: { 'a/b/c': 'x' } })),
      post(CM, configMap('a', {}, { labels: { a: 'x'.repeat(64) } })),
      post(CM, configMap('a', {}, { labels: { '/b': 'x' } })),
    ],
  },
  {
    name: 'bad annotations are 422',
    steps: [
      post(CM, configMap('a', {}, { annotations: { 'a b': 'x' } })),
      post(CM, configMap('a', {}, { annotations: { 'A.Com/B': 'fine' } })),
      post(CM, configMap('b', {}, { annotations: { a: 'x'.repeat(262145) } })),
    ],
  },
  {
    name: 'bad owner references are 422',
    steps: [
      post(CM, configMap('a', {}, { ownerReferences: [{}] })),
      post(CM, configMap('a', {}, { ownerReferences: [{ apiVersion: 'a/b/c', kind: 'K', name: 'n', uid: 'u' }] })),
      post(
        CM,
        configMap(
          'a',
          {},
          {
            ownerReferences: [
              { apiVersion: 'v1', kind: 'A', name: 'a', uid: 'u1', controller: true },
              { apiVersion: 'v1', kind: 'B', name: 'b', uid: 'u2', controller: true },
            ],
          },
        ),
      ),
      post(CM, configMap('a', {}, { ownerReferences: [{ apiVersion: 'v1', kind: 'Event', name: 'a', uid: 'u1' }] })),
    ],
  },
  {
    name: 'bad finalizers are 422',
    steps: [
      post(CM, configMap('a', {}, { finalizers: ['a b'] })),
      post(CM, configMap('a', {}, { finalizers: ['orphan', 'foregroundDeletion'] })),
      post(CM, configMap('a', {}, { finalizers: ['plain'] })),
    ],
  },
  {
    name: 'an unknown resource is 404',
    steps: [
      get('/api/v1/namespaces/{ns}/things'),
      get('/apis/nothing.example.com/v1/things'),
      get('/apis/apps/v7/deployments'),
      get('/nothing'),
      post('/apis/apps/v1/namespaces/{ns}/things', {}),
    ],
  },
  {
    name: 'a verb that a resource lacks is 405',
    steps: [
      put(CM, configMap('a')),
      patch('merge', CM, {}),
      post(`${CM}/a`, configMap('a')),
      { method: 'DELETE', path: '/api/v1/namespaces' },
      post('/api/v1/componentstatuses', {}),
      get('/apis/authentication.k8s.io/v1/tokenreviews'),
    ],
  },
  {
    name: 'an unknown method is 405',
    steps: [
      { method: 'PURGE', path: CM },
      { method: 'OPTIONS', path: CM },
    ],
  },
  {
    name: 'an unknown subresource is 404',
    steps: [post(CM, configMap('a')), get(`${CM}/a/status`), get(`${CM}/a/nothing`)],
  },
  { name: 'a body over three MiB is 413', steps: [post(CM, configMap('a', { a: 'x'.repeat(3 * 1024 * 1024) }))] },
  {
    name: 'an object over the store limit is refused',
    steps: [post(CM, configMap('a', { a: 'x'.repeat(1024 * 1024 + 1) }))],
  },
  { name: 'malformed queries are 400', steps: [get(`${CM}?limit=x`), get(`${CM}?timeoutSeconds=x`)] },
  {
    name: 'a cluster-scoped object in a namespace path is 404',
    steps: [get('/api/v1/namespaces/{ns}/nodes'), get('/api/v1/configmaps/a')],
  },
  {
    name: 'a namespaced object is not created without a namespace',
    steps: [post('/api/v1/configmaps', configMap('a'))],
  },
];
