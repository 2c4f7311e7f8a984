import { type Case, configMap, deployment, get, NS, patch, pod, post } from '../case.ts';

const CM = `${NS}/configmaps`;
const DEP = '/apis/apps/v1/namespaces/{ns}/deployments';
const with2 = configMap('a', { a: '1', b: '2' }, { labels: { x: '1' } });
export const patches: readonly Case[] = [
  {
    name: 'merge patch sets and removes',
    steps: [
      post(CM, with2),
      patch('merge', `${CM}/a`, { data: { a: null, c: '3' }, metadata: { labels: { y: '2' } } }),
    ],
  },
  {
    name: 'merge patch that changes nothing keeps the resourceVersion',
    steps: [post(CM, with2), patch('merge', `${CM}/a`, { data: { a: '1' } })],
  },
  {
    name: 'merge patch replaces lists',
    steps: [
      post(CM, configMap('a', {}, { finalizers: ['a.b/c'] })),
      patch('merge', `${CM}/a`, { metadata: { finalizers: ['d.e/f'] } }),
      patch('merge', `${CM}/a`, { metadata: { finalizers: null } }),
    ],
  },
  { name: 'merge patch of what is absent is 404', steps: [patch('merge', `${CM}/a`, { data: {} })] },
  {
    name: 'a merge patch that is no object is 400',
    steps: [
      post(CM, with2),
      patch('merge', `${CM}/a`, [1]),
      patch('merge', `${CM}/a`, '{'),
      patch('merge', `${CM}/a`, 'null'),
    ],
  },
  {
    name: 'merge patch with a stale resourceVersion is 409',
    steps: [
      post(CM, with2),
      patch('merge', `${CM}/a`, { data: { q: '1' } }),
      patch('merge', `${CM}/a`, { metadata: { resourceVersion: '{{0.metadata.resourceVersion}}' }, data: { q: '2' } }),
    ],
  },
  {
    name: 'merge patch of the name is 400',
    steps: [
      post(CM, with2),
      patch('merge', `${CM}/a`, { metadata: { name: 'b' } }),
      patch('merge', `${CM}/a`, { metadata: { namespace: 'b' } }),
      patch('merge', `${CM}/a`, { kind: 'Secret' }),
      patch('merge', `${CM}/a`, { metadata: { uid: 'x' } }),
    ],
  },
  {
    name: 'a patch that changes the type',
    steps: [
      post(CM, configMap('a')),
      ...[
        { kind: 'Secret', data: null },
        { kind: 'Pod' },
        { kind: 'Nope' },
        { apiVersion: 'v2' },
        { apiVersion: 'apps/v1', kind: 'Deployment' },
        { kind: null },
        { apiVersion: null },
        { kind: 7 },
        { apiVersion: 'a/b/c' },
        'x',
        [],
        null,
        7,
      ].flatMap((b) => [
        patch('merge', `${CM}/a?dryRun=All`, JSON.stringify(b)),
        patch('strategic', `${CM}/a?dryRun=All`, JSON.stringify(b)),
      ]),
      patch('json', `${CM}/a`, [{ op: 'replace', path: '/kind', value: 'Secret' }]),
      patch('json', `${CM}/a`, [{ op: 'replace', path: '', value: [] }]),
      patch('json', `${CM}/a`, [{ op: 'replace', path: '', value: { a: 1 } }]),
    ],
  },
  {
    name: 'merge patch with a wrong type is 422',
    steps: [post(CM, with2), patch('merge', `${CM}/a`, { data: { a: 7 } }), patch('merge', `${CM}/a`, { data: 'x' })],
  },
  {
    name: 'merge patch that makes the object invalid is 422',
    steps: [post(CM, with2), patch('merge', `${CM}/a`, { metadata: { labels: { 'a b': 'x' } } })],
  },
  {
    name: 'json patch: all operations',
    steps: [
      post(CM, with2),
      patch('json', `${CM}/a`, [
        { op: 'test', path: '/data/a', value: '1' },
        { op: 'replace', path: '/data/a', value: '9' },
        { op: 'remove', path: '/data/b' },
        { op: 'add', path: '/data/c', value: '3' },
        { op: 'copy', from: '/data/c', path: '/data/d' },
        { op: 'move', from: '/data/d', path: '/data/e' },
      ]),
    ],
  },
  {
    name: 'json patch: a failed test is 422',
    steps: [post(CM, with2), patch('json', `${CM}/a`, [{ op: 'test', path: '/data/a', value: '2' }])],
  },
  {
    name: 'json patch: a missing path is 422',
    steps: [
      post(CM, with2),
      patch('json', `${CM}/a`, [{ op: 'remove', path: '/data/z' }]),
      patch('json', `${CM}/a`, [{ op: 'replace', path: '/data/z', value: 'x' }]),
      patch('json', `${CM}/a`, [{ op: 'add', path: '/nothing/z', value: 'x' }]),
    ],
  },
  {
    name: 'json patch: malformed is 400',
    steps: [
      post(CM, with2),
      patch('json', `${CM}/a`, { op: 'add' }),
      patch('json', `${CM}/a`, 'nonsense'),
      patch('json', `${CM}/a`, [{ op: 'jump', path: '/data/a' }]),
      patch('json', `${CM}/a`, [{ path: '/data/a' }]),
    ],
  },
  {
    name: 'json patch: escapes in paths',
    steps: [
      post(CM, with2),
      patch('json', `${CM}/a`, [
        { op: 'add', path: '/metadata/annotations', value: { 'a.b/c': '1' } },
        { op: 'replace', path: '/metadata/annotations/a.b~1c', value: '2' },
      ]),
    ],
  },
  {
    name: 'json patch: lists by index and end',
    steps: [
      post(CM, configMap('a', {}, { finalizers: ['a.b/1', 'a.b/2'] })),
      patch('json', `${CM}/a`, [
        { op: 'add', path: '/metadata/finalizers/-', value: 'a.b/3' },
        { op: 'add', path: '/metadata/finalizers/0', value: 'a.b/0' },
        { op: 'remove', path: '/metadata/finalizers/2' },
      ]),
      patch('json', `${CM}/a`, [{ op: 'remove', path: '/metadata/finalizers' }]),
    ],
  },
  { name: 'json patch: an empty list changes nothing', steps: [post(CM, with2), patch('json', `${CM}/a`, [])] },
  {
    name: 'strategic merge merges containers by name',
    steps: [
      post(DEP, deployment('d')),
      patch('strategic', `${DEP}/d`, {
        spec: {
          template: {
            spec: {
              containers: [
                { name: 'c', image: 'nginx:2' },
                { name: 'e', image: 'busybox' },
              ],
            },
          },
        },
      }),
    ],
  },
  {
    name: 'strategic merge deletes by directive',
    steps: [
      post(
        DEP,
        deployment(
          'd',
          {},
          {
            containers: [
              { name: 'c', image: 'a' },
              { name: 'e', image: 'b' },
            ],
          },
        ),
      ),
      patch('strategic', `${DEP}/d`, {
        spec: { template: { spec: { containers: [{ name: 'e', $patch: 'delete' }] } } },
      }),
    ],
  },
  {
    name: 'strategic merge replaces by directive',
    steps: [
      post(DEP, deployment('d')),
      patch('strategic', `${DEP}/d`, {
        spec: { template: { spec: { containers: [{ name: 'x', image: 'y' }, { $patch: 'replace' }] } } },
      }),
    ],
  },
  {
    name: 'strategic merge orders by directive',
    steps: [
      post(
        DEP,
        deployment(
          'd',
          {},
          {
            containers: [
              { name: 'c', image: 'a' },
              { name: 'e', image: 'b' },
            ],
          },
        ),
      ),
      patch('strategic', `${DEP}/d`, {
        spec: {
          template: {
            spec: {
              '$setElementOrder/containers': [{ name: 'e' }, { name: 'c' }],
              containers: [{ name: 'e', image: 'b2' }],
            },
          },
        },
      }),
    ],
  },
  {
    name: 'strategic merge: retainKeys of the strategy',
    steps: [
      post(DEP, deployment('d')),
      patch('strategic', `${DEP}/d`, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }),
    ],
  },
  {
    name: 'strategic merge of finalizers is a set',
    steps: [
      post(CM, configMap('a', {}, { finalizers: ['a.b/c'] })),
      patch('strategic', `${CM}/a`, { metadata: { finalizers: ['d.e/f'] } }),
      patch('strategic', `${CM}/a`, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a.b/c'] } }),
    ],
  },
  {
    name: 'strategic merge without the merge key is 400',
    steps: [
      post(DEP, deployment('d')),
      patch('strategic', `${DEP}/d`, { spec: { template: { spec: { containers: [{ image: 'x' }] } } } }),
    ],
  },
  {
    name: 'strategic merge of env by name, of ports by container port',
    steps: [
      post(`${NS}/pods?dryRun=All`, pod('p')),
      post(
        DEP,
        deployment(
          'd',
          {},
          { containers: [{ name: 'c', image: 'a', env: [{ name: 'A', value: '1' }], ports: [{ containerPort: 80 }] }] },
        ),
      ),
      patch('strategic', `${DEP}/d`, {
        spec: {
          template: {
            spec: {
              containers: [
                {
                  name: 'c',
                  env: [
                    { name: 'A', value: '2' },
                    { name: 'B', value: '3' },
                  ],
                  ports: [{ containerPort: 81 }],
                },
              ],
            },
          },
        },
      }),
    ],
  },
  {
    name: 'an unknown patch type is 415',
    steps: [
      post(CM, with2),
      { method: 'PATCH', path: `${CM}/a`, headers: { 'content-type': 'application/json' }, body: {} },
      { method: 'PATCH', path: `${CM}/a`, body: {} },
    ],
  },
  { name: 'force is for apply only', steps: [post(CM, with2), patch('merge', `${CM}/a?force=true`, {})] },
  {
    name: 'patch of status changes status only',
    steps: [
      post(DEP, deployment('d')),
      patch('merge', `${DEP}/d/status`, {
        spec: { replicas: 9 },
        status: { replicas: 2, readyReplicas: 1, updatedReplicas: 1, availableReplicas: 1 },
      }),
      get(`${DEP}/d`),
    ],
  },
];
