import { copy, has, obj, objs, str } from '../../kube/kinds/access.ts';
import { quote } from '../../kube/meta/issues.ts';
import { equalJson, type JsonObject } from '../../kube/meta/json.ts';
import { groupResource, type KubeObject } from '../../kube/meta/object.ts';
import { failure, notFound } from '../../kube/meta/status.ts';
import type { Admission, AdmissionContext, Attributes } from '../attributes.ts';
import { readNow } from '../authn/read.ts';
import { nodeOf } from '../authn/users.ts';
import { admitNode, sameList } from './nodelabels.ts';
import { apiReference, isMirror, specOf } from './pod.ts';
import { refuse } from './refuse.ts';

type Check = (node: string, a: Attributes, c: AdmissionContext) => Promise<void> | void;

/** What a kubelet may write, by groupResource: plugin/pkg/admission/noderestriction. Other resources are left to the authorizers. */
const CHECKS: Readonly<Record<string, Check>> = {
  pods,
  nodes: admitNode,
  persistentvolumeclaims: claimStatus,
  serviceaccounts: token,
  'podcertificaterequests.certificates.k8s.io': podCertificate,
  'leases.coordination.k8s.io': lease,
  'csinodes.storage.k8s.io': csiNode,
  'resourceslices.resource.k8s.io': resourceSlice,
};

/** A kubelet changes only its own Node, the pods on it, and what those need. */
export const nodeRestriction: Admission = {
  name: 'NodeRestriction',
  handles: (a) => a.operation !== 'CONNECT' && a.user.name.startsWith('system:node:'),
  async mutate(a, c) {
    const node = nodeOf(a.user);
    if (node === null) return;
    if (node === '') throw refuse(a, `could not determine node from user ${quote(a.user.name)}`);
    await CHECKS[groupResource(a.group, a.resource)]?.(node, a, c);
  },
};

function pods(node: string, a: Attributes, c: AdmissionContext): Promise<void> | void {
  if (a.subresource === 'status') return podStatus(node, a);
  if (a.subresource === 'eviction') return eviction(node, a, c);
  if (a.subresource !== '') {
    throw refuse(a, `unexpected pod subresource ${quote(a.subresource)}, only 'status' and 'eviction' are allowed`);
  }
  if (a.operation === 'CREATE') return mirrorPod(node, a, c);
  if (a.operation === 'DELETE') return deletion(node, a, c);
  const what = `node ${quote(node)} can only create and delete mirror pods`;
  throw refuse(a, `unexpected operation ${quote(a.operation)}, ${what}`);
}

async function existing(a: Attributes, c: AdmissionContext, name: string): Promise<KubeObject> {
  const pod = await readNow(c.cluster, 'pods', a.namespace, name);
  if (pod === null) throw notFound({ group: '', resource: 'pods' }, name);
  return pod;
}

async function deletion(node: string, a: Attributes, c: AdmissionContext): Promise<void> {
  const pod = a.oldObject ?? (await existing(a, c, a.name));
  if (str(specOf(pod).nodeName) !== node) {
    throw refuse(a, `node ${quote(node)} can only delete pods with spec.nodeName set to itself`);
  }
}

async function eviction(node: string, a: Attributes, c: AdmissionContext): Promise<void> {
  if (a.operation !== 'CREATE') throw refuse(a, `unexpected operation ${a.operation}`);
  const name = a.name || (a.object?.metadata.name ?? '');
  if (name === '') throw refuse(a, 'could not determine pod from request data');
  if (str(specOf(await existing(a, c, name)).nodeName) !== node) {
    throw refuse(a, `node ${node} can only evict pods with spec.nodeName set to itself`);
  }
}

