import { mkdir } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { termMatches } from '../../../kube/kinds/podspec/fit.ts';
import type { Api } from '../../api.ts';
import { allContainers, type Pod, type Volume } from '../pod.ts';
import { fileType, hostPath, refuseBacksteps } from './hostpath.ts';
import {
  type Claims,
  type ClaimView,
  type Mounted,
  MountFailure,
  type PersistentVolume,
  Unprocessed,
  type VolumeContext,
  type VolumeKind,
} from './kind.ts';
import { giveToGroup } from './ownership.ts';

const PROTECTION = 'kubernetes.io/pvc-protection';

type Source = NonNullable<Volume['persistentVolumeClaim']>;

/** A PersistentVolume through the claim that it is bound to. Volumes on this machine are carried out: hostPath and local. */
export const persistentVolumeClaim: VolumeKind<Source> = {
  plugin: 'local-volume',
  follows: false,
  setUp: (source, volume, c) => fromClaim(source, volume, c),
};

/** A claim of the pod's own, named by pod and volume. */
export const ephemeral: VolumeKind<unknown> = {
  plugin: 'local-volume',
  follows: false,
  setUp: (_, volume, c) => fromClaim({ claimName: `${c.pod.metadata.name}-${volume.name}` }, volume, c, true),
};

async function fromClaim(source: Source, volume: Volume, c: VolumeContext, own = false): Promise<Mounted> {
  const namespace = c.pod.metadata.namespace ?? '';
  const whose = `${namespace}/${source.claimName}`;
  const pv = await boundVolume(namespace, source.claimName, c, own).catch((e: Error) => {
    throw e instanceof NotOwned
      ? new Unprocessed(e.message)
      : new Unprocessed(`error processing PVC ${whose}: ${e.message}`);
  });
  refuseMode(pv, volume.name, c.pod);
  const name = pv.metadata.name ?? '';
  const terms = pv.spec.nodeAffinity?.required?.nodeSelectorTerms;
  if (terms !== undefined) {
    const node = { name: c.pod.spec.nodeName ?? '', labels: await c.labels() };
    if (!terms.some((t) => termMatches(t, node)))
      throw new MountFailure('MountVolume.NodeAffinity check failed', name, 'no matching NodeSelectorTerms');
  }
  const readonly = source.readOnly ?? false;
  if (pv.spec.hostPath) {
    const set = hostPath.setUp(pv.spec.hostPath, volume, c);
    return { ...(await set.catch(failsFor(name, 'MountVolume.SetUp failed'))), readonly };
  }
  if (pv.spec.local) return { path: await local(pv, pv.spec.local.path, readonly, c), readonly };
  const type = Object.keys(pv.spec).find((k) => !KNOWN_FIELDS.has(k));
  throw new Unprocessed(unsupported(name, type ?? 'unknown'));
}

/** Fields of a PersistentVolumeSpec that aren't its source. */
const KNOWN_FIELDS = new Set([
  ...['capacity', 'accessModes', 'claimRef', 'persistentVolumeReclaimPolicy', 'storageClassName', 'mountOptions'],
  ...['volumeMode', 'nodeAffinity', 'volumeAttributesClassName'],
]);

/** Why a volume of a type that no plugin of this node makes isn't made. */
export const unsupported = (volume: string, type: string) =>
  `failed to get Plugin from volumeSpec for volume ${JSON.stringify(volume)} err=volumes of type ${type} are not carried out by this node`;

class NotOwned extends Error {}

async function boundVolume(
  namespace: string,
  claim: string,
  c: VolumeContext,
  own: boolean,
): Promise<PersistentVolume> {
  const pvc = await c.claims.claim(namespace, claim).catch((e: Error) => {
    throw new Error(`failed to fetch PVC from API server: ${e.message}`);
  });
  const m = pvc.metadata;
  if (m.deletionTimestamp !== undefined && !m.finalizers?.includes(PROTECTION)) throw new Error('PVC is being deleted');
  if (pvc.status?.phase !== 'Bound') throw new Error('PVC is not bound');
  if (!pvc.spec.volumeName) throw new Error('PVC has empty pvc.Spec.VolumeName');
  const pod = c.pod.metadata;
  if (own && !m.ownerReferences?.some((o) => o.uid === pod.uid)) {
    throw new NotOwned(
      `PVC ${namespace}/${claim} was not created for pod ${pod.namespace}/${pod.name} (pod is not owner)`,
    );
  }
  const name = pvc.spec.volumeName;
  const pv = await c.claims.volume(name).catch((e: Error) => {
    throw new Error(`failed to fetch PV ${name} from API server: ${e.message}`);
  });
  const bound = pv.spec.claimRef;
  if (!bound) {
    const why = 'it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim';
    throw new Error(`found PV object ${name} but ${why}`);
  }
  if (bound.uid !== m.uid)
    throw new Error(
      `found PV object ${name} but its pv.Spec.ClaimRef.UID ${bound.uid} does not point to claim.UID ${m.uid}`,
    );
  return pv;
}

function refuseMode(pv: PersistentVolume, volume: string, pod: Pod): void {
  const mode = pv.spec.volumeMode ?? 'Filesystem';
  const uses = (field: 'volumeMounts' | 'volumeDevices') =>
    allContainers(pod).some((c) => c[field]?.some((m) => m.name === volume));
  const wrong = mode === 'Block' ? 'volumeMounts' : 'volumeDevices';
  if (uses(wrong)) throw new Unprocessed(`volume ${volume} has volumeMode ${mode}, but is specified in ${wrong}`);
  if (mode === 'Block') throw new Unprocessed(unsupported(volume, 'block device'));
}

const failsFor = (name: string, what: string) => (e: Error) => {
  throw new MountFailure(what, name, e.message);
};

/** A folder of the machine, shown in the pod's own directory. The first pod's fsGroup counts for as long as any pod has it. */
async function local(pv: PersistentVolume, from: string, readonly: boolean, c: VolumeContext): Promise<string> {
  const name = pv.metadata.name ?? '';
  const type = await fileType(from).catch(failsFor(name, 'MountVolume.MountDevice failed'));
  const device = (why: string): never => failsFor(name, 'MountVolume.MountDevice failed')(new Error(why));
  if (type === null) device(`path ${JSON.stringify(from)} does not exist`);
  if (type !== 'Directory') device('only directories are carried out by this node');
  try {
    refuseBacksteps(from, (why) => `invalid path: ${from} ${why}`);
    const target = join(dirname(c.dir), name);
    const end = `${sep}${join('volumes', 'kubernetes.io~local-volume', name)}`;
    const shown = (await c.mounter.below(join(c.root, 'pods'))).filter((m) => m.path.endsWith(end));
    if (shown.some((m) => m.path === target)) return target;
    await mkdir(target, { recursive: true, mode: 0o750 });
    await c.mounter.bind(from, target);
    const security = c.pod.spec.securityContext;
    const onMismatch = security?.fsGroupChangePolicy === 'OnRootMismatch';
    if (!readonly && shown.length === 0) await giveToGroup(target, security?.fsGroup, { readonly, onMismatch });
    return target;
  } catch (error) {
    return failsFor(name, 'MountVolume.SetUp failed')(error as Error);
  }
}

/** Claims and their volumes as an API server has them. */
export function claimsOf(api: Pick<Api, 'get'>): Claims {
  return {
    claim: async (namespace, name) =>
      (await api.get(`/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`)) as unknown as ClaimView,
    volume: async (name) => (await api.get(`/api/v1/persistentvolumes/${name}`)) as unknown as PersistentVolume,
  };
}
