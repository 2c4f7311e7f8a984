// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import { data as admission } from './admission.ts';
import { data as admissionregistration } from './admissionregistration.ts';
import { data as apidiscovery } from './apidiscovery.ts';
import { data as apiextensions } from './apiextensions.ts';
import { data as apiregistration } from './apiregistration.ts';
import { data as apiserverinternal } from './apiserverinternal.ts';
import { data as apps } from './apps.ts';
import { data as authentication } from './authentication.ts';
import { data as authorization } from './authorization.ts';
import { data as autoscaling } from './autoscaling.ts';
import { data as batch } from './batch.ts';
import { data as certificates } from './certificates.ts';
import { data as coordination } from './coordination.ts';
import { data as core } from './core.ts';
import { data as discovery } from './discovery.ts';
import { data as events } from './events.ts';
import { data as flowcontrol } from './flowcontrol.ts';
import { data as lifecycle } from './lifecycle.ts';
import { data as meta } from './meta.ts';
import { data as networking } from './networking.ts';
import { data as node } from './node.ts';
import { data as policy } from './policy.ts';
import { data as rbac } from './rbac.ts';
import { data as resource } from './resource.ts';
import { data as scheduling } from './scheduling.ts';
import { data as storage } from './storage.ts';
import { data as storagemigration } from './storagemigration.ts';

/** The text that holds each package, by model name without `io.k8s.`. */
export const packages: Record<string, string> = {
  'api.admission.v1': admission,
  'api.admission.v1beta1': admission,
  'api.admissionregistration.v1': admissionregistration,
  'api.admissionregistration.v1alpha1': admissionregistration,
  'api.admissionregistration.v1beta1': admissionregistration,
  'api.apidiscovery.v2': apidiscovery,
  'api.apidiscovery.v2beta1': apidiscovery,
  'api.apiserverinternal.v1alpha1': apiserverinternal,
  'api.apps.v1': apps,
  'api.authentication.v1': authentication,
  'api.authorization.v1': authorization,
  'api.autoscaling.v1': autoscaling,
  'api.autoscaling.v2': autoscaling,
  'api.batch.v1': batch,
  'api.certificates.v1': certificates,
  'api.certificates.v1beta1': certificates,
  'api.coordination.v1': coordination,
  'api.coordination.v1alpha2': coordination,
  'api.coordination.v1beta1': coordination,
  'api.core.v1': core,
  'api.discovery.v1': discovery,
  'api.events.v1': events,
  'api.flowcontrol.v1': flowcontrol,
  'api.lifecycle.v1alpha1': lifecycle,
  'api.networking.v1': networking,
  'api.node.v1': node,
  'api.policy.v1': policy,
  'api.policy.v1beta1': policy,
  'api.rbac.v1': rbac,
  'api.resource.v1': resource,
  'api.resource.v1alpha3': resource,
  'api.resource.v1beta1': resource,
  'api.resource.v1beta2': resource,
  'api.scheduling.v1': scheduling,
  'api.scheduling.v1alpha3': scheduling,
  'api.scheduling.v1beta1': scheduling,
  'api.storage.v1': storage,
  'api.storagemigration.v1': storagemigration,
  'api.storagemigration.v1beta1': storagemigration,
  'apiextensions-apiserver.pkg.apis.apiextensions.v1': apiextensions,
  'apimachinery.pkg.apis.meta.v1': meta,
  'apimachinery.pkg.apis.meta.v1beta1': meta,
  'apimachinery.pkg.runtime': meta,
  'apimachinery.pkg.version': meta,
  'kube-aggregator.pkg.apis.apiregistration.v1': apiregistration,
};
