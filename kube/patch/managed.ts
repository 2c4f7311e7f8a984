import { equalJson, type Json, type JsonObject } from '../meta/json.ts';
import type { KubeObject, ManagedFieldsEntry, ObjectMeta } from '../meta/object.ts';
import { finish, type Steps } from '../meta/steps.ts';
import type { Struct } from '../schema/schema.ts';
import { excludeFields, type FieldFilter } from './field-filter.ts';
import { difference, type FieldSet, isEmptySet, ordered, setOfFields, union } from './fieldset.ts';
import {
  capUpdateManagers,
  decodeManaged,
  encodeManaged,
  entryOf,
  isReset,
  type Managed,
  managerId,
  noneManaged,
} from './managed-entries.ts';
import { planOfStruct, rawPlanOfStruct } from './plan.ts';
import { TypedError } from './typed-view.ts';
import { type Convert, type Rules, type Typed, updateOwners } from './updater.ts';

/** One write to an object that tracks who owns which field. */
export interface Write {
  /** The shape of the kind at `apiVersion`. */
  struct: Struct;
  apiVersion: string;
  /** `status`, `scale`, ...; empty for the main resource. */
  subresource?: string;
  /** The field manager (managerOrUserAgent); empty counts as `unknown`. */
  manager: string;
  /** RFC 3339 in UTC, seconds: the time that a changed entry gets. */
  time: string;
  /** What this endpoint resets and so nobody may own through it, or a filter of field-filter.ts. */
  resetFields?: readonly (readonly string[])[] | FieldFilter;
  /**
   * The object at another served version of the kind; null when that version isn't served any more. Needed by kinds of several versions.
   * What it throws passes through: a caller whose conversion takes time (a webhook) can throw, convert, and call again.
   */
  convert?: (object: KubeObject, apiVersion: string) => { object: KubeObject; struct: Struct } | null;
}

export interface Update extends Write {
  operation?: 'Update';
  /** What is stored; null for a create. */
  live: KubeObject | null;
  /** What would be stored, before admission, at the same version as `live`. */
  next: KubeObject;
}

/** Field managers that have no name. */
const UNKNOWN_MANAGER = 'unknown';

/** Type and identity: never owned by anyone. */
const STRIPPED: FieldSet = setOfFields([
  ['apiVersion'],
  ['kind'],
  ['metadata'],
  ['metadata', 'name'],
  ['metadata', 'namespace'],
  ['metadata', 'creationTimestamp'],
  ['metadata', 'selfLink'],
  ['metadata', 'uid'],
  ['metadata', 'clusterName'],
  ['metadata', 'generation'],
  ['metadata', 'managedFields'],
  ['metadata', 'resourceVersion'],
]);

/**
 * The managedFields of an object that a create, update or (non-apply) patch is about to store: FieldManager.UpdateNoErrors. Throws only
 * what `convert` throws; what can't be tracked leaves the live object's entries. Undefined: the object has none.
 */
export function updateManagedFields(w: Update): ManagedFieldsEntry[] | undefined {
  return finish(managedFieldsSteps(w));
}

/** updateManagedFields() in steps: of an object with 10,000 fields each takes some milliseconds. */
export function* managedFieldsSteps(w: Update): Steps<ManagedFieldsEntry[] | undefined> {
  const managed = managedOfUpdate(w);
  const isTracked = managed.owners.size > 0 || !w.live?.metadata?.uid;
  if (!isTracked) return undefined;
  try {
    const live = w.live === null ? emptyObject(w.next) : withoutManagedFields(w.live);
    if (managed.owners.size === 0) return yield* firstEntry(w, live);
    yield* trackUpdate(w, planOfStruct(w.struct), live, withoutManagedFields(w.next), managed);
    yield;
    return encodeManaged(managed);
  } catch (e) {
    if (!(e instanceof TypedError)) throw e;
    // As upstream: a write isn't refused because its ownership can't be told.
    return w.live?.metadata?.managedFields;
  }
}

/** The object with these entries (or none) as its managedFields; the given one isn't changed. */
export function withManagedFields(object: KubeObject, entries: ManagedFieldsEntry[] | undefined): KubeObject {
  const { managedFields: _, ...rest } = object.metadata ?? {};
  const metadata: ObjectMeta = entries === undefined ? rest : { ...rest, managedFields: entries };
  return { ...object, metadata };
}

/** Where the entries to start from come from: the request may set them, but not through a subresource. */
function managedOfUpdate(w: Update): Managed {
  const liveEntries = w.live?.metadata?.managedFields;
  const asked = w.next.metadata?.managedFields;
  const isSubresource = w.subresource !== undefined && w.subresource !== '';
  if (!isSubresource && isReset(asked)) return noneManaged();
  const first = decodeManaged(isSubresource ? liveEntries : asked);
  if (typeof first !== 'string' && (isSubresource || first.owners.size > 0)) return first;
  if (isSubresource) return noneManaged();
  const fallback = decodeManaged(liveEntries);
  return typeof fallback === 'string' ? noneManaged() : fallback;
}

