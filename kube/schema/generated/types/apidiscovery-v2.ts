// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { ObjectMeta } from '../../../meta/object.ts';
import type { GroupVersionKind, ListMeta, TypeMeta } from './meta.ts';

export type APIGroupDiscovery = TypeMeta & {
  metadata: ObjectMeta;
  versions?: APIVersionDiscovery[];
};

export type APIGroupDiscoveryList = TypeMeta & {
  metadata: ListMeta;
  items?: APIGroupDiscovery[];
};

export type APIResourceDiscovery = {
  resource?: string;
  responseKind?: GroupVersionKind;
  scope?: string;
  singularResource?: string;
  verbs?: string[];
  shortNames?: string[];
  categories?: string[];
  subresources?: APISubresourceDiscovery[];
};

export type APISubresourceDiscovery = {
  subresource?: string;
  responseKind?: GroupVersionKind;
  acceptedTypes?: GroupVersionKind[];
  verbs?: string[];
};

export type APIVersionDiscovery = {
  version?: string;
  resources?: APIResourceDiscovery[];
  freshness?: string;
};
