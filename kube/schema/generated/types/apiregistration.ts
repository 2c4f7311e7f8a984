// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { ListMeta, TypeMeta } from './meta.ts';

export type APIService = TypeMeta & {
  metadata: ObjectMeta;
  spec?: APIServiceSpec;
  status?: APIServiceStatus;
};

export type APIServiceCondition = {
  type: string;
  status: string;
  lastTransitionTime?: string;
  reason?: string;
  message?: string;
};

export type APIServiceList = TypeMeta & {
  metadata: ListMeta;
  items: APIService[];
};

export type APIServiceSpec = {
  service?: ServiceReference;
  group?: string;
  version?: string;
  insecureSkipTLSVerify?: boolean;
  caBundle?: string;
  groupPriorityMinimum: number;
  versionPriority: number;
};

export type APIServiceStatus = {
  conditions?: APIServiceCondition[];
};

export type ServiceReference = {
  namespace?: string;
  name?: string;
  port?: number;
};
