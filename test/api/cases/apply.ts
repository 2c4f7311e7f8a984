import { type Case, configMap, del, deployment, get, NS, patch, post, put } from '../case.ts';

const CM = `${NS}/configmaps`;
const DEP = '/apis/apps/v1/namespaces/{ns}/deployments';
const own = (data: Record<string, string>, meta: object = {}) => configMap('a', data, meta);
/** Server-side apply. */
export const apply: readonly Case[] = [
  { name: 'apply creates', steps: [patch('apply', `${CM}/a?fieldManager=me`, own({ a: '1' })), get(`${CM}/a`)] },
  { name: 'apply without a field manager is 422', steps: [patch('apply', `${CM}/a`, own({ a: '1' }))] },
  {
    name: 'apply again changes nothing',
    steps: [
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '1' })),
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '1' })),
    ],
  },
  {
    name: 'apply removes what it no longer names',
    steps: [
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '1', b: '2' })),
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '1' })),
    ],
  },
  {
    name: 'a conflict with another applier is 409',
    steps: [
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '1' })),
      patch('apply', `${CM}/a?fieldManager=you`, own({ a: '2' })),
    ],
  },
  {
    name: 'force takes the field',
    steps: [
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '1' })),
      patch('apply', `${CM}/a?fieldManager=you&force=true`, own({ a: '2' })),
    ],
  },
  {
    name: 'the same value is shared',
    steps: [
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '1' })),
      patch('apply', `${CM}/a?fieldManager=you`, own({ a: '1' })),
      patch('apply', `${CM}/a?fieldManager=me`, own({})),
    ],
  },
  {
    name: 'a conflict with an updater is 409',
    steps: [
      post(`${CM}?fieldManager=other`, own({ a: '1', b: '2' })),
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '3', b: '4' })),
    ],
  },
  {
    name: 'an update takes fields from an applier',
    steps: [
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '1' })),
      put(`${CM}/a?fieldManager=you`, own({ a: '2' })),
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '3' })),
    ],
  },
  {
    name: 'apply of lists by key',
    steps: [
      patch('apply', `${DEP}/d?fieldManager=me`, deployment('d')),
      patch('apply', `${DEP}/d?fieldManager=you`, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: { template: { spec: { containers: [{ name: 'side', image: 'x' }] } } },
      }),
      patch('apply', `${DEP}/d?fieldManager=you`, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: {},
      }),
    ],
  },
  {
    name: 'apply conflicts name nested fields',
    steps: [
      patch('apply', `${DEP}/d?fieldManager=me`, deployment('d')),
      patch('apply', `${DEP}/d?fieldManager=you`, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        spec: { template: { spec: { containers: [{ name: 'c', image: 'other' }] } } },
      }),
    ],
  },
  {
    name: 'scale by update takes replicas from the applier',
    steps: [
      patch('apply', `${DEP}/d?fieldManager=me`, deployment('d', { replicas: 3 })),
      put(`${DEP}/d/scale?fieldManager=scaler`, {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: 'd', namespace: '{ns}' },
        spec: { replicas: 5 },
      }),
      get(`${DEP}/d`),
    ],
  },
  {
    name: 'apply to status has its own entry',
    steps: [
      patch('apply', `${DEP}/d?fieldManager=me`, deployment('d')),
      patch('apply', `${DEP}/d/status?fieldManager=me`, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd' },
        status: { replicas: 1 },
      }),
    ],
  },
  {
    name: 'apply with duplicate keys is refused',
    steps: [
      patch(
        'apply',
        `${DEP}/d?fieldManager=me`,
        deployment(
          'd',
          {},
          {
            containers: [
              { name: 'c', image: 'a' },
              { name: 'c', image: 'b' },
            ],
          },
        ),
      ),
    ],
  },
  {
    name: 'a null among the keys of a list is a key of its own',
    steps: [
      ...[[{ port: null }, {}], [{ port: 80, protocol: null }], [{ port: 80, protocol: null }, { port: 80 }]].map(
        (ports) =>
          patch('apply', '/api/v1/namespaces/{ns}/services/s?fieldManager=me', {
            apiVersion: 'v1',
            kind: 'Service',
            metadata: { name: 's' },
            spec: { ports },
          }),
      ),
    ],
  },
  {
    name: 'apply without kind or apiVersion is 400',
    steps: [
      patch('apply', `${CM}/a?fieldManager=me`, { metadata: { name: 'a' } }),
      patch('apply', `${CM}/a?fieldManager=me`, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } }),
      patch('apply', `${CM}/a?fieldManager=me`, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b' } }),
    ],
  },
  {
    name: 'apply with managedFields is 400',
    steps: [
      patch('apply', `${CM}/a?fieldManager=me`, own({}, { managedFields: [{ manager: 'x', operation: 'Update' }] })),
    ],
  },
  {
    name: 'apply with unknown fields: strict is 422',
    steps: [
      patch('apply', `${CM}/a?fieldManager=me&fieldValidation=Strict`, { ...own({}), extra: 1 }),
      patch('apply', `${CM}/a?fieldManager=me`, { ...own({}), extra: 1 }),
    ],
  },
  {
    name: 'apply as YAML',
    steps: [
      patch(
        'apply',
        `${CM}/a?fieldManager=me`,
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: v\n',
      ),
    ],
  },
  {
    name: 'apply to what is being deleted',
    steps: [
      post(CM, own({}, { finalizers: ['a.b/c'] })),
      del(`${CM}/a`),
      patch('apply', `${CM}/a?fieldManager=me`, own({ z: '1' })),
    ],
  },
  {
    name: 'apply dry-run',
    steps: [patch('apply', `${CM}/a?fieldManager=me&dryRun=All`, own({ a: '1' })), get(`${CM}/a`)],
  },
  {
    name: 'an update without managedFields keeps them',
    steps: [
      patch('apply', `${CM}/a?fieldManager=me`, own({ a: '1' })),
      put(`${CM}/a?fieldManager=you`, own({ a: '1', b: '1' })),
    ],
  },
];
