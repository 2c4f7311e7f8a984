import type { Projection, Volume } from '../pod.ts';
import type { File, Payload } from './atomicwriter.ts';
import { filesVolume } from './files.ts';
import type { Mounted, VolumeContext, VolumeKind } from './kind.ts';
import { userOf } from './ownership.ts';
import { DEFAULT_MODE, downwardPayload, joinErrors, payloadOf } from './payload.ts';
import { trustAnchors } from './trustbundle.ts';

/** Only its owner may read it. */
const SECRET_MODE = 0o600;
/** core/v1's default of a projected token. */
const TOKEN_SECONDS = 3600;

type Source = NonNullable<Volume['projected']>;

/** ConfigMaps, Secrets, fields of the pod and tokens as files of one volume. */
export const projected: VolumeKind<Source> = {
  plugin: 'projected',
  follows: true,
  async setUp(source, volume, c): Promise<Mounted> {
    const payload: Payload = new Map();
    const errors: unknown[] = [];
    for (const [i, s] of (source.sources ?? []).entries()) {
      try {
        for (const [path, file] of await projection(s, `${volume.name}/${i}`, source.defaultMode ?? DEFAULT_MODE, c))
          payload.set(path, file);
      } catch (error) {
        errors.push(error);
      }
    }
    const failed = joinErrors(errors);
    if (failed) throw failed;
    return filesVolume(payload, volume, c);
  },
};

async function projection(s: Projection, key: string, mode: number, c: VolumeContext): Promise<Payload> {
  if (s.secret) return payloadOf('secret', s.secret, mode, c);
  if (s.configMap) return payloadOf('configmap', s.configMap, mode, c);
  if (s.downwardAPI) return downwardPayload(c.pod, s.downwardAPI.items, mode, c.down);
  if (s.serviceAccountToken) return tokenPayload(s.serviceAccountToken, mode, c);
  if (s.clusterTrustBundle) {
    const text = await trustAnchors(s.clusterTrustBundle, c.refs);
    return new Map([[s.clusterTrustBundle.path, privateFile(text, mode, c)]]);
  }
  if (s.podCertificate) return certificatePayload(s.podCertificate, key, mode, c);
  const name = Object.keys(s)[0] ?? '';
  throw new Error(`projections of ${name} are not carried out by this node`);
}

async function tokenPayload(
  s: NonNullable<Projection['serviceAccountToken']>,
  mode: number,
  c: VolumeContext,
): Promise<Payload> {
  const token = await c.token(c.pod, s.audience, s.expirationSeconds ?? TOKEN_SECONDS);
  c.renew(token.renewMs);
  return new Map([[s.path, privateFile(token.text, mode, c)]]);
}

async function certificatePayload(
  s: NonNullable<Projection['podCertificate']>,
  key: string,
  mode: number,
  c: VolumeContext,
): Promise<Payload> {
  const found = await c.certificates.credential(c.pod, key, s);
  c.renew(found.renewMs);
  const out: Payload = new Map();
  const files = [
    [s.credentialBundlePath, found.key + found.chain],
    [s.keyPath, found.key],
    [s.certificateChainPath, found.chain],
  ] as const;
  for (const [path, text] of files) if (path) out.set(path, privateFile(text, mode, c));
  return out;
}

/** A file for who runs the pod's containers, where that can be told. */
function privateFile(text: string, mode: number, c: VolumeContext): File {
  const user = userOf(c.pod);
  const file: File = { data: Buffer.from(text), mode };
  if (user !== undefined) file.user = user;
  // With a group that stands for the pod, the volume's ownership opens it to that group.
  if (user !== undefined || c.pod.spec.securityContext?.fsGroup !== undefined) file.mode = SECRET_MODE;
  return file;
}
