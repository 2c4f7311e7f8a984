import type { Json, JsonObject } from '../../kube/meta/json.ts';
import { applyDefaults } from '../../kube/schema/default.ts';
import { decode } from '../../kube/schema/prune.ts';
import { schemas } from '../../kube/schema/schemas.ts';
import { validate } from '../../kube/schema/validate.ts';

// How long the interpreter takes for typical objects: node test/bench/schema.ts

const ROUNDS = 20_000;

const configMap: JsonObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'default', labels: { app: 'web' } },
  data: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`key-${i}`, 'x'.repeat(80)])),
};

const container = (name: string): JsonObject => ({
  name,
  image: `registry.example.com/team/${name}:v1.2.3`,
  imagePullPolicy: 'IfNotPresent',
  command: ['/bin/app', '--listen=:8080', '--log-level=info'],
  ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
  env: Array.from({ length: 12 }, (_, i) => ({ name: `SETTING_${i}`, value: `value-${i}-${'y'.repeat(20)}` })),
  resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '1', memory: '512Mi' } },
  livenessProbe: { httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' }, periodSeconds: 10, timeoutSeconds: 1 },
  readinessProbe: { httpGet: { path: '/readyz', port: 'http', scheme: 'HTTP' }, periodSeconds: 5, timeoutSeconds: 1 },
  volumeMounts: [{ name: 'config', mountPath: '/etc/app', readOnly: true }],
  securityContext: { runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
});

const pod: JsonObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'web-7d4b9c6f5-abcde',
    namespace: 'default',
    labels: { app: 'web', 'pod-template-hash': '7d4b9c6f5' },
    annotations: { 'example.com/checksum': 'f'.repeat(64) },
    ownerReferences: [
      { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-7d4b9c6f5', uid: '8d7c', controller: true },
    ],
    creationTimestamp: '2026-11-21T11:00:00Z',
  },
  spec: {
    containers: [container('web'), container('sidecar')],
    volumes: [{ name: 'config', configMap: { name: 'settings', defaultMode: 420 } }],
    tolerations: [
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ],
    nodeName: 'node-1',
    restartPolicy: 'Always',
    serviceAccountName: 'default',
  },
  status: {
    phase: 'Running',
    conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: '2026-11-21T11:00:00Z',
    })),
    containerStatuses: ['web', 'sidecar'].map((name) => ({
      name,
      ready: true,
      restartCount: 0,
      image: name,
      imageID: `sha256:${'a'.repeat(64)}`,
      state: { running: { startedAt: '2026-11-21T11:00:00Z' } },
    })),
  },
};

function measure(label: string, object: JsonObject, kind: string): void {
  const struct = schemas.kind({ group: '', version: 'v1', kind });
  if (!struct) throw new Error(kind);
  const text = JSON.stringify(object);
  const copies = Array.from({ length: 64 }, () => JSON.parse(text) as Json);
  const steps: [string, (v: Json) => void][] = [
    ['decode', (v) => void decode(struct, v)],
    ['default', (v) => applyDefaults(struct, v as JsonObject)],
    ['validate', (v) => void validate(struct, v as JsonObject, null)],
    ['JSON.parse', () => void JSON.parse(text)],
  ];
  const figures = steps.map(([name, step]) => {
    for (let i = 0; i < ROUNDS / 10; i++) step(copies[i % 64] ?? null);
    const start = performance.now();
    for (let i = 0; i < ROUNDS; i++) step(copies[i % 64] ?? null);
    return `${name} ${(((performance.now() - start) / ROUNDS) * 1000).toFixed(2)} us`;
  });
  console.log(`${label} (${text.length} bytes): ${figures.join(', ')}`);
}

measure('ConfigMap', configMap, 'ConfigMap');
measure('Pod', pod, 'Pod');
