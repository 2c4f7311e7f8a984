import type { Json, JsonObject } from './json.ts';

/** metadata.ownerReferences[]: apimachinery meta/v1 OwnerReference. */
export interface OwnerReference extends JsonObject {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** metadata.managedFields[]: one manager's field set at one apiVersion and subresource. */
export interface ManagedFieldsEntry extends JsonObject {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: JsonObject;
  subresource?: string;
}

/** apimachinery meta/v1 ObjectMeta. Times are RFC 3339 strings in UTC with second precision. */
export interface ObjectMeta extends JsonObject {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFieldsEntry[];
}

/** Any Kubernetes object. `spec`, `status` and the rest are reached as JSON. */
export interface KubeObject extends JsonObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** Group, version and kind; the core group is ''. */
export interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

/** `v1` or `apps/v1` of a group and a version. */
export function apiVersionOf(g: { group: string; version: string }): string {
  return g.group === '' ? g.version : `${g.group}/${g.version}`;
}

/** Splits an apiVersion; null when it has more than one slash (upstream: "unexpected GroupVersion string"). */
export function parseApiVersion(s: string): { group: string; version: string } | null {
  const parts = s.split('/');
  if (parts.length === 1) return { group: '', version: parts[0] ?? '' };
  if (parts.length === 2) return { group: parts[0] ?? '', version: parts[1] ?? '' };
  return null;
}

/** `pods` or `deployments.apps`: how upstream prints a GroupResource, and the first part of every store key. */
export function groupResource(group: string, plural: string): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** The value at a dotted path of plain field names; undefined when any step is missing. */
export function at(o: Json | undefined, path: string): Json | undefined {
  let v: Json | undefined = o;
  for (const step of path.split('.')) {
    if (typeof v !== 'object' || v === null || Array.isArray(v)) return undefined;
    v = v[step];
  }
  return v;
}
