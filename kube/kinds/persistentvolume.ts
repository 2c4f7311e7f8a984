import { forbidden, invalid, key, notSupported, required } from '../meta/issues.ts';
import { equalJson, type JsonObject } from '../meta/json.ts';
import { dns1123Subdomain, nameIsDnsSubdomain } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import { quantity, wholeValue } from '../meta/quantity.ts';
import type { Issue } from '../meta/status.ts';
import { copy, has, list, make, num, obj, orElse, put, str, texts } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { positiveQuantity, VOLUME_MODES, validateAccessModes, validateClaimSpec } from './claimspec.ts';
import { immutable, validateObjectMeta } from './objectmeta.ts';
import { each, need, noBacksteps, oneOf } from './podspec/checks.ts';
import { roundResources } from './podspec/defaults.ts';
import { validateNodeSelector } from './podspec/scheduling.ts';
import { csiDriverName } from './podspec/volumes.ts';

/** Names a class as `storageClassName` does. */
export const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';
/** By source, what must be given. */
const SOURCES: Readonly<Record<string, readonly string[]>> = {
  hostPath: ['path'],
  gcePersistentDisk: ['pdName'],
  awsElasticBlockStore: ['volumeID'],
  glusterfs: ['endpoints', 'path'],
  flocker: [],
  nfs: ['server', 'path'],
  rbd: ['image'],
  quobyte: ['registry', 'volume'],
  cephfs: [],
  iscsi: ['targetPortal', 'iqn'],
  cinder: ['volumeID'],
  fc: [],
  flexVolume: ['driver'],
  azureFile: ['secretName', 'shareName'],
  vsphereVolume: ['volumePath'],
  photonPersistentDisk: ['pdID'],
  portworxVolume: ['volumeID'],
  azureDisk: ['diskName', 'diskURI'],
  scaleIO: ['gateway', 'system', 'volumeName'],
  local: ['path'],
  storageos: ['volumeName'],
  csi: [],
};

export const PERSISTENTVOLUME: Behaviour = {
  default(o) {
    const spec = make(o, 'spec');
    if (str(spec.persistentVolumeReclaimPolicy) === '') spec.persistentVolumeReclaimPolicy = 'Retain';
    orElse(spec, 'volumeMode', 'Filesystem');
    if (has(spec.hostPath)) orElse(obj(spec.hostPath), 'type', '');
    roundResources(spec.capacity);
    if (str(make(o, 'status').phase) === '') make(o, 'status').phase = 'Pending';
  },
  prepare(next, prev, c) {
    if (prev) return;
    next.status = { phase: 'Pending', lastPhaseTransitionTime: new Date(c.now).toISOString().replace(/\.\d+Z$/, 'Z') };
  },
  validate(next, prev) {
    const issues = volume(next);
    if (!prev) return issues;
    const spec = obj(next.spec);
    const old = obj(prev.spec);
    issues.unshift(...validateObjectMeta(next.metadata, false, nameIsDnsSubdomain));
    if (!equalJson(sources(spec), sources(old))) {
      issues.push(
        forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation\n'),
      );
    }
    issues.push(...immutable('volumeMode', spec.volumeMode, old.volumeMode));
    if (has(old.volumeAttributesClassName) && !has(spec.volumeAttributesClassName)) {
      issues.push(forbidden('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden'));
    }
    return issues;
  },
  facts: volumeFacts,
  subresources: { status: statusOf('Cluster') },
};
/** Where sources name Secrets that a node needs; those for controllers alone are not the node's. */
const SECRET_REFS: Readonly<Record<string, readonly string[]>> = {
  cephfs: ['secretRef'],
  cinder: ['secretRef'],
  flexVolume: ['secretRef'],
  rbd: ['secretRef'],
  scaleIO: ['secretRef'],
  iscsi: ['secretRef'],
  storageos: ['secretRef'],
  csi: ['nodePublishSecretRef', 'nodeStageSecretRef', 'nodeExpandSecretRef'],
};
/** The claim that holds the volume and the Secrets that a node mounts it with: for the Node authorizer. */
function volumeFacts(o: KubeObject): { refs?: string[] } {
  const spec = obj(o.spec);
  const claim = obj(spec.claimRef);
  // A volume that nobody claims is no way to a Secret.
  if (str(claim.name) === '' || str(claim.namespace) === '') return {};
  const refs = new Set([`persistentvolumeclaims/${str(claim.namespace)}/${str(claim.name)}`]);
  const add = (namespace: string, name: string) => {
    if (name !== '') refs.add(`secrets/${namespace || str(claim.namespace)}/${name}`);
  };
  add(str(obj(spec.azureFile).secretNamespace), str(obj(spec.azureFile).secretName));
  for (const [s, members] of Object.entries(SECRET_REFS)) {
    for (const m of members) add(str(obj(obj(spec[s])[m]).namespace), str(obj(obj(spec[s])[m]).name));
  }
  return { refs: [...refs] };
}
function sources(spec: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const s in SOURCES) if (has(spec[s])) out[s] = spec[s];
  return out;
}
function volume(o: KubeObject): Issue[] {
  const spec = obj(o.spec);
  const issues = validateAccessModes('spec.accessModes', list(spec.accessModes), '');
  const capacity = texts(spec.capacity);
  const names = Object.keys(capacity);
  if (names.length === 0) issues.push(required('spec.capacity'));
  if (capacity.storage === undefined || names.length > 1) {
    issues.push(notSupported('spec.capacity', spec.capacity ?? null, ['storage']));
  }
  for (const r of names) {
    const at = key('spec.capacity', r);
    const n = wholeValue(quantity(capacity[r]));
    if (n < 0) issues.push(invalid(at, n, 'must be a valid resource quantity'));
    issues.push(...positiveQuantity(at, capacity[r]));
  }
  issues.push(
    ...oneOf(
      'spec.persistentVolumeReclaimPolicy',
      spec.persistentVolumeReclaimPolicy,
      ['Delete', 'Recycle', 'Retain'],
      null,
    ),
  );
  if (has(spec.nodeAffinity)) {
    const at = 'spec.nodeAffinity.required';
    const r = obj(spec.nodeAffinity).required;
    issues.push(
      ...(has(r) ? validateNodeSelector(at, obj(r)) : [required(at, 'must specify required node constraints')]),
    );
  }
  const given = Object.keys(SOURCES).filter((s) => has(spec[s]));
  for (const [i, s] of given.entries()) {
    if (i > 0) issues.push(forbidden(`spec.${s}`, 'may not specify more than 1 volume type'));
    else issues.push(...source(`spec.${s}`, s, obj(spec[s])));
  }
  if (given.length === 0) issues.push(required('spec', 'must specify a volume type'));
  if (has(spec.local) && !has(spec.nodeAffinity)) {
    issues.push(required('spec.nodeAffinity', 'Local volume requires node affinity'));
  }
  if (str(obj(spec.hostPath).path) === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle') {
    issues.push(forbidden('spec.persistentVolumeReclaimPolicy', "may not be 'recycle' for a hostPath mount of '/'"));
  }
  const name = str(spec.storageClassName);
  if (name !== '') issues.push(...each('spec.storageClassName', name, dns1123Subdomain(name)));
  if (has(spec.volumeMode)) issues.push(...oneOf('spec.volumeMode', spec.volumeMode, VOLUME_MODES, null));
  return issues;
}
function source(path: string, type: string, v: JsonObject): Issue[] {
  const issues = (SOURCES[type] ?? []).flatMap((m) => need(`${path}.${m}`, v[m]));
  if (type === 'hostPath' || type === 'local') issues.push(...noBacksteps(`${path}.path`, str(v.path)));
  if (type === 'nfs' && !str(v.path).startsWith('/')) {
    issues.push(invalid(`${path}.path`, str(v.path), 'must be an absolute path'));
  }
  if (type === 'csi') {
    issues.push(...csiDriverName(`${path}.driver`, str(v.driver)), ...need(`${path}.volumeHandle`, v.volumeHandle));
  }
  if (
    (type === 'gcePersistentDisk' || type === 'awsElasticBlockStore') &&
    (num(v.partition) < 0 || num(v.partition) > 255)
  ) {
    issues.push(invalid(`${path}.partition`, num(v.partition), 'must be between 1 and 255, inclusive'));
  }
  return issues;
}

