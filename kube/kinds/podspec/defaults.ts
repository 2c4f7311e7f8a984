import { isObject, type Json, type JsonObject } from '../../meta/json.ts';
import type { KubeObject } from '../../meta/object.ts';
import { type Quantity, quantity, quantityOf, scaledValue } from '../../meta/quantity.ts';
import { bool, has, make, num, obj, objs, orElse, str } from '../access.ts';

// Conditional defaults of pods and templates: kubernetes pkg/apis/core/v1/defaults.go and zz_generated.defaults.go.

const VOLUME_TYPES = [
  'hostPath',
  'emptyDir',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'gitRepo',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'persistentVolumeClaim',
  'rbd',
  'flexVolume',
  'cinder',
  'cephfs',
  'flocker',
  'downwardAPI',
  'fc',
  'azureFile',
  'configMap',
  'vsphereVolume',
  'quobyte',
  'azureDisk',
  'photonPersistentDisk',
  'projected',
  'portworxVolume',
  'scaleIO',
  'storageos',
  'csi',
  'ephemeral',
  'image',
];
const FILE_MODE = 0o644;
const HOUR_SECONDS = 3600;
/** Sets a member where Go's zero value counts as not given. */
const zero = (o: JsonObject, name: string, value: Json) => {
  if (!has(o[name]) || o[name] === '' || o[name] === 0) o[name] = value;
};

/** Always for `latest` or no tag, else IfNotPresent; an image that can't be parsed has no tag. */
export function pullPolicy(image: string): string {
  const at = image.indexOf('@');
  const name = at < 0 ? image : image.slice(0, at);
  const tag = /:([\w][\w.-]{0,127})$/.exec(name)?.[1];
  const parsable = /^[a-z0-9][\w.\-/:]*$/i.test(name) && !/[A-Z]/.test(repository(name));
  if (!parsable) return 'IfNotPresent';
  return tag === 'latest' || (tag === undefined && at < 0) ? 'Always' : 'IfNotPresent';
}
/** The path of an image's name without its domain, which alone may be upper case. */
function repository(name: string): string {
  const untagged = name.replace(/:[\w][\w.-]{0,127}$/, '');
  const slash = untagged.indexOf('/');
  const first = untagged.slice(0, Math.max(slash, 0));
  return slash > 0 && (/[.:]/.test(first) || first === 'localhost' || /[A-Z]/.test(first))
    ? untagged.slice(slash + 1)
    : untagged;
}

/** Quantities have at most three decimal places: rounded up, as SetDefaults_ResourceList. */
export function roundResources(v: Json | undefined): void {
  if (!isObject(v)) return;
  for (const k in v) {
    const q: Quantity = quantity(v[k]);
    if (q.scale < -3) v[k] = quantityOf(scaledValue(q, -3), -3, q.format).text;
  }
}
function probe(p: Json | undefined): void {
  if (!isObject(p)) return;
  zero(p, 'timeoutSeconds', 1);
  zero(p, 'periodSeconds', 10);
  zero(p, 'successThreshold', 1);
  zero(p, 'failureThreshold', 3);
  httpGet(p.httpGet);
  if (isObject(p.grpc)) orElse(p.grpc, 'service', '');
}
function httpGet(v: Json | undefined): void {
  if (!isObject(v)) return;
  zero(v, 'path', '/');
  zero(v, 'scheme', 'HTTP');
}
function container(c: JsonObject): void {
  zero(c, 'imagePullPolicy', pullPolicy(str(c.image)));
  zero(c, 'terminationMessagePath', '/dev/termination-log');
  zero(c, 'terminationMessagePolicy', 'File');
  for (const p of objs(c.ports)) zero(p, 'protocol', 'TCP');
  for (const e of objs(c.env)) {
    const ref = obj(e.valueFrom).fieldRef;
    if (isObject(ref)) zero(ref, 'apiVersion', 'v1');
    const file = obj(e.valueFrom).fileKeyRef;
    if (isObject(file)) orElse(file, 'optional', false);
  }
  roundResources(obj(c.resources).limits);
  roundResources(obj(c.resources).requests);
  for (const m of ['livenessProbe', 'readinessProbe', 'startupProbe']) probe(c[m]);
  for (const m of ['postStart', 'preStop']) httpGet(obj(obj(c.lifecycle)[m]).httpGet);
}
function volume(v: JsonObject): void {
  if (VOLUME_TYPES.every((t) => !has(v[t]))) v.emptyDir = {};
  for (const t of ['secret', 'configMap', 'downwardAPI', 'projected']) {
    const s = v[t];
    if (isObject(s)) orElse(s, 'defaultMode', FILE_MODE);
  }
  if (isObject(v.hostPath)) orElse(v.hostPath, 'type', '');
  if (isObject(v.image)) zero(v.image, 'pullPolicy', pullPolicy(str(v.image.reference)));
  if (isObject(v.iscsi)) zero(v.iscsi, 'iscsiInterface', 'default');
  if (isObject(v.rbd)) {
    zero(v.rbd, 'pool', 'rbd');
    zero(v.rbd, 'user', 'admin');
    zero(v.rbd, 'keyring', '/etc/ceph/keyring');
  }
  if (isObject(v.azureDisk)) {
    orElse(v.azureDisk, 'cachingMode', 'ReadWrite');
    orElse(v.azureDisk, 'kind', 'Shared');
    orElse(v.azureDisk, 'fsType', 'ext4');
    orElse(v.azureDisk, 'readOnly', false);
  }
  if (isObject(v.scaleIO)) {
    zero(v.scaleIO, 'storageMode', 'ThinProvisioned');
    zero(v.scaleIO, 'fsType', 'xfs');
  }
  fieldRefs(obj(v.downwardAPI).items);
  for (const s of objs(obj(v.projected).sources)) {
    fieldRefs(obj(s.downwardAPI).items);
    if (isObject(s.serviceAccountToken)) orElse(s.serviceAccountToken, 'expirationSeconds', HOUR_SECONDS);
  }
  const claim = obj(obj(v.ephemeral).volumeClaimTemplate).spec;
  if (isObject(claim)) orElse(claim, 'volumeMode', 'Filesystem');
}
function fieldRefs(items: Json | undefined): void {
  for (const f of objs(items)) if (isObject(f.fieldRef)) zero(f.fieldRef, 'apiVersion', 'v1');
}
const ALL = ['initContainers', 'containers', 'ephemeralContainers'];