function mirrorPod(node: string, a: Attributes, c: AdmissionContext): void {
  const pod = a.object;
  if (pod === null) return;
  const n = quote(node);
  if (!isMirror(pod)) {
    throw refuse(
      a,
      `pod does not have "kubernetes.io/config.mirror" annotation, node ${n} can only create mirror pods`,
    );
  }
  const spec = specOf(pod);
  if (str(spec.nodeName) !== node) throw refuse(a, `node ${n} can only create pods with spec.nodeName set to itself`);
  const owners = pod.metadata.ownerReferences ?? [];
  const [owner] = owners;
  if (owners.length > 1) {
    throw refuse(a, `node ${n} can only create pods with a single owner reference set to itself`);
  }
  if (owner === undefined || owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node) {
    throw refuse(a, `node ${n} can only create pods with an owner reference set to itself`);
  }
  if (owner.controller !== true) {
    throw refuse(a, `node ${n} can only create pods with a controller owner reference set to itself`);
  }
  if (owner.blockOwnerDeletion === true) {
    throw refuse(a, `node ${n} must not set blockOwnerDeletion on an owner reference`);
  }
  const known = c.view.get(`nodes/${node}`);
  if (known === undefined) throw notFound({ group: '', resource: 'nodes' }, node);
  if (owner.uid !== known.uid) {
    throw refuse(a, `node ${node} UID mismatch: expected ${owner.uid} got ${known.uid}`);
  }
  const reference = apiReference(spec);
  if (reference !== '') throw refuse(a, `node ${n} can not create pods that reference ${reference}`);
}

function podStatus(node: string, a: Attributes): void {
  if (a.operation !== 'UPDATE') throw refuse(a, `unexpected operation ${quote(a.operation)}`);
  const [next, prev] = [a.object, a.oldObject];
  if (next === null || prev === null) return;
  const n = quote(node);
  if (str(specOf(prev).nodeName) !== node) {
    throw refuse(a, `node ${n} can only update pod status for pods with spec.nodeName set to itself`);
  }
  if (!equalJson(next.metadata.labels ?? {}, prev.metadata.labels ?? {})) {
    throw refuse(a, `node ${n} cannot update labels through pod status`);
  }
  const [now, before] = [obj(next.status), obj(prev.status)];
  if (!sameList(now.resourceClaimStatuses, before.resourceClaimStatuses)) {
    // Upstream's spelling.
    throw refuse(a, `node ${n} cannot update resource claim statues`);
  }
  if (!equalJson(now.extendedResourceClaimStatus, before.extendedResourceClaimStatus)) {
    throw refuse(a, `node ${n} cannot update extended resource claim status`);
  }
  if (!sameList(now.nodeAllocatableResourceClaimStatuses, before.nodeAllocatableResourceClaimStatuses)) {
    throw refuse(a, `node ${n} cannot update node allocatable resource claim statuses`);
  }
}

/** Only capacity, conditions and the resize's progress. */
const CLAIM_STATUS = ['capacity', 'conditions', 'allocatedResourceStatuses', 'allocatedResources'];

function claimStatus(node: string, a: Attributes): void {
  if (a.subresource !== 'status') throw refuse(a, 'may only update PVC status');
  if (a.operation !== 'UPDATE') throw refuse(a, `unexpected operation ${quote(a.operation)}`);
  if (a.object === null || a.oldObject === null) return;
  const bare = (o: KubeObject): JsonObject => {
    const { resourceVersion, managedFields, ...metadata } = copy(o.metadata);
    const status = copy(obj(o.status));
    for (const field of CLAIM_STATUS) delete status[field];
    return { ...o, kind: undefined, apiVersion: undefined, metadata, status };
  };
  const [next, prev] = [bare(a.object), bare(a.oldObject)];
  if (equalJson(next, prev)) return;
  const changed = [...new Set([...Object.keys(prev), ...Object.keys(next)])].filter(
    (k) => !equalJson(next[k], prev[k]),
  );
  const what = `is not allowed to update fields other than status.quantity and status.conditions`;
  throw refuse(a, `node ${quote(node)} ${what}: ${changed.join(', ')}`);
}

