import { type Case, deployment, get, patch, post, put } from '../case.ts';

const ns = (group: string, plural: string) => `/apis/${group}/namespaces/{ns}/${plural}`;
const DEP = ns('apps/v1', 'deployments');
const STS = ns('apps/v1', 'statefulsets');
const DS = ns('apps/v1', 'daemonsets');
const RS = ns('apps/v1', 'replicasets');
const JOB = ns('batch/v1', 'jobs');
const CJ = ns('batch/v1', 'cronjobs');
const dry = (p: string) => `${p}?dryRun=All`;
const selector = { matchLabels: { a: 'b' } };
const template = (spec: object = {}) => ({
  metadata: { labels: { a: 'b' } },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});
const set = (path: string, spec: object = {}) =>
  post(dry(path), { metadata: { name: 'x' }, spec: { selector, template: template(), ...spec } });
const job = (spec: object = {}, pod: object = {}) =>
  post(dry(JOB), {
    metadata: { name: 'x' },
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }], ...pod } }, ...spec },
  });
const cron = (spec: object = {}) =>
  post(dry(CJ), {
    metadata: { name: 'x' },
    spec: {
      schedule: '* * * * *',
      jobTemplate: {
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
      },
      ...spec,
    },
  });
const scale = (n: number, name = 'd') => ({
  apiVersion: 'autoscaling/v1',
  kind: 'Scale',
  metadata: { name, namespace: '{ns}' },
  spec: { replicas: n },
});
export const workloads: readonly Case[] = [
  { name: 'a Deployment with its defaults', steps: [post(DEP, deployment('d')), get(`${DEP}/d`)] },
  {
    name: 'a Deployment is checked',
    steps: [
      post(dry(DEP), { metadata: { name: 'd' } }),
      post(dry(DEP), deployment('d', { selector: {} })),
      post(dry(DEP), deployment('d', { selector: { matchLabels: { x: 'y' } } })),
      post(dry(DEP), deployment('d', { selector: { matchLabels: { b: 'a b', a: '<' } } })),
      post(dry(DEP), deployment('d', { replicas: -1, minReadySeconds: -1, revisionHistoryLimit: -1 })),
      post(dry(DEP), deployment('d', { strategy: { type: 'X' } })),
      post(dry(DEP), deployment('d', { strategy: { type: 'Recreate', rollingUpdate: {} } })),
      post(dry(DEP), deployment('d', { strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 0 } } })),
      post(dry(DEP), deployment('d', { strategy: { rollingUpdate: { maxUnavailable: '150%', maxSurge: 'x' } } })),
      post(dry(DEP), deployment('d', { progressDeadlineSeconds: 5, minReadySeconds: 5 })),
      post(dry(DEP), deployment('d', {}, { restartPolicy: 'Never', activeDeadlineSeconds: 5 })),
      post(dry(DEP), deployment('d', {}, { containers: [] })),
    ],
  },
  {
    name: 'generation rises with the spec and annotations',
    steps: [
      post(DEP, deployment('d')),
      patch('merge', `${DEP}/d`, { spec: { replicas: 2 } }),
      patch('merge', `${DEP}/d`, { metadata: { labels: { x: 'y' } } }),
      patch('merge', `${DEP}/d`, { metadata: { annotations: { x: 'y' } } }),
      patch('merge', `${DEP}/d/status`, { status: { observedGeneration: 2 } }),
    ],
  },
  {
    name: "a Deployment's selector is immutable",
    steps: [
      post(DEP, deployment('d')),
      patch('merge', `${DEP}/d`, {
        spec: { selector: { matchLabels: { app: 'e' } }, template: { metadata: { labels: { app: 'e' } } } },
      }),
    ],
  },
  {
    name: "a Deployment's status is checked",
    steps: [
      post(DEP, deployment('d')),
      patch('merge', `${DEP}/d/status`, { status: { replicas: 1, readyReplicas: 2, availableReplicas: 3 } }),
      patch('merge', `${DEP}/d/status`, { status: { replicas: -1 } }),
      patch('merge', `${DEP}/d/status`, {
        metadata: { labels: { q: 'r' }, annotations: { q: 'r' } },
        status: { replicas: 1 },
      }),
    ],
  },
  {
    name: 'scale',
    steps: [
      post(DEP, deployment('d', { replicas: 2 })),
      get(`${DEP}/d/scale`),
      put(`${DEP}/d/scale`, scale(5)),
      patch('merge', `${DEP}/d/scale`, { spec: { replicas: 0 } }),
      put(`${DEP}/d/scale`, scale(-1)),
      get(`${DEP}/d`),
      get(`${DEP}/absent/scale`),
      put(`${DEP}/d/scale`, scale(1, 'e')),
    ],
  },
  {
    name: 'scale of a ReplicationController',
    steps: [
      post('/api/v1/namespaces/{ns}/replicationcontrollers', {
        metadata: { name: 'r' },
        spec: { template: template() },
      }),
      get('/api/v1/namespaces/{ns}/replicationcontrollers/r/scale'),
    ],
  },
  {
    name: 'a ReplicaSet',
    steps: [
      post(RS, { metadata: { name: 'x' }, spec: { selector, template: template() } }),
      set(RS, { selector: null }),
      set(RS, { replicas: -1 }),
      set(RS, { template: {} }),
    ],
  },
  {
    name: 'a StatefulSet with its defaults',
    steps: [
      post(STS, {
        metadata: { name: 'x' },
        spec: {
          serviceName: 's',
          selector,
          template: template(),
          volumeClaimTemplates: [
            {
              metadata: { name: 'data' },
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
            },
          ],
        },
      }),
    ],
  },
  {
    name: 'a StatefulSet is checked',
    steps: [
      set(STS, { podManagementPolicy: 'X' }),
      set(STS, { updateStrategy: { type: 'X' } }),
      set(STS, { updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } }),
      set(STS, { updateStrategy: { rollingUpdate: { partition: -1 } } }),
      set(STS, { serviceName: 'A_' }),
      set(STS, { selector: null }),
      set(STS, { template: template({ restartPolicy: 'Never' }) }),
      set(STS, { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'X' } }),
      set(STS, { ordinals: { start: -1 } }),
      set(STS, { volumeClaimTemplates: [{ metadata: { name: 'd' }, spec: {} }] }),
    ],
  },
  {
    name: 'a StatefulSet is immutable but for a few fields',
    steps: [
      post(STS, { metadata: { name: 'x' }, spec: { serviceName: 's', selector, template: template() } }),
      patch('merge', `${STS}/x`, { spec: { serviceName: 't' } }),
      patch('merge', `${STS}/x`, { spec: { podManagementPolicy: 'Parallel' } }),
      patch('merge', `${STS}/x`, { spec: { replicas: 3 } }),
    ],
  },
  {
    name: 'a DaemonSet with its defaults',
    steps: [
      post(DS, { metadata: { name: 'x' }, spec: { selector, template: template() } }),
      patch('merge', `${DS}/x`, { spec: { template: { metadata: { annotations: { a: 'b' } } } } }),
    ],
  },
  {
    name: 'a DaemonSet is checked',
    steps: [
      set(DS, { selector: null }),
      set(DS, { selector: {} }),
      set(DS, { updateStrategy: { type: 'X' } }),
      set(DS, { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } }),
      set(DS, { updateStrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
      set(DS, { template: template({ restartPolicy: 'OnFailure' }) }),
    ],
  },
  {
    name: 'a Job with its defaults',
    steps: [
      post(JOB, {
        metadata: { name: 'x' },
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
      }),
      patch('merge', `${JOB}/x`, { spec: { parallelism: 2 } }),
      patch('merge', `${JOB}/x`, { spec: { completions: 2 } }),
      patch('merge', `${JOB}/x`, { spec: { template: { spec: { nodeSelector: { a: 'b' } } } } }),
    ],
  },
  {
    name: 'a Job is checked',
    steps: [
      job({}, { restartPolicy: 'Always' }),
      job({ parallelism: -1, completions: -1, backoffLimit: -1 }),
      job({ completionMode: 'Indexed' }),
      job({ completionMode: 'X' }),
      job({ selector }),
      job({ manualSelector: true }),
      job({ maxFailedIndexes: 1 }),
      job({ podFailurePolicy: { rules: [{}] } }),
      job({ podFailurePolicy: { rules: [{ action: 'X', onExitCodes: { operator: 'In', values: [0] } }] } }),
      job({ managedBy: 'x' }),
      job({ podReplacementPolicy: 'X' }),
      job({ completionMode: 'Indexed', completions: 3, parallelism: 2 }),
    ],
  },
  { name: 'a CronJob with its defaults', steps: [cron(), cron({ timeZone: 'Europe/Berlin', suspend: true })] },
  {
    name: 'a CronJob is checked',
    steps: [
      ...[
        '',
        '* * * *',
        '60 * * * *',
        '@hourly',
        '@never',
        '1-70 * * * *',
        'x * * * *',
        '*/0 * * * *',
        'TZ=UTC * * * * *',
      ].map((schedule) => cron({ schedule })),
      cron({ timeZone: 'Nowhere/City' }),
      cron({ timeZone: '' }),
      cron({ concurrencyPolicy: 'X' }),
      cron({ successfulJobsHistoryLimit: -1, startingDeadlineSeconds: -1 }),
      post(dry(CJ), { metadata: { name: 'x'.repeat(53) }, spec: {} }),
    ],
  },
  {
    name: 'a PodTemplate',
    steps: [
      post('/api/v1/namespaces/{ns}/podtemplates', { metadata: { name: 't' }, template: template() }),
      patch('merge', '/api/v1/namespaces/{ns}/podtemplates/t', { template: { metadata: { labels: { x: 'y' } } } }),
    ],
  },
  {
    name: 'a ControllerRevision',
    steps: [
      post(ns('apps/v1', 'controllerrevisions'), { metadata: { name: 'c' }, revision: 1 }),
      post(ns('apps/v1', 'controllerrevisions'), { metadata: { name: 'c' }, revision: 1, data: { a: 1 } }),
      patch('merge', `${ns('apps/v1', 'controllerrevisions')}/c`, { data: { a: 2 } }),
      patch('merge', `${ns('apps/v1', 'controllerrevisions')}/c`, { revision: 2 }),
    ],
  },
  {
    name: 'warnings for templates',
    steps: [
      post(
        dry(DEP),
        deployment(
          'd',
          {},
          {
            nodeSelector: { 'beta.kubernetes.io/os': 'linux' },
            containers: [
              {
                name: 'c',
                image: 'i',
                ports: [{ containerPort: 80 }, { containerPort: 80 }],
                env: [
                  { name: 'A', value: '1' },
                  { name: 'A', value: '2' },
                ],
              },
            ],
          },
        ),
      ),
    ],
  },
];
