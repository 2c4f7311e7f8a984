import { has, obj, objs, str } from '../../kube/kinds/access.ts';
import { MIRROR } from '../../kube/kinds/podfacts.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';

/** The pod's spec, to be written to. */
export const specOf = (pod: KubeObject): JsonObject => obj(pod.spec);
/** A static pod's copy in the API. */
export const isMirror = (pod: KubeObject): boolean => pod.metadata.annotations?.[MIRROR] !== undefined;

/** Init, ordinary and ephemeral containers, in this order. */
export const allContainers = (spec: JsonObject): JsonObject[] => [
  ...objs(spec.initContainers),
  ...objs(spec.containers),
  ...objs(spec.ephemeralContainers),
];

/** True when the pod names a Secret anywhere: pkg/api/pod VisitPodSecretNames. */
export function namesSecrets(spec: JsonObject): boolean {
  if (objs(spec.imagePullSecrets).some((r) => str(r.name) !== '')) return true;
  if (fromEnvironment(spec, 'secretRef', 'secretKeyRef')) return true;
  return objs(spec.volumes).some(
    (v) =>
      str(obj(v.secret).secretName) !== '' ||
      str(obj(v.azureFile).secretName) !== '' ||
      WITH_SECRET_REF.some((source) => str(obj(obj(v[source]).secretRef).name) !== '') ||
      str(obj(obj(v.csi).nodePublishSecretRef).name) !== '' ||
      objs(obj(v.projected).sources).some((s) => str(obj(s.secret).name) !== ''),
  );
}
const WITH_SECRET_REF = ['cephfs', 'cinder', 'flexVolume', 'rbd', 'scaleIO', 'iscsi', 'storageos'];

function namesConfigMaps(spec: JsonObject): boolean {
  if (fromEnvironment(spec, 'configMapRef', 'configMapKeyRef')) return true;
  return objs(spec.volumes).some(
    (v) =>
      str(obj(v.configMap).name) !== '' ||
      objs(obj(v.projected).sources).some((s) => str(obj(s.configMap).name) !== ''),
  );
}

function fromEnvironment(spec: JsonObject, from: string, key: string): boolean {
  return allContainers(spec).some(
    (c) =>
      objs(c.envFrom).some((e) => str(obj(e[from]).name) !== '') ||
      objs(c.env).some((e) => str(obj(obj(e.valueFrom)[key]).name) !== ''),
  );
}

/** Volume sources that name an object of the API, in upstream's words. */
const VOLUMES: Readonly<Record<string, string>> = {
  configMap: 'configmaps (via configmap volumes)',
  secret: 'secrets (via secret volumes)',
  csi: 'csidrivers (via CSI volumes)',
  glusterfs: 'endpoints (via glusterFS volumes)',
  persistentVolumeClaim: 'persistentvolumeclaims',
  ephemeral: 'persistentvolumeclaims (via ephemeral volumes)',
  azureFile: 'secrets (via azureFile volumes)',
};
const PROJECTED: Readonly<Record<string, string>> = {
  configMap: 'configmaps (via projected volumes)',
  secret: 'secrets (via projected volumes)',
  serviceAccountToken: 'serviceaccounts (via projected volumes)',
  clusterTrustBundle: 'clustertrustbundles',
  podCertificate: 'podcertificates',
};

/** What objects of the API the pod refers to, '' for none: pkg/api/pod HasAPIObjectReference. */
export function apiReference(spec: JsonObject): string {
  if (str(spec.serviceAccountName) !== '') return 'serviceaccounts';
  if (namesSecrets(spec)) return 'secrets';
  if (namesConfigMaps(spec)) return 'configmaps';
  if (objs(spec.resourceClaims).length > 0) return 'resourceclaims';
  for (const v of objs(spec.volumes)) {
    for (const source in VOLUMES) if (has(v[source])) return VOLUMES[source] ?? '';
    for (const s of objs(obj(v.projected).sources)) {
      for (const source in PROJECTED) if (has(s[source])) return PROJECTED[source] ?? '';
    }
  }
  return '';
}
