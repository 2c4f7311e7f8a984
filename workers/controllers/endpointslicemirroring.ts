import { kindByStorage } from '../../kube/kinds/index.ts';
import { parseAddress, printAddress } from '../../kube/kinds/podspec/ip.ts';
import { equalJson, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Controller, Note, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { objectOf } from '../../kube/reconcile/row.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { needKind } from './kind.ts';
import { controllerRef, EVENTS } from './owning.ts';
import { type Service, services, TRIGGER_TIME } from './servicepods.ts';
import { creation, MANAGED_BY, over, removal, SERVICE_NAME, SLICES, sliceRoot, slices } from './serviceslices.ts';
import { type Endpoint, endpointKey, portsKey, type Slice, sameBeyondKey } from './slicepacking.ts';
import { type Address, repack, type Subset } from './subsets.ts';

const endpoints = needKind(kindByStorage, 'endpoints');
const MANAGER = 'endpointslicemirroring-controller.k8s.io';
const SKIP = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Upstream's --mirroring-max-endpoints-per-subset: a slice for each subset. */
const ADDRESSES_MAX = 1000;
/** kube-apiserver sees to its own. */
const KUBERNETES: Key = keyOf('', 'services', 'default', 'kubernetes');

/** Endpoints that somebody makes for a Service without a selector, as EndpointSlices: kubernetes pkg/controller/endpointslicemirroring. */
export const endpointslicemirroring: Controller = {
  name: 'endpointslicemirroring-controller',
  rules: [
    { apiGroups: [''], resources: ['services', 'endpoints'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['services/finalizers', 'endpoints/finalizers'], verbs: ['update'] },
    {
      apiGroups: ['discovery.k8s.io'],
      resources: ['endpointslices'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'],
    },
    EVENTS,
  ],
  for: services,
  besideOf: (row) => row.key !== KUBERNETES && (row.data as unknown as Service).spec?.selector === undefined,
  watches: [
    { kind: endpoints, beside: true, map: (row) => [serviceKey(row.key)] },
    { kind: slices, beside: true, map: sliceRoot(MANAGER) },
  ],
  reconcile(key, object, view): Plan {
    const service = object as Service | undefined;
    const { namespace, name } = parseKey(key);
    const existing = mirroredOf(namespace, name, view);
    const source = objectOf(view.get(keyOf('', 'endpoints', namespace, name)), endpoints);
    if (service === undefined || service.spec.selector !== undefined || source === undefined || isSkipped(source))
      return { writes: existing.map(removal) };
    return mirror(source, existing, view);
  },
};
const serviceKey = (key: Key): Key => keyOf('', 'services', parseKey(key).namespace, parseKey(key).name);
const isSkipped = ({ metadata }: KubeObject): boolean =>
  metadata.labels?.[SKIP] === 'true' || metadata.annotations?.[LEADER] !== undefined;

function mirroredOf(namespace: string, name: string, view: View): Slice[] {
  const ours = (row: Row) => row.labels[SERVICE_NAME] === name && row.labels[MANAGED_BY] === MANAGER;
  return [...view.list(SLICES, namespace)].filter(ours).flatMap((row) => {
    const slice = objectOf(row, slices) as Slice | undefined;
    return slice ? [{ ...slice, endpoints: slice.endpoints ?? [], ports: slice.ports ?? [] }] : [];
  });
}

interface Wanted {
  addressType: string;
  ports: JsonObject[];
  endpoints: Map<string, Endpoint>;
}
const groupKey = (addressType: string, ports: readonly JsonObject[]) => `${addressType} ${portsKey(ports)}`;

function mirror(source: KubeObject, existing: readonly Slice[], view: View): Plan {
  const { wanted, invalid, skipped } = wantedOf(source);
  const notes: Note[] = [];
  const on = keyOf('', 'endpoints', source.metadata.namespace ?? '', source.metadata.name ?? '');
  const warn = (reason: string, message: string) => notes.push({ on, type: 'Warning', reason, message });
  if (invalid > 0) warn('InvalidIPAddress', `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices`);
  if (skipped > invalid) warn('TooManyAddressesToMirror', tooMany(skipped));
  const by = Map.groupBy(existing, (s) => groupKey(s.addressType, s.ports));
  const create: Slice[] = [];
  const update: Slice[] = [];
  const gone: Slice[] = [];
  for (const [key, of] of by) {
    const group = wanted.get(key);
    gone.push(...(group && group.endpoints.size > 0 ? of.slice(1) : of));
  }
  for (const [key, group] of wanted) {
    if (group.endpoints.size === 0) continue;
    const [first] = by.get(key) ?? [];
    if (first === undefined) create.push(newSlice(source, group));
    else if (!isRight(first, source, group)) update.push(over(first, newSlice(source, group)));
  }
  return { writes: finalize(source, create, update, gone, view), notes };
}
const tooMany = (skipped: number) =>
  `A max of ${ADDRESSES_MAX} addresses can be mirrored to EndpointSlices per Endpoints subset. ${skipped} addresses were skipped`;

/** What is to be, by family and ports; how many addresses are none, and how many are left out in all. */
function wantedOf(source: KubeObject): { wanted: Map<string, Wanted>; invalid: number; skipped: number } {
  const wanted = new Map<string, Wanted>();
  let invalid = 0;
  let skipped = 0;
  for (const subset of repack((source.subsets ?? []) as Subset[])) {
    const ports = (subset.ports ?? []).map(
      ({ name, port, protocol, appProtocol }): JsonObject => ({
        name: name ?? '',
        port,
        protocol: protocol ?? 'TCP',
        ...(appProtocol === undefined ? {} : { appProtocol }),
      }),
    );
    const all = [
      ...(subset.addresses ?? []).map((a) => ({ a, ready: true })),
      ...(subset.notReadyAddresses ?? []).map((a) => ({ a, ready: false })),
    ];
    let added = 0;
    for (const { a, ready } of all) {
      if (added >= ADDRESSES_MAX) break;
      const made = endpointOf(a, ready);
      if (made === undefined) {
        invalid++;
        continue;
      }
      added++;
      const key = groupKey(made.addressType, ports);
      const group = wanted.get(key) ?? { addressType: made.addressType, ports, endpoints: new Map() };
      wanted.set(key, group);
      group.endpoints.set(endpointKey(made.endpoint), made.endpoint);
    }
    skipped += all.length - added;
  }
  return { wanted, invalid, skipped };
}
function endpointOf(a: Address, ready: boolean): { addressType: string; endpoint: Endpoint } | undefined {
  const ip = parseAddress(a.ip);
  if (ip === null) return undefined;
  return {
    addressType: ip.family === 4 || ip.mapped ? 'IPv4' : 'IPv6',
    endpoint: {
      addresses: [ip.mapped ? a.ip : printAddress(ip)],
      conditions: { ready },
      ...(a.targetRef ? { targetRef: a.targetRef } : {}),
      ...(a.nodeName === undefined ? {} : { nodeName: a.nodeName }),
      ...(a.hostname ? { hostname: a.hostname } : {}),
    },
  };
}

/** Labels and annotations of the Endpoints, but those that are nobody else's. */
const labelsOf = (source: KubeObject): Record<string, string> => ({
  ...source.metadata.labels,
  [SERVICE_NAME]: source.metadata.name ?? '',
  [MANAGED_BY]: MANAGER,
});
function annotationsOf(source: KubeObject): Record<string, string> {
  const { [TRIGGER_TIME]: _, [LAST_APPLIED]: __, ...rest } = source.metadata.annotations ?? {};
  return rest;
}

function isRight(slice: Slice, source: KubeObject, { endpoints: wanted }: Wanted): boolean {
  const { labels = {}, annotations = {}, ownerReferences = [] } = slice.metadata;
  const former = ownerReferences.some(
    (r) => r.kind === 'Endpoints' && r.name === source.metadata.name && r.uid !== source.metadata.uid,
  );
  if (former || !equalJson(labels, labelsOf(source)) || !equalJson(annotations, annotationsOf(source))) return false;
  if (slice.endpoints.length !== Math.min(wanted.size, ADDRESSES_MAX)) return false;
  return slice.endpoints.every((e) => {
    const now = wanted.get(endpointKey(e));
    return now !== undefined && sameBeyondKey(now, e);
  });
}

function newSlice(source: KubeObject, group: Wanted): Slice {
  const { name = '', namespace = '' } = source.metadata;
  const metadata = {
    generateName: `${name}-`,
    namespace,
    labels: labelsOf(source),
    annotations: annotationsOf(source),
    ownerReferences: [controllerRef(endpoints, source)],
  };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata,
    addressType: group.addressType,
    endpoints: [...group.endpoints.values()].slice(0, ADDRESSES_MAX),
    ports: group.ports,
  };
}

/** What is to be deleted becomes what is to be made, of the same family; Endpoints that go get nothing new. */
function finalize(source: KubeObject, create: Slice[], update: Slice[], gone: Slice[], view: View): Write[] {
  const made: Slice[] = [];
  for (const slice of create) {
    const i = gone.findIndex((s) => s.addressType === slice.addressType);
    const [old] = i < 0 ? [] : gone.splice(i, 1);
    if (old) update.push(over(old, slice));
    else made.push(slice);
  }
  return [
    ...(source.metadata.deletionTimestamp ? [] : made).map((s) => creation(s, view)),
    ...update.map((object): Write => ({ do: 'update', object })),
    ...gone.map(removal),
  ];
}
