import { has, obj, objs } from '../../kube/kinds/access.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Admission } from '../attributes.ts';
import { isMain, refuse } from './refuse.ts';

/** Volume sources that no node of ours makes. CSI volumes wait for their driver, as anywhere. */
const VOLUMES = [
  'awsElasticBlockStore',
  'azureDisk',
  'azureFile',
  'cephfs',
  'cinder',
  'fc',
  'flexVolume',
  'flocker',
  'gcePersistentDisk',
  'gitRepo',
  'glusterfs',
  'iscsi',
  'nfs',
  'photonPersistentDisk',
  'portworxVolume',
  'quobyte',
  'rbd',
  'scaleIO',
  'storageos',
  'vsphereVolume',
];

const containers = (spec: JsonObject): JsonObject[] => [
  ...objs(spec.initContainers),
  ...objs(spec.containers),
  ...objs(spec.ephemeralContainers),
];

/** A field that a node would have to carry out and doesn't yet: its path as people write it, and whether a spec has it. */
type Field = readonly [path: string, set: (spec: JsonObject) => boolean];

const FIELDS: readonly Field[] = [
  ['spec.hostUsers: false', (s) => s.hostUsers === false],
  ['spec.resourceClaims', (s) => objs(s.resourceClaims).length > 0],
  ['spec.containers[*].volumeDevices', (s) => containers(s).some((c) => objs(c.volumeDevices).length > 0)],
];
/** All of them. A field leaves this list when the node agent carries it out; none comes (carriedout.test.ts). */
export const NOT_CARRIED_OUT: readonly Field[] = [
  ...FIELDS,
  ...VOLUMES.map((v): Field => [`spec.volumes[*].${v}`, (s) => objs(s.volumes).some((x) => has(x[v]))]),
];
const SOURCES: ReadonlySet<string> = new Set(VOLUMES);
/** One look at each volume's few members: hardly a pod has one of these. */
function mayHaveSource(spec: JsonObject): boolean {
  for (const volume of objs(spec.volumes)) for (const name in volume) if (SOURCES.has(name)) return true;
  return false;
}

/** Refuses pods that ask for what no node does, instead of running them without it. Off where a cluster has no nodes of ours (ClusterContext.ownNodes). */
export const podFieldsCarriedOut: Admission = {
  name: 'PodFieldsCarriedOut',
  handles: (a) =>
    a.object !== null &&
    ((isMain(a, 'pods') && a.operation === 'CREATE') ||
      (a.resource === 'pods' && a.subresource === 'ephemeralcontainers' && a.operation === 'UPDATE')),
  validate(a, c) {
    if (!c.cluster.ownNodes) return undefined;
    const spec = obj(a.object?.spec);
    const fields = mayHaveSource(spec) ? NOT_CARRIED_OUT : FIELDS;
    const found = fields.filter(([, set]) => set(spec)).map(([path]) => path);
    if (found.length === 0) return undefined;
    throw refuse(a, `not carried out by this cluster's nodes yet: ${found.join(', ')}`);
  },
};