/** The quick way of a new object: one entry of all it has. */
function* firstEntry(w: Update, live: KubeObject): Steps<ManagedFieldsEntry[] | undefined> {
  const owners = yield* updateOwners(
    rulesOf(w),
    typedOf(w, planOfStruct(w.struct), live),
    typedOf(w, planOfStruct(w.struct), withoutManagedFields(w.next)),
    new Map(),
    CURRENT,
  );
  yield;
  const set = difference(owners.get(CURRENT)?.set ?? {}, STRIPPED);
  return isEmptySet(set) ? undefined : [entryOf(updaterInfo(w), ordered(set), w.time)];
}

/** Stands for the write itself until its fields are merged into its manager's, as upstream does to see whether anything changed. */
const CURRENT = 'current-operation';

/** Settles ownership of an update between two objects. Changes `managed`. */
export function* trackUpdate(
  w: Write,
  plan: Typed['plan'],
  live: KubeObject,
  next: KubeObject,
  managed: Managed,
): Steps<void> {
  const owners = yield* updateOwners(
    rulesOf(w),
    typedOf(w, plan, live),
    typedOf(w, plan, next),
    managed.owners,
    CURRENT,
  );
  yield;
  const current = owners.get(CURRENT);
  owners.delete(CURRENT);
  const set = current === undefined ? undefined : difference(current.set, STRIPPED);
  if (current !== undefined && set !== undefined && !isEmptySet(set)) {
    const id = managerId(updaterInfo(w));
    const previous = owners.get(id);
    owners.set(id, { ...current, set: previous === undefined ? set : union(set, previous.set) });
    managed.times.set(id, w.time);
  }
  managed.owners = owners;
  capUpdateManagers(managed);
}

function updaterInfo(w: Write) {
  return {
    manager: w.manager === '' ? UNKNOWN_MANAGER : w.manager,
    operation: 'Update',
    apiVersion: w.apiVersion,
    subresource: w.subresource ?? '',
  } as const;
}

/** Takes type and identity out of a manager's set. Changes `managed`. */
export function stripOwner(managed: Managed, id: string): void {
  const owned = managed.owners.get(id);
  if (owned === undefined) return;
  const set = difference(owned.set, STRIPPED);
  if (isEmptySet(set)) managed.owners.delete(id);
  else managed.owners.set(id, { ...owned, set });
}

/** A value with the plan of the write's version. */
export function typedOf(w: Write, plan: Typed['plan'], value: JsonObject): Typed {
  return { apiVersion: w.apiVersion, plan, value };
}

const filters = new WeakMap<object, FieldFilter>();

/** The conversion and the filter of a write. */
export function rulesOf(w: Write): Rules {
  const { resetFields } = w;
  let filter: FieldFilter | null = null;
  if (typeof resetFields === 'function') filter = resetFields;
  else if (resetFields !== undefined && resetFields.length > 0) {
    filter = filters.get(resetFields) ?? null;
    if (filter === null) {
      filter = excludeFields(resetFields);
      filters.set(resetFields, filter);
    }
  }
  return { convert: converterOf(w), filter };
}

/** Converts each object to each version once, however many managers ask. */
function converterOf(w: Write): Convert {
  const done = new Map<Json, Map<string, Typed | null>>();
  return (from, apiVersion) => {
    let versions = done.get(from.value);
    if (versions === undefined) {
      versions = new Map();
      done.set(from.value, versions);
    }
    const known = versions.get(apiVersion);
    if (known !== undefined) return known;
    const object = from.value as KubeObject;
    const to = apiVersion === w.apiVersion ? sameVersion(w, object) : w.convert?.(object, apiVersion);
    const made = to
      ? { apiVersion, plan: (from.plan.raw === true ? rawPlanOfStruct : planOfStruct)(to.struct), value: to.object }
      : null;
    versions.set(apiVersion, made);
    return made;
  };
}

/** Back to the version of the write. */
function sameVersion(w: Write, object: KubeObject) {
  if (object.apiVersion === w.apiVersion || w.convert === undefined) return { object, struct: w.struct };
  return w.convert(object, w.apiVersion);
}

/** What a new object starts from: its type and nothing else. */
export function emptyObject(of: KubeObject): KubeObject {
  return { apiVersion: of.apiVersion, kind: of.kind, metadata: {} };
}

/** The object without its managedFields, which are never part of what is tracked. */
export function withoutManagedFields(object: KubeObject): KubeObject {
  const metadata = object.metadata as ObjectMeta | undefined;
  if (metadata?.managedFields === undefined) return object;
  const { managedFields: _, ...rest } = metadata;
  return { ...object, metadata: rest };
}

/**
 * Reverts the times of managedFields when a write changed nothing else, so that a no-op doesn't make a new revision: upstream's
 * IgnoreManagedFieldsTimestampsTransformer, which runs after admission. Gives `next`, or `next` with the times of `live`.
 */
export function keepTimestamps(live: KubeObject, next: KubeObject): KubeObject {
  const before = live.metadata?.managedFields;
  const after = next.metadata?.managedFields;
  if (before === undefined || after === undefined || after.length === 0 || before.length !== after.length) return next;
  if (after.every((entry, i) => entry.time === before[i]?.time)) return next;
  const timeless = (e: ManagedFieldsEntry | undefined): Json => ({ ...e, time: undefined });
  if (!after.every((entry, i) => equalJson(timeless(entry), timeless(before[i])))) return next;
  if (!equalJson(withoutManagedFields(next), withoutManagedFields(live))) return next;
  return withManagedFields(next, before);
}
