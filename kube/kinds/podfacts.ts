import type { Json, JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import { has, obj, objs, str, texts } from './access.ts';

/** Marks the API's image of a static pod, which the kubelet makes of a file. */
export const MIRROR = 'kubernetes.io/config.mirror';

/** Node, and the keys of what the pod names, for the Node authorizer; the generation, by which a scheduler knows that the spec moved. */
export function podFacts(pod: KubeObject): { node?: string; refs?: string[]; generation?: number } {
  const s = obj(pod.spec);
  const { generation } = pod.metadata;
  const bound = {
    ...(str(s.nodeName) === '' ? {} : { node: str(s.nodeName) }),
    ...(typeof generation === 'number' ? { generation } : {}),
  };
  // What a mirror pod names was not asked of the API by anybody: a node may not gain access by making one.
  if (texts(pod.metadata.annotations)[MIRROR] !== undefined) return bound;
  const namespace = str(pod.metadata.namespace);
  const refs = new Set<string>();
  const add = (resource: string, v: Json | undefined) => {
    if (str(v) !== '') refs.add(`${resource}/${namespace}/${str(v)}`);
  };
  add('serviceaccounts', s.serviceAccountName);
  for (const p of objs(s.imagePullSecrets)) add('secrets', p.name);
  for (const v of objs(s.volumes)) volumeRefs(v, str(pod.metadata.name), add);
  for (const m of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const c of objs(s[m])) {
      for (const e of objs(c.env)) {
        add('configmaps', obj(obj(e.valueFrom).configMapKeyRef).name);
        add('secrets', obj(obj(e.valueFrom).secretKeyRef).name);
      }
      for (const e of objs(c.envFrom)) {
        add('configmaps', obj(e.configMapRef).name);
        add('secrets', obj(e.secretRef).name);
      }
    }
  }
  for (const c of objs(s.resourceClaims)) add('resourceclaims.resource.k8s.io', c.resourceClaimName);
  for (const c of objs(obj(pod.status).resourceClaimStatuses))
    add('resourceclaims.resource.k8s.io', c.resourceClaimName);
  return { ...bound, ...(refs.size === 0 ? {} : { refs: [...refs] }) };
}
const SECRET_REFS = ['azureFile', 'cephfs', 'flexVolume', 'iscsi', 'rbd', 'scaleIO', 'storageos', 'cinder'];
function volumeRefs(v: JsonObject, pod: string, add: (resource: string, v: Json | undefined) => void): void {
  add('secrets', obj(v.secret).secretName);
  add('configmaps', obj(v.configMap).name);
  add('persistentvolumeclaims', obj(v.persistentVolumeClaim).claimName);
  if (has(v.ephemeral)) add('persistentvolumeclaims', `${pod}-${str(v.name)}`);
  add('secrets', obj(v.azureFile).secretName);
  for (const t of SECRET_REFS) add('secrets', obj(obj(v[t]).secretRef).name);
  add('secrets', obj(obj(v.csi).nodePublishSecretRef).name);
  for (const s of objs(obj(v.projected).sources)) {
    add('secrets', obj(s.secret).name);
    add('configmaps', obj(s.configMap).name);
  }
}
