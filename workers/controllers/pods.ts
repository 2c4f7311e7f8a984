import type { FieldRequirement } from '../../kube/meta/selectors.ts';

// Which pods a loop wants rows of.

/** Pods that wait for a node. */
export const UNBOUND: readonly FieldRequirement[] = [{ field: 'spec.nodeName', op: '=', value: '' }];
/** Pods that have a node. */
export const BOUND: readonly FieldRequirement[] = [{ field: 'spec.nodeName', op: '!=', value: '' }];
/** Pods that haven't ended. */
export const ACTIVE: readonly FieldRequirement[] = ['Succeeded', 'Failed'].map((value) => ({
  field: 'status.phase',
  op: '!=',
  value,
}));
