// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { LabelSelector, ListMeta, TypeMeta } from './meta.ts';

export type AggregationRule = {
  clusterRoleSelectors?: LabelSelector[];
};

export type ClusterRole = TypeMeta & {
  metadata: ObjectMeta;
  rules?: PolicyRule[];
  aggregationRule?: AggregationRule;
};

export type ClusterRoleBinding = TypeMeta & {
  metadata: ObjectMeta;
  subjects?: Subject[];
  roleRef: RoleRef;
};

export type ClusterRoleBindingList = TypeMeta & {
  metadata: ListMeta;
  items: ClusterRoleBinding[];
};

export type ClusterRoleList = TypeMeta & {
  metadata: ListMeta;
  items: ClusterRole[];
};

export type PolicyRule = {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
};

export type Role = TypeMeta & {
  metadata: ObjectMeta;
  rules?: PolicyRule[];
};

export type RoleBinding = TypeMeta & {
  metadata: ObjectMeta;
  subjects?: Subject[];
  roleRef: RoleRef;
};

export type RoleBindingList = TypeMeta & {
  metadata: ListMeta;
  items: RoleBinding[];
};

export type RoleList = TypeMeta & {
  metadata: ListMeta;
  items: Role[];
};

export type RoleRef = {
  apiGroup?: string;
  kind: string;
  name: string;
};

export type Subject = {
  kind: string;
  apiGroup?: string;
  name: string;
  namespace?: string;
};
