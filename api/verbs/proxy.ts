import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { badRequest, unavailable } from '../../kube/meta/status.ts';
import { rangeOf } from '../../kube/store/key.ts';
import { type Call, read, storeOf } from '../call.ts';
import type { Resource } from '../parts.ts';
import { objectOf } from '../row.ts';

// Where a proxy request goes: the ResourceLocation of pods, services and nodes in kubernetes pkg/registry/core.

/** The node that a proxy request is sent to, and what it shall connect to there (`options` of ConnectRequest). */
export interface ProxyTarget {
  node: string;
  pod: string;
  /** `scheme` http or https, `port`, `path` with its slash, `query` without its mark; `address` where no pod is named. */
  options: JsonObject;
}

/** kubelet's own port. */
const KUBELET_PORT = 10250;

/** `name`, `name:port` or `scheme:name:port` of the path. */
export function splitTarget(text: string): { scheme: string; name: string; port: string } {
  const parts = text.split(':');
  if (parts.length === 1) return { scheme: '', name: text, port: '' };
  if (parts.length === 2) return { scheme: '', name: parts[0] ?? '', port: parts[1] ?? '' };
  const [scheme = '', name = '', port = ''] = parts;
  if (parts.length > 3 || (scheme !== '' && scheme !== 'http' && scheme !== 'https')) {
    throw badRequest(`invalid proxy target ${JSON.stringify(text)}`);
  }
  return { scheme, name, port };
}

/** Resolves the target of a pod, a service (one of its ready endpoints) or a node. */
export async function proxyTarget(call: Call, resource: Resource, object: KubeObject): Promise<ProxyTarget> {
  const { scheme, name, port } = splitTarget(call.info.name);
  const { rest, path: whole } = call.info;
  const path = escapedPath(`/${rest.join('/')}${whole.endsWith('/') && rest.length > 0 ? '/' : ''}`);
  const options: JsonObject = { scheme: scheme || 'http', path, query: call.query.toString() };
  if (resource.key === 'nodes') {
    return {
      node: name,
      pod: '',
      options: { ...options, scheme: scheme || 'https', port: Number(port || KUBELET_PORT) },
    };
  }
  if (resource.key === 'pods') {
    const node = String(at(object, 'spec.nodeName') ?? '');
    const [address = ''] = addressesOf(object);
    if (!isGlobalUnicast(address)) throw badRequest('address not allowed');
    return { node, pod: name, options: { ...options, port: Number(port) || firstPort(object), address } };
  }
  return serviceTarget(call, object, port, options);
}

/** A decoded path as Go's url.URL writes it: what neither means something in a path nor is a letter or digit is escaped. */
const escapedPath = (path: string): string =>
  path.replace(/[^A-Za-z0-9\-_.~$&+,/:;=@]+/gu, (text) =>
    encodeURIComponent(text.toWellFormed()).replace(
      /[!'()*]/g,
      (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
    ),
  );

const addressesOf = (pod: KubeObject): string[] => objects(at(pod, 'status.podIPs')).map((p) => String(p.ip ?? ''));

/** Go's net.IP.IsGlobalUnicast: neither loopback, link-local, multicast, broadcast nor unspecified. */
const isGlobalUnicast = (ip: string): boolean =>
  ip !== '' && !/^(127\.|169\.254\.|2(2[4-9]|3\d)\.|0\.0\.0\.0$|255\.255\.255\.255$|::1?$|fe[89ab]|ff)/i.test(ip);

function firstPort(pod: KubeObject): number {
  for (const c of objects(at(pod, 'spec.containers'))) {
    for (const p of objects(c.ports)) if (typeof p.containerPort === 'number') return p.containerPort;
  }
  return 80;
}
const objects = (v: Json | undefined): JsonObject[] => (Array.isArray(v) ? v.filter(isObject) : []);

async function serviceTarget(call: Call, service: KubeObject, port: string, options: JsonObject): Promise<ProxyTarget> {
  const { name = '', namespace = '' } = service.metadata;
  const ports = objects(at(service, 'spec.ports'));
  const wanted =
    port === '' && ports.length === 1
      ? ports[0]
      : ports.find((p) => p.name === port || (port !== '' && String(p.port) === port));
  if (!wanted) throw unavailable(`no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`);
  const ready = await endpointsOf(call, namespace, name, String(wanted.name ?? ''));
  const first = Math.floor(call.cluster.env.random() * ready.length);
  for (const chosen of [...ready.slice(first), ...ready.slice(0, first)])
    if (await isPods(call, namespace, chosen)) return { ...chosen, options: { ...options, ...chosen.options } };
  throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
}

/** Whether an endpoint's address is the pod's that it names: whoever may write slices could reach anything from a node otherwise. */
async function isPods(call: Call, namespace: string, target: ProxyTarget): Promise<boolean> {
  const pods = call.resources.find(call.cluster.view, '', 'v1', 'pods');
  if (!pods || target.pod === '') return false;
  const range = rangeOf('', 'pods', namespace, target.pod);
  const [row] = (await read(call, storeOf(call, pods, namespace), range, { limit: 1 })).entries;
  return row !== undefined && addressesOf(objectOf(pods, row)).includes(String(target.options.address));
}

/** Ready endpoints of a service's port that are on a node of ours. */
async function endpointsOf(call: Call, namespace: string, service: string, port: string): Promise<ProxyTarget[]> {
  const slices = call.resources.find(call.cluster.view, 'discovery.k8s.io', 'v1', 'endpointslices');
  if (!slices) return [];
  const range = rangeOf('discovery.k8s.io', 'endpointslices', namespace);
  const labels = [{ key: 'kubernetes.io/service-name', op: 'In' as const, values: [service] }];
  const page = await read(call, storeOf(call, slices, namespace), range, { select: { labels } });
  const out: ProxyTarget[] = [];
  for (const row of page.entries) {
    const slice = objectOf(slices, row);
    const own = objects(slice.ports).find((p) => String(p.name ?? '') === port);
    if (!own) continue;
    for (const e of objects(slice.endpoints)) {
      if (at(e, 'conditions.ready') === false || typeof e.nodeName !== 'string') continue;
      const isOwn = at(e, 'targetRef.kind') === 'Pod' && at(e, 'targetRef.namespace') === namespace;
      const pod = isOwn ? String(at(e, 'targetRef.name') ?? '') : '';
      const address = Array.isArray(e.addresses) ? String(e.addresses[0] ?? '') : '';
      out.push({ node: e.nodeName, pod, options: { port: own.port ?? 0, address } });
    }
  }
  return out;
}
