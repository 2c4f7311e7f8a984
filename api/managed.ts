import { apiVersionOf, at, type KubeObject, type ManagedFieldsEntry } from '../kube/meta/object.ts';
import type { Steps } from '../kube/meta/steps.ts';
import { formatTime } from '../kube/meta/time.ts';
import { keepTimestamps, managedFieldsSteps, type Write } from '../kube/patch/managed.ts';
import { invalidAfterAdmission, managedFieldsProblem } from '../kube/patch/managed-validate.ts';
import { type Call, warn } from './call.ts';
import type { Resource } from './parts.ts';

type Paths = readonly (readonly string[])[];
/** What a write through the main resource may not own: upstream's GetResetFields. */
const MAIN_RESETS: Paths = [['status']];
const SPEC: Paths = [['spec']];
const SPEC_AND_META: Paths = [['spec'], ['metadata']];
const NONE: Paths = [];
/** What a write through `status` may not own, where it's more than spec; by groupResource. */
const STATUS_RESETS: Readonly<Record<string, Paths>> = {
  pods: [['spec'], ['metadata', 'deletionTimestamp'], ['metadata', 'ownerReferences']],
  'deployments.apps': [['spec'], ['metadata', 'labels']],
  'certificatesigningrequests.certificates.k8s.io': [['spec'], ['status', 'conditions']],
  'servicecidrs.networking.k8s.io': SPEC_AND_META,
  'resourceclaims.resource.k8s.io': SPEC_AND_META,
  'volumeattachments.storage.k8s.io': SPEC_AND_META,
  'flowschemas.flowcontrol.apiserver.k8s.io': SPEC_AND_META,
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': SPEC_AND_META,
  'validatingadmissionpolicies.admissionregistration.k8s.io': SPEC_AND_META,
};
const APPROVAL_RESETS: Paths = [['spec'], ['status', 'certificate']];

function resetsOf(resource: Resource, subresource: string): Paths {
  if (subresource === 'status') return STATUS_RESETS[resource.key] ?? SPEC;
  if (subresource === 'approval') return APPROVAL_RESETS;
  if (subresource === 'scale') return NONE;
  return resource.kind.subresources?.status ? MAIN_RESETS : NONE;
}

/** How this request's write is entered in managedFields. */
export function managedWrite(call: Call, resource: Resource, manager: string): Write {
  const { subresource } = call.info;
  return {
    struct: resource.struct,
    apiVersion: resource.apiVersion,
    subresource,
    manager,
    time: formatTime(call.cluster.env.now()),
    resetFields: resetsOf(resource, subresource),
    convert: (object, apiVersion) => convertTo(call, resource, object, apiVersion),
  };
}

function convertTo(call: Call, resource: Resource, object: KubeObject, apiVersion: string) {
  const ref = resource.kind.served.find((s) => apiVersionOf(s) === apiVersion);
  const to = ref && call.resources.find(call.cluster.view, ref.group, ref.version, resource.kind.plural);
  if (!ref || !to) return null;
  const converted = resource.kind.convert?.(object, ref) ?? object;
  return { object: { ...converted, apiVersion, kind: ref.kind }, struct: to.struct };
}

/** Brings metadata.managedFields of `next` up to date after a create or an update by `manager`, in steps. In place. */
export function* manageUpdate(
  call: Call,
  resource: Resource,
  prev: KubeObject | null,
  next: KubeObject,
  manager: string,
): Steps<void> {
  setManaged(next, yield* managedFieldsSteps({ ...managedWrite(call, resource, manager), live: prev, next }));
}
/** As manageUpdate, for a write through Scale: its entry has no time, and a zero, which Go leaves out, is owned by nobody. In place. */
export function* manageScale(
  call: Call,
  resource: Resource,
  prev: KubeObject,
  next: KubeObject,
  manager: string,
): Steps<void> {
  yield* manageUpdate(call, resource, prev, next, manager);
  const entries = next.metadata.managedFields;
  if (!entries) return;
  const isZero = (at(next, 'spec.replicas') ?? 0) === 0;
  setManaged(
    next,
    entries.flatMap((e) => {
      if (e.subresource !== 'scale') return [e];
      const { time: _time, ...rest } = e;
      return isZero ? [] : [rest];
    }),
  );
}
function setManaged(object: KubeObject, entries: ManagedFieldsEntry[] | undefined): void {
  if (entries === undefined) delete object.metadata.managedFields;
  else object.metadata.managedFields = entries;
}

/** Admission may have left managedFields that can't be read: they are put back, with a warning. In place. */
export function checkAfterAdmission(call: Call, object: KubeObject, before: ManagedFieldsEntry[] | undefined): void {
  const { managedFields } = object.metadata;
  if (managedFields === before) return;
  const problem = managedFieldsProblem(managedFields);
  if (problem === null) return;
  warn(call, invalidAfterAdmission(problem));
  setManaged(object, before);
}

/** When only times in managedFields differ, the old ones stay, so that a no-op update writes nothing. In place. */
export function settleTimes(prev: KubeObject, next: KubeObject): void {
  const kept = keepTimestamps(prev, next);
  if (kept !== next) setManaged(next, kept.metadata.managedFields);
}
