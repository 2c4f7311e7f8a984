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
  const path = `/${call.info.rest.join('/')}${call.info.path.endsWith('/') && call.info.rest.length > 0 ? '/' : ''}`;
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
    return { node, pod: name, options: { ...options, port: Number(port) || firstPort(object) } };
  }
  return serviceTarget(call, object, port, options);
}

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
  const chosen = ready[Math.floor(call.cluster.env.random() * ready.length)];
  if (!chosen) throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  return { ...chosen, options: { ...options, ...chosen.options } };
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
      const pod = at(e, 'targetRef.kind') === 'Pod' ? String(at(e, 'targetRef.name') ?? '') : '';
      const address = Array.isArray(e.addresses) ? String(e.addresses[0] ?? '') : '';
      out.push({ node: e.nodeName, pod, options: { port: own.port ?? 0, address } });
    }
  }
  return out;
}
