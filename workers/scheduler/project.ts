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
  'topologySpreadConstraints',
  'overhead',
  'resources',
];
const STATUS = ['phase', 'nominatedNodeName', 'startTime', 'conditions', 'resources', 'allocatedResources'];
const CONTAINER = ['name', 'image', 'resources', 'ports', 'restartPolicy'];
/** Of a container's status: what it may use, and does while it is resized. */
const USAGE = ['name', 'allocatedResources', 'resources'];
/** Volumes that say something of where a pod may be. */
const PLACING = [
  'persistentVolumeClaim',
  'ephemeral',
  'image',
  'csi',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'rbd',
  'iscsi',
];

function pick(from: unknown, names: readonly string[]): JsonObject {
  const all = (from ?? {}) as JsonObject;
  const kept: JsonObject = {};
  for (const name of names) if (all[name] !== undefined) kept[name] = all[name];
  return kept;
}
/** What is worth keeping of a list under its name; nothing where nothing is. */
const some = (name: string, list: readonly JsonObject[]): JsonObject => (list.length > 0 ? { [name]: [...list] } : {});

interface PodLists {
  containers?: JsonObject[];
  initContainers?: JsonObject[];
  volumes?: JsonObject[];
}
interface StatusLists {
  containerStatuses?: JsonObject[];
  initContainerStatuses?: JsonObject[];
}
const usages = (list: readonly JsonObject[] | undefined): JsonObject[] =>
  (list ?? []).filter((s) => s.allocatedResources ?? s.resources).map((s) => pick(s, USAGE));

/** What takes room, and what a pod asks of a node. */
export function projectPod(o: KubeObject): JsonObject {
  const spec = (o.spec ?? {}) as PodLists;
  const status = (o.status ?? {}) as StatusLists;
  const owner = o.metadata.ownerReferences?.find((r) => r.controller === true);
  const volumes = (spec.volumes ?? []).filter((v) => PLACING.some((kind) => v[kind] !== undefined));
  return {
    metadata: {
      ...pick(o.metadata, METADATA),
      ...(owner ? { ownerReferences: [pick(owner, ['apiVersion', 'kind', 'name', 'controller'])] } : {}),
    },
    spec: {
      ...pick(spec, SPEC),
      containers: (spec.containers ?? []).map((c) => pick(c, CONTAINER)),
      ...(spec.initContainers ? { initContainers: spec.initContainers.map((c) => pick(c, CONTAINER)) } : {}),
      ...some(
        'volumes',
        volumes.map((v) => pick(v, ['name', ...PLACING])),
      ),
    },
    status: {
      ...pick(o.status, STATUS),
      ...some('containerStatuses', usages(status.containerStatuses)),
      ...some('initContainerStatuses', usages(status.initContainerStatuses)),
    },
  };
}

/** Its labels are the row's. A heartbeat changes nothing of it. */
export function projectNode(o: KubeObject): JsonObject {
  return {
    spec: pick(o.spec, ['taints', 'unschedulable']),
    status: pick(o.status, ['allocatable', 'images', 'declaredFeatures']),
  };
}

/** Labels alone, which are the row's. */
export const projectNothing = (): JsonObject => ({});
export const projectSelector = (o: KubeObject): JsonObject => ({ spec: pick(o.spec, ['selector']) });
export const projectBudget = (o: KubeObject): JsonObject => ({
  spec: pick(o.spec, ['selector']),
  status: pick(o.status, ['disruptionsAllowed', 'disruptedPods']),
});
