import {
  type Case,
  configMap,
  deployment,
  get,
  NS,
  PARTIAL,
  PARTIAL_LIST,
  pod,
  post,
  service,
  TABLE,
} from '../case.ts';

const CM = `${NS}/configmaps`;
const each = (name: string, path: string, body: unknown): Case => ({
  name: `table of ${name}`,
  steps: [post(path, body), get(path, TABLE)],
});
const ns = (group: string, plural: string) => `/apis/${group}/namespaces/{ns}/${plural}`;
const template = {
  metadata: { labels: { a: 'b' } },
  spec: {
    containers: [
      { name: 'c', image: 'i' },
      { name: 'd', image: 'j' },
    ],
  },
};
const once = { metadata: {}, spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } };
const selector = { matchLabels: { a: 'b' } };
/** metav1.Table and PartialObjectMetadata. */
export const tables: readonly Case[] = [
  { name: 'a table of one object', steps: [post(CM, configMap('a')), get(`${CM}/a`, TABLE)] },
  {
    name: 'a table with whole objects or none',
    steps: [
      post(CM, configMap('a')),
      get(`${CM}?includeObject=Object`, TABLE),
      get(`${CM}?includeObject=None`, TABLE),
      get(`${CM}?includeObject=Some`, TABLE),
    ],
  },
  {
    name: 'a table without headers is none upstream either',
    steps: [post(CM, configMap('a')), get(`${CM}?noHeaders=true`, TABLE)],
  },
  {
    name: 'a table of an old version',
    steps: [
      post(CM, configMap('a')),
      get(CM, { accept: 'application/json;as=Table;v=v1beta1;g=meta.k8s.io' }),
      get(CM, { accept: 'application/json;as=Table;v=v2;g=meta.k8s.io' }),
    ],
  },
  { name: 'a table of what is absent is a Status', steps: [get(`${CM}/absent`, TABLE)] },
  { name: 'metadata of one object', steps: [post(CM, configMap('a')), get(`${CM}/a`, PARTIAL)] },
  {
    name: 'metadata of a list',
    steps: [post(CM, configMap('a')), get(CM, PARTIAL_LIST), get(CM, PARTIAL), get(`${CM}/a`, PARTIAL_LIST)],
  },
  { name: 'an answer to create as metadata', steps: [post(CM, configMap('a'), PARTIAL)] },
  each('pods', `${NS}/pods`, pod('p')),
  each('services', `${NS}/services`, service('s', { type: 'NodePort' })),
  each('secrets', `${NS}/secrets`, { metadata: { name: 's' }, stringData: { a: '1' } }),
  each('service accounts', `${NS}/serviceaccounts`, { metadata: { name: 's' } }),
  each('replication controllers', `${NS}/replicationcontrollers`, { metadata: { name: 'r' }, spec: { template } }),
  each('endpoints', `${NS}/endpoints`, {
    metadata: { name: 'e' },
    subsets: [
      {
        addresses: [{ ip: '1.2.3.4' }, { ip: '1.2.3.5' }],
        ports: [
          { port: 80, name: 'a' },
          { port: 81, name: 'b' },
        ],
      },
    ],
  }),
  each('claims', `${NS}/persistentvolumeclaims`, {
    metadata: { name: 'c' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  }),
  each('limit ranges', `${NS}/limitranges`, {
    metadata: { name: 'l' },
    spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] },
  }),
  each('quotas', `${NS}/resourcequotas`, { metadata: { name: 'q' }, spec: { hard: { pods: '4' } } }),
  each('pod templates', `${NS}/podtemplates`, { metadata: { name: 't' }, template }),
  each('events', `${NS}/events`, {
    metadata: { name: 'e' },
    involvedObject: { kind: 'Pod', name: 'p', namespace: '{ns}' },
    reason: 'Because',
    message: ' text ',
    type: 'Normal',
    source: { component: 'me' },
    count: 3,
  }),
  each('deployments', ns('apps/v1', 'deployments'), deployment('d')),
  each('replica sets', ns('apps/v1', 'replicasets'), { metadata: { name: 'r' }, spec: { selector, template } }),
  each('stateful sets', ns('apps/v1', 'statefulsets'), {
    metadata: { name: 's' },
    spec: { selector, template, serviceName: 'x' },
  }),
  each('daemon sets', ns('apps/v1', 'daemonsets'), { metadata: { name: 'd' }, spec: { selector, template } }),
  each('controller revisions', ns('apps/v1', 'controllerrevisions'), {
    metadata: { name: 'c' },
    revision: 3,
    data: { a: 1 },
  }),
  each('jobs', ns('batch/v1', 'jobs'), { metadata: { name: 'j' }, spec: { template: once } }),
  each('cron jobs', ns('batch/v1', 'cronjobs'), {
    metadata: { name: 'c' },
    spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: once } } },
  }),
  each('autoscalers', ns('autoscaling/v2', 'horizontalpodautoscalers'), {
    metadata: { name: 'h' },
    spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' } },
  }),
  each('disruption budgets', ns('policy/v1', 'poddisruptionbudgets'), {
    metadata: { name: 'b' },
    spec: { minAvailable: '50%', selector },
  }),
  each('ingresses', ns('networking.k8s.io/v1', 'ingresses'), {
    metadata: { name: 'i' },
    spec: {
      rules: [
        {
          host: 'a.example.com',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } } }],
          },
        },
      ],
    },
  }),
  each('network policies', ns('networking.k8s.io/v1', 'networkpolicies'), {
    metadata: { name: 'n' },
    spec: { podSelector: selector },
  }),
  each('leases', ns('coordination.k8s.io/v1', 'leases'), { metadata: { name: 'l' }, spec: { holderIdentity: 'me' } }),
  each('endpoint slices', ns('discovery.k8s.io/v1', 'endpointslices'), {
    metadata: { name: 'e' },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['1.2.3.4'] }],
    ports: [{ port: 80 }],
  }),
  each('roles', ns('rbac.authorization.k8s.io/v1', 'roles'), { metadata: { name: 'r' }, rules: [] }),
  each('role bindings', ns('rbac.authorization.k8s.io/v1', 'rolebindings'), {
    metadata: { name: 'r' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    subjects: [
      { kind: 'User', name: 'u' },
      { kind: 'Group', name: 'g' },
      { kind: 'ServiceAccount', name: 's', namespace: 'n' },
    ],
  }),
];
