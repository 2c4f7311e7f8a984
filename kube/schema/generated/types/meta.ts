// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
import type { Json } from '../../../meta/json.ts';
import type { ObjectMeta } from '../../../meta/object.ts';

export type APIGroup = TypeMeta & {
  name: string;
  versions: GroupVersionForDiscovery[];
  preferredVersion?: GroupVersionForDiscovery;
  serverAddressByClientCIDRs?: ServerAddressByClientCIDR[];
};

export type APIGroupList = TypeMeta & {
  groups: APIGroup[];
};

export type APIResource = {
  name: string;
  singularName: string;
  namespaced: boolean;
  group?: string;
  version?: string;
  kind: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  storageVersionHash?: string;
};

export type APIResourceList = TypeMeta & {
  groupVersion: string;
  resources: APIResource[];
};

export type APIVersions = TypeMeta & {
  versions: string[];
  serverAddressByClientCIDRs: ServerAddressByClientCIDR[];
};

export type ApplyOptions = TypeMeta & {
  dryRun?: string[];
  force: boolean;
  fieldManager: string;
};

export type Condition = {
  type: string;
  status: string;
  observedGeneration?: number;
  lastTransitionTime: string;
  reason: string;
  message: string;
};

export type CreateOptions = TypeMeta & {
  dryRun?: string[];
  fieldManager?: string;
  fieldValidation?: string;
};

export type DeleteOptions = TypeMeta & {
  gracePeriodSeconds?: number;
  preconditions?: Preconditions;
  orphanDependents?: boolean;
  propagationPolicy?: string;
  dryRun?: string[];
  ignoreStoreReadErrorWithClusterBreakingPotential?: boolean;
};

export type FieldSelectorRequirement = {
  key: string;
  operator: string;
  values?: string[];
};

export type GetOptions = TypeMeta & {
  resourceVersion?: string;
};

export type GroupKind = {
  group: string;
  kind: string;
};

export type GroupResource = {
  group: string;
  resource: string;
};

export type GroupVersion = {
  group: string;
  version: string;
};

export type GroupVersionForDiscovery = {
  groupVersion: string;
  version: string;
};

export type GroupVersionKind = {
  group: string;
  version: string;
  kind: string;
};

export type GroupVersionResource = {
  group: string;
  version: string;
  resource: string;
};

export type LabelSelector = {
  matchLabels?: Record<string, string>;
  matchExpressions?: LabelSelectorRequirement[];
};

export type LabelSelectorRequirement = {
  key: string;
  operator: string;
  values?: string[];
};

export type List = TypeMeta & {
  metadata: ListMeta;
  items: Json[];
};

export type ListMeta = {
  selfLink?: string;
  resourceVersion?: string;
  continue?: string;
  remainingItemCount?: number;
  shardInfo?: ShardInfo;
};

export type ListOptions = TypeMeta & {
  labelSelector?: string;
  fieldSelector?: string;
  watch?: boolean;
  allowWatchBookmarks?: boolean;
  resourceVersion?: string;
  resourceVersionMatch?: string;
  timeoutSeconds?: number;
  limit?: number;
  continue?: string;
  sendInitialEvents?: boolean;
  shardSelector?: string;
};

export type PartialObjectMetadata = TypeMeta & {
  metadata: ObjectMeta;
};

export type PartialObjectMetadataList = TypeMeta & {
  metadata: ListMeta;
  items: PartialObjectMetadata[];
};

export type Patch = { [key: string]: never };

export type PatchOptions = TypeMeta & {
  dryRun?: string[];
  force?: boolean;
  fieldManager?: string;
  fieldValidation?: string;
};

export type Preconditions = {
  uid?: string;
  resourceVersion?: string;
};

export type RootPaths = {
  paths: string[];
};

export type ServerAddressByClientCIDR = {
  clientCIDR: string;
  serverAddress: string;
};

export type ShardInfo = {
  selector: string;
};

export type Status = TypeMeta & {
  metadata: ListMeta;
  status?: string;
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code?: number;
};

export type StatusCause = {
  reason?: string;
  message?: string;
  field?: string;
};

export type StatusDetails = {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
};

export type Table = TypeMeta & {
  metadata: ListMeta;
  columnDefinitions: TableColumnDefinition[];
  rows: TableRow[];
};

export type TableColumnDefinition = {
  name: string;
  type: string;
  format: string;
  description: string;
  priority: number;
};

export type TableOptions = TypeMeta & {
  includeObject?: string;
};

export type TableRow = {
  cells: Json[];
  conditions?: TableRowCondition[];
  object?: Json;
};

export type TableRowCondition = {
  type: string;
  status: string;
  reason?: string;
  message?: string;
};

export type TypeMeta = {
  kind?: string;
  apiVersion?: string;
};

export type UpdateOptions = TypeMeta & {
  dryRun?: string[];
  fieldManager?: string;
  fieldValidation?: string;
};

export type WatchEvent = {
  type: string;
  object: Json;
};
