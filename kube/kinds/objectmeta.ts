import { duplicate, forbidden, goJson, index, invalid, notSupported, required, tooLong } from '../meta/issues.ts';
import { equalJson, isObject, type Json, type JsonObject } from '../meta/json.ts';
import {
  byteLength,
  longerTogether,
  type NameCheck,
  NOT_NEGATIVE,
  nameIsDnsLabel,
  qualifiedName,
  validateLabels,
} from '../meta/names.ts';
import { type KubeObject, type ObjectMeta, type OwnerReference, parseApiVersion } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, num, obj, objs, put, str, texts } from './access.ts';
import { internalIssue } from './internal.ts';

// Metadata of every kind: apimachinery pkg/api/validation/objectmeta.go, v0.37.1.

export const IMMUTABLE = 'field is immutable';
/** TotalAnnotationSizeLimitB. */
const MAX_ANNOTATIONS_BYTES = 256 * 1024;
const MAX_SUBRESOURCE_BYTES = 256;
const MAX_MANAGER_BYTES = 128;

/** `field is immutable` when the two differ. */
export function immutable(path: string, next: Json | undefined, prev: Json | undefined): Issue[] {
  return equalJson(next, prev) ? [] : [invalid(path, next ?? emptyLike(prev), IMMUTABLE)];
}
/** What Go prints for the zero value of the other's type. */
const emptyLike = (v: Json | undefined): Json | undefined =>
  typeof v === 'string'
    ? ''
    : typeof v === 'number' || typeof v === 'bigint'
      ? 0
      : typeof v === 'boolean'
        ? false
        : null;

/** Keys as qualified names in any case, and the size of all together. */
export function validateAnnotations(path: string, annotations: Record<string, string> | undefined): Issue[] {
  const issues: Issue[] = [];
  const texts: string[] = [];
  for (const k in annotations) {
    for (const p of qualifiedName(k.toLowerCase())) issues.push(invalid(path, k, p));
    texts.push(k, str(annotations[k]));
  }
  if (longerTogether(texts, MAX_ANNOTATIONS_BYTES)) issues.push(tooLong(path, MAX_ANNOTATIONS_BYTES));
  return issues;
}

