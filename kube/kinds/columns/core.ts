import type { Column } from '../../codec/table.ts';
import type { JsonObject } from '../../meta/json.ts';
import type { KubeObject } from '../../meta/object.ts';
import { bool, has, list, num, obj, objs, str, texts } from '../access.ts';
import { age, containers, formatLabels, integer, name, or, since, spec, status, text } from './column.ts';

const template = (o: KubeObject) => spec(o).template;

/** Columns of the core group by plural, pods excepted (pod.ts). */
export const CORE: Readonly<Record<string, readonly Column[]>> = {
  podtemplates: [
    name(),
    ...containers((o) => o.template).map((c) => ({ ...c, priority: 0 })),
    text('Pod Labels', (o) => formatLabels(obj(obj(o.template).metadata).labels)),
  ],
  replicationcontrollers: [
    name(),
    integer('Desired', (o) => num(spec(o).replicas)),
    integer('Current', (o) => num(status(o).replicas)),
    integer('Ready', (o) => num(status(o).readyReplicas)),
    age,
    ...containers(template),
    text('Selector', (o) => formatLabels(spec(o).selector), true),
  ],
  services: [
    name(),
    text('Type', (o) => str(spec(o).type)),
    text('Cluster-IP', (o) => or(list(spec(o).clusterIPs)[0], '<none>')),
    text('External-IP', externalIP),
    text('Port(s)', (o) => servicePorts(o)),
    age,
    text('Selector', (o) => formatLabels(spec(o).selector), true),
  ],
  endpoints: [name(), text('Endpoints', formatEndpoints), age],
  nodes: [
    name(),
    text('Status', nodeStatus),
    text('Roles', nodeRoles),
    age,
    text('Version', (o) => str(nodeInfo(o).kubeletVersion)),
    text('Internal-IP', (o) => address(o, 'InternalIP'), true),
    text('External-IP', (o) => address(o, 'ExternalIP'), true),
    text('OS-Image', (o) => str(nodeInfo(o).osImage) || '<unknown>', true),
    text('Kernel-Version', kernelVersion, true),
    text('Container-Runtime', (o) => str(nodeInfo(o).containerRuntimeVersion) || '<unknown>', true),
  ],
  events: [
    text('Last Seen', (o, now) => lastSeen(o, now)),
    text('Type', (o) => str(o.type)),
    text('Reason', (o) => str(o.reason)),
    text('Object', eventTarget),
    text('Subobject', (o) => str(involved(o).fieldPath), true),
    text('Source', eventSource, true),
    text('Message', (o) => str(o.message ?? o.note).trim()),
    text('First Seen', firstSeen, true),
    text('Count', eventCount, true),
    { ...name(), priority: 1 },
  ],
  namespaces: [name(), text('Status', (o) => str(status(o).phase)), age],
  secrets: [name(), text('Type', (o) => str(o.type)), text('Data', (o) => Object.keys(obj(o.data)).length), age],
  serviceaccounts: [name(), age],
  configmaps: [
    name(),
    text('Data', (o) => Object.keys(obj(o.data)).length + Object.keys(obj(o.binaryData)).length),
    age,
  ],
  persistentvolumes: [
    name(),
    text('Capacity', (o) => or(obj(spec(o).capacity).storage, '0')),
    text('Access Modes', (o) => accessModes(spec(o).accessModes as string[])),
    text('Reclaim Policy', (o) => str(spec(o).persistentVolumeReclaimPolicy)),
    text('Status', phase),
    text('Claim', (o) => {
      const ref = obj(spec(o).claimRef);
      return has(spec(o).claimRef) ? `${str(ref.namespace)}/${str(ref.name)}` : '';
    }),
    text('StorageClass', storageClass),
    text('VolumeAttributesClass', (o) => or(spec(o).volumeAttributesClassName, '<unset>')),
    text('Reason', (o) => str(status(o).reason)),
    age,
    text('VolumeMode', (o) => or(spec(o).volumeMode, '<unset>'), true),
  ],
  persistentvolumeclaims: [
    name(),
    text('Status', phase),
    text('Volume', (o) => str(spec(o).volumeName)),
    text('Capacity', (o) => (str(spec(o).volumeName) === '' ? '' : or(obj(status(o).capacity).storage, '0'))),
    text('Access Modes', (o) => (str(spec(o).volumeName) === '' ? '' : accessModes(status(o).accessModes as string[]))),
    text('StorageClass', storageClass),
    text('VolumeAttributesClass', (o) => or(spec(o).volumeAttributesClassName, '<unset>')),
    age,
    text('VolumeMode', (o) => or(spec(o).volumeMode, '<unset>'), true),
  ],
  componentstatuses: [
    name(),
    text('Status', (o) => {
      const c = healthy(o);
      return c === undefined ? 'Unknown' : c.status === 'True' ? 'Healthy' : 'Unhealthy';
    }),
    text('Message', (o) => str(healthy(o)?.message)),
    text('Error', (o) => str(healthy(o)?.error)),
  ],
  resourcequotas: [name(), text('Request', (o) => quota(o, false)), text('Limit', (o) => quota(o, true)), age],
};

