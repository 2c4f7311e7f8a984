import { kindByStorage } from '../../kube/kinds/index.ts';
import { serviceCIDR } from '../../kube/kinds/serviceips.ts';
import { equalJson, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import type { Controller, Plan, Row, View, Write } from '../../kube/reconcile/controller.ts';
import { keyOf, parseKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import { API_ENDPOINT, apiService, DNS_ENDPOINT } from '../../kube/wire/clusteraddresses.ts';
import { needKind } from './kind.ts';
import { namespaces } from './namespaces.ts';
import { MANAGED_BY, SERVICE_NAME, slices } from './serviceslices.ts';

const services = needKind(kindByStorage, 'services');
const endpoints = needKind(kindByStorage, 'endpoints');
const SERVICE = keyOf('', 'services', 'default', 'kubernetes');
const ENDPOINTS = keyOf('', 'endpoints', 'default', 'kubernetes');
const SLICE = keyOf('discovery.k8s.io', 'endpointslices', 'default', 'kubernetes');
const DNS = keyOf('', 'services', 'kube-system', 'kube-dns');
const DNS_SLICE = keyOf('discovery.k8s.io', 'endpointslices', 'kube-system', 'kube-dns');
/** Who keeps kube-dns' slice; upstream's own slice of kubernetes has no such label. */
const KEEPER = 'coracle.dev';

const watchOf = (kind: typeof services, key: Key) => ({
  kind,
  name: parseKey(key).name,
  map: (row: Row) => (row.key === key ? [keyOf('', 'namespaces', '', parseKey(key).namespace)] : []),
});

/**
 * The Service default/kubernetes at the first address of the Service range with its endpoints, as kube-apiserver itself keeps them
 * (pkg/controlplane/controller/kubernetesservice, reconcilers), and the endpoints of kube-system/kube-dns while it has no selector. Both Services' endpoints are
 * addresses that each node holds.
 */
export const kubernetesservice: Controller = {
  name: 'kubernetes-service-controller',
  rules: [
    { apiGroups: [''], resources: ['services', 'endpoints'], verbs: ['create', 'update', 'list', 'watch'] },
    {
      apiGroups: ['discovery.k8s.io'],
      resources: ['endpointslices'],
      verbs: ['create', 'update', 'delete', 'list', 'watch'],
    },
  ],
  for: namespaces,
  watches: [
    watchOf(services, SERVICE),
    watchOf(endpoints, ENDPOINTS),
    watchOf(slices, SLICE),
    watchOf(services, DNS),
    watchOf(slices, DNS_SLICE),
  ],
  reconcile(key, namespace, view): Plan {
    if (namespace === undefined) return { writes: [] };
    const { name } = parseKey(key);
    if (name === 'default') return { writes: ofApi(view) };
    return { writes: name === 'kube-system' ? ofDns(view) : [] };
  },
};

function ofApi(view: View): Write[] {
  const metadata = { name: 'kubernetes', namespace: 'default' };
  const ports = [{ name: 'https', port: API_ENDPOINT.port, protocol: 'TCP' }];
  const writes: Write[] = [];
  if (view.get(SERVICE) === undefined) writes.push({ do: 'create', object: service(metadata) });
  const subsets = [{ addresses: [{ ip: API_ENDPOINT.address }], ports }];
  const labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  const wanted = { apiVersion: 'v1', kind: 'Endpoints', metadata: { ...metadata, labels }, subsets };
  writes.push(...keep(view, ENDPOINTS, wanted, ['subsets']));
  writes.push(...keep(view, SLICE, slice(metadata, {}, API_ENDPOINT.address, ports), ['endpoints', 'ports']));
  return writes;
}

function service(metadata: { name: string; namespace: string }): KubeObject {
  const labels = { component: 'apiserver', provider: 'kubernetes' };
  const { address, port } = apiService(serviceCIDR());
  const spec = {
    type: 'ClusterIP',
    clusterIP: address,
    clusterIPs: [address],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    sessionAffinity: 'None',
    ports: [{ name: 'https', port, protocol: 'TCP', targetPort: API_ENDPOINT.port }],
  };
  return { apiVersion: 'v1', kind: 'Service', metadata: { ...metadata, labels }, spec };
}

/** Whoever gives the Service a selector has a DNS server of his own: then it has no endpoints but those pods. */
function ofDns(view: View): Write[] {
  const of = view.get(DNS);
  const there = view.get(DNS_SLICE);
  const ours = there === undefined || there.labels[MANAGED_BY] === KEEPER;
  const selector = of && (at(of.data as unknown as KubeObject, 'spec.selector') as JsonObject | undefined);
  const headless = of && at(of.data as unknown as KubeObject, 'spec.clusterIP') === 'None';
  if (of === undefined || headless || (selector && Object.keys(selector).length > 0))
    return there && ours ? [{ do: 'delete', key: DNS_SLICE, uid: there.uid }] : [];
  if (!ours) return [];
  const ports = [
    { name: 'dns', port: DNS_ENDPOINT.port, protocol: 'UDP' },
    { name: 'dns-tcp', port: DNS_ENDPOINT.port, protocol: 'TCP' },
  ];
  const metadata = { name: 'kube-dns', namespace: 'kube-system' };
  return keep(view, DNS_SLICE, slice(metadata, { [MANAGED_BY]: KEEPER }, DNS_ENDPOINT.address, ports), [
    'endpoints',
    'ports',
  ]);
}

function slice(
  metadata: { name: string; namespace: string },
  labels: Record<string, string>,
  address: string,
  ports: JsonObject[],
): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metadata, labels: { [SERVICE_NAME]: metadata.name, ...labels } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports,
  };
}

/** Creates what is missing, and puts labels and fields right that somebody changed. */
function keep(view: View, key: Key, wanted: KubeObject, fields: readonly string[]): Write[] {
  const there = view.get(key);
  if (there === undefined) return [{ do: 'create', object: wanted }];
  const labels = wanted.metadata.labels ?? {};
  const right =
    fields.every((f) => equalJson((there.data[f] ?? null) as Json, (wanted[f] ?? null) as Json)) &&
    Object.entries(labels).every(([k, v]) => there.labels[k] === v);
  if (right) return [];
  const { metadata } = there.data as unknown as KubeObject;
  const object = {
    ...there.data,
    ...wanted,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...labels },
      resourceVersion: String(there.revision),
    },
  };
  return [{ do: 'update', object }];
}
