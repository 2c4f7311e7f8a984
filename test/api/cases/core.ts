import { type Case, configMap, get, NS, patch, post, put } from '../case.ts';

const CM = `${NS}/configmaps`;
const SEC = `${NS}/secrets`;
const secret = (type: string, data: Record<string, string> = {}, meta: object = {}) =>
  post(SEC, { metadata: { name: 's', ...meta }, type, stringData: data });
const CLAIMS = `${NS}/persistentvolumeclaims`;
const claim = (spec: object = {}) =>
  post(CLAIMS, {
    metadata: { name: 'c' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  });
const volume = (spec: object = {}) =>
  post('/api/v1/persistentvolumes?dryRun=All', {
    metadata: { name: 'v' },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' }, ...spec },
  });
const node = (body: object = {}) => post('/api/v1/nodes?dryRun=All', { metadata: { name: 'n' }, ...body });
const range = (limits: object[]) => post(`${NS}/limitranges?dryRun=All`, { metadata: { name: 'l' }, spec: { limits } });
const quota = (spec: object) => post(`${NS}/resourcequotas?dryRun=All`, { metadata: { name: 'q' }, spec });
export const core: readonly Case[] = [
  {
    name: 'a ConfigMap key is checked',
    steps: [
      post(CM, configMap('a', { 'a b': '1' })),
      post(CM, configMap('a', { '..': '1' })),
      post(CM, { metadata: { name: 'a' }, data: { k: '1' }, binaryData: { k: 'YQ==' } }),
    ],
  },
  {
    name: 'binary data must be base64',
    steps: [
      post(CM, { metadata: { name: 'a' }, binaryData: { k: '%%' } }),
      post(CM, { metadata: { name: 'a' }, binaryData: { k: 'YWJj' } }),
    ],
  },
  {
    name: 'an immutable ConfigMap stays',
    steps: [
      post(CM, { ...configMap('a'), immutable: true }),
      patch('merge', `${CM}/a`, { data: { a: '2' } }),
      patch('merge', `${CM}/a`, { immutable: null }),
      patch('merge', `${CM}/a`, { metadata: { labels: { x: 'y' } } }),
    ],
  },
  {
    name: 'stringData becomes data',
    steps: [
      post(SEC, { metadata: { name: 's' }, data: { a: 'YQ==', b: 'Yg==' }, stringData: { b: 'zwei' } }),
      get(`${SEC}/s`),
    ],
  },
  {
    name: 'Secret types need their keys',
    steps: [
      secret('kubernetes.io/tls'),
      secret('kubernetes.io/dockerconfigjson'),
      secret('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': 'x' }),
      secret('kubernetes.io/dockercfg'),
      secret('kubernetes.io/basic-auth'),
      secret('kubernetes.io/ssh-auth'),
      secret('kubernetes.io/service-account-token'),
      secret('example.com/own'),
    ],
  },
  {
    name: 'a Secret type is immutable',
    steps: [
      secret('Opaque'),
      put(`${SEC}/s`, { metadata: { name: 's' }, type: 'example.com/x' }),
      put(`${SEC}/s`, { metadata: { name: 's' } }),
    ],
  },
  {
    name: 'an immutable Secret stays',
    steps: [
      post(SEC, { metadata: { name: 's' }, immutable: true, stringData: { a: '1' } }),
      patch('merge', `${SEC}/s`, { stringData: { a: '2' } }),
      patch('merge', `${SEC}/s`, { immutable: false }),
    ],
  },
  {
    name: 'a Secret by type',
    steps: [
      secret('example.com/own'),
      get(`${SEC}?fieldSelector=type%3Dexample.com/own`),
      get(`${SEC}?fieldSelector=type%3DOpaque`),
    ],
  },
  {
    name: 'a Namespace gets its label, phase and finalizer',
    steps: [
      get('/api/v1/namespaces/{ns}'),
      patch('merge', '/api/v1/namespaces/{ns}', {
        metadata: { labels: { 'kubernetes.io/metadata.name': null, x: 'y' } },
      }),
      patch('merge', '/api/v1/namespaces/{ns}', { spec: { finalizers: [] } }),
    ],
  },
  {
    name: 'a Namespace status is checked',
    steps: [
      patch('merge', '/api/v1/namespaces/{ns}/status', { status: { phase: 'Terminating' } }),
      patch('merge', '/api/v1/namespaces/{ns}/status', { status: { phase: null } }),
    ],
  },
  {
    name: 'a Namespace finalizer is checked',
    steps: [
      post('/api/v1/namespaces?dryRun=All', { metadata: { name: 'x-{ns}' }, spec: { finalizers: ['plain'] } }),
      post('/api/v1/namespaces?dryRun=All', { metadata: { generateName: 'x-' } }),
    ],
  },
  {
    name: 'a Node keeps its status on create',
    steps: [
      node({ status: { capacity: { cpu: '4', memory: '8Gi' } } }),
      node({
        spec: {
          taints: [
            { key: 'a b', effect: 'No' },
            { key: 'a', effect: 'NoSchedule' },
            { key: 'a', effect: 'NoSchedule' },
          ],
        },
      }),
      node({ spec: { podCIDRs: ['10.0.0.0/24', '10.0.1.0/24'], podCIDR: '10.0.0.0/24' } }),
      node({ spec: { unschedulable: true } }),
    ],
  },
  {
    name: 'claims are checked',
    steps: [
      claim(),
      claim({ accessModes: [] }),
      claim({ accessModes: ['Sometimes'] }),
      claim({ resources: {} }),
      claim({ resources: { requests: { storage: '-1' } } }),
      claim({ volumeMode: 'x' }),
      claim({ dataSource: { kind: 'X', name: '' } }),
      claim({ storageClassName: 'A_B' }),
      claim({ accessModes: ['ReadWriteOncePod', 'ReadWriteOnce'] }),
    ],
  },
  {
    name: 'a claim is immutable',
    steps: [
      claim(),
      patch('merge', `${CLAIMS}/c`, { spec: { resources: { requests: { storage: '2Gi' } } } }),
      patch('merge', `${CLAIMS}/c`, { spec: { volumeName: 'v' } }),
      patch('merge', `${CLAIMS}/c`, { spec: { volumeMode: 'Block' } }),
    ],
  },
  {
    name: 'volumes are checked',
    steps: [
      volume(),
      volume({ capacity: {} }),
      volume({ accessModes: [] }),
      volume({ persistentVolumeReclaimPolicy: 'Keep' }),
      volume({ hostPath: null }),
      volume({ nfs: { server: 's', path: '/p' } }),
      volume({ volumeMode: 'x' }),
      volume({ hostPath: { path: '/' }, persistentVolumeReclaimPolicy: 'Recycle' }),
      volume({ storageClassName: 'A_' }),
    ],
  },
  {
    name: 'limit ranges get defaults and are checked',
    steps: [
      range([{ type: 'Container', max: { cpu: '2' }, min: { cpu: '1' } }]),
      range([{ type: 'Pod', default: { cpu: '1' } }]),
      range([{ type: 'Container', max: { cpu: '1' }, min: { cpu: '2' } }]),
      range([{ type: 'Thing' }]),
      range([{ type: 'Container', max: { things: '1' } }]),
      range([{ type: 'PersistentVolumeClaim' }]),
      range([{ type: 'Pod' }, { type: 'Pod' }]),
      range([{ type: 'Pod', maxLimitRequestRatio: { cpu: '0.5' } }]),
    ],
  },
  {
    name: 'quotas are checked',
    steps: [
      quota({ hard: { pods: '5', 'requests.cpu': '1', 'count/deployments.apps': '2' } }),
      quota({ hard: { things: '1' } }),
      quota({ hard: { pods: '1.5' } }),
      quota({ hard: { pods: '-1' } }),
      quota({ hard: { pods: '1' }, scopes: ['BestEffort', 'NotBestEffort'] }),
      quota({ hard: { cpu: '1' }, scopes: ['BestEffort'] }),
      quota({ scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In' }] } }),
    ],
  },
  {
    name: 'service accounts',
    steps: [
      post(`${NS}/serviceaccounts`, { metadata: { name: 'A' } }),
      post(`${NS}/serviceaccounts`, {
        metadata: { name: 'a' },
        secrets: [{ name: 'x' }],
        imagePullSecrets: [{ name: 'y' }],
        automountServiceAccountToken: false,
      }),
    ],
  },
  {
    name: 'endpoints are checked',
    steps: [
      post(`${NS}/endpoints`, { metadata: { name: 'e' }, subsets: [{}] }),
      post(`${NS}/endpoints`, {
        metadata: { name: 'e' },
        subsets: [
          {
            addresses: [{ ip: '127.0.0.1' }, { ip: 'x' }, { ip: '169.254.1.1' }],
            ports: [{ port: 0 }, { port: 80, protocol: 'X' }],
          },
        ],
      }),
      put(`${NS}/endpoints/e`, { metadata: { name: 'e' } }),
    ],
  },
  {
    name: 'events are checked',
    steps: [
      post(`${NS}/events`, { metadata: { name: 'e' }, involvedObject: { namespace: 'other' } }),
      post(`${NS}/events`, { metadata: { name: 'e' }, involvedObject: { kind: 'Pod', name: 'p', namespace: '{ns}' } }),
      get('/apis/events.k8s.io/v1/namespaces/{ns}/events/e'),
      post('/apis/events.k8s.io/v1/namespaces/{ns}/events', {
        metadata: { name: 'f' },
        regarding: { kind: 'Pod', name: 'p', namespace: '{ns}' },
      }),
      post('/apis/events.k8s.io/v1/namespaces/{ns}/events', {
        metadata: { name: 'f' },
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingController: 'a.b/c',
        reportingInstance: 'i',
        action: 'Acts',
        reason: 'Why',
        type: 'Normal',
        regarding: { kind: 'Pod', name: 'p', namespace: '{ns}' },
      }),
      get(`${NS}/events/f`),
    ],
  },
  {
    name: 'priority classes',
    steps: [
      post('/apis/scheduling.k8s.io/v1/priorityclasses?dryRun=All', { metadata: { name: 'p' }, value: 5 }),
      post('/apis/scheduling.k8s.io/v1/priorityclasses?dryRun=All', { metadata: { name: 'p' }, value: 2000000000 }),
      post('/apis/scheduling.k8s.io/v1/priorityclasses?dryRun=All', { metadata: { name: 'system-x' }, value: 1 }),
      post('/apis/scheduling.k8s.io/v1/priorityclasses?dryRun=All', {
        metadata: { name: 'p' },
        value: 1,
        preemptionPolicy: 'Maybe',
      }),
    ],
  },
  {
    name: 'storage classes',
    steps: [
      post('/apis/storage.k8s.io/v1/storageclasses?dryRun=All', { metadata: { name: 's' }, provisioner: 'a.b/c' }),
      post('/apis/storage.k8s.io/v1/storageclasses?dryRun=All', { metadata: { name: 's' } }),
      post('/apis/storage.k8s.io/v1/storageclasses?dryRun=All', {
        metadata: { name: 's' },
        provisioner: 'a_b/c d',
        reclaimPolicy: 'x',
        volumeBindingMode: 'y',
      }),
    ],
  },
  {
    name: 'ingresses are checked',
    steps: [
      { spec: {} },
      { spec: { rules: [{ host: 'A_', http: { paths: [] } }] } },
      { spec: { rules: [{ http: { paths: [{ path: 'x', pathType: 'Prefix', backend: {} }] } }] } },
      { spec: { defaultBackend: { service: { name: 's', port: { number: 80, name: 'x' } } } } },
      { spec: { ingressClassName: 'c', defaultBackend: { service: { name: 's', port: { name: 'http' } } } } },
    ].map((b) =>
      post('/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses?dryRun=All', { metadata: { name: 'i' }, ...b }),
    ),
  },
  {
    name: 'network policies are checked',
    steps: [
      { podSelector: {} },
      { podSelector: {}, ingress: [{}], egress: [{}] },
      { podSelector: {}, policyTypes: ['Sideways'] },
      { podSelector: {}, ingress: [{ from: [{}] }] },
      {
        podSelector: {},
        ingress: [
          { from: [{ ipBlock: { cidr: 'x' } }], ports: [{ port: 'http' }, { port: 0 }, { port: 80, endPort: 70 }] },
        ],
      },
      { podSelector: { matchLabels: { 'a b': 'c' } } },
    ].map((spec) =>
      post('/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies?dryRun=All', { metadata: { name: 'n' }, spec }),
    ),
  },
  {
    name: 'disruption budgets are checked',
    steps: [
      { minAvailable: 1, selector: {} },
      { minAvailable: 1, maxUnavailable: 1 },
      { minAvailable: '150%' },
      { maxUnavailable: -1 },
      {},
      { minAvailable: 'x' },
      { unhealthyPodEvictionPolicy: 'x' },
    ].map((spec) =>
      post('/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets?dryRun=All', { metadata: { name: 'b' }, spec }),
    ),
  },
  {
    name: 'autoscalers get defaults and are checked',
    steps: [
      { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' } },
      { maxReplicas: 0, scaleTargetRef: {} },
      { minReplicas: 5, maxReplicas: 3, scaleTargetRef: { kind: 'D', name: 'd' } },
      { maxReplicas: 3, scaleTargetRef: { kind: 'D', name: 'd' }, metrics: [{ type: 'Resource' }] },
      {
        maxReplicas: 3,
        scaleTargetRef: { kind: 'D', name: 'd' },
        behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
      },
    ].map((spec) =>
      post('/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers?dryRun=All', {
        metadata: { name: 'h' },
        spec,
      }),
    ),
  },
  {
    name: 'an autoscaler in two versions',
    steps: [
      post('/apis/autoscaling/v1/namespaces/{ns}/horizontalpodautoscalers', {
        metadata: { name: 'h' },
        spec: {
          maxReplicas: 3,
          targetCPUUtilizationPercentage: 70,
          scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
        },
      }),
      get('/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers/h'),
      get('/apis/autoscaling/v1/namespaces/{ns}/horizontalpodautoscalers/h'),
    ],
  },
  {
    name: 'endpoint slices are checked',
    steps: [
      {},
      { addressType: 'IPv4', endpoints: [{ addresses: [] }] },
      { addressType: 'IPv4', endpoints: [{ addresses: ['x'] }] },
      {
        addressType: 'IPv6',
        endpoints: [{ addresses: ['1.2.3.4'] }],
        ports: [
          { name: 'A_', port: 80 },
          { name: 'b', protocol: 'X' },
        ],
      },
      { addressType: 'FQDN', endpoints: [{ addresses: ['a.b'] }] },
    ].map((b) =>
      post('/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices?dryRun=All', { metadata: { name: 'e' }, ...b }),
    ),
  },
  {
    name: 'leases are checked',
    steps: [
      { leaseDurationSeconds: 0 },
      { leaseTransitions: -1 },
      { holderIdentity: '' },
      { holderIdentity: 'x', renewTime: '2026-01-01T00:00:00.123456Z' },
    ].map((spec) =>
      post('/apis/coordination.k8s.io/v1/namespaces/{ns}/leases?dryRun=All', { metadata: { name: 'l' }, spec }),
    ),
  },
];