/** Defaults of a PodSpec wherever it stands. */
function defaultPodSpec(spec: JsonObject): void {
  if (str(spec.serviceAccountName) === '' && str(spec.serviceAccount) !== '')
    spec.serviceAccountName = spec.serviceAccount;
  if (str(spec.serviceAccountName) !== '') spec.serviceAccount = spec.serviceAccountName;
  zero(spec, 'dnsPolicy', 'ClusterFirst');
  zero(spec, 'restartPolicy', 'Always');
  if (!has(spec.securityContext)) spec.securityContext = {};
  orElse(spec, 'terminationGracePeriodSeconds', 30);
  zero(spec, 'schedulerName', 'default-scheduler');
  roundResources(spec.overhead);
  roundResources(obj(spec.resources).limits);
  roundResources(obj(spec.resources).requests);
  for (const v of objs(spec.volumes)) volume(v);
  for (const m of ALL) for (const c of objs(spec[m])) container(c);
}
/** With host networking a container's port is also the host's; pods only. */
function hostNetworkPorts(spec: JsonObject): void {
  for (const m of ['containers', 'initContainers']) {
    for (const c of objs(spec[m])) for (const p of objs(c.ports)) zero(p, 'hostPort', num(p.containerPort));
  }
}

/** Defaults of a template's spec. */
export function defaultTemplate(template: Json | undefined): void {
  if (!isObject(template)) return;
  defaultPodSpec(make(template, 'spec'));
}
/** Defaults of a pod beyond its spec's: requests from limits, service links. */
export function defaultPod(pod: JsonObject): void {
  const spec = make(pod, 'spec');
  defaultPodSpec(spec);
  if (has(spec.terminationGracePeriodSeconds) && num(spec.terminationGracePeriodSeconds) < 0) {
    spec.terminationGracePeriodSeconds = 1;
  }
  for (const m of ['containers', 'initContainers']) {
    for (const c of objs(spec[m])) {
      const limits = obj(obj(c.resources).limits);
      if (Object.keys(limits).length === 0) continue;
      const requests = make(obj(c.resources), 'requests');
      for (const k in limits) orElse(requests, k, limits[k] ?? null);
    }
  }
  orElse(spec, 'enableServiceLinks', true);
  if (bool(spec.hostNetwork)) hostNetworkPorts(spec);
}

/** Fields behind feature gates that are off in 1.37; kept where the old object has them is left out, as nothing can have set them. */
export function dropDisabled(spec: JsonObject): void {
  delete spec.schedulingGroup;
  delete spec.evictionResponders;
  for (const v of objs(spec.volumes)) {
    if (isObject(v.emptyDir)) delete v.emptyDir.mode;
    for (const t of ['secret', 'configMap', 'downwardAPI', 'projected']) {
      const s = v[t];
      if (isObject(s)) delete s.defaultUser;
    }
  }
  for (const m of ALL) {
    for (const c of objs(spec[m])) {
      for (const mount of objs(c.volumeMounts)) delete mount.bindMountOptions;
      if (isObject(c.lifecycle)) delete c.lifecycle.stopSignal;
      for (const p of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
        const grpc = obj(c[p]).grpc;
        if (isObject(grpc)) delete grpc.mode;
        const http = obj(c[p]).httpGet;
        if (isObject(http)) delete http.protocol;
      }
    }
  }
}
/** dropDisabled() of a workload's pod template. */
export const dropFromTemplate = (workload: KubeObject): void =>
  dropDisabled(obj(obj(obj(workload.spec).template).spec));