function externalIP(o: KubeObject): string {
  const external = list(spec(o).externalIPs).map(String);
  switch (spec(o).type) {
    case 'ClusterIP':
    case 'NodePort':
      return external.length > 0 ? external.join(',') : '<none>';
    case 'LoadBalancer': {
      const all = [...ingressAddresses(status(o)), ...external];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    case 'ExternalName':
      return str(spec(o).externalName);
    default:
      return '<unknown>';
  }
}
/** Addresses of status.loadBalancer.ingress, each once, sorted. */
export function ingressAddresses(s: JsonObject): string[] {
  const found = objs(obj(s.loadBalancer).ingress).map((i) => str(i.ip) || str(i.hostname));
  return [...new Set(found.filter((a) => a !== ''))].sort();
}
function servicePorts(o: KubeObject): string {
  const ports = objs(spec(o).ports).map((p) =>
    num(p.nodePort) > 0 ? `${num(p.port)}:${num(p.nodePort)}/${str(p.protocol)}` : `${num(p.port)}/${str(p.protocol)}`,
  );
  return ports.length === 0 ? '<none>' : ports.join(',');
}
const MAX_ENDPOINTS = 3;
const hostPort = (ip: string, port: number) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);
function formatEndpoints(o: KubeObject): string {
  const all: string[] = [];
  const subsets = objs(o.subsets);
  if (subsets.length === 0) return '<none>';
  for (const s of subsets) {
    const ips = objs(s.addresses).map((a) => str(a.ip));
    const ports = objs(s.ports);
    if (ports.length === 0) all.push(...ips);
    for (const p of ports) all.push(...ips.map((ip) => hostPort(ip, num(p.port))));
  }
  const shown = all.slice(0, MAX_ENDPOINTS).join(',');
  return all.length > MAX_ENDPOINTS ? `${shown} + ${all.length - MAX_ENDPOINTS} more...` : shown;
}

const nodeInfo = (o: KubeObject) => obj(status(o).nodeInfo);
function nodeStatus(o: KubeObject): string {
  const ready = objs(status(o).conditions).findLast((c) => c.type === 'Ready');
  const parts = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (bool(spec(o).unschedulable)) parts.push('SchedulingDisabled');
  return parts.join(',');
}
const ROLE_PREFIX = 'node-role.kubernetes.io/';
function nodeRoles(o: KubeObject): string {
  const roles = new Set<string>();
  const labels = texts(o.metadata.labels);
  for (const k in labels) {
    if (k.startsWith(ROLE_PREFIX)) {
      if (k.length > ROLE_PREFIX.length) roles.add(k.slice(ROLE_PREFIX.length));
    } else if (k === 'kubernetes.io/role' && labels[k]) roles.add(labels[k]);
  }
  return [...roles].sort().join(',') || '<none>';
}
const address = (o: KubeObject, type: string) =>
  or(objs(status(o).addresses).find((a) => a.type === type)?.address, '<none>');
function kernelVersion(o: KubeObject): string {
  const version = str(nodeInfo(o).kernelVersion) || '<unknown>';
  const architecture = str(nodeInfo(o).architecture);
  return architecture === '' ? version : `${version} (${architecture})`;
}

// Event is served by two groups with different names for the same fields.
const involved = (o: KubeObject) => obj(o.involvedObject ?? o.regarding);
function firstSeen(o: KubeObject, now: number): string {
  const first = o.firstTimestamp ?? o.deprecatedFirstTimestamp;
  return since(has(first) ? first : o.eventTime, now);
}
function lastSeen(o: KubeObject, now: number): string {
  if (has(o.series)) return since(obj(o.series).lastObservedTime, now);
  const last = o.lastTimestamp ?? o.deprecatedLastTimestamp;
  return has(last) ? since(last, now) : firstSeen(o, now);
}
function eventCount(o: KubeObject): number {
  if (has(o.series)) return num(obj(o.series).count);
  return num(o.count ?? o.deprecatedCount) || 1;
}
function eventTarget(o: KubeObject): string {
  const kind = str(involved(o).kind).toLowerCase();
  const target = str(involved(o).name);
  return target === '' ? kind : `${kind}/${target}`;
}
function eventSource(o: KubeObject): string {
  const source = obj(o.source ?? o.deprecatedSource);
  const component = str(source.component) || str(o.reportingComponent ?? o.reportingController);
  const instance = str(source.host) || str(o.reportingInstance);
  return instance === '' ? component : `${component}, ${instance}`;
}

const MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};
/** Access modes in upstream's order and short form: core/helper GetAccessModesAsString. */
function accessModes(modes: readonly string[] | undefined): string {
  return Object.keys(MODES)
    .filter((m) => modes?.includes(m))
    .map((m) => MODES[m])
    .join(',');
}
function phase(o: KubeObject): string {
  return has(o.metadata.deletionTimestamp) ? 'Terminating' : str(status(o).phase);
}
function storageClass(o: KubeObject): string {
  return texts(o.metadata.annotations)['volume.beta.kubernetes.io/storage-class'] ?? str(spec(o).storageClassName);
}
const healthy = (o: KubeObject) => objs(o.conditions).find((c) => c.type === 'Healthy');
function quota(o: KubeObject, limits: boolean): string {
  const hard = texts(status(o).hard);
  const used = texts(status(o).used);
  return Object.keys(hard)
    .filter((r) => r.startsWith('limits.') === limits)
    .sort()
    .map((r) => `${r}: ${used[r] ?? '0'}/${hard[r]}`)
    .join(', ');
}
