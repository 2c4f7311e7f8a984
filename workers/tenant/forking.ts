import { parseJson, printJson } from '../../kube/codec/json.ts';
import { has, obj, objs, str, texts } from '../../kube/kinds/access.ts';
import { kindByStorage } from '../../kube/kinds/index.ts';
import { MIRROR } from '../../kube/kinds/podfacts.ts';
import { rowFacts } from '../../kube/kinds/rowfacts.ts';
import type { Facts } from '../../kube/meta/facts.ts';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { resourceOfKey } from '../../kube/store/key.ts';
import type { Key } from '../../kube/store/store.ts';
import type { ArchiveRow } from '../../kube/wire/archive.ts';

/** What makes a fork another cluster. */
export interface Forking {
  /** The first part of the uids of base rows: of the cluster that is forked, and of the fork. */
  uidPrefix: { from: string; to: string };
  /** The fork's CA, PEM. */
  ca: string;
}

/** An object as the fork has it; undefined: the fork doesn't have it. The object itself: it is the same. */
type Rule = (object: KubeObject, f: Forking) => KubeObject | undefined;
const gone: Rule = () => undefined;

/**
 * What a fork has otherwise than the cluster that it comes from, by groupResource; everything else is copied as text. A fork has no nodes, and nobody's
 * credential for the one is good for the other.
 */
