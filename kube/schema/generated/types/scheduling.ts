// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { ListMeta, TypeMeta } from './meta.ts';

export type PriorityClass = TypeMeta & {
  metadata: ObjectMeta;
  value?: number;
  globalDefault?: boolean;
  description?: string;
  preemptionPolicy?: 'Never' | 'PreemptLowerPriority';
};

export type PriorityClassList = TypeMeta & {
  metadata: ListMeta;
  items: PriorityClass[];
};
