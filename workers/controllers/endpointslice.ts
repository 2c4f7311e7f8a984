import { kindByStorage } from '../../kube/kinds/index.ts';
import { equalJson, type JsonObject } from '../../kube/meta/json.ts';
import type { Controller, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { objectOf } from '../../kube/reconcile/row.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import { controllerRef, EVENTS } from './owning.ts';
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
import { creation, MANAGED_BY, over, removal, SERVICE_NAME, SLICES, sliceRoot, slices } from './serviceslices.ts';
import { type Endpoint, endpointKey, type Packed, pack, portsKey, type Slice } from './slicepacking.ts';
import { capacityOf, DISABLED, hasHints, type TopologyEvent, topologyHints } from './topologyhints.ts';
import { hinted, wantsHints, wantsTopology } from './traffichints.ts';

const MANAGER = 'endpointslice-controller.k8s.io';
const RESERVED: ReadonlySet<string> = new Set([SERVICE_NAME, MANAGED_BY, HEADLESS]);
const ZONE = 'topology.kubernetes.io/zone';
/** When a Service is looked at again one of whose pods is on a node that isn't there. */
const NODE_AGAIN_MS = 10_000;

type Family = 'IPv4' | 'IPv6';

/** Keeps EndpointSlices of Services with a selector: k8s.io/endpointslice. */
export const endpointslice: Controller = {
  name: 'endpointslice-controller',
  rules: [
    { apiGroups: [''], resources: ['services', 'pods', 'nodes'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['services/finalizers'], verbs: ['update'] },
    {
      apiGroups: ['discovery.k8s.io'],
      resources: ['endpointslices'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'],
    },
    EVENTS,
  ],
  for: services,
  besideOf,
  project: { pods: projectEndpointPod },
  watches: [
    servicePods,
    { kind: slices, beside: true, map: sliceRoot(MANAGER) },
    // Zones are read when a Service is seen to, as upstream does; what nodes have concerns those that are hinted by it.
    { kind: needKind(kindByStorage, 'nodes'), where: { wakes: 'never' }, map: byTopology },
  ],
  reconcile(key, object, view): Plan {
    if (object === undefined) return { writes: [] };
    const service = object as Service;
    if (isManual(service.spec)) return { writes: [] };
    const families = familiesOf(service);
    const existing = slicesOf(service, view);
    const missing: string[] = [];
    const events: TopologyEvent[] = [];
    const writes: Write[] = [];
    for (const family of families) {
      const own = existing.filter((s) => s.addressType === family);
      writes.push(...reconcileFamily(service, family, own, view, missing, events));
    }
    writes.push(...existing.filter((s) => !families.includes(s.addressType as Family)).map(removal));
    const notes = events.map((e) => ({ on: key, ...e }));
    if (missing.length === 0) return { writes, ...(notes.length > 0 ? { notes } : {}) };
    const message = `Error updating Endpoint Slices for Service ${path(service)}: ${missing.join(', ')}`;
    const note = { on: key, type: 'Warning', reason: 'FailedToUpdateEndpointSlices', message } as const;
    return { writes, notes: [...notes, note], again: NODE_AGAIN_MS };
  },
};

/** Services hinted by topology, where a node's zone, CPU or readiness is another. */
function byTopology(row: Row, view: View, before?: Row): Key[] {
  if (before && view.get(row.key) && capacityOf(before) === capacityOf(row)) return [];
  const asks = (s: Row) => wantsTopology((s.data as unknown as Service).metadata?.annotations);
  return [...view.list('services')].filter(asks).map((s) => s.key);
}
const path = (s: Service) => `${s.metadata.namespace}/${s.metadata.name}`;

/** getAddressTypesForService: of its families, else of its address, else both. */
function familiesOf(service: Service): Family[] {
  const said = (service.spec.ipFamilies ?? []).filter((f): f is Family => f === 'IPv4' || f === 'IPv6');
  if (said.length > 0) return said;
  if (isIPSet(service)) return [service.spec.clusterIP?.includes(':') ? 'IPv6' : 'IPv4'];
  return ['IPv4', 'IPv6'];
}

/** The Service's slices that this controller keeps and nobody deletes. */
function slicesOf(service: Service, view: View): Slice[] {
  const found: Slice[] = [];
  for (const row of view.list(SLICES, service.metadata.namespace)) {
    if (row.labels[SERVICE_NAME] !== service.metadata.name || row.labels[MANAGED_BY] !== MANAGER) continue;
    const slice = objectOf(row, slices) as Slice | undefined;
    if (slice && !slice.metadata.deletionTimestamp)
      found.push({ ...slice, endpoints: slice.endpoints ?? [], ports: slice.ports ?? [] });
  }
  return found;
}
const ownedBy = (slice: Slice, service: Service) =>
  (slice.metadata.ownerReferences ?? []).some(
    (r) => r.uid === service.metadata.uid && r.kind === 'Service' && r.apiVersion === 'v1',
  );

function reconcileFamily(
  service: Service,
  family: Family,
  existing: readonly Slice[],
  view: View,
  missing: string[],
  events: TopologyEvent[],
): Write[] {
  const own = Map.groupBy(
    existing.filter((s) => ownedBy(s, service)),
    (s) => portsKey(s.ports),
  );
  const all: Packed = { create: [], update: [], delete: existing.filter((s) => !ownedBy(s, service)) };
  const groups = wantedOf(service, family, view, missing);
  const labels = labelsOf(service);
  const changed = (s: Slice) => !equalJson(free(s.metadata.labels), free(service.metadata.labels));
  const since = triggerOf(service, existing, groups, view);
  for (const [key, group] of groups) {
    const fresh = () => newSlice(service, family, group.ports, labels);
    const packed = pack(own.get(key) ?? [], group.endpoints, { of: labels, changed }, fresh);
    all.create.push(...packed.create);
    all.update.push(...packed.update);
    all.delete.push(...packed.delete);
  }
  for (const [key, left] of own) if (!groups.has(key)) all.delete.push(...left);
  if (existing.length === all.delete.length && all.create.length === 0) placeHolder(service, family, labels, all);
  const event = hint(service, existing, all, view);
  if (event) events.push({ ...event, message: `${event.message}, addressType: ${family}` });
  return finalize(service, all, since, view);
}

/** A Service that nobody stands behind has one empty slice. */
function placeHolder(service: Service, family: Family, labels: Record<string, string>, all: Packed): void {
  const empty = newSlice(service, family, [], labels);
  const [only] = all.delete;
  const same =
    only &&
    all.delete.length === 1 &&
    only.endpoints.length === 0 &&
    only.ports.length === 0 &&
    equalJson(only.metadata.labels ?? {}, labels);
  if (same) all.delete.length = 0;
  else all.create.push(empty);
}

/** Hints, by the annotation or by spec.trafficDistribution, in what is written anyway, and in what else lacks them or has them no more. */
function hint(service: Service, existing: readonly Slice[], all: Packed, view: View): TopologyEvent | undefined {
  const named = new Set([...all.update, ...all.delete].map((s) => s.metadata.name));
  const unchanged = existing.filter((s) => !named.has(s.metadata.name));
  if (wantsTopology(service.metadata.annotations)) return topologyHints(all, unchanged, view);
  const mode = wantsHints(service);
  for (const slice of unchanged) {
    const next = hinted(slice, mode);
    if (next !== slice) all.update.push(next);
  }
  all.create = all.create.map((s) => hinted(s, mode));
  all.update = all.update.map((s) => hinted(s, mode));
  if (mode !== undefined || !existing.some(hasHints)) return undefined;
  return { type: 'Warning', reason: 'TopologyAwareHintsDisabled', message: DISABLED };
}

/** Wanted endpoints by ports. */
function wantedOf(
  service: Service,
  family: Family,
  view: View,
  missing: string[],
): Map<string, { ports: JsonObject[]; endpoints: Map<string, Endpoint> }> {
  const groups = new Map<string, { ports: JsonObject[]; endpoints: Map<string, Endpoint> }>();
  for (const { row, pod } of podsOf(service, view)) {
    const ports = portsFor(service, pod);
    const key = portsKey(ports);
    const group = groups.get(key) ?? { ports, endpoints: new Map<string, Endpoint>() };
    groups.set(key, group);
    const node = view.get(keyOf('', 'nodes', '', pod.node));
    if (node === undefined && service.spec.publishNotReadyAddresses !== true) {
      const { name } = parseKey(row.key);
      missing.push(`skipping Pod ${name} for Service ${path(service)}: Node ${pod.node} Not Found`);
      continue;
    }
    const endpoint = endpointOf(service, family, row, pod, node);
    if (endpoint.addresses.length > 0) groups.get(key)?.endpoints.set(endpointKey(endpoint), endpoint);
  }
  return groups;
}

function endpointOf(service: Service, family: Family, row: Row, pod: EndpointPod, node: Row | undefined): Endpoint {
  const zone = node?.labels[ZONE] ?? '';
  const ready = service.spec.publishNotReadyAddresses === true || (pod.ready && !pod.deleting);
  return {
    addresses: addressesOf(pod, family === 'IPv6' ? 6 : 4),
    conditions: { ready, serving: pod.ready, terminating: pod.deleting },
    targetRef: targetOf(row),
    ...(pod.node ? { nodeName: pod.node } : {}),
    ...(zone ? { zone } : {}),
    ...(hasHostname(pod, service) ? { hostname: pod.hostname } : {}),
  };
}

function portsFor(service: Service, pod: EndpointPod): JsonObject[] {
  return (service.spec.ports ?? []).flatMap((p) => {
    const port = findPort(pod, p);
    if (port === undefined) return [];
    const appProtocol = p.appProtocol === undefined ? {} : { appProtocol: p.appProtocol };
    return [{ name: p.name ?? '', port, protocol: p.protocol ?? 'TCP', ...appProtocol }];
  });
}

/** The Service's labels with those that are the controller's own. */
function labelsOf(service: Service): Record<string, string> {
  return {
    ...free(service.metadata.labels),
    ...(isIPSet(service) ? {} : { [HEADLESS]: '' }),
    [SERVICE_NAME]: service.metadata.name ?? '',
    [MANAGED_BY]: MANAGER,
  };
}
const free = (labels: Record<string, string> = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).filter(([k]) => !RESERVED.has(k)));

function newSlice(service: Service, family: Family, ports: JsonObject[], labels: Record<string, string>): Slice {
  const { name = '', namespace = '' } = service.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { generateName: `${name}-`, namespace, labels, ownerReferences: [controllerRef(services, service)] },
    addressType: family,
    endpoints: [],
    ports,
  };
}

/**
 * When the change happened that leads to what is written: the Service's creation for its first slices, else the earliest transition among
 * pods that are other than the slices have them. Upstream remembers what it saw; this is told from the slices alone.
 */
function triggerOf(
  service: Service,
  existing: readonly Slice[],
  groups: ReturnType<typeof wantedOf>,
  view: View,
): string | undefined {
  if (existing.length === 0) return service.metadata.creationTimestamp;
  const known = new Map(existing.flatMap((s) => s.endpoints.map((e) => [endpointKey(e), e] as const)));
  let least: string | undefined;
  for (const { endpoints } of groups.values()) {
    for (const [key, e] of endpoints) {
      if (known.get(key)?.conditions?.serving === e.conditions?.serving) continue;
      const { namespace = '', name = '' } = e.targetRef ?? {};
      const pod = view.get(keyOf('', 'pods', namespace, name))?.data as EndpointPod | undefined;
      if (pod?.readySince && (least === undefined || pod.readySince < least)) least = pod.readySince;
    }
  }
  return least;
}
function timed(slice: Slice, since: string | undefined): Slice {
  const { [TRIGGER_TIME]: _, ...rest } = slice.metadata.annotations ?? {};
  const annotations = since ? { ...rest, [TRIGGER_TIME]: since } : rest;
  return { ...slice, metadata: { ...slice.metadata, annotations } };
}

/** What is to be deleted becomes what is to be created where it can; a Service that goes away gets nothing new. */
function finalize(service: Service, all: Packed, since: string | undefined, view: View): Write[] {
  const gone: Slice[] = [];
  for (const old of all.delete) {
    const slice = all.create.at(-1);
    if (slice && old.addressType === slice.addressType && ownedBy(old, service)) {
      all.create.pop();
      all.update.push(over(old, slice));
    } else gone.push(old);
  }
  const fresh = service.metadata.deletionTimestamp ? [] : all.create;
  return [
    ...fresh.map((s) => creation(timed(s, since), view)),
    ...all.update.map((s): Write => ({ do: 'update', object: timed(s, since) })),
    ...gone.map(removal),
  ];
}
