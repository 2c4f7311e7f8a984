import type { Json, JsonObject } from '../../kube/meta/json.ts';
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
const some = (name: string, list: readonly Json[]): JsonObject => (list.length > 0 ? { [name]: [...list] } : {});

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

interface Featured {
  restartPolicyRules?: { action?: string }[];
  volumeMounts?: { bindMountOptions?: unknown[] }[];
}
/** Features of kubelets that a pod needs. */
function requiredBy(spec: JsonObject, containers: readonly Featured[]): string[] {
  const found: string[] = [];
  if (containers.some((c) => c.restartPolicyRules?.some((r) => r.action === 'RestartAllContainers')))
    found.push('RestartAllContainersOnContainerExits');
  if (spec.hostNetwork === true && spec.hostUsers === false) found.push('UserNamespacesHostNetworkSupport');
  if (containers.some((c) => c.volumeMounts?.some((m) => (m.bindMountOptions ?? []).length > 0)))
    found.push('VolumeBindMountOptions');
  return found;
}

/** What takes room, and what a pod asks of a node. */
export function projectPod(o: KubeObject): JsonObject {
  const spec = (o.spec ?? {}) as PodLists;
  const status = (o.status ?? {}) as StatusLists;
  const owner = o.metadata.ownerReferences?.find((r) => r.controller === true);
  const requires = requiredBy(spec as JsonObject, [...(spec.initContainers ?? []), ...(spec.containers ?? [])]);
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
      ...some('requires', requires),
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

const CLAIM = [
  'volumeName',
  'storageClassName',
  'accessModes',
  'volumeMode',
  'selector',
  'volumeAttributesClassName',
  'resources',
];
const VOLUME = [
  'claimRef',
  'nodeAffinity',
  'capacity',
  'storageClassName',
  'accessModes',
  'volumeMode',
  'volumeAttributesClassName',
];
const STORED = ['uid', 'deletionTimestamp', 'annotations', 'ownerReferences'];

export const projectClaim = (o: KubeObject): JsonObject => ({
  metadata: pick(o.metadata, STORED),
  spec: pick(o.spec, CLAIM),
  status: pick(o.status, ['phase']),
});
export const projectVolume = (o: KubeObject): JsonObject => {
  const csi = (o.spec as JsonObject | undefined)?.csi;
  return {
    metadata: pick(o.metadata, ['deletionTimestamp', 'annotations']),
    spec: { ...pick(o.spec, VOLUME), ...(csi ? { csi: pick(csi, ['driver', 'volumeHandle']) } : {}) },
    status: pick(o.status, ['phase']),
  };
};
export const projectClass = (o: KubeObject): JsonObject =>
  pick(o, ['provisioner', 'volumeBindingMode', 'allowedTopologies']);
export const projectSpec = (o: KubeObject): JsonObject => ({ spec: pick(o, ['spec']).spec ?? {} });
export const projectCapacity = (o: KubeObject): JsonObject =>
  pick(o, ['storageClassName', 'capacity', 'maximumVolumeSize', 'nodeTopology']);
