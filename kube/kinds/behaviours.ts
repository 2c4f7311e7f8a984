import type { KubeObject } from '../meta/object.ts';
import { num, obj, str } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { CERTIFICATESIGNINGREQUEST, PRIORITYCLASS, RUNTIMECLASS, STORAGECLASS } from './classes.ts';
import { CLUSTERTRUSTBUNDLE } from './clustertrustbundle.ts';
import { APPS } from './columns/apps.ts';
import { CORE } from './columns/core.ts';
import { MORE } from './columns/more.ts';
import { CONFIGMAP } from './configmap.ts';
import { CONTROLLERREVISION } from './controllerrevision.ts';
import { CRONJOB } from './cronjob.ts';
import { DAEMONSET } from './daemonset.ts';
import { DEPLOYMENT } from './deployment.ts';
import { ENDPOINTS } from './endpoints.ts';
import { ENDPOINTSLICE } from './endpointslice.ts';
import { EVENT } from './event.ts';
import { HORIZONTALPODAUTOSCALER } from './horizontalpodautoscaler.ts';
import { INGRESS, INGRESSCLASS } from './ingress.ts';
import { JOB } from './job.ts';
import { LEASE } from './lease.ts';
import { LIMITRANGE } from './limitrange.ts';
import { NAMESPACE } from './namespace.ts';
import { NETWORKPOLICY } from './networkpolicy.ts';
import { NODE } from './node.ts';
import { PERSISTENTVOLUME, PERSISTENTVOLUMECLAIM } from './persistentvolume.ts';
import { POD } from './pod.ts';
import { PODDISRUPTIONBUDGET } from './poddisruptionbudget.ts';
import { PODTEMPLATE } from './podtemplate.ts';
import { CLUSTERROLE, CLUSTERROLEBINDING, ROLE, ROLEBINDING } from './rbac.ts';
import { REPLICASET } from './replicaset.ts';
import { REPLICATIONCONTROLLER } from './replicationcontroller.ts';
import { RESOURCEQUOTA } from './resourcequota.ts';
import { SECRET } from './secret.ts';
import { SERVICE } from './service.ts';
import { STATEFULSET } from './statefulset.ts';

/** FlowSchemas as they are matched. */
function byPrecedence(a: KubeObject, b: KubeObject): number {
  const of = (o: KubeObject) => num(obj(o.spec).matchingPrecedence);
  return of(a) - of(b) || (str(a.metadata.name) < str(b.metadata.name) ? -1 : 1);
}

/** The node that an object is for: the Node authorizer asks. */
function specNode(o: KubeObject): { node?: string } {
  const node = str(obj(o.spec).nodeName);
  return node === '' ? {} : { node };
}

/** Members of the spec that can be selected by. */
const specFields = (...names: string[]): Behaviour['fields'] =>
  Object.fromEntries(names.map((name) => [`spec.${name}`, (o: KubeObject) => str(obj(o.spec)[name])]));

/** Columns alone, for kinds whose own file says nothing of them. */
const COLUMNS = { ...CORE, ...APPS, ...MORE };

const OWN: Record<string, Behaviour> = {
  pods: POD,
  namespaces: NAMESPACE,
  nodes: NODE,
  services: SERVICE,
  configmaps: CONFIGMAP,
  secrets: SECRET,
  endpoints: ENDPOINTS,
  limitranges: LIMITRANGE,
  resourcequotas: RESOURCEQUOTA,
  podtemplates: PODTEMPLATE,
  replicationcontrollers: REPLICATIONCONTROLLER,
  'deployments.apps': DEPLOYMENT,
  'replicasets.apps': REPLICASET,
  'statefulsets.apps': STATEFULSET,
  'daemonsets.apps': DAEMONSET,
  'controllerrevisions.apps': CONTROLLERREVISION,
  'jobs.batch': JOB,
  'cronjobs.batch': CRONJOB,
  'roles.rbac.authorization.k8s.io': ROLE,
  'clusterroles.rbac.authorization.k8s.io': CLUSTERROLE,
  'rolebindings.rbac.authorization.k8s.io': ROLEBINDING,
  'clusterrolebindings.rbac.authorization.k8s.io': CLUSTERROLEBINDING,
  'leases.coordination.k8s.io': LEASE,
  events: EVENT,
  'horizontalpodautoscalers.autoscaling': HORIZONTALPODAUTOSCALER,
  'poddisruptionbudgets.policy': PODDISRUPTIONBUDGET,
  'ingresses.networking.k8s.io': INGRESS,
  'ingressclasses.networking.k8s.io': INGRESSCLASS,
  'networkpolicies.networking.k8s.io': NETWORKPOLICY,
  'endpointslices.discovery.k8s.io': ENDPOINTSLICE,
  persistentvolumes: PERSISTENTVOLUME,
  persistentvolumeclaims: PERSISTENTVOLUMECLAIM,
  'priorityclasses.scheduling.k8s.io': PRIORITYCLASS,
  'storageclasses.storage.k8s.io': STORAGECLASS,
  'runtimeclasses.node.k8s.io': RUNTIMECLASS,
  'certificatesigningrequests.certificates.k8s.io': CERTIFICATESIGNINGREQUEST,
  // Kinds whose only behaviour is a generation or how they are updated.
  'deviceclasses.resource.k8s.io': { counts: ['spec'] },
  'devicetaintrules.resource.k8s.io': { counts: ['spec'] },
  'resourceslices.resource.k8s.io': {
    counts: ['spec'],
    facts: specNode,
    fields: {
      ...specFields('nodeName', 'driver'),
      'spec.pool.name': (o) => str(obj(obj(o.spec).pool).name),
    },
  },
  'flowschemas.flowcontrol.apiserver.k8s.io': { counts: ['spec'], rowOrder: byPrecedence },
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': { counts: ['spec'] },
  'validatingadmissionpolicies.admissionregistration.k8s.io': { counts: ['spec'], needsVersion: true },
  'mutatingadmissionpolicies.admissionregistration.k8s.io': { counts: ['spec'], needsVersion: true },
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': { counts: ['spec'], needsVersion: true },
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': { counts: ['spec'], needsVersion: true },
  'validatingwebhookconfigurations.admissionregistration.k8s.io': { counts: ['webhooks'], needsVersion: true },
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': { counts: ['webhooks'], needsVersion: true },
  'csidrivers.storage.k8s.io': { needsVersion: true },
  'csinodes.storage.k8s.io': { needsVersion: true },
  'csistoragecapacities.storage.k8s.io': { needsVersion: true },
  'volumeattachments.storage.k8s.io': { needsVersion: true, facts: specNode },
  'clustertrustbundles.certificates.k8s.io': CLUSTERTRUSTBUNDLE,
  'podcertificaterequests.certificates.k8s.io': {
    needsVersion: true,
    facts: specNode,
    fields: specFields('signerName', 'podName', 'nodeName'),
  },
  'storageversionmigrations.storagemigration.k8s.io': { needsVersion: true },
  'customresourcedefinitions.apiextensions.k8s.io': { counts: ['spec'] },
};

/** Behaviour by groupResource of the storage version: each kind's own file, and its columns. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = Object.fromEntries(
  [...new Set([...Object.keys(COLUMNS), ...Object.keys(OWN)])].map((resource) => {
    const columns = COLUMNS[resource];
    return [resource, { ...(columns ? { columns } : {}), ...OWN[resource] }];
  }),
);
