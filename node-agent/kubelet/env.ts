import { readFile, realpath } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import type { JsonObject } from '../../kube/meta/json.ts';
import { milliValue, quantity, wholeValue, ZERO } from '../../kube/meta/quantity.ts';
import { expandVariables } from './container.ts';
import { envFileValue } from './envfile.ts';
import { allContainers, type Container, type Pod } from './pod.ts';

/** A container that can't be made as it is written: becomes the waiting reason of its status. */
export class ConfigError extends Error {
  readonly reason: string;
  constructor(message: string, reason = 'CreateContainerConfigError', cause?: unknown) {
    super(message, { cause });
    this.name = 'ConfigError';
    this.reason = reason;
  }
}

/** Reads ConfigMaps and Secrets for a pod; null when there is none. `data` values of Secrets are decoded. */
export interface References {
  configMap(namespace: string, name: string): Promise<Record<string, Uint8Array> | null>;
  secret(namespace: string, name: string): Promise<Record<string, Uint8Array> | null>;
}
/** What the downward API may say about the pod and its node. */
export interface Downward {
  podIPs: readonly string[];
  hostIPs: readonly string[];
  /** Allocatable of the node: what a missing limit means. */
  allocatable: Readonly<Record<string, string>>;
}

/** Where the variables of one container come from. */
export interface Sources {
  refs: References;
  down: Downward;
  /** Variables of Services: what the container sets itself goes before. */
  services: readonly { key: string; value: string }[];
  /** Path of a volume of the pod, for files of variables; throws when there is none. */
  volume(name: string): Promise<string>;
}

/** The environment of a container, later names winning: services' variables, envFrom, env. Kubelet's makeEnvironmentVariables. */
export async function environment(pod: Pod, c: Container, s: Sources): Promise<{ key: string; value: string }[]> {
  const out = new Map<string, string>(s.services.map((v) => [v.key, v.value]));
  const namespace = pod.metadata.namespace ?? '';
  for (const from of c.envFrom ?? []) {
    const ref = from.configMapRef ?? from.secretRef;
    if (!ref) continue;
    const what = from.configMapRef ? 'configmap' : 'secret';
    const data = await (from.configMapRef ? s.refs.configMap(namespace, ref.name) : s.refs.secret(namespace, ref.name));
    if (data === null && !ref.optional) throw new ConfigError(`${what} "${ref.name}" not found`);
    for (const [k, v] of Object.entries(data ?? {})) out.set((from.prefix ?? '') + k, new TextDecoder().decode(v));
  }
  for (const e of c.env ?? []) {
    const envs = e.value?.includes('$') ? [...out].map(([key, value]) => ({ key, value })) : [];
    const value =
      !e.value && e.valueFrom ? await fromSource(pod, c, e.valueFrom, s) : expandVariables(e.value ?? '', envs);
    if (value !== undefined) out.set(e.name, value);
  }
  return [...out].map(([key, value]) => ({ key, value }));
}

type ValueFrom = NonNullable<NonNullable<Container['env']>[number]['valueFrom']>;

async function fromSource(pod: Pod, c: Container, from: ValueFrom, s: Sources): Promise<string | undefined> {
  if (from.fieldRef) return fieldValue(pod, from.fieldRef.fieldPath, s.down);
  if (from.resourceFieldRef) return resourceValue(pod, from.resourceFieldRef, c, s.down);
  if (from.fileKeyRef) return fromFile(from.fileKeyRef, s);
  const ref = from.configMapKeyRef ?? from.secretKeyRef;
  if (!ref) return undefined;
  const namespace = pod.metadata.namespace ?? '';
  const what = from.configMapKeyRef ? 'configmap' : 'secret';
  const data = await (from.configMapKeyRef
    ? s.refs.configMap(namespace, ref.name)
    : s.refs.secret(namespace, ref.name));
  const value = data?.[ref.key];
  if (value !== undefined) return new TextDecoder().decode(value);
  if (ref.optional) return undefined;
  if (data === null) throw new ConfigError(`${what} "${ref.name}" not found`);
  const kind = from.configMapKeyRef ? 'ConfigMap' : 'Secret';
  throw new ConfigError(`couldn't find key ${ref.key} in ${kind} ${namespace}/${ref.name}`);
}

