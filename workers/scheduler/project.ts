import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';

// What the scheduler keeps of pods and nodes: what it decides on and what it patches, a tenth of the whole.

const METADATA = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'generation'];
const SPEC = [
  'nodeName',
  'nodeSelector',
  'affinity',
  'tolerations',
  'priority',
  'preemptionPolicy',
  'schedulerName',
  'schedulingGates',
  'overhead',
];
const STATUS = ['phase', 'nominatedNodeName', 'startTime', 'conditions'];
const CONTAINER = ['name', 'resources', 'ports', 'restartPolicy'];

function pick(from: unknown, names: readonly string[]): JsonObject {
  const all = (from ?? {}) as JsonObject;
  const kept: JsonObject = {};
  for (const name of names) if (all[name] !== undefined) kept[name] = all[name];
  return kept;
}

/** What takes room, and what a pod asks of a node. */
export function projectPod(o: KubeObject): JsonObject {
  const spec = (o.spec ?? {}) as { containers?: JsonObject[]; initContainers?: JsonObject[] };
  return {
    metadata: pick(o.metadata, METADATA),
    spec: {
      ...pick(spec, SPEC),
      containers: (spec.containers ?? []).map((c) => pick(c, CONTAINER)),
      ...(spec.initContainers ? { initContainers: spec.initContainers.map((c) => pick(c, CONTAINER)) } : {}),
    },
    status: pick(o.status, STATUS),
  };
}

/** Its labels are the row's. A heartbeat changes nothing of it. */
export function projectNode(o: KubeObject): JsonObject {
  return { spec: pick(o.spec, ['taints', 'unschedulable']), status: pick(o.status, ['allocatable']) };
}
