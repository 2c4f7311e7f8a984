import type { Json, JsonObject } from '../meta/json.ts';
import { isObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';

/**
 * What authorization and admission decide on, by groupResource: one entry gives the deciding part of an object and nothing that a
 * controller or a kubelet keeps rewriting. An entry that grows makes the policy revision move more often, for every isolate of the cluster.
 */
const DECIDING: Readonly<Record<string, (o: KubeObject) => JsonObject>> = {
  namespaces: (o) => ({
    uid: o.metadata.uid,
    labels: o.metadata.labels,
    // Terminating is set in the same write that sets deletionTimestamp; admission reads the phase, as upstream.
    phase: member(o.status, 'phase'),
    terminating: isTerminating(o),
  }),
  serviceaccounts: (o) => ({
    uid: o.metadata.uid,
    secrets: o.secrets,
    imagePullSecrets: o.imagePullSecrets,
    automount: o.automountServiceAccountToken,
    enforceMountable: annotation(o, 'kubernetes.io/enforce-mountable-secrets'),
  }),
  // Zone and region: admission copies them to the pods that are bound to the node.
  nodes: (o) => ({
    name: o.metadata.name,
    uid: o.metadata.uid,
    zone: o.metadata.labels?.['topology.kubernetes.io/zone'],
    region: o.metadata.labels?.['topology.kubernetes.io/region'],
  }),
  'roles.rbac.authorization.k8s.io': (o) => ({ rules: o.rules }),
  // Labels: aggregation rules select ClusterRoles by them.
  'clusterroles.rbac.authorization.k8s.io': (o) => ({
    rules: o.rules,
    aggregationRule: o.aggregationRule,
    labels: o.metadata.labels,
  }),
  'rolebindings.rbac.authorization.k8s.io': (o) => ({ subjects: o.subjects, roleRef: o.roleRef }),
  'clusterrolebindings.rbac.authorization.k8s.io': (o) => ({ subjects: o.subjects, roleRef: o.roleRef }),
  'priorityclasses.scheduling.k8s.io': (o) => ({
    value: o.value ?? 0,
    globalDefault: o.globalDefault,
    preemptionPolicy: o.preemptionPolicy,
  }),
  'storageclasses.storage.k8s.io': (o) => ({
    isDefault:
      annotation(o, 'storageclass.kubernetes.io/is-default-class') === 'true' ||
      annotation(o, 'storageclass.beta.kubernetes.io/is-default-class') === 'true' ||
      undefined,
    // Among several defaults the newest wins.
    created: o.metadata.creationTimestamp,
    allowVolumeExpansion: o.allowVolumeExpansion,
  }),
  'ingressclasses.networking.k8s.io': (o) => ({
    isDefault: annotation(o, 'ingressclass.kubernetes.io/is-default-class') === 'true' || undefined,
    created: o.metadata.creationTimestamp,
  }),
  limitranges: (o) => ({ spec: o.spec }),
  resourcequotas: (o) => ({ spec: o.spec }),
  'validatingwebhookconfigurations.admissionregistration.k8s.io': (o) => ({
    uid: o.metadata.uid,
    webhooks: o.webhooks,
  }),
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': (o) => ({ uid: o.metadata.uid, webhooks: o.webhooks }),
  'validatingadmissionpolicies.admissionregistration.k8s.io': (o) => ({ spec: o.spec }),
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': (o) => ({ spec: o.spec }),
  'mutatingadmissionpolicies.admissionregistration.k8s.io': (o) => ({ spec: o.spec }),
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': (o) => ({ spec: o.spec }),
  'runtimeclasses.node.k8s.io': (o) => ({ handler: o.handler, overhead: o.overhead, scheduling: o.scheduling }),
  'customresourcedefinitions.apiextensions.k8s.io': (o) => ({
    uid: o.metadata.uid,
    spec: o.spec,
    // What is served: names are accepted once, not on each status write.
    acceptedNames: member(o.status, 'acceptedNames'),
    established: condition(o, 'Established'),
    terminating: isTerminating(o),
  }),
  'apiservices.apiregistration.k8s.io': (o) => ({ spec: o.spec }),
  'flowschemas.flowcontrol.apiserver.k8s.io': (o) => ({ spec: o.spec }),
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': (o) => ({ spec: o.spec }),
};

/**
 * Facts.policy of an object as canonical JSON (keys sorted, absent members left out), or undefined for kinds that decide nothing.
 * `resource` is groupResource(); `object` is in its storage version. The text stays the same when only status moved.
 */
export function policyOf(resource: string, object: KubeObject): string | undefined {
  const part = DECIDING[resource]?.(object);
  return part === undefined ? undefined : canonical(part);
}

/** JSON text with sorted keys and no absent members; equal values give equal texts. */
function canonical(v: Json): string {
  if (Array.isArray(v)) return `[${v.map(canonical).join(',')}]`;
  if (isObject(v)) {
    let text = '';
    for (const k of Object.keys(v).sort()) {
      const member = v[k];
      if (member !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(k)}:${canonical(member)}`;
    }
    return `{${text}}`;
  }
  return typeof v === 'bigint' ? v.toString() : JSON.stringify(v);
}

const isTerminating = (o: KubeObject): true | undefined => o.metadata.deletionTimestamp !== undefined || undefined;
const annotation = (o: KubeObject, key: string) => o.metadata.annotations?.[key];
const member = (o: Json | undefined, key: string) => (isObject(o) ? o[key] : undefined);

function condition(o: KubeObject, type: string): boolean {
  const list = member(o.status, 'conditions');
  if (!Array.isArray(list)) return false;
  return list.some((c) => isObject(c) && c.type === type && c.status === 'True');
}
