import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type Json } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Controller, Plan, View, Write } from '../../kube/reconcile/controller.ts';
import { objectOf } from '../../kube/reconcile/row.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import { EVENTS } from './owning.ts';
import {
  addressesOf,
  besideOf,
  type EndpointPod,
  findPort,
  HEADLESS,
  hasHostname,
  isIPSet,
  isManual,
  podsOf,
  projectEndpointPod,
  type Service,
  servicePods,
  services,
  TRIGGER_TIME,
  targetOf,
} from './servicepods.ts';
import { type Address, CAPACITY, type Port, repack, type Subset, sizeOf, truncate } from './subsets.ts';

const kind = needKind(kindByStorage, 'endpoints');
const NAME = 'endpoint-controller';
const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';

/** Keeps the Endpoints of Services with a selector: kubernetes pkg/controller/endpoint. */
export const endpoints: Controller = {
  name: NAME,
  rules: [
    { apiGroups: [''], resources: ['services', 'pods'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['endpoints'], verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'] },
    { apiGroups: [''], resources: ['endpoints/restricted'], verbs: ['create'] },
    EVENTS,
  ],
  for: services,
  besideOf,
  project: { pods: projectEndpointPod },
  watches: [
    servicePods,
    // Made anew when somebody deletes them; other changes are seen to with the next of the Service's or its pods'.
    {
      kind,
      beside: true,
      where: { wakes: 'end' },
      map: (row, view) => (view.get(row.key) === undefined ? [serviceKey(row.key)] : []),
    },
  ],
  reconcile(key, object, view): Plan {
    const at = keyOf('', 'endpoints', parseKey(key).namespace, parseKey(key).name);
    // Upstream deletes them also where it hasn't made them.
    if (object === undefined) return { writes: [{ do: 'delete', key: at }] };
    const service = object as Service;
    if (isManual(service.spec)) return { writes: [] };
    const subsets = repack(subsetsOf(service, view));
    const current = objectOf(view.get(at), kind);
    if (current && isRight(current, service, subsets)) return { writes: [] };
    return { writes: [written(service, current, subsets, view)] };
  },
};
const serviceKey = (key: Key): Key => keyOf('', 'services', parseKey(key).namespace, parseKey(key).name);

/** A subset for each pod and port, before they are put together. */
function subsetsOf(service: Service, view: View): Subset[] {
  const { spec } = service;
  const found: Subset[] = [];
  for (const { row, pod } of podsOf(service, view)) {
    if (pod.deleting && spec.publishNotReadyAddresses !== true) continue;
    const [ip] = addressesOf(pod, familyOf(service, pod));
    if (ip === undefined) continue;
    const address: Address = {
      ip,
      ...(hasHostname(pod, service) ? { hostname: pod.hostname } : {}),
      nodeName: pod.node,
      targetRef: targetOf(row),
    };
    const member = spec.publishNotReadyAddresses === true || pod.ready ? 'addresses' : 'notReadyAddresses';
    const ports = spec.ports ?? [];
    // Only a headless Service may do without ports.
    if (ports.length === 0 && spec.clusterIP === 'None') found.push({ [member]: [address] });
    for (const p of ports) {
      const port = findPort(pod, p);
      if (port === undefined) continue;
      const made: Port = {
        ...(p.name ? { name: p.name } : {}),
        port,
        protocol: p.protocol ?? 'TCP',
        ...(p.appProtocol === undefined ? {} : { appProtocol: p.appProtocol }),
      };
      found.push({ [member]: [address], ports: [made] });
    }
  }
  return found;
}
/** The first family the Service says; else its address's, else the pod's. */
function familyOf(service: Service, pod: EndpointPod): 4 | 6 {
  const [said] = service.spec.ipFamilies ?? [];
  if (said !== undefined) return said === 'IPv6' ? 6 : 4;
  const ip = isIPSet(service) ? service.spec.clusterIP : pod.ips[0];
  return ip?.includes(':') ? 6 : 4;
}

function isRight(current: KubeObject, service: Service, wanted: readonly Subset[]): boolean {
  const had = (current.subsets ?? []) as Subset[];
  // One that was cut is always written again, as upstream does: what it had is compared with all there is.
  return (
    equalJson(repack(had) as Json, wanted as Json) &&
    sameLabels(current.metadata.labels ?? {}, service.metadata.labels ?? {}) &&
    sizeOf(had) <= CAPACITY &&
    current.metadata.annotations?.[OVER_CAPACITY] === undefined
  );
}
/** Those of the Service, beside the two that are the controller's own. */
function sameLabels(had: Record<string, string>, service: Record<string, string>): boolean {
  if (had[MANAGED_BY] !== NAME) return false;
  const { [MANAGED_BY]: _, [HEADLESS]: __, ...rest } = had;
  return equalJson(rest, service);
}

function written(service: Service, current: KubeObject | undefined, subsets: Subset[], view: View): Write {
  const cut = truncate(subsets);
  const { [TRIGGER_TIME]: _, [OVER_CAPACITY]: __, ...others } = current?.metadata.annotations ?? {};
  const since = triggerOf(service, current, subsets, view);
  const annotations = {
    ...others,
    ...(since ? { [TRIGGER_TIME]: since } : {}),
    ...(cut ? { [OVER_CAPACITY]: 'truncated' } : {}),
  };
  const { [HEADLESS]: ___, ...own } = service.metadata.labels ?? {};
  const labels = { ...own, ...(isIPSet(service) ? {} : { [HEADLESS]: '' }), [MANAGED_BY]: NAME };
  const { name = '', namespace = '' } = service.metadata;
  const base = current ?? { apiVersion: 'v1', kind: 'Endpoints', metadata: { name, namespace } };
  const object = { ...base, metadata: { ...base.metadata, labels, annotations }, subsets: cut ?? subsets };
  return current ? { do: 'update', object } : { do: 'create', object };
}

/** The Service's creation at first, then the earliest transition among pods that are other than they were. Upstream remembers what it saw. */
function triggerOf(
  service: Service,
  current: KubeObject | undefined,
  subsets: readonly Subset[],
  view: View,
): string | undefined {
  if (current === undefined) return service.metadata.creationTimestamp;
  const known = readiness((current.subsets ?? []) as Subset[]);
  let least: string | undefined;
  for (const [name, ready] of readiness(subsets)) {
    if (known.get(name) === ready) continue;
    const pod = view.get(keyOf('', 'pods', service.metadata.namespace ?? '', name))?.data as EndpointPod | undefined;
    if (pod?.readySince && (least === undefined || pod.readySince < least)) least = pod.readySince;
  }
  return least;
}
function readiness(subsets: readonly Subset[]): Map<string, boolean> {
  const found = new Map<string, boolean>();
  for (const s of subsets) {
    for (const a of s.addresses ?? []) found.set(String(a.targetRef?.name), true);
    for (const a of s.notReadyAddresses ?? []) found.set(String(a.targetRef?.name), false);
  }
  return found;
}
