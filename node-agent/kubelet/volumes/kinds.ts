import type { Volume } from '../pod.ts';
import { ephemeral, persistentVolumeClaim, unsupported } from './claim.ts';
import { emptyDir } from './emptydir.ts';
import { filesVolume } from './files.ts';
import { hostPath } from './hostpath.ts';
import { Unprocessed, type VolumeKind } from './kind.ts';
import { DEFAULT_MODE, downwardPayload, payloadOf } from './payload.ts';
import { projected } from './projected.ts';

const configMap: VolumeKind<NonNullable<Volume['configMap']>> = {
  plugin: 'configmap',
  follows: true,
  setUp: async (s, volume, c) =>
    filesVolume(await payloadOf('configmap', s, s.defaultMode ?? DEFAULT_MODE, c), volume, c),
};

const secret: VolumeKind<NonNullable<Volume['secret']>> = {
  plugin: 'secret',
  follows: true,
  async setUp(s, volume, c) {
    const source = { ...s, name: s.secretName };
    return filesVolume(await payloadOf('secret', source, s.defaultMode ?? DEFAULT_MODE, c), volume, c);
  },
};

const downwardAPI: VolumeKind<NonNullable<Volume['downwardAPI']>> = {
  plugin: 'downward-api',
  follows: true,
  async setUp(s, volume, c) {
    return filesVolume(downwardPayload(c.pod, s.items, s.defaultMode ?? DEFAULT_MODE, c.down), volume, c);
  },
};

/** Its files are shown once its image is pulled, when a container starts: a pull's failure is that container's. */
const image: VolumeKind<NonNullable<Volume['image']>> = {
  plugin: 'image',
  follows: false,
  setUp: async (_s, _volume, c) => ({ path: c.dir, readonly: true }),
};

/** No CSI driver has registered here: none can. What upstream's node says that has none. */
const csi: VolumeKind<NonNullable<Volume['csi']>> = {
  plugin: 'csi',
  follows: false,
  setUp: async (s) => {
    const why = `driver name ${s.driver} not found in the list of registered CSI drivers`;
    throw new Error(`kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: ${why}`);
  },
};

const KINDS: { [F in keyof Volume]?: VolumeKind<NonNullable<Volume[F]>> } = {
  emptyDir,
  hostPath,
  configMap,
  secret,
  downwardAPI,
  projected,
  persistentVolumeClaim,
  ephemeral,
  image,
  csi,
};

/** A volume's kind and its source. A volume without any source is an emptyDir, as in Kubernetes. */
export function kindOf(volume: Volume): { kind: VolumeKind<unknown>; source: unknown } {
  const field = Object.keys(volume).find((k) => k !== 'name' && volume[k as keyof Volume] !== undefined);
  const kind = KINDS[(field ?? 'emptyDir') as keyof Volume];
  if (kind === undefined) throw new Unprocessed(unsupported(volume.name, String(field)));
  return { kind: kind as VolumeKind<unknown>, source: volume[(field ?? 'emptyDir') as keyof Volume] ?? {} };
}
