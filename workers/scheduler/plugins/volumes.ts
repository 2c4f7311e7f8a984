import type { JsonObject } from '../../../kube/meta/json.ts';
import { keyOf } from '../../../kube/store/key.ts';
import type { NodeInfo, PodInfo, Reject, SchedulerPlugin } from '../framework.ts';
import { sameLabels } from '../nodeinfo.ts';
import { claimOf, className, classOf, mountsOf, type Storage, volumeOf } from '../storage.ts';
import { mounts } from './volumebinding.ts';

const reject = (reason: string): Reject => ({ reasons: [reason], final: true });
const CLAIMS = 'persistentvolumeclaims/';

interface Restricted {
  /** Claims of ReadWriteOncePod that the pod mounts, and how many pods have one of them. */
  alone: ReadonlySet<string>;
  users: number;
  disks: readonly JsonObject[];
}
const DISKS = ['gcePersistentDisk', 'awsElasticBlockStore', 'iscsi', 'rbd'];
const disksOf = ({ pod }: PodInfo) => (pod.spec.volumes ?? []).filter((v) => DISKS.some((d) => v[d] !== undefined));
/** Claims that a pod mounts by name. */
const namedBy = ({ pod }: PodInfo) => mountsOf(pod).flatMap((m) => (m.ephemeral ? [] : [m.claim]));

/** Two volumes are one disk, and not both only read it. */
function conflict(a: JsonObject, b: JsonObject): boolean {
  const both = (kind: string) => [a[kind], b[kind]] as [JsonObject | undefined, JsonObject | undefined];
  const writes = (x: JsonObject, y: JsonObject) => !(x.readOnly === true && y.readOnly === true);
  const [gce, otherGce] = both('gcePersistentDisk');
  if (gce && otherGce && gce.pdName === otherGce.pdName && writes(gce, otherGce)) return true;
  const [ebs, otherEbs] = both('awsElasticBlockStore');
  if (ebs && otherEbs && ebs.volumeID === otherEbs.volumeID) return true;
  const [iscsi, otherIscsi] = both('iscsi');
  if (iscsi && otherIscsi && iscsi.iqn === otherIscsi.iqn && writes(iscsi, otherIscsi)) return true;
  const [rbd, otherRbd] = both('rbd');
  if (!rbd || !otherRbd) return false;
  const monitors = (rbd.monitors ?? []) as string[];
  const shared = monitors.some((m) => ((otherRbd.monitors ?? []) as string[]).includes(m));
  return shared && rbd.pool === otherRbd.pool && rbd.image === otherRbd.image && writes(rbd, otherRbd);
}

/** Disks that one pod at a time may write, and claims of ReadWriteOncePod. */
export const volumerestrictions: SchedulerPlugin<Restricted> = {
  name: 'VolumeRestrictions',
  retryOn: {
    pod(pod, before, after) {
      if (before === undefined || after !== undefined) return false;
      const claims = before.namespace === pod.namespace ? new Set(namedBy(before)) : new Set<string>();
      return (
        namedBy(pod).some((c) => claims.has(c)) || disksOf(pod).some((d) => disksOf(before).some((e) => conflict(d, e)))
      );
    },
    storage: (pod, key) => key.startsWith(CLAIMS) && mounts(pod, key),
  },
  prepare(pod, snapshot) {
    const alone = new Set<string>();
    for (const name of namedBy(pod)) {
      const claim = claimOf(snapshot.storage, pod.namespace, name);
      if (claim === undefined) return reject(`persistentvolumeclaim "${name}" not found`);
      if (claim.spec.accessModes?.includes('ReadWriteOncePod')) alone.add(name);
    }
    let users = 0;
    for (const name of alone) {
      const test = (p: PodInfo) => p.namespace === pod.namespace && namedBy(p).includes(name);
      const [one] = snapshot.matching({ id: `claim ${pod.namespace}/${name}`, test }).nodes();
      if (one) users++;
    }
    const disks = disksOf(pod);
    return disks.length === 0 && users === 0 ? null : { alone, users, disks };
  },
  copy: (s) => ({ ...s }),
  changed(s, other, _, by) {
    s.users += by * namedBy(other).filter((c) => s.alone.has(c)).length;
  },
  filter(s, node) {
    for (const d of s.disks)
      for (const p of node.pods.values())
        if (disksOf(p).some((e) => conflict(d, e))) return { reasons: ['node(s) had no available disk'] };
    return s.users > 0
      ? {
          reasons: [
            'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
          ],
        }
      : undefined;
  },
};

/** Volumes of CSI drivers that a pod mounts: driver by a name for the volume that is its own. */
function volumesOf(pod: PodInfo, storage: Storage): Map<string, string> {
  const found = new Map<string, string>();
  for (const { claim: name } of mountsOf(pod.pod)) {
    const claim = claimOf(storage, pod.namespace, name);
    if (claim === undefined) continue;
    const volume = claim.spec.volumeName ? volumeOf(storage, claim.spec.volumeName) : undefined;
    if (volume) {
      const { driver, volumeHandle } = volume.spec.csi ?? {};
      if (driver && volumeHandle) found.set(`${driver}/${volumeHandle}`, driver);
      continue;
    }
    const provisioner = classOf(storage, className(claim))?.provisioner;
    if (provisioner && !provisioner.startsWith('kubernetes.io/'))
      found.set(`${provisioner}/claim ${pod.namespace}/${name}`, provisioner);
  }
  return found;
}