/** A variable that an earlier container has written into a file of an emptyDir (KEP-3721). */
async function fromFile(ref: NonNullable<ValueFrom['fileKeyRef']>, s: Sources): Promise<string | undefined> {
  const root = await s.volume(ref.volumeName);
  const path = join(root, normalize(`/${ref.path}`));
  let value: string;
  try {
    // A link that a container has made must not lead out of its volume.
    const [real, inside] = await Promise.all([realpath(path), realpath(root)]);
    if (!real.startsWith(`${inside}/`)) throw new Error(`${ref.path} leads out of its volume`);
    value = envFileValue(await readFile(real, 'utf8'), ref.key);
  } catch (error) {
    throw new ConfigError("couldn't parse env file", undefined, error);
  }
  if (value !== '') return value;
  if (ref.optional) return undefined;
  throw new ConfigError(
    `environment variable key ${JSON.stringify(ref.key)} not found in file ${JSON.stringify(path)}`,
  );
}

/** A downward API field: kubelet's podFieldSelectorRuntimeValue and fieldpath.ExtractFieldPathAsString. */
export function fieldValue(pod: Pod, path: string, down: Downward): string {
  const m = pod.metadata;
  const subscript = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(path);
  if (subscript) return (subscript[1] === 'labels' ? m.labels : m.annotations)?.[subscript[2] ?? ''] ?? '';
  const values: Record<string, () => string> = {
    'metadata.name': () => m.name ?? '',
    'metadata.namespace': () => m.namespace ?? '',
    'metadata.uid': () => m.uid ?? '',
    'metadata.labels': () => formatMap(m.labels),
    'metadata.annotations': () => formatMap(m.annotations),
    'spec.nodeName': () => pod.spec.nodeName ?? '',
    'spec.serviceAccountName': () => pod.spec.serviceAccountName ?? '',
    'status.hostIP': () => down.hostIPs[0] ?? '',
    'status.hostIPs': () => down.hostIPs.join(','),
    'status.podIP': () => down.podIPs[0] ?? '',
    'status.podIPs': () => down.podIPs.join(','),
  };
  const value = values[path];
  if (!value) throw new ConfigError(`unsupported fieldPath: ${path}`);
  return value();
}

/** `key="escaped value"` lines in key order: fieldpath.FormatMap. */
function formatMap(map: Record<string, string> | undefined): string {
  return Object.keys(map ?? {})
    .sort()
    .map((k) => `${k}=${JSON.stringify(map?.[k] ?? '')}`)
    .join('\n');
}

/** Resources of which a missing limit means the pod's or the node's. */
const DEFAULTED = ['cpu', 'memory', 'ephemeral-storage'];

/** A container's limit or request, divided and rounded up: resource.ExtractContainerResourceValue. */
export function resourceValue(
  pod: Pod,
  ref: { containerName?: string; resource: string; divisor?: string },
  self: Container | undefined,
  down: Downward,
): string {
  const c = ref.containerName ? allContainers(pod).find((x) => x.name === ref.containerName) : self;
  if (!c) throw new ConfigError(`container ${ref.containerName} not found`);
  const [, which, name = ''] = /^(limits|requests)\.(.+)$/.exec(ref.resource) ?? [];
  if (which === undefined || (!DEFAULTED.includes(name) && !name.startsWith('hugepages-')))
    throw new ConfigError(`unsupported container resource : ${ref.resource}`);
  let amount = quantity((which === 'limits' ? c.resources?.limits : c.resources?.requests)?.[name]);
  if (which === 'limits' && amount.unscaled === 0n && DEFAULTED.includes(name)) {
    const whole = name === 'ephemeral-storage' ? ZERO : quantity(pod.spec.resources?.limits?.[name]);
    amount = whole.unscaled === 0n ? quantity(down.allocatable[name]) : whole;
  }
  const given = quantity(ref.divisor);
  const divisor = given.unscaled === 0n ? quantity(1) : given;
  const value = name === 'cpu' ? milliValue : wholeValue;
  return String(Math.ceil(value(amount) / value(divisor)));
}

/** Data of a ConfigMap or Secret object as bytes. */
export function dataOf(object: JsonObject): Record<string, Uint8Array> {
  const out: Record<string, Uint8Array> = {};
  const secret = object.kind === 'Secret';
  for (const [k, v] of Object.entries((object.data ?? {}) as Record<string, string>))
    out[k] = secret ? Buffer.from(v, 'base64') : Buffer.from(v);
  for (const [k, v] of Object.entries((object.binaryData ?? {}) as Record<string, string>))
    out[k] = Buffer.from(v, 'base64');
  return out;
}
