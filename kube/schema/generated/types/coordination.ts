// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { ListMeta, TypeMeta } from './meta.ts';

export type Lease = TypeMeta & {
  metadata: ObjectMeta;
  spec?: LeaseSpec;
};

export type LeaseList = TypeMeta & {
  metadata: ListMeta;
  items: Lease[];
};

export type LeaseSpec = {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
  strategy?: string;
  preferredHolder?: string;
};
