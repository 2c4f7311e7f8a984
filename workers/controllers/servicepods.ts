import { kindByStorage } from '../../kube/kinds/index.ts';
import { parseAddress, printAddress } from '../../kube/kinds/podspec/ip.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Row, View, Watch } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import { type PodState, podState } from './podrow.ts';
import { ACTIVE } from './pods.ts';

// Services and the pods behind them, for EndpointSlices and Endpoints.

export const services = needKind(kindByStorage, 'services');
const pods = needKind(kindByStorage, 'pods');

/** A named container port. */
interface NamedPort extends JsonObject {
  name: string;
  port: number;
  protocol: string;
}
/** What endpoints need of a pod. */
export interface EndpointPod extends PodState {
  /** Of both families, in the order of status.podIPs. */
  ips: string[];
  hostname: string;
  subdomain: string;
  /** Of containers, then of sidecars. */
  ports: NamedPort[];
}
export function projectEndpointPod(o: KubeObject): EndpointPod {
  const spec = (o.spec ?? {}) as { hostname?: string; subdomain?: string };
  const status = (o.status ?? {}) as { podIPs?: { ip: string }[] };
  return {
    ...podState(o),
    ips: (status.podIPs ?? []).map(({ ip }) => ip),
    hostname: spec.hostname ?? '',
    subdomain: spec.subdomain ?? '',
    ports: namedPorts(o),
  };
}
function namedPorts(o: KubeObject): NamedPort[] {
  interface Container {
    restartPolicy?: string;
    ports?: { name?: string; containerPort: number; protocol?: string }[];
  }
  const spec = (o.spec ?? {}) as { containers?: Container[]; initContainers?: Container[] };
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  return [...(spec.containers ?? []), ...sidecars].flatMap((c) =>
    (c.ports ?? []).flatMap((p) =>
      p.name ? [{ name: p.name, port: p.containerPort, protocol: p.protocol ?? 'TCP' }] : [],
    ),
  );
}
export interface ServicePort extends JsonObject {
  name?: string;
  port: number;
  protocol?: string;
  appProtocol?: string;
  targetPort?: number | string;
}
export interface Service extends KubeObject {
  spec: JsonObject & {
    type?: string;
    selector?: Record<string, string>;
    clusterIP?: string;
    ipFamilies?: string[];
    ports?: ServicePort[];
    publishNotReadyAddresses?: boolean;
    trafficDistribution?: string;
  };
}
const specOf = (row: Row) => ((row.data as unknown as Service).spec ?? {}) as Service['spec'];

/** Somebody else makes its endpoints: it has no selector, or is a name only. */
export const isManual = (spec: Service['spec']): boolean => spec.selector === undefined || spec.type === 'ExternalName';
export const isIPSet = (s: Service): boolean => s.spec.clusterIP !== 'None' && (s.spec.clusterIP ?? '') !== '';

/** Roots for whose sake pods are looked at. */
export const besideOf = (service: Row): boolean => !isManual(specOf(service));

const selected = (selector: Record<string, string>, labels: Row['labels']): boolean => {
  for (const k in selector) if (labels[k] !== selector[k]) return false;
  return true;
};

/** Pods that have an address and haven't ended, where there are Services with a selector: what each change of one means for them. */
export const servicePods: Watch = {
  kind: pods,
  beside: true,
  where: { fields: [{ field: 'status.podIP', op: '!=', value: '' }, ...ACTIVE] },
  map(row, view, before) {
    if (before && sameEndpoint(before, row)) return [];
    const found: Key[] = [];
    for (const s of view.list('services', parseKey(row.key).namespace)) {
      const { selector } = specOf(s);
      if (!selector) continue;
      if (selected(selector, row.labels) || (before && selected(selector, before.labels))) found.push(s.key);
    }
    return found;
  },
};
/** podEndpointsChanged, and the end of a pod, whose row may be kept for others. */
function sameEndpoint(a: Row, b: Row): boolean {
  const [p, q] = [a.data as EndpointPod, b.data as EndpointPod];
  return (
    a.uid === b.uid &&
    p.ready === q.ready &&
    p.deleting === q.deleting &&
    p.phase === q.phase &&
    p.hostname === q.hostname &&
    p.subdomain === q.subdomain &&
    p.node === q.node &&
    equalJson(p.ips, q.ips) &&
    equalJson(a.labels as JsonObject, b.labels as JsonObject)
  );
}

/** Pods that a Service selects, in key order; all but those that ended or have no address. */
export function podsOf(service: Service, view: View): { row: Row; pod: EndpointPod }[] {
  const { selector = {} } = service.spec;
  const found: { row: Row; pod: EndpointPod }[] = [];
  for (const row of view.list('pods', service.metadata.namespace)) {
    const pod = row.data as EndpointPod;
    if (!selected(selector, row.labels) || pod.ips.length === 0) continue;
    if (pod.phase !== 'Succeeded' && pod.phase !== 'Failed') found.push({ row, pod });
  }
  return found;
}

/** A pod's number for a Service's port; undefined where its name is none of the pod's. */
export function findPort(pod: EndpointPod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? 0;
  if (typeof target === 'number') return target;
  return pod.ports.find((p) => p.name === target && p.protocol === (port.protocol ?? 'TCP'))?.port;
}

/** The pod's addresses of one family, as Go prints them. */
export function addressesOf(pod: EndpointPod, family: 4 | 6): string[] {
  return pod.ips.flatMap((ip) => {
    const a = parseAddress(ip);
    if (a === null) return [];
    return (a.family === 6 && !a.mapped ? 6 : 4) === family ? [a.mapped ? ip : printAddress(a)] : [];
  });
}

export const hasHostname = (pod: EndpointPod, service: Service): boolean =>
  pod.hostname !== '' && pod.subdomain === service.metadata.name;

export const targetOf = (row: Row): JsonObject => {
  const { namespace, name } = parseKey(row.key);
  return { kind: 'Pod', namespace, name, ...(row.uid ? { uid: row.uid } : {}) } satisfies Record<string, Json>;
};
/** Name of the annotation that tells when the change happened that led to an object's state. */
export const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';
export const HEADLESS = 'service.kubernetes.io/headless';
