/** Prints microseconds per operation of the codec on a small ConfigMap and a usual Pod: `node test/bench/codec.ts`. */
import { parseJson, printJson, textOf } from '../../kube/codec/json.ts';
import { duplicateFields } from '../../kube/codec/json-duplicates.ts';
import {
  decodeEnvelope,
  decodeProto,
  encodeObject,
  encodeProto,
  transcodeItems,
  transcodeObject,
} from '../../kube/codec/protobuf.ts';
import { AGE_COLUMN, toTable } from '../../kube/codec/table.ts';
import { parseYaml, printYaml } from '../../kube/codec/yaml.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Struct } from '../../kube/schema/schema.ts';
import { schemas } from '../../kube/schema/schemas.ts';

const ROUNDS = 7;
const ROUND_MS = 60;

/** Best of several rounds, after a warm-up of one. */
function time(name: string, f: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  let sink: unknown;
  for (let round = 0; round <= ROUNDS; round++) {
    const from = performance.now();
    let n = 0;
    while (performance.now() - from < ROUND_MS) {
      for (let i = 0; i < 20; i++) sink = f();
      n += 20;
    }
    if (round > 0) best = Math.min(best, ((performance.now() - from) / n) * 1000);
  }
  if (sink === undefined) throw new Error(`${name} gave nothing`);
  console.log(`  ${name.padEnd(34)} ${best.toFixed(1).padStart(8)} us`);
  return best;
}

const metadata = (name: string, more: JsonObject): JsonObject => ({
  name,
  namespace: 'default',
  uid: '6b9f3c1e-0d5b-4c6a-9a43-0c3b8e0a6f11',
  resourceVersion: '184467',
  creationTimestamp: '2026-11-21T09:15:00Z',
  labels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'shop', tier: 'backend' },
  ...more,
});

function configMap(): JsonObject {
  const properties = Array.from({ length: 16 }, (_, i) => `server.setting.${i}=some value ${i}`).join('\n');
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata('settings', {}),
    data: { 'application.properties': properties, LOG_LEVEL: 'info', FEATURES: 'a,b,c' },
  };
}

/** A Pod as the API server has it: two containers, probes, volumes, status, managedFields. */
function pod(): JsonObject {
  const probe = (path: string) => ({
    httpGet: { path, port: 8080, scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  const container = (name: string) => ({
    name,
    image: `registry.example.com/shop/${name}:v1.42.0`,
    ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
    env: Array.from({ length: 6 }, (_, i) => ({ name: `SETTING_${i}`, value: `value-${i}` })),
    resources: { limits: { cpu: '500m', memory: '256Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/config', readOnly: true },
      { name: 'kube-api-access-x7k2p', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
    ],
    livenessProbe: probe('/healthz'),
    readinessProbe: probe('/ready'),
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsNonRoot: true },
  });
  const fields = {
    'f:metadata': { 'f:labels': { '.': {}, 'f:app.kubernetes.io/name': {}, 'f:tier': {} } },
    'f:spec': {
      'f:containers': { 'k:{"name":"web"}': { '.': {}, 'f:image': {}, 'f:env': {} } },
      'f:restartPolicy': {},
    },
  };
  const condition = (type: string) => ({
    type,
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: '2026-11-21T09:15:07Z',
  });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata('web-7d4b9c6f5d-x7k2p', {
      generateName: 'web-7d4b9c6f5d-',
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'web-7d4b9c6f5d',
          uid: '0e9d3a55-9b1f-4f69-8c7b-6b6a5c1d2e3f',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: [
        {
          manager: 'kube-controller-manager',
          operation: 'Update',
          apiVersion: 'v1',
          time: '2026-11-21T09:15:00Z',
          fieldsType: 'FieldsV1',
          fieldsV1: fields,
        },
      ],
    }),
    spec: {
      volumes: [
        { name: 'config', configMap: { name: 'settings', defaultMode: 420 } },
        {
          name: 'kube-api-access-x7k2p',
          projected: {
            sources: [
              { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            ],
            defaultMode: 420,
          },
        },
      ],
      containers: [container('web'), container('sidecar')],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'default',
      nodeName: 'node-17',
      securityContext: { fsGroup: 2000 },
      schedulerName: 'default-scheduler',
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
        { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
      priority: 0,
      enableServiceLinks: true,
    },
    status: {
      phase: 'Running',
      conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(
        condition,
      ),
      hostIP: '10.0.4.17',
      podIP: '10.244.3.91',
      podIPs: [{ ip: '10.244.3.91' }],
      startTime: '2026-11-21T09:15:00Z',
      containerStatuses: ['web', 'sidecar'].map((name) => ({
        name,
        state: { running: { startedAt: '2026-11-21T09:15:06Z' } },
        lastState: {},
        ready: true,
        restartCount: 0,
        image: `registry.example.com/shop/${name}:v1.42.0`,
        imageID: `registry.example.com/shop/${name}@sha256:7f1c3a9b8e5d4c2f0a1b6d7e8f9c0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b`,
        containerID: 'containerd://1b2c3d4e5f60718293a4b5c6d7e8f90a1b7f1c3a9b8e5d4c2f0a1b6d7e8f9c0a',
        started: true,
      })),
      qosClass: 'Burstable',
    },
  };
}

const v1 = (kind: string): Struct => {
  const s = schemas.kind({ group: '', version: 'v1', kind });
  if (s === undefined) throw new Error(`no ${kind}`);
  return s;
};

for (const o of [configMap(), pod()]) {
  const struct = v1(String(o.kind));
  const text = printJson(o);
  const body = new TextEncoder().encode(text);
  const value = parseJson(text) as JsonObject;
  const raw = encodeProto(struct, value);
  const envelope = encodeObject(struct, value);
  const yaml = printYaml(value);
  console.log(`${o.kind}: ${text.length} bytes of JSON, ${envelope.length} of protobuf, ${yaml.length} of YAML`);
  time('JSON.parse alone', () => JSON.parse(text));
  time('parseJson', () => parseJson(text));
  time('textOf + parseJson', () => parseJson(textOf(body)));
  time('duplicateFields', () => duplicateFields(text, value));
  time('JSON.stringify alone', () => JSON.stringify(value));
  time('printJson', () => printJson(value));
  time('encodeObject (protobuf)', () => encodeObject(struct, value));
  time('decodeEnvelope + decodeProto', () => decodeProto(struct, decodeEnvelope(envelope).raw));
  time('parseJson + encodeProto', () => encodeProto(struct, parseJson(text) as JsonObject));
  time('transcodeObject', () => transcodeObject(struct, text, 'v1', String(o.kind)));
  time('protobuf to JSON text', () => printJson(decodeProto(struct, raw)));
  time('parseYaml of JSON', () => parseYaml(text));
  time('parseYaml', () => parseYaml(yaml));
  time('printYaml', () => printYaml(value));
  const lines = [new TextEncoder().encode(Array.from({ length: 100 }, () => text).join('\n'))];
  time('transcodeItems of 100', () => transcodeItems(struct, lines));
  const rows = Array.from({ length: 100 }, () => value as unknown as KubeObject);
  time('Table of 100', () =>
    toTable([AGE_COLUMN], rows, { includeObject: 'Metadata', version: 'v1', now: 1795264496000 }),
  );
}
