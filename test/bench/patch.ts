import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { applyPatch } from '../../kube/patch/apply.ts';
import { applyJsonPatch } from '../../kube/patch/json-patch.ts';
import { updateManagedFields, withManagedFields } from '../../kube/patch/managed.ts';
import { applyMergePatch } from '../../kube/patch/merge-patch.ts';
import { applyStrategicPatch } from '../../kube/patch/strategic.ts';
import type { Struct } from '../../kube/schema/schema.ts';
import { schemas } from '../../kube/schema/schemas.ts';

// Microseconds of each kind of patch and of tracking ownership: node test/bench/patch.ts

function structOf(group: string, version: string, kind: string): Struct {
  const struct = schemas.kind({ group, version, kind });
  if (struct === undefined) throw new Error(kind);
  return struct;
}

/** A ConfigMap of about 1 KB. */
function configMap(): KubeObject {
  const data: Record<string, string> = {};
  for (let i = 0; i < 8; i++) data[`key-${i}.conf`] = `line ${i} `.repeat(12);
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: 'default', labels: { app: 'web', tier: 'front' } },
    data,
  };
}

function container(name: string, env: number): JsonObject {
  return {
    name,
    image: `registry.example.com/team/${name}:1.2.3`,
    imagePullPolicy: 'IfNotPresent',
    command: ['/bin/server', '--config', '/etc/server/config.yaml'],
    ports: [
      { name: 'http', containerPort: 8080, protocol: 'TCP' },
      { name: 'metrics', containerPort: 9090, protocol: 'TCP' },
    ],
    env: Array.from({ length: env }, (_, i) => ({ name: `SETTING_${i}`, value: `a value for setting ${i}` })),
    resources: { limits: { cpu: '500m', memory: '512Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
    livenessProbe: {
      httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' },
      initialDelaySeconds: 5,
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/server', readOnly: true },
      { name: 'kube-api-access', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
    ],
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  };
}

/** A Pod of about 6 KB as a ReplicaSet makes it, defaulted. */
function pod(): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web-7d9c5b9b8-x2x4z',
      generateName: 'web-7d9c5b9b8-',
      namespace: 'default',
      labels: { app: 'web', 'pod-template-hash': '7d9c5b9b8', 'app.kubernetes.io/name': 'web' },
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9090' },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'web-7d9c5b9b8',
          uid: '3f0c8b1a-4f0e-4a43-9f4e-0a1b2c3d4e5f',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      containers: [container('server', 12), container('proxy', 10), container('logger', 8)],
      volumes: [
        { name: 'config', configMap: { name: 'settings', defaultMode: 420 } },
        {
          name: 'kube-api-access',
          projected: {
            defaultMode: 420,
            sources: [
              { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            ],
          },
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'default',
      serviceAccount: 'default',
      securityContext: {},
      schedulerName: 'default-scheduler',
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
    },
    status: {},
  };
}

const time = '2026-01-01T00:00:00Z';
const RESET = [['status']];
const cmStruct = structOf('', 'v1', 'ConfigMap');
const podStruct = structOf('', 'v1', 'Pod');

function created(struct: Struct, object: KubeObject): KubeObject {
  const write = { struct, apiVersion: 'v1', manager: 'kubectl-create', time, resetFields: RESET, live: null };
  const stored = withManagedFields(object, updateManagedFields({ ...write, next: object }));
  return { ...stored, metadata: { ...stored.metadata, uid: 'u', resourceVersion: '1' } };
}

function track(struct: Struct, live: KubeObject | null, next: KubeObject): void {
  updateManagedFields({ struct, apiVersion: 'v1', manager: 'm', time, resetFields: RESET, live, next });
}

function measure(name: string, run: () => void): void {
  const budgetMs = 400;
  for (let i = 0; i < 2000; i++) run();
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    let n = 0;
    const start = performance.now();
    while (performance.now() - start < budgetMs / 3) {
      for (let i = 0; i < 50; i++) run();
      n += 50;
    }
    best = Math.min(best, ((performance.now() - start) * 1000) / n);
  }
  console.log(`${name.padEnd(58)} ${best.toFixed(1).padStart(8)} us/op`);
}

const cm = configMap();
const newPod = pod();
console.log(`ConfigMap ${JSON.stringify(cm).length} bytes, Pod ${JSON.stringify(newPod).length} bytes`);
const liveCm = created(cmStruct, cm);
const livePod = created(podStruct, newPod);
const text = JSON.stringify(livePod);
const mergeOne = { metadata: { labels: { app: 'other' } } };
const status = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], podIP: '10.0.0.1' } };
const strategic = { spec: { containers: [{ name: 'proxy', image: 'registry.example.com/team/proxy:2' }] } };
const applied: KubeObject = {
  ...configMap(),
  metadata: { name: 'settings', namespace: 'default', labels: { app: 'web' } },
};
const base = { struct: cmStruct, apiVersion: 'v1', kind: 'ConfigMap', manager: 'kubectl', time };
const appliedOnce = applyPatch({ ...base, live: null, applied, force: false }).object as KubeObject;
const changed = { ...applied, data: { ...(applied.data as JsonObject), 'key-0.conf': 'new' } };
const podApplied = { ...pod(), status: undefined } as JsonObject;
delete podApplied.status;
const podBase = { struct: podStruct, apiVersion: 'v1', kind: 'Pod', manager: 'kubectl', time, resetFields: RESET };
const podOnce = applyPatch({ ...podBase, live: null, applied: podApplied, force: false }).object as KubeObject;
const parsedPod = JSON.parse(text) as KubeObject;

measure('managedFields: create ConfigMap', () => track(cmStruct, null, cm));
measure('managedFields: create Pod', () => track(podStruct, null, newPod));
measure('managedFields: update Pod, nothing changed, other parse', () => track(podStruct, livePod, parsedPod));
measure('merge patch one label, ConfigMap', () => void applyMergePatch(liveCm, mergeOne, true));
measure('merge patch one label + managedFields, ConfigMap', () =>
  track(cmStruct, liveCm, applyMergePatch(liveCm, mergeOne, true) as KubeObject),
);
measure('merge patch one label + managedFields, Pod', () =>
  track(podStruct, livePod, applyMergePatch(livePod, mergeOne, true) as KubeObject),
);
measure('merge patch status + managedFields, Pod', () =>
  track(podStruct, livePod, applyMergePatch(livePod, status, true) as KubeObject),
);
measure(
  'JSON patch one field, Pod',
  () => void applyJsonPatch(livePod, [{ op: 'replace', path: '/spec/containers/1/image', value: 'x' }]),
);
measure('strategic patch one image, Pod', () => void applyStrategicPatch(podStruct, livePod, strategic));
measure('strategic patch one image + managedFields, Pod', () =>
  track(podStruct, livePod, applyStrategicPatch(podStruct, livePod, strategic) as KubeObject),
);
measure('apply ConfigMap, create', () => void applyPatch({ ...base, live: null, applied, force: false }));
measure(
  'apply ConfigMap, nothing changed',
  () => void applyPatch({ ...base, live: appliedOnce, applied, force: false }),
);
measure(
  'apply ConfigMap, one key',
  () => void applyPatch({ ...base, live: appliedOnce, applied: changed, force: false }),
);
measure('apply Pod, create', () => void applyPatch({ ...podBase, live: null, applied: podApplied, force: false }));
measure(
  'apply Pod, nothing changed',
  () => void applyPatch({ ...podBase, live: podOnce, applied: podApplied, force: false }),
);
