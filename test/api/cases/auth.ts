import { as, type Case, configMap, get, NS, post } from '../case.ts';

const CM = `${NS}/configmaps`;
const RB = '/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}';
const grant = [
  post(`${RB}/roles`, {
    metadata: { name: 'r' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] }],
  }),
  post(`${RB}/rolebindings`, {
    metadata: { name: 'r' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'alice' }],
  }),
];
const SAR = '/apis/authorization.k8s.io/v1';
const ask = (spec: object) =>
  post(`${SAR}/subjectaccessreviews`, { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec });
export const auth: readonly Case[] = [
  { name: 'a bad token is 401', tokens: true, steps: [as('bad', get(CM))] },
  {
    name: 'no token is anonymous',
    tokens: true,
    steps: [as('none', get(CM)), as('none', get('/version')), as('none', get('/healthz'))],
  },
  {
    name: 'without a rule everything is 403',
    tokens: true,
    steps: [
      as('user', get(CM)),
      as('user', get(`${CM}/a`)),
      as('user', post(CM, configMap('a'))),
      as('user', get('/api/v1/nodes')),
      as('user', { method: 'DELETE', path: `${CM}/a` }),
      as('user', { method: 'DELETE', path: CM }),
      as('user', get(`${CM}?watch=1`)),
      as('user', get('/apis/apps/v1/namespaces/{ns}/deployments/d/scale')),
      as('user', get('/metrics')),
    ],
  },
  {
    name: 'a role gives what it names',
    tokens: true,
    steps: [
      ...grant,
      post(CM, configMap('a')),
      as('user', get(`${CM}/a`)),
      as('user', get(CM)),
      as('user', post(CM, configMap('b'))),
    ],
  },
  {
    name: 'nobody gives what they have not',
    tokens: true,
    steps: [
      post(`${RB}/roles`, {
        metadata: { name: 'e' },
        rules: [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'], verbs: ['*'] }],
      }),
      post(`${RB}/rolebindings`, {
        metadata: { name: 'e' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'e' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'alice' }],
      }),
      as(
        'user',
        post(`${RB}/roles`, {
          metadata: { name: 'more' },
          rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }],
        }),
      ),
      as(
        'user',
        post(`${RB}/rolebindings`, {
          metadata: { name: 'more' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:node-proxier' },
          subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'alice' }],
        }),
      ),
    ],
  },
  {
    name: 'a subject access review',
    tokens: true,
    steps: [
      ...grant,
      ask({ user: 'alice', resourceAttributes: { namespace: '{ns}', verb: 'get', resource: 'configmaps' } }),
      ask({ user: 'alice', resourceAttributes: { namespace: '{ns}', verb: 'create', resource: 'configmaps' } }),
      ask({ user: 'alice', groups: ['system:masters'], resourceAttributes: { verb: 'delete', resource: 'nodes' } }),
      ask({ user: 'alice', nonResourceAttributes: { path: '/metrics', verb: 'get' } }),
    ],
  },
  {
    name: 'malformed access reviews are 422',
    steps: [
      ask({}),
      ask({ user: 'a' }),
      ask({ user: 'a', resourceAttributes: { verb: 'get' }, nonResourceAttributes: { path: '/' } }),
      post(`${SAR}/selfsubjectaccessreviews`, { spec: {} }),
    ],
  },
  {
    name: 'a self subject access review',
    tokens: true,
    steps: [
      ...grant,
      as(
        'user',
        post(`${SAR}/selfsubjectaccessreviews`, {
          spec: { resourceAttributes: { namespace: '{ns}', verb: 'list', resource: 'configmaps' } },
        }),
      ),
      as(
        'user',
        post(`${SAR}/selfsubjectaccessreviews`, {
          spec: { resourceAttributes: { namespace: '{ns}', verb: 'list', resource: 'secrets' } },
        }),
      ),
    ],
  },
  {
    name: 'a local review in another namespace is 422',
    steps: [
      post(`${SAR}/namespaces/{ns}/localsubjectaccessreviews`, {
        spec: { user: 'a', resourceAttributes: { namespace: 'other', verb: 'get', resource: 'pods' } },
      }),
    ],
  },
  {
    name: 'a self subject review',
    tokens: true,
    steps: [
      as('user', post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {})),
      post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {}),
    ],
  },
  {
    name: 'a token review of static tokens',
    tokens: true,
    steps: [
      post('/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: 'usertoken' } }),
      post('/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: 'nonsense' } }),
      post('/apis/authentication.k8s.io/v1/tokenreviews', { spec: {} }),
    ],
  },
  {
    name: 'impersonation',
    tokens: true,
    steps: [
      get(CM, { 'impersonate-user': 'bob' }),
      as('user', get(CM, { 'impersonate-user': 'bob' })),
      post(
        '/apis/authentication.k8s.io/v1/selfsubjectreviews',
        {},
        { 'impersonate-user': 'bob', 'impersonate-group': 'g' },
      ),
      get(CM, { 'impersonate-group': 'g' }),
    ],
  },
  {
    name: 'bad roles and bindings are 422',
    steps: [
      post(`${RB}/roles`, { metadata: { name: 'r' }, rules: [{}] }),
      post(`${RB}/roles`, { metadata: { name: 'r' }, rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] }),
      post(`${RB}/rolebindings`, { metadata: { name: 'r' }, roleRef: { kind: 'Nothing', name: 'r' } }),
      post(`${RB}/rolebindings`, {
        metadata: { name: 'r' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: '' },
        subjects: [{ kind: 'ServiceAccount', name: 's' }, { kind: 'User' }],
      }),
    ],
  },
  {
    name: 'a roleRef is immutable',
    steps: [
      ...grant,
      {
        method: 'PATCH',
        path: `${RB}/rolebindings/r`,
        headers: { 'content-type': 'application/merge-patch+json' },
        body: { roleRef: { name: 'other' } },
      },
    ],
  },
  {
    name: 'discovery of the core',
    steps: [
      get('/api/v1'),
      get('/apis/apps'),
      get('/apis/apps/v1'),
      get('/apis/nothing'),
      get('/apis/batch/v1'),
      get('/apis/autoscaling/v2'),
      get('/apis/autoscaling'),
      get('/apis/policy/v1'),
      get('/apis/authorization.k8s.io/v1'),
    ],
  },
  { name: 'discovery of groups', steps: [get('/apis')] },
  {
    name: 'aggregated discovery',
    steps: [
      get('/api', { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' }),
      get('/apis', { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' }),
    ],
  },
  { name: 'health', steps: [get('/healthz'), get('/livez'), get('/readyz')] },
];