export const PERSISTENTVOLUMECLAIM: Behaviour = {
  default(o) {
    const spec = make(o, 'spec');
    orElse(spec, 'volumeMode', 'Filesystem');
    roundResources(obj(spec.resources).requests);
    if (str(make(o, 'status').phase) === '') make(o, 'status').phase = 'Pending';
  },
  prepare(next, prev) {
    const spec = make(next, 'spec');
    // An unknown kind of source is ignored in the older field, as it always was.
    if (!prev && has(spec.dataSource) && !oldSource(obj(spec.dataSource))) delete spec.dataSource;
    // dataSource and dataSourceRef say the same where both can.
    const ref = obj(spec.dataSourceRef);
    if (has(spec.dataSource) && !has(spec.dataSourceRef)) spec.dataSourceRef = copy(spec.dataSource);
    else if (has(spec.dataSourceRef) && !has(spec.dataSource) && str(ref.namespace) === '') {
      const { namespace: _, ...rest } = ref;
      spec.dataSource = copy(rest);
    }
    if (!prev) next.status = { phase: 'Pending' };
  },
  validate(next, prev) {
    const spec = obj(next.spec);
    const issues = validateClaimSpec('spec', spec);
    if (!prev) return issues;
    return [...validateObjectMeta(next.metadata, true, nameIsDnsSubdomain), ...issues, ...claimChanges(next, prev)];
  },
  subresources: { status: statusOf('Namespaced') },
};
const oldSource = (s: JsonObject) =>
  (str(s.apiGroup) === '' && s.kind === 'PersistentVolumeClaim') ||
  (s.apiGroup === 'snapshot.storage.k8s.io' && s.kind === 'VolumeSnapshot');
function claimChanges(next: KubeObject, prev: KubeObject): Issue[] {
  const spec = obj(next.spec);
  const old = obj(prev.spec);
  const now = copy(spec);
  const issues: Issue[] = [];
  const annotation = (o: KubeObject) => texts(o.metadata.annotations)[BETA_CLASS] ?? '';
  issues.push(...immutable(`metadata.annotations[${BETA_CLASS}]`, annotation(next), annotation(prev)));
  const was = copy(old);
  if (str(old.volumeName) === '') put(was, 'volumeName', spec.volumeName);
  const size = (s: JsonObject) => obj(obj(s.resources).requests).storage;
  if (obj(next.status).phase === 'Bound') {
    if (has(size(now))) put(make(make(now, 'resources'), 'requests'), 'storage', size(old));
    put(now, 'volumeAttributesClassName', old.volumeAttributesClassName);
  }
  if (!has(old.storageClassName) && str(spec.storageClassName) !== '') put(now, 'storageClassName', undefined);
  if (!equalJson(now, was)) {
    issues.push(
      forbidden(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n',
      ),
    );
  }
  const less = quantity(size(spec));
  const capacity = quantity(obj(obj(prev.status).capacity).storage);
  if (wholeValue(less) < wholeValue(quantity(size(old))) && wholeValue(less) <= wholeValue(capacity)) {
    issues.push(forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity'));
  }
  return [...issues, ...immutable('volumeMode', spec.volumeMode, old.volumeMode)];
}