async function token(node: string, a: Attributes, c: AdmissionContext): Promise<void> {
  if (a.operation !== 'CREATE' || a.subresource !== 'token') return;
  const ref = obj(obj(a.object?.spec).boundObjectRef);
  if (ref.apiVersion !== 'v1' || ref.kind !== 'Pod' || str(ref.name) === '') {
    throw refuse(a, 'node requested token not bound to a pod');
  }
  const uid = str(ref.uid);
  if (uid === '') throw refuse(a, 'node requested token with a pod binding without a uid');
  const pod = await existing(a, c, str(ref.name));
  if (uid !== pod.metadata.uid) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw refuse(a, why);
  }
  if (str(specOf(pod).nodeName) !== node) {
    throw refuse(a, 'node requested token bound to a pod scheduled on a different node');
  }
  const audiences = obj(a.object?.spec).audiences;
  await tokenAudience(a, c, pod, Array.isArray(audiences) ? audiences.map((x) => str(x)) : []);
}

/** A node asks for an audience only when the pod mounts a token or a CSI volume for it, or when RBAC lets it. */
async function tokenAudience(a: Attributes, c: AdmissionContext, pod: KubeObject, audiences: string[]): Promise<void> {
  if (audiences.length > 1) throw refuse(a, 'node may only request 0 or 1 audiences');
  const [audience = ''] = audiences;
  for (const v of objs(specOf(pod).volumes)) {
    const projected = objs(obj(v.projected).sources).filter((s) => has(s.serviceAccountToken));
    if (projected.some((s) => str(obj(s.serviceAccountToken).audience) === audience)) return;
    const driver = await csiDriver(c, pod, v);
    if (driver !== '' && (await driverAsks(c, driver, audience))) return;
  }
  const verb = 'request-serviceaccounts-token-audience';
  if (await mayVerb(a, c, verb, audience, a.name)) return;
  throw refuse(a, `${a.user.name} is not authorized to request tokens for audience ${quote(audience)}`);
}

async function csiDriver(c: AdmissionContext, pod: KubeObject, v: JsonObject): Promise<string> {
  if (has(v.csi)) return str(obj(v.csi).driver);
  const namespace = pod.metadata.namespace ?? '';
  const claim = has(v.ephemeral)
    ? `${pod.metadata.name ?? ''}-${str(v.name)}`
    : str(obj(v.persistentVolumeClaim).claimName);
  if (claim === '') return '';
  const volume = str(obj((await readNow(c.cluster, 'persistentvolumeclaims', namespace, claim))?.spec).volumeName);
  if (volume === '') return '';
  return str(obj(obj((await readNow(c.cluster, 'persistentvolumes', '', volume))?.spec).csi).driver);
}

async function driverAsks(c: AdmissionContext, driver: string, audience: string): Promise<boolean> {
  const found = await readNow(c.cluster, 'csidrivers', '', driver, 'storage.k8s.io');
  return objs(obj(found?.spec).tokenRequests).some((t) => str(t.audience) === audience);
}

async function mayVerb(a: Attributes, c: AdmissionContext, verb: string, resource: string, name: string) {
  const { group, version, namespace } = a;
  const what = {
    isResource: true,
    path: '',
    verb,
    group,
    version,
    resource,
    subresource: '',
    namespace,
    name,
    rest: [],
  };
  const decision = await c.authorize(a.user, what);
  return decision !== 'no-opinion' && decision.allow;
}

