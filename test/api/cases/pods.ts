import { type Case, get, NS, patch, pod, post, put } from '../case.ts';

const PODS = `${NS}/pods`;
const dry = (spec: object, meta: object = {}) => post(`${PODS}?dryRun=All`, pod('p', spec, meta));
const c = (container: object) => dry({ containers: [{ name: 'c', image: 'i:1', ...container }] });
const vol = (v: object) => dry({ volumes: [{ name: 'v', ...v }] });
export const pods: readonly Case[] = [
  { name: 'a pod with its defaults', steps: [post(PODS, pod('p')), get(`${PODS}/p`)] },
  {
    name: 'pull policies by tag',
    steps: [
      'i',
      'i:latest',
      'i:1',
      'i@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'host:5000/i',
      'I:1',
      'a b',
    ].map((image) => c({ image })),
  },
  {
    name: 'no containers',
    steps: [
      dry({ containers: [] }),
      dry({ containers: null }),
      post(`${PODS}?dryRun=All`, { metadata: { name: 'p' } }),
    ],
  },
  {
    name: 'containers are checked',
    steps: [
      c({ name: '' }),
      c({ name: 'A_' }),
      c({ image: '' }),
      c({ image: ' i ' }),
      c({ imagePullPolicy: 'X' }),
      c({ terminationMessagePolicy: 'X' }),
      dry({
        containers: [
          { name: 'c', image: 'i' },
          { name: 'c', image: 'i' },
        ],
      }),
      c({ restartPolicy: 'Sometimes' }),
    ],
  },
  {
    name: 'ports are checked',
    steps: [
      c({ ports: [{ containerPort: 0 }] }),
      c({ ports: [{ containerPort: 70000, hostPort: -1 }] }),
      c({ ports: [{ containerPort: 80, protocol: 'X' }] }),
      c({ ports: [{ containerPort: 80, name: 'A_b' }] }),
      c({
        ports: [
          { containerPort: 80, name: 'a' },
          { containerPort: 81, name: 'a' },
        ],
      }),
      c({
        ports: [
          { containerPort: 80, hostPort: 80 },
          { containerPort: 81, hostPort: 80 },
        ],
      }),
    ],
  },
  {
    name: 'env is checked',
    steps: [
      c({ env: [{ name: '' }] }),
      c({ env: [{ name: 'a=b' }] }),
      c({ env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }),
      c({ env: [{ name: 'A', valueFrom: {} }] }),
      c({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.nothing' } } }] }),
      c({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: "metadata.labels['x y']" } } }] }),
      c({ env: [{ name: 'A', valueFrom: { resourceFieldRef: { resource: 'limits.things' } } }] }),
      c({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's' } } }] }),
      c({ env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'A_', key: 'a b' } } }] }),
      c({
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '2' },
        ],
      }),
      c({ envFrom: [{}] }),
      c({ envFrom: [{ prefix: '=', configMapRef: { name: '' } }] }),
    ],
  },
  {
    name: 'volumes are checked',
    steps: [
      vol({}),
      vol({ emptyDir: {}, hostPath: { path: '/x' } }),
      vol({ hostPath: { path: '' } }),
      vol({ hostPath: { path: '/a/../b', type: 'X' } }),
      vol({ secret: {} }),
      vol({ configMap: { name: 'c', defaultMode: 4096, items: [{ key: '', path: '../x' }] } }),
      vol({ persistentVolumeClaim: {} }),
      vol({ nfs: { server: 's', path: 'x' } }),
      vol({ projected: { sources: [{ serviceAccountToken: { path: 'x', expirationSeconds: 5 } }] } }),
      vol({ downwardAPI: { items: [{ path: 'x' }] } }),
      vol({ csi: {} }),
      vol({ emptyDir: { sizeLimit: '-1' } }),
      vol({ image: {} }),
      dry({
        volumes: [
          { name: 'v', emptyDir: {} },
          { name: 'v', emptyDir: {} },
        ],
      }),
      vol({ ephemeral: {} }),
    ],
  },
  {
    name: 'mounts are checked',
    steps: [
      c({ volumeMounts: [{ name: 'v', mountPath: '/x' }] }),
      dry({
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [
          {
            name: 'c',
            image: 'i',
            volumeMounts: [
              { name: 'v', mountPath: '' },
              { name: 'v', mountPath: '/a', subPath: '/abs' },
              { name: 'v', mountPath: '/a', subPath: '../x', mountPropagation: 'Bidirectional' },
            ],
          },
        ],
      }),
      dry({
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [{ name: 'c', image: 'i', volumeDevices: [{ name: 'v', devicePath: '/x' }] }],
      }),
    ],
  },
  {
    name: 'resources are checked',
    steps: [
      c({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
      c({ resources: { limits: { things: '1' } } }),
      c({ resources: { limits: { cpu: '-1' } } }),
      c({ resources: { requests: { 'example.com/gpu': '1' } } }),
      c({ resources: { limits: { 'example.com/gpu': '1.5' } } }),
      c({ resources: { limits: { 'hugepages-2Mi': '3Mi' } } }),
      c({ resources: { limits: { cpu: '100m', memory: '64Mi' } } }),
      c({ resources: { limits: { memory: '0.5' } } }),
      c({ resources: { claims: [{ name: 'x' }] } }),
    ],
  },
  {
    name: 'quality of service',
    steps: [
      c({ resources: { limits: { cpu: '1', memory: '1Gi' } } }),
      c({ resources: { requests: { cpu: '1' } } }),
      dry({ resources: { limits: { cpu: '1', memory: '1Gi' } } }),
    ],
  },
  {
    name: 'probes get defaults and are checked',
    steps: [
      c({
        livenessProbe: { httpGet: { port: 80 } },
        readinessProbe: { tcpSocket: { port: 'http' } },
        startupProbe: { exec: { command: ['x'] } },
      }),
      c({ livenessProbe: {} }),
      c({ livenessProbe: { exec: {}, successThreshold: 2 } }),
      c({ readinessProbe: { httpGet: { port: 0, scheme: 'ftp' }, tcpSocket: { port: 1 }, periodSeconds: -1 } }),
      c({ readinessProbe: { exec: { command: ['x'] }, terminationGracePeriodSeconds: 5 } }),
      c({ lifecycle: { preStop: { sleep: { seconds: 100 } } } }),
      c({ livenessProbe: { grpc: { port: 1 } } }),
    ],
  },
  {
    name: 'security contexts are checked',
    steps: [
      c({ securityContext: { runAsUser: -1 } }),
      c({ securityContext: { privileged: true, allowPrivilegeEscalation: false } }),
      c({ securityContext: { seccompProfile: { type: 'Localhost' } } }),
      c({ securityContext: { seccompProfile: { type: 'X' } } }),
      c({ securityContext: { appArmorProfile: { type: 'Localhost' } } }),
      c({ securityContext: { procMount: 'Unmasked' } }),
      dry({
        securityContext: {
          fsGroup: -1,
          sysctls: [
            { name: 'A B', value: '1' },
            { name: 'net.x', value: '1' },
          ],
          fsGroupChangePolicy: 'X',
        },
        hostNetwork: true,
      }),
    ],
  },
  {
    name: 'init containers are checked',
    steps: [
      dry({ initContainers: [{ name: 'c', image: 'i' }] }),
      dry({ initContainers: [{ name: 'x', image: 'i', livenessProbe: { exec: { command: ['x'] } }, lifecycle: {} }] }),
      dry({
        initContainers: [
          { name: 'x', image: 'i', restartPolicy: 'Always', readinessProbe: { exec: { command: ['x'] } } },
        ],
      }),
      dry({ ephemeralContainers: [{ name: 'e', image: 'i' }] }),
    ],
  },
  {
    name: 'spec members are checked',
    steps: [
      dry({ restartPolicy: 'X' }),
      dry({ dnsPolicy: 'None' }),
      dry({ dnsPolicy: 'X' }),
      dry({ terminationGracePeriodSeconds: -1 }),
      dry({ activeDeadlineSeconds: 0 }),
      dry({ nodeName: 'A_' }),
      dry({ nodeSelector: { 'a b': 'c' } }),
      dry({ hostname: 'A_' }),
      dry({ subdomain: 'a.b' }),
      dry({ preemptionPolicy: 'X' }),
      dry({ runtimeClassName: 'A_' }),
      dry({ hostAliases: [{ ip: 'x', hostnames: ['A_'] }] }),
      dry({ dnsConfig: { nameservers: ['x', '1.1.1.1', '2.2.2.2', '3.3.3.3'], searches: ['a b'], options: [{}] } }),
      dry({ os: { name: 'plan9' } }),
      dry({ os: { name: 'windows' }, hostPID: true, securityContext: { runAsUser: 1 } }),
      dry({ hostUsers: false, hostNetwork: true }),
      dry({ readinessGates: [{ conditionType: 'a b' }] }),
      dry({ schedulingGates: [{ name: 'a' }, { name: 'a' }] }),
      dry({ shareProcessNamespace: true, hostPID: true }),
    ],
  },
  {
    name: 'host network defaults host ports',
    steps: [
      dry({ hostNetwork: true, containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80 }] }] }),
      dry({ hostNetwork: true, containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort: 81 }] }] }),
    ],
  },
  {
    name: 'affinity is checked',
    steps: [
      { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
      {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'a b', operator: 'In' },
                  { key: 'a', operator: 'X' },
                  { key: 'a', operator: 'Gt', values: ['1', '2'] },
                ],
                matchFields: [{ key: 'x', operator: 'In', values: ['y'] }],
              },
            ],
          },
        },
      },
      { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, preference: {} }] } },
      { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: '' }] } },
      {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 101,
              podAffinityTerm: {
                topologyKey: 'k',
                labelSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] },
                namespaces: ['A_'],
              },
            },
          ],
        },
      },
    ].map((affinity) => dry({ affinity })),
  },
  {
    name: 'tolerations are checked',
    steps: [
      [{ key: 'a b' }],
      [{ operator: 'Equal' }],
      [{ key: 'a', operator: 'X' }],
      [{ key: 'a', operator: 'Exists', value: 'x' }],
      [{ key: 'a', tolerationSeconds: 5 }],
      [{ key: 'a', effect: 'X' }],
    ].map((tolerations) => dry({ tolerations })),
  },
  {
    name: 'spread constraints are checked',
    steps: [
      [{}],
      [
        { maxSkew: 1, topologyKey: 'k', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} },
        { maxSkew: 1, topologyKey: 'k', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} },
      ],
      [{ maxSkew: 1, topologyKey: 'k', whenUnsatisfiable: 'ScheduleAnyway', minDomains: 2 }],
      [{ maxSkew: 1, topologyKey: 'k', whenUnsatisfiable: 'DoNotSchedule', matchLabelKeys: ['x'] }],
    ].map((topologySpreadConstraints) => dry({ topologySpreadConstraints })),
  },
  {
    name: 'a gated pod',
    steps: [
      post(PODS, pod('p', { schedulingGates: [{ name: 'a.b/c' }] })),
      dry({ schedulingGates: [{ name: 'a' }], nodeName: 'n' }),
      patch('merge', `${PODS}/p`, { spec: { nodeSelector: { x: 'y' } } }),
      patch('merge', `${PODS}/p`, { spec: { schedulingGates: [] } }),
    ],
  },
  { name: 'a warning for names that are no DNS labels', steps: [post(`${PODS}?dryRun=All`, pod('a.b'))] },
  {
    name: 'annotations of pods are checked',
    steps: [
      dry({}, { annotations: { 'controller.kubernetes.io/pod-deletion-cost': 'x' } }),
      dry({}, { annotations: { 'kubernetes.io/config.mirror': 'x' } }),
      dry({}, { annotations: { 'container.apparmor.security.beta.kubernetes.io/zz': 'bad' } }),
    ],
  },
  {
    name: 'most of a pod is immutable',
    steps: [
      post(PODS, pod('p')),
      patch('merge', `${PODS}/p`, { spec: { nodeSelector: { x: 'y' } } }),
      patch('strategic', `${PODS}/p`, { spec: { containers: [{ name: 'c', image: 'other:2' }] } }),
      patch('strategic', `${PODS}/p`, { spec: { containers: [{ name: 'c', command: ['x'] }] } }),
      patch('strategic', `${PODS}/p`, { spec: { containers: [{ name: 'd', image: 'i' }] } }),
      patch('merge', `${PODS}/p`, { spec: { activeDeadlineSeconds: 60 } }),
      patch('merge', `${PODS}/p`, { spec: { activeDeadlineSeconds: 70 } }),
      patch('merge', `${PODS}/p`, { spec: { activeDeadlineSeconds: null } }),
      patch('merge', `${PODS}/p`, { spec: { tolerations: [] } }),
      patch('merge', `${PODS}/p`, { metadata: { labels: { a: 'b' } } }),
    ],
  },
  {
    name: 'a status update',
    steps: [
      post(PODS, pod('p')),
      patch('merge', `${PODS}/p/status`, {
        status: {
          phase: 'Running',
          podIP: '10.1.2.3',
          podIPs: [{ ip: '10.1.2.3' }],
          conditions: [{ type: 'Ready', status: 'True' }],
        },
      }),
      patch('merge', `${PODS}/p/status`, { spec: { nodeName: 'x' }, status: { qosClass: 'Guaranteed' } }),
      patch('merge', `${PODS}/p/status`, { status: { podIPs: [{ ip: '1.1.1.1' }, { ip: '2.2.2.2' }] } }),
      get(`${PODS}/p/status`),
    ],
  },
  {
    name: 'a binding',
    steps: [
      post(PODS, pod('p')),
      post(`${PODS}/p/binding`, { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n1' } }),
      get(`${PODS}/p`),
      post(`${PODS}/p/binding`, { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n2' } }),
    ],
  },
  {
    name: 'a bad binding',
    steps: [
      post(PODS, pod('p')),
      post(`${PODS}/p/binding`, { metadata: { name: 'p' }, target: { kind: 'Pod', name: 'n1' } }),
      post(`${PODS}/p/binding`, { metadata: { name: 'p' }, target: {} }),
      post(`${PODS}/absent/binding`, { metadata: { name: 'absent' }, target: { name: 'n' } }),
    ],
  },
  {
    name: 'an eviction',
    steps: [
      post(PODS, pod('p')),
      post(`${PODS}/p/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p' } }),
      get(`${PODS}/p`),
    ],
  },
  {
    name: 'ephemeral containers',
    steps: [
      post(PODS, pod('p')),
      patch('strategic', `${PODS}/p/ephemeralcontainers`, {
        spec: { ephemeralContainers: [{ name: 'e', image: 'busybox' }] },
      }),
      patch('strategic', `${PODS}/p/ephemeralcontainers`, {
        spec: { ephemeralContainers: [{ name: 'e', image: 'other' }] },
      }),
      patch('strategic', `${PODS}/p/ephemeralcontainers`, {
        spec: { ephemeralContainers: [{ name: 'f', image: 'i', ports: [{ containerPort: 1 }] }] },
      }),
    ],
  },
  {
    name: 'resize',
    steps: [
      post(PODS, pod('p', { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }] })),
      patch('strategic', `${PODS}/p/resize`, {
        spec: { containers: [{ name: 'c', resources: { requests: { cpu: '2' } } }] },
      }),
      get(`${PODS}/p/resize`),
    ],
  },
  {
    name: 'streams of a pod without a node',
    steps: [post(PODS, pod('p')), get(`${PODS}/p/log`), get(`${PODS}/absent/log`), get(`${PODS}/p/log?container=x`)],
  },
  { name: 'pods are not made by update', steps: [put(`${PODS}/p`, pod('p'))] },
];
