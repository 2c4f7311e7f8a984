import { type Downward, fieldValue, resourceValue } from '../env.ts';
import type { DownwardItem, KeyRef, KeyToPath, Pod } from '../pod.ts';
import type { File, Payload } from './atomicwriter.ts';
import type { VolumeContext } from './kind.ts';

/** Upstream's default of every volume of files. */
export const DEFAULT_MODE = 0o644;

/** Several failures as one: one alone as it is, each text once. */
export function joinErrors(errors: readonly unknown[]): Error | null {
  const texts = [...new Set(errors.map((e) => (e instanceof Error ? e.message : String(e))))];
  if (texts.length === 0) return null;
  return new Error(texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`);
}

type Source = KeyRef & { items?: readonly KeyToPath[] };

/** A ConfigMap's or Secret's keys as files. What is missing fails, unless the source is optional. */
export async function payloadOf(
  what: 'configmap' | 'secret',
  source: Source,
  mode: number,
  c: Pick<VolumeContext, 'pod' | 'refs'>,
): Promise<Payload> {
  const namespace = c.pod.metadata.namespace ?? '';
  const read = what === 'configmap' ? c.refs.configMap : c.refs.secret;
  const data = await read(namespace, source.name);
  if (data === null && !source.optional) throw new Error(`${what} ${JSON.stringify(source.name)} not found`);
  const out: Payload = new Map();
  if (!source.items?.length) {
    for (const [path, bytes] of Object.entries(data ?? {})) out.set(path, { data: bytes, mode });
    return out;
  }
  for (const item of source.items) {
    const bytes = data?.[item.key];
    if (bytes !== undefined) out.set(item.path, { data: bytes, mode: item.mode ?? mode });
    else if (!source.optional) {
      throw new Error(
        what === 'configmap'
          ? `configmap references non-existent config key: ${item.key}`
          : `references non-existent secret key: ${item.key}`,
      );
    }
  }
  return out;
}

/** Fields of a pod as files. */
export function downwardPayload(
  pod: Pod,
  items: readonly DownwardItem[] | undefined,
  mode: number,
  down: Downward,
): Payload {
  const out: Payload = new Map();
  const errors: unknown[] = [];
  for (const item of items ?? []) {
    const file: File = { data: new Uint8Array(), mode: item.mode ?? mode };
    try {
      if (item.fieldRef) file.data = Buffer.from(fieldValue(pod, item.fieldRef.fieldPath, down));
      else if (item.resourceFieldRef)
        file.data = Buffer.from(resourceValue(pod, item.resourceFieldRef, undefined, down));
    } catch (error) {
      errors.push(error);
    }
    out.set(item.path, file);
  }
  const failed = joinErrors(errors);
  if (failed) throw failed;
  return out;
}
