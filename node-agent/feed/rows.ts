import type { Json, JsonObject } from '../../kube/meta/json.ts';

/** A Service as this node needs it: packet filter, DNS, environment variables. Absent fields have their defaults. */
export interface ServiceRow {
  namespace: string;
  name: string;
  type: string;
  /** One per IP family; `['None']` for headless ones, empty for ExternalName. */
  clusterIPs: string[];
  ports: ServicePortRow[];
  externalName: string;
  externalIPs: string[];
  /** Ingress addresses that the node answers for itself (ipMode VIP). */
  loadBalancerIPs: string[];
  sourceRanges: string[];
  /** 0: no affinity. */
  affinitySeconds: number;
  externalLocal: boolean;
  internalLocal: boolean;
  /** 0: none. */
  healthCheckNodePort: number;
  publishNotReady: boolean;
  /** False: another proxy serves it (label service.kubernetes.io/service-proxy-name). */
  proxied: boolean;
}
export interface ServicePortRow {
  name: string;
  protocol: string;
  port: number;
  nodePort: number;
}

/** An EndpointSlice. */
export interface SliceRow {
  /** `namespace/name` of its Service; only the namespace and a slash where it has none. */
  service: string;
  /** IPv4, IPv6 or FQDN. */
  family: string;
  ports: { name: string; protocol: string; port: number }[];
  endpoints: EndpointRow[];
}
export interface EndpointRow {
  addresses: string[];
  ready: boolean;
  serving: boolean;
  terminating: boolean;
  hostname: string;
  node: string;
  zone: string;
  zoneHints: string[];
  nodeHints: string[];
}

/** A Node, as the others' routes and this one's topology need it. */
export interface NodeRow {
  name: string;
  zone: string;
  internalIPs: string[];
  podCIDRs: string[];
  annotations: Record<string, string>;
  /** Cordoned; absent: it isn't. */
  unschedulable?: true;
}

const SERVICE_OF_SLICE = 'kubernetes.io/service-name';
const PROXY_NAME = 'service.kubernetes.io/service-proxy-name';
const ZONE = 'topology.kubernetes.io/zone';
/** Annotations of nodes that other nodes read begin so. */
const OWN_ANNOTATIONS = 'network.coracle.dev/';

const obj = (v: Json | undefined): JsonObject => (v ?? {}) as JsonObject;
const list = (v: Json | undefined): JsonObject[] => (v ?? []) as JsonObject[];
const texts = (v: Json | undefined): string[] => (v ?? []) as string[];
const text = (v: Json | undefined): string => (v ?? '') as string;
const number = (v: Json | undefined): number => Number(v ?? 0);

export function serviceRow(o: JsonObject): ServiceRow {
  const meta = obj(o.metadata);
  const spec = obj(o.spec);
  const type = text(spec.type) || 'ClusterIP';
  const clientIP = obj(obj(spec.sessionAffinityConfig).clientIP);
  const clusterIPs = texts(spec.clusterIPs);
  const external = type === 'NodePort' || type === 'LoadBalancer' || texts(spec.externalIPs).length > 0;
  const externalLocal = external && spec.externalTrafficPolicy === 'Local';
  return {
    namespace: text(meta.namespace),
    name: text(meta.name),
    type,
    clusterIPs: clusterIPs.length === 0 && spec.clusterIP ? [text(spec.clusterIP)] : clusterIPs,
    ports: list(spec.ports).map((p) => ({
      name: text(p.name),
      protocol: text(p.protocol) || 'TCP',
      port: number(p.port),
      nodePort: number(p.nodePort),
    })),
    externalName: text(spec.externalName),
    externalIPs: texts(spec.externalIPs),
    loadBalancerIPs: list(obj(obj(o.status).loadBalancer).ingress)
      .filter((i) => i.ip && (i.ipMode ?? 'VIP') === 'VIP')
      .map((i) => text(i.ip)),
    // Validation lets spaces around them pass.
    sourceRanges: texts(spec.loadBalancerSourceRanges).map((r) => r.trim()),
    affinitySeconds: spec.sessionAffinity === 'ClientIP' ? number(clientIP.timeoutSeconds ?? 10_800) : 0,
    externalLocal,
    internalLocal: spec.internalTrafficPolicy === 'Local',
    healthCheckNodePort: type === 'LoadBalancer' && externalLocal ? number(spec.healthCheckNodePort) : 0,
    publishNotReady: spec.publishNotReadyAddresses === true,
    proxied: obj(meta.labels)[PROXY_NAME] === undefined,
  };
}

export function sliceRow(o: JsonObject): SliceRow {
  const meta = obj(o.metadata);
  return {
    service: `${text(meta.namespace)}/${text(obj(meta.labels)[SERVICE_OF_SLICE])}`,
    family: text(o.addressType),
    // A port without a number means all ports, which no proxy can serve.
    ports: list(o.ports)
      .filter((p) => p.port !== undefined && p.port !== null)
      .map((p) => ({ name: text(p.name), protocol: text(p.protocol) || 'TCP', port: number(p.port) })),
    endpoints: list(o.endpoints).map(endpointRow),
  };
}

function endpointRow(e: JsonObject): EndpointRow {
  const c = obj(e.conditions);
  const names = (v: Json | undefined) => list(v).map((h) => text(h.name));
  return {
    addresses: texts(e.addresses),
    ready: c.ready !== false,
    serving: c.serving !== false,
    terminating: c.terminating === true,
    hostname: text(e.hostname),
    node: text(e.nodeName),
    zone: text(e.zone),
    zoneHints: names(obj(e.hints).forZones),
    nodeHints: names(obj(e.hints).forNodes),
  };
}

export function nodeRow(o: JsonObject): NodeRow {
  const meta = obj(o.metadata);
  const spec = obj(o.spec);
  const cidrs = texts(spec.podCIDRs);
  return {
    name: text(meta.name),
    zone: text(obj(meta.labels)[ZONE]),
    internalIPs: list(obj(o.status).addresses)
      .filter((a) => a.type === 'InternalIP')
      .map((a) => text(a.address)),
    podCIDRs: cidrs.length === 0 && spec.podCIDR ? [text(spec.podCIDR)] : cidrs,
    annotations: Object.fromEntries(
      Object.entries(obj(meta.annotations))
        .filter(([k]) => k.startsWith(OWN_ANNOTATIONS))
        .map(([k, v]) => [k, text(v)]),
    ),
    ...(spec.unschedulable === true ? { unschedulable: true } : {}),
  };
}