const RULES: Readonly<Record<string, Rule>> = {
  'clusterkeys.coracle.dev': gone,
  'statictokens.coracle.dev': gone,
  nodes: gone,
  // What nodes, and drivers on them, say of themselves.
  'csinodes.storage.k8s.io': gone,
  'csistoragecapacities.storage.k8s.io': gone,
  'volumeattachments.storage.k8s.io': gone,
  'resourceslices.resource.k8s.io': gone,
  'leasecandidates.coordination.k8s.io': gone,
  // Asked of the other CA.
  'certificatesigningrequests.certificates.k8s.io': gone,
  'podcertificaterequests.certificates.k8s.io': gone,
  // Controllers make them of the pods that run; until then a Service must not lead to the other cluster's pods.
  'endpointslices.discovery.k8s.io': (o) =>
    ofKubernetes(o) || MADE.has(texts(o.metadata.labels)['endpointslice.kubernetes.io/managed-by'] ?? '')
      ? undefined
      : o,
  endpoints: (o) =>
    ofKubernetes(o) || texts(o.metadata.labels)['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller'
      ? undefined
      : o,
  namespaces: (o, f) => (isBase(o.metadata.uid, f) ? { ...o, metadata: withOwnUid(o.metadata, f) } : o),
  configmaps: (o, f) => (o.metadata.name === 'kube-root-ca.crt' ? { ...o, data: { 'ca.crt': f.ca } } : o),
  secrets: secret,
  pods: pod,
  persistentvolumeclaims: claim,
  // Devices are some node's.
  'resourceclaims.resource.k8s.io': (o) => (has(o.status) ? { ...o, status: {} } : o),
};
const MADE: ReadonlySet<string> = new Set([
  'endpointslice-controller.k8s.io',
  'endpointslicemirroring-controller.k8s.io',
]);

/** False for a row that a fork has as it is: nothing of it has to be looked at. `uidPrefix`: of the cluster that is forked. */
export function concernsFork(key: Key, facts: string, uidPrefix: string): boolean {
  const resource = resourceOfKey(key);
  const ruled = RULES[resource] !== undefined && (resource !== 'configmaps' || key.endsWith(ROOT_CA));
  return ruled || (uidPrefix !== '' && facts.includes(uidPrefix));
}
const ROOT_CA = '/kube-root-ca.crt';

/** A row of a cluster as its fork has it; null: the fork doesn't have it. Only what a rule is about is parsed. */
export function forkedRow(row: ArchiveRow, f: Forking): ArchiveRow | null {
  // What the cluster has deleted of its base layer is no object of the fork either.
  if (row.value === null || !concernsFork(row.key, row.facts, f.uidPrefix.from)) return row;
  const resource = resourceOfKey(row.key);
  const rule = RULES[resource];
  if (rule === gone) return null;
  if (resource === 'pods' && waits(row) && !row.facts.includes(f.uidPrefix.from)) return row;
  const object = parseJson(row.value) as unknown as KubeObject;
  const next = rule ? rule(object, f) : object;
  if (next === undefined) return null;
  const owners = ownersOf(next, f);
  if (next === object && owners === undefined) return row;
  const made = owners === undefined ? next : { ...next, metadata: { ...next.metadata, ownerReferences: owners } };
  const kind = kindByStorage(resource);
  return {
    ...row,
    value: printJson(made as unknown as Json),
    facts: JSON.stringify(kind ? rowFacts(kind, made) : (JSON.parse(row.facts) as Facts)),
  };
}

/** A pod that waits for a node, and that no node and no deletion has to do with: most pods of a cluster without nodes. */
function waits(row: ArchiveRow): boolean {
  const facts = JSON.parse(row.facts) as Facts;
  return facts.node === undefined && !facts.terminating && facts.owners === undefined;
}

const isBase = (uid: string | undefined, f: Forking): boolean =>
  f.uidPrefix.from !== '' && uid?.startsWith(f.uidPrefix.from) === true;

/** Base namespaces have uids of the cluster's own, for many take kube-system's as the cluster's id. */
function withOwnUid<M extends { uid?: string }>(named: M, f: Forking): M {
  return isBase(named.uid, f) ? { ...named, uid: f.uidPrefix.to + named.uid?.slice(f.uidPrefix.from.length) } : named;
}

function ownersOf(o: KubeObject, f: Forking): KubeObject['metadata']['ownerReferences'] {
  const owners = o.metadata.ownerReferences;
  return owners?.some((r) => isBase(r.uid, f)) ? owners.map((r) => withOwnUid(r, f)) : undefined;
}

const ofKubernetes = (o: KubeObject): boolean => o.metadata.name === 'kubernetes' && o.metadata.namespace === 'default';

/** Tokens that the other cluster's keys have signed: the Secret stays for whoever refers to it, to be filled anew. Bootstrap tokens are credentials, and go. */
function secret(o: KubeObject): KubeObject | undefined {
  if (o.type === 'bootstrap.kubernetes.io/token') return undefined;
  if (o.type !== 'kubernetes.io/service-account-token') return o;
  const { token: _t, 'ca.crt': _c, namespace: _n, ...data } = obj(o.data);
  const { data: _d, ...rest } = o;
  return Object.keys(data).length === 0 ? rest : { ...o, data };
}

/** Owners that make a pod for one node: they make others when there are nodes. */
const OF_NODES: ReadonlySet<string> = new Set(['Node', 'DaemonSet']);
/** Labels that binding copies from the node (admission's PodTopologyLabels). */
const OF_NODE = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

/** A pod that was bound waits for a node as if it had just been created; one that has ended stays what it is; one that was being deleted is gone. */
function pod(o: KubeObject): KubeObject | undefined {
  const { metadata } = o;
  const status = obj(o.status);
  if (metadata.deletionTimestamp !== undefined || texts(metadata.annotations)[MIRROR] !== undefined) return undefined;
  if (metadata.ownerReferences?.some((r) => r.controller && OF_NODES.has(r.kind))) return undefined;
  if (status.phase === 'Succeeded' || status.phase === 'Failed') return o;
  const { nodeName, ...spec } = obj(o.spec);
  if (str(nodeName) === '' && status.phase === 'Pending') return o;
  return { ...o, metadata: unbound(metadata), spec, status: asCreated(status) };
}

/** Without what binding and the node's agent put into it. */
function unbound(metadata: KubeObject['metadata']): KubeObject['metadata'] {
  const out: KubeObject['metadata'] = {};
  for (const [name, value] of Object.entries(metadata)) {
    if (name === 'labels') {
      const labels = Object.entries(texts(value)).filter(([label]) => !OF_NODE.includes(label));
      if (labels.length > 0) out.labels = Object.fromEntries(labels);
    } else if (name === 'managedFields') {
      const fields = objs(value).filter((m) => m.subresource !== 'status');
      if (fields.length > 0) out.managedFields = fields as never;
    } else out[name] = value;
  }
  return out;
}

/** The status of a pod that nobody has looked at yet. */
function asCreated(status: JsonObject): JsonObject {
  const out: JsonObject = { phase: 'Pending' };
  if (status.qosClass !== undefined) out.qosClass = status.qosClass;
  if (status.resourceClaimStatuses !== undefined) out.resourceClaimStatuses = status.resourceClaimStatuses;
  return out;
}

const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
/** A claim that waits for its volume isn't tied to the node that was chosen for it. */
function claim(o: KubeObject): KubeObject {
  const { [SELECTED_NODE]: selected, ...annotations } = texts(o.metadata.annotations);
  if (selected === undefined || str(obj(o.spec).volumeName) !== '') return o;
  return { ...o, metadata: { ...o.metadata, annotations } };
}