interface Limited {
  storage: Storage;
  volumes: ReadonlyMap<string, string>;
}
interface CsiNode {
  spec?: { drivers?: { name: string; allocatable?: { count?: number } }[] };
}
interface Attachment {
  spec?: { attacher?: string; nodeName?: string; source?: { persistentVolumeName?: string } };
}

/** How many volumes of a driver a node can attach (CSINode). */
export const nodevolumelimits: SchedulerPlugin<Limited> = {
  name: 'NodeVolumeLimits',
  retryOn: {
    node: (_, before, after) => before === undefined && after !== undefined,
    pod: (pod, before, after) =>
      before !== undefined && after === undefined && mountsOf(before.pod).length > 0 && mountsOf(pod.pod).length > 0,
    storage: (pod, key) => !key.startsWith(CLAIMS) || mounts(pod, key),
  },
  prepare(pod, { storage }) {
    const volumes = volumesOf(pod, storage);
    return volumes.size === 0 ? null : { storage, volumes };
  },
  filter({ storage, volumes }, node) {
    const drivers = (storage.get(keyOf('storage.k8s.io', 'csinodes', '', node.name))?.data as CsiNode | undefined)?.spec
      ?.drivers;
    for (const driver of new Set(volumes.values())) {
      const says = storage.get(keyOf('storage.k8s.io', 'csidrivers', '', driver))?.data as
        | { spec?: { preventPodSchedulingIfMissing?: boolean } }
        | undefined;
      if (says?.spec?.preventPodSchedulingIfMissing === true && !drivers?.some((d) => d.name === driver))
        return { reasons: [`${driver} CSI driver is not installed on the node`] };
    }
    const limits = new Map(
      (drivers ?? []).flatMap((d) => (d.allocatable?.count === undefined ? [] : [[d.name, d.allocatable.count]])),
    );
    if (limits.size === 0) return undefined;
    const there = attachedTo(node, storage);
    const counts = new Map<string, number>();
    const count = (driver: string) => counts.set(driver, (counts.get(driver) ?? 0) + 1);
    for (const driver of there.values()) count(driver);
    for (const [name, driver] of volumes) if (!there.has(name)) count(driver);
    for (const driver of new Set(volumes.values()))
      if (
        (counts.get(driver) ?? 0) > (limits.get(driver) ?? Number.POSITIVE_INFINITY) &&
        [...volumes].some(([n, d]) => d === driver && !there.has(n))
      )
        return { reasons: ['node(s) exceed max volume count'] };
    return undefined;
  },
};
/** Volumes that pods on a node mount, and those that are attached to it still. */
function attachedTo(node: NodeInfo, storage: Storage): Map<string, string> {
  const there = new Map<string, string>();
  for (const p of node.pods.values()) for (const [name, driver] of volumesOf(p, storage)) there.set(name, driver);
  for (const row of storage.list('volumeattachments.storage.k8s.io')) {
    const { attacher, nodeName, source } = (row.data as Attachment).spec ?? {};
    if (nodeName !== node.name || !attacher || !source?.persistentVolumeName) continue;
    const handle = volumeOf(storage, source.persistentVolumeName)?.spec.csi?.volumeHandle;
    if (handle) there.set(`${attacher}/${handle}`, attacher);
  }
  return there;
}

const REGION = 'topology.kubernetes.io/region';
const ZONE = 'topology.kubernetes.io/zone';
/** Labels of volumes and nodes that say where they are, old ones with their names of today. */
const PLACES: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': ZONE,
  'failure-domain.beta.kubernetes.io/region': REGION,
  [ZONE]: ZONE,
  [REGION]: REGION,
};
interface Zoned {
  places: readonly { key: string; values: ReadonlySet<string> }[];
}

/** Volumes whose labels name a zone or region are had there alone. */
export const volumezone: SchedulerPlugin<Zoned> = {
  name: 'VolumeZone',
  retryOn: {
    node: (_, before, after) => after !== undefined && (before === undefined || !sameLabels(before, after)),
    storage: (pod, key) => !key.startsWith(CLAIMS) || mounts(pod, key),
  },
  prepare(pod, { storage }) {
    const places: { key: string; values: ReadonlySet<string> }[] = [];
    for (const name of namedBy(pod)) {
      const claim = claimOf(storage, pod.namespace, name);
      if (claim === undefined) return reject(`persistentvolumeclaim "${name}" not found`);
      const { volumeName } = claim.spec;
      if (!volumeName) {
        const of = className(claim);
        if (of === '') return reject('PersistentVolumeClaim had no pv name and storageClass name');
        const c = classOf(storage, of);
        if (c === undefined) return reject(`storageclass.storage.k8s.io "${of}" not found`);
        if (c.volumeBindingMode === 'WaitForFirstConsumer') continue;
        return reject('PersistentVolume had no name');
      }
      const row = storage.get(keyOf('', 'persistentvolumes', '', volumeName));
      if (row === undefined) return reject(`persistentvolume "${volumeName}" not found`);
      for (const key in PLACES) {
        const values = row.labels[key];
        if (values) places.push({ key, values: new Set(values.split('__')) });
      }
    }
    return places.length === 0 ? null : { places };
  },
  filter({ places }, node) {
    if (!Object.keys(PLACES).some((key) => node.labels[key] !== undefined)) return undefined;
    for (const { key, values } of places) {
      const value = node.labels[key] ?? node.labels[PLACES[key] ?? key];
      if (value === undefined || !values.has(value)) return reject('node(s) had no available volume zone');
    }
    return undefined;
  },
};
