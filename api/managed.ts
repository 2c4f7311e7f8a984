import { apiVersionOf, at, type KubeObject, type ManagedFieldsEntry } from '../kube/meta/object.ts';
import { formatTime } from '../kube/meta/time.ts';
import { keepTimestamps, updateManagedFields, type Write } from '../kube/patch/managed.ts';
import { invalidAfterAdmission, managedFieldsProblem } from '../kube/patch/managed-validate.ts';
import { type Call, warn } from './call.ts';
import type { Resource } from './parts.ts';

/** What a write through the main resource or through a subresource may not own: upstream's GetResetFields of most strategies. */
const MAIN_RESETS: readonly (readonly string[])[] = [['status']];
const STATUS_RESETS: readonly (readonly string[])[] = [['spec']];
const NONE: readonly (readonly string[])[] = [];

function resetsOf(resource: Resource, subresource: string): readonly (readonly string[])[] {
  if (subresource === 'status') return STATUS_RESETS;
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

/** Brings metadata.managedFields of `next` up to date after a create or an update by `manager`. In place. */
export function manageUpdate(
  call: Call,
  resource: Resource,
  prev: KubeObject | null,
  next: KubeObject,
  manager: string,
): void {
  setManaged(next, updateManagedFields({ ...managedWrite(call, resource, manager), live: prev, next }));
}
/** As manageUpdate, for a write through Scale: its entry has no time, and a zero, which Go leaves out, is owned by nobody. In place. */
export function manageScale(call: Call, resource: Resource, prev: KubeObject, next: KubeObject, manager: string): void {
  manageUpdate(call, resource, prev, next, manager);
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
