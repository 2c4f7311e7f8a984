import type { JsonObject } from '../../kube/meta/json.ts';
import { compareQuantities, milliValue, parseQuantity, wholeValue } from '../../kube/meta/quantity.ts';
import { expandVariables } from './container.ts';
import type { Container, Pod } from './pod.ts';

/** A container that can't be made as it is written: becomes the waiting reason of its status. */
export class ConfigError extends Error {
  readonly reason: string;
  constructor(message: string, reason = 'CreateContainerConfigError') {
    super(message);
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

/** The environment of a container in order, later names winning: services' variables, envFrom, env. */
export async function environment(
  pod: Pod,
  c: Container,
  refs: References,
  down: Downward,
  services: readonly { key: string; value: string }[],
): Promise<{ key: string; value: string }[]> {
  const out = new Map<string, string>(services.map((s) => [s.key, s.value]));
  const namespace = pod.metadata.namespace ?? '';
  for (const from of c.envFrom ?? []) {
    const ref = from.configMapRef ?? from.secretRef;
    if (!ref) continue;
    const what = from.configMapRef ? 'configmap' : 'secret';
    const data = await (from.configMapRef ? refs.configMap(namespace, ref.name) : refs.secret(namespace, ref.name));
    if (data === null && !ref.optional) throw new ConfigError(`${what} "${ref.name}" not found`);
    for (const [k, v] of Object.entries(data ?? {})) out.set((from.prefix ?? '') + k, new TextDecoder().decode(v));
  }
  for (const e of c.env ?? []) {
    const envs = [...out].map(([key, value]) => ({ key, value }));
    const value = e.valueFrom
      ? await fromSource(pod, c, e.valueFrom, refs, down)
      : expandVariables(e.value ?? '', envs);
    if (value !== undefined) out.set(e.name, value);
  }
  return [...out].map(([key, value]) => ({ key, value }));
}

async function fromSource(
  pod: Pod,
  c: Container,
  from: NonNullable<NonNullable<Container['env']>[number]['valueFrom']>,
  refs: References,
  down: Downward,
): Promise<string | undefined> {
  if (from.fieldRef) return fieldValue(pod, from.fieldRef.fieldPath, down);
  if (from.resourceFieldRef) return resourceValue(pod, from.resourceFieldRef, c, down);
  const ref = from.configMapKeyRef ?? from.secretKeyRef;
  if (!ref) return undefined;
  const namespace = pod.metadata.namespace ?? '';
  const what = from.configMapKeyRef ? 'configmap' : 'secret';
  const data = await (from.configMapKeyRef ? refs.configMap(namespace, ref.name) : refs.secret(namespace, ref.name));
  const value = data?.[ref.key];
  if (value !== undefined) return new TextDecoder().decode(value);
  if (ref.optional) return undefined;
  if (data === null) throw new ConfigError(`${what} "${ref.name}" not found`);
  const kind = from.configMapKeyRef ? 'ConfigMap' : 'Secret';
  throw new ConfigError(`couldn't find key ${ref.key} in ${kind} ${namespace}/${ref.name}`);
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

/** A container's limit or request, divided and rounded up: resource.ExtractContainerResourceValue. */
export function resourceValue(
  pod: Pod,
  ref: { containerName?: string; resource: string; divisor?: string },
  self: Container | undefined,
  down: Downward,
): string {
  const c = ref.containerName
    ? [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find((x) => x.name === ref.containerName)
    : self;
  if (!c) throw new ConfigError(`container ${ref.containerName} not found`);
  const [which, ...rest] = ref.resource.split('.');
  const name = rest.join('.');
  const set = which === 'limits' ? c.resources?.limits : c.resources?.requests;
  const text = set?.[name] ?? (which === 'limits' ? down.allocatable[name] : undefined) ?? '0';
  const amount = parseQuantity(text);
  const divisor = parseQuantity(ref.divisor && ref.divisor !== '0' ? ref.divisor : '1');
  if (!amount || !divisor) throw new ConfigError(`unsupported container resource : ${ref.resource}`);
  if (name === 'cpu') return String(Math.ceil(milliValue(amount) / milliValue(divisor)));
  return compareQuantities(divisor, amount) > 0 && wholeValue(amount) > 0
    ? '1'
    : String(Math.ceil(wholeValue(amount) / wholeValue(divisor)));
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