async function podCertificate(node: string, a: Attributes, c: AdmissionContext): Promise<void> {
  if (a.operation !== 'CREATE') throw refuse(a, `unexpected operation ${a.operation}`);
  if (a.subresource !== '') throw refuse(a, `unexpected subresource ${a.subresource}`);
  const spec = obj(a.object?.spec);
  const [podName, account, signer] = [str(spec.podName), str(spec.serviceAccountName), str(spec.signerName)];
  if (str(spec.nodeName) !== node) {
    const given = quote(str(spec.nodeName));
    throw refuse(a, `PodCertificateRequest.Spec.NodeName=${given}, which is not the requesting node ${quote(node)}`);
  }
  const who = quote(`${a.namespace}/${podName}`);
  // Not forbidden but failed: what is missing here may only be late.
  const known = c.view.get(`nodes/${node}`);
  if (known === undefined) {
    const gone = `nodes ${quote(node)} not found`;
    throw late(`while retrieving node ${quote(node)} named in the PodCertificateRequest: ${gone}`);
  }
  if (known.uid !== str(spec.nodeUID)) {
    const text = `names node UID ${quote(str(spec.nodeUID))}, inconsistent with the running node (${quote(known.uid)})`;
    throw late(`PodCertificateRequest for pod ${who} ${text}`);
  }
  const pod = await readNow(c.cluster, 'pods', a.namespace, podName);
  if (pod === null) {
    throw late(`while retrieving pod ${who} named in the PodCertificateRequest: pods ${quote(podName)} not found`);
  }
  const uid = pod.metadata.uid ?? '';
  if (str(spec.podUID) !== uid) {
    const text = `contains pod UID (${quote(str(spec.podUID))}) which differs from running pod ${quote(uid)}`;
    throw late(`PodCertificateRequest for pod ${who} ${text}`);
  }
  const podSpec = specOf(pod);
  if (str(podSpec.nodeName) !== node) {
    throw refuse(a, `pod ${who} is not running on node ${quote(node)} named in the PodCertificateRequest`);
  }
  if (isMirror(pod)) throw refuse(a, `pod ${who} is a mirror pod`);
  if (account !== str(podSpec.serviceAccountName)) {
    const text = `contains serviceAccountName (${quote(account)}) that differs from running pod (${quote(str(podSpec.serviceAccountName))})`;
    throw refuse(a, `PodCertificateRequest for pod ${who} ${text}`);
  }
  const sa = c.view.get(`serviceaccounts/${a.namespace}/${account}`);
  if (sa?.uid !== str(spec.serviceAccountUID)) {
    const text = `names service account UID ${quote(str(spec.serviceAccountUID))}, which differs from the running service account (${quote(sa?.uid ?? '')})`;
    throw late(`PodCertificateRequest for pod ${who} ${text}`);
  }
  const mounted = objs(podSpec.volumes).some((v) =>
    objs(obj(v.projected).sources).some(
      (s) => has(s.podCertificate) && str(obj(s.podCertificate).signerName) === signer,
    ),
  );
  const verb = 'request-serviceaccounts-podcertificate-signer';
  if (mounted || (await mayVerb(a, c, verb, signer.replaceAll('/', ':'), account))) return;
  throw refuse(a, `pod ${who} does not mount a podCertificate projected volume for signer ${quote(signer)}`);
}
const late = (why: string) => failure('InternalError', `Internal error occurred: ${why}`);

const nameOf = (a: Attributes): string => (a.operation === 'CREATE' ? (a.object?.metadata.name ?? '') : a.name);

function lease(node: string, a: Attributes): void {
  if (a.namespace !== 'kube-node-lease') {
    throw refuse(a, 'can only access leases in the "kube-node-lease" system namespace');
  }
  if (nameOf(a) !== node) throw refuse(a, 'can only access node lease with the same name as the requesting node');
}

function csiNode(node: string, a: Attributes): void {
  if (nameOf(a) !== node) throw refuse(a, 'can only access CSINode with the same name as the requesting node');
  if (a.subresource === 'status') throw refuse(a, 'CSIVolumeHealth feature gate is disabled');
}

function resourceSlice(node: string, a: Attributes): void {
  const verb = a.operation === 'CREATE' ? 'create' : a.operation === 'DELETE' ? 'delete' : '';
  const object = a.operation === 'CREATE' ? a.object : a.oldObject;
  if (verb !== '' && str(obj(object?.spec).nodeName) !== node) {
    throw refuse(a, `can only ${verb} ResourceSlice with the same NodeName as the requesting node`);
  }
}
