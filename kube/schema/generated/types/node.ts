// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { Toleration } from './core.ts';
import type { ListMeta, TypeMeta } from './meta.ts';

export type Overhead = {
  podFixed?: Record<string, string>;
};

export type RuntimeClass = TypeMeta & {
  metadata: ObjectMeta;
  handler: string;
  overhead?: Overhead;
  scheduling?: Scheduling;
};

export type RuntimeClassList = TypeMeta & {
  metadata: ListMeta;
  items: RuntimeClass[];
};

export type Scheduling = {
  nodeSelector?: Record<string, string>;
  tolerations?: Toleration[];
};