/** Each reference in itself, and at most one controller. */
function validateOwnerReferences(path: string, refs: readonly OwnerReference[]): Issue[] {
  const issues: Issue[] = [];
  let controller = '';
  for (const [i, r] of refs.entries()) {
    issues.push(...ownerReference(index(path, i), r));
    if (r.controller !== true) continue;
    const self = `${str(r.kind)}/${str(r.name)}`;
    if (controller === '') controller = self;
    else {
      issues.push(
        internalIssue(
          'FieldValueInvalid',
          'Invalid value',
          path,
          `[${refs.map(refText).join(',')}]`,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${self}`,
        ),
      );
    }
  }
  return issues;
}
/** A reference as encoding/json writes the Go struct. */
function refText(r: OwnerReference): string {
  const members = ['apiVersion', 'kind', 'name', 'uid', 'controller', 'blockOwnerDeletion'].flatMap((m) =>
    has(r[m]) || m === 'name' ? [`${JSON.stringify(m)}:${goJson(r[m] ?? '')}`] : [],
  );
  return `{${members.join(',')}}`;
}
function ownerReference(path: string, r: OwnerReference): Issue[] {
  const issues: Issue[] = [];
  const apiVersion = str(r.apiVersion);
  const gv = parseApiVersion(apiVersion);
  if (apiVersion === '') issues.push(required(`${path}.apiVersion`, 'must not be empty'));
  else if (gv === null || gv.version === '') {
    issues.push(invalid(`${path}.apiVersion`, apiVersion, 'must be <group>/<version> or <version>'));
  }
  for (const member of ['kind', 'name', 'uid']) {
    if (str(r[member]) === '') issues.push(required(`${path}.${member}`, 'must not be empty'));
  }
  if (apiVersion === 'v1' && r.kind === 'Event') {
    issues.push(invalid(path, r, '/v1, Kind=Event is disallowed from being an owner'));
  }
  return issues;
}

/** Names as qualified names; orphan and foregroundDeletion exclude each other. */
function validateFinalizers(path: string, finalizers: readonly string[]): Issue[] {
  const issues = finalizers.flatMap((f) => qualifiedName(f).map((p) => invalid(path, f, p)));
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    issues.push(invalid(path, [...finalizers], 'finalizer orphan and foregroundDeletion cannot be both set'));
  }
  return issues;
}

const KUBE_FINALIZERS = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);
/** Finalizers without a prefix are Kubernetes' own: what core/validation asks of all built-in kinds. */
export function validateKubeFinalizers(m: ObjectMeta, path = 'metadata.finalizers'): Issue[] {
  return list(m.finalizers).flatMap((f, i) =>
    str(f).includes('/') || KUBE_FINALIZERS.has(str(f))
      ? []
      : [invalid(index(path, i), str(f), 'name is neither a standard finalizer name nor is it fully qualified')],
  );
}

function validateManagedFields(path: string, entries: readonly Json[]): Issue[] {
  const issues: Issue[] = [];
  for (const [i, e] of entries.map(obj).entries()) {
    const at = index(path, i);
    const operation = str(e.operation);
    if (operation === '') issues.push(required(`${at}.operation`, 'must not be empty'));
    else if (operation !== 'Apply' && operation !== 'Update') {
      issues.push(notSupported(`${at}.operation`, operation, ['Apply', 'Update']));
    }
    const type = str(e.fieldsType);
    if (type !== '' && type !== 'FieldsV1') issues.push(invalid(`${at}.fieldsType`, type, 'must be `FieldsV1`'));
    if (byteLength(str(e.manager)) > MAX_MANAGER_BYTES) issues.push(tooLong(`${at}.manager`, MAX_MANAGER_BYTES));
    if (byteLength(str(e.subresource)) > MAX_SUBRESOURCE_BYTES) {
      issues.push(tooLong(`${at}.subresource`, MAX_SUBRESOURCE_BYTES));
    }
  }
  return issues;
}
const notNegative = (path: string, n: number): Issue[] => (n < 0 ? [invalid(path, n, NOT_NEGATIVE)] : []);

/** Metadata of an object as it is created. The name has been generated. */
export function validateObjectMeta(m: ObjectMeta, namespaced: boolean, check: NameCheck, path = 'metadata'): Issue[] {
  const issues: Issue[] = [];
  const name = str(m.name);
  const prefix = str(m.generateName);
  if (prefix !== '') for (const p of check(prefix, true)) issues.push(invalid(`${path}.generateName`, prefix, p));
  if (name === '') issues.push(required(`${path}.name`, 'name or generateName is required'));
  else for (const p of check(name, false)) issues.push(invalid(`${path}.name`, name, p));
  const namespace = str(m.namespace);
  if (!namespaced) {
    if (namespace !== '') issues.push(forbidden(`${path}.namespace`, 'not allowed on this type'));
  } else if (namespace === '') issues.push(required(`${path}.namespace`));
  else for (const p of nameIsDnsLabel(namespace, false)) issues.push(invalid(`${path}.namespace`, namespace, p));
  issues.push(
    ...notNegative(`${path}.generation`, num(m.generation)),
    ...validateLabels(`${path}.labels`, texts(m.labels)),
    ...validateAnnotations(`${path}.annotations`, texts(m.annotations)),
    ...validateOwnerReferences(`${path}.ownerReferences`, objs(m.ownerReferences) as OwnerReference[]),
    ...validateFinalizers(`${path}.finalizers`, list(m.finalizers).map(str)),
    ...validateManagedFields(`${path}.managedFields`, list(m.managedFields)),
  );
  return issues;
}

/** Metadata of an update; server-set members have been carried over already. */
export function validateObjectMetaUpdate(m: ObjectMeta, prev: ObjectMeta, path = 'metadata'): Issue[] {
  const issues: Issue[] = [];
  if (has(prev.deletionTimestamp)) {
    const had = new Set(list(prev.finalizers));
    const extra = list(m.finalizers).filter((f) => !had.has(f));
    if (extra.length > 0) {
      const found = `[]string{${extra
        .sort()
        .map((f) => JSON.stringify(f))
        .join(', ')}}`;
      issues.push(
        forbidden(
          `${path}.finalizers`,
          `no new finalizers can be added if the object is being deleted, found new finalizers ${found}`,
        ),
      );
    }
  }
  if (str(m.resourceVersion) === '') {
    issues.push(invalid(`${path}.resourceVersion`, '', 'must be specified for an update'));
  }
  const generation = num(m.generation);
  issues.push(...notNegative(`${path}.generation`, generation));
  if (generation < num(prev.generation)) {
    issues.push(invalid(`${path}.generation`, generation, 'must not be decremented'));
  }
  for (const member of IMMUTABLE_META) issues.push(...immutable(`${path}.${member}`, m[member], prev[member]));
  issues.push(
    ...validateLabels(`${path}.labels`, texts(m.labels)),
    ...validateAnnotations(`${path}.annotations`, texts(m.annotations)),
    ...validateOwnerReferences(`${path}.ownerReferences`, objs(m.ownerReferences) as OwnerReference[]),
    ...validateManagedFields(`${path}.managedFields`, list(m.managedFields)),
  );
  return issues;
}
const IMMUTABLE_META = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

/** What ResetObjectMetaForStatus keeps of the old object: everything but name, resourceVersion and managedFields' new state. */
export function keepMetaForStatus(next: KubeObject, prev: KubeObject): void {
  for (const member of STATUS_KEEPS) {
    const meta: JsonObject = next.metadata;
    put(meta, member, prev.metadata[member]);
  }
}
const STATUS_KEEPS = [
  'deletionTimestamp',
  'generation',
  'labels',
  'annotations',
  'finalizers',
  'ownerReferences',
] as const;

const CONDITION_REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const CONDITION_REASON_TEXT =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";
const MAX_REASON_BYTES = 1024;
const MAX_MESSAGE_BYTES = 32 * 1024;

/** metav1.Conditions of a status: ValidateConditions. */
export function validateConditions(path: string, conditions: Json | undefined): Issue[] {
  const issues: Issue[] = [];
  const seen = new Set<string>();
  for (const [i, c] of objs(conditions).entries()) {
    const at = index(path, i);
    const type = str(c.type);
    if (seen.has(type)) issues.push(duplicate(at, type));
    seen.add(type);
    if (type === '') issues.push(required(`${at}.type`, 'is required'));
    else for (const p of qualifiedName(type)) issues.push(invalid(`${at}.type`, type, p));
    const status = str(c.status);
    if (status === '') issues.push(required(`${at}.status`));
    else if (!['True', 'False', 'Unknown'].includes(status)) {
      issues.push(notSupported(`${at}.status`, status, ['False', 'True', 'Unknown']));
    }
    if (num(c.observedGeneration) < 0) {
      issues.push(
        invalid(`${at}.observedGeneration`, num(c.observedGeneration), 'must be greater than or equal to zero'),
      );
    }
    if (!has(c.lastTransitionTime)) issues.push(required(`${at}.lastTransitionTime`));
    const reason = str(c.reason);
    if (reason === '') issues.push(required(`${at}.reason`));
    else if (!CONDITION_REASON.test(reason)) issues.push(invalid(`${at}.reason`, reason, CONDITION_REASON_TEXT));
    if (byteLength(reason) > MAX_REASON_BYTES) issues.push(tooLong(`${at}.reason`, MAX_REASON_BYTES));
    if (byteLength(str(c.message)) > MAX_MESSAGE_BYTES) issues.push(tooLong(`${at}.message`, MAX_MESSAGE_BYTES));
  }
  return issues;
}
/** True when a value is an object with at least one member. */
export const filled = (v: Json | undefined): boolean => isObject(v) && Object.keys(v).length > 0;
