import type { JsonObject } from '../../../kube/meta/json.ts';
import { ago, type Given } from './view.ts';

const labels = { app: 'foo' };
/** A template of a version: nothing but its image differs. */
export const template = (version: string): JsonObject => ({
  metadata: { labels },
  spec: { containers: [{ name: 'c', image: version }] },
});

export interface DeploymentIn {
  replicas?: number;
  surge?: number | string;
  unavailable?: number | string;
  version?: string;
  spec?: JsonObject;
  metadata?: JsonObject;
  status?: JsonObject;
}
export const foo = (o: DeploymentIn = {}): Given =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'foo', namespace: 'default', uid: 'foo', generation: 1, ...o.metadata },
    spec: {
      replicas: o.replicas ?? 1,
      selector: { matchLabels: labels },
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: o.surge ?? 0, maxUnavailable: o.unavailable ?? 0 },
      },
      template: template(o.version ?? 'v1'),
      ...o.spec,
    },
    ...(o.status ? { status: o.status } : {}),
  }) as Given;

export interface SetIn {
  replicas: number;
  /** Seconds since it was made. */
  age?: number;
  available?: number;
  /** Pods that its status tells of; as many as it should have. */
  actual?: number;
  desired?: number;
  max?: number;
  revision?: string;
  annotations?: Record<string, string>;
  metadata?: JsonObject;
  status?: JsonObject;
  owner?: string | null;
  labels?: Record<string, string>;
}
/** The ReplicaSet `foo-<version>` of that version. */
export function setOf(version: string, o: SetIn): Given {
  const { replicas, owner = 'foo' } = o;
  const annotations = {
    ...(o.desired === undefined ? {} : { 'deployment.kubernetes.io/desired-replicas': String(o.desired) }),
    ...(o.max === undefined ? {} : { 'deployment.kubernetes.io/max-replicas': String(o.max) }),
    ...(o.revision === undefined ? {} : { 'deployment.kubernetes.io/revision': o.revision }),
    ...o.annotations,
  };
  const hashed = { ...labels, 'pod-template-hash': version };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `foo-${version}`,
      namespace: 'default',
      uid: `uid-${version}`,
      generation: 1,
      creationTimestamp: ago(o.age ?? 100),
      labels: o.labels ?? hashed,
      annotations,
      ownerReferences:
        owner === null
          ? []
          : [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'foo', uid: owner, controller: true }],
      ...o.metadata,
    },
    spec: {
      replicas,
      selector: { matchLabels: hashed },
      template: { ...template(version), metadata: { labels: hashed } },
    },
    status: {
      replicas: o.actual ?? replicas,
      availableReplicas: o.available ?? replicas,
      observedGeneration: 1,
      terminatingReplicas: 0,
      ...o.status,
    },
  } as unknown as Given;
}
