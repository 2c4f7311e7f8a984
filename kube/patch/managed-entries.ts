import { printJson } from '../codec/json.ts';
import { goJson, quote } from '../meta/issues.ts';
import { isObject, type Json } from '../meta/json.ts';
import type { ManagedFieldsEntry } from '../meta/object.ts';
import { decodeFields, EMPTY_SET, type FieldSet, ordered, printFields, union } from './fieldset.ts';
import { printGo } from './go-print.ts';
import type { Owners } from './updater.ts';

/** Ownership as the object carries it, decoded: by manager identifier, with the times beside it. */
export interface Managed {
  owners: Owners;
  times: Map<string, string | undefined>;
  /** The sets as they were read, which are in order already. */
  asRead: Map<string, FieldSet>;
}

/** No ownership at all. */
export function noneManaged(): Managed {
  return { owners: new Map(), times: new Map(), asRead: new Map() };
}

/** Identifies a manager: its name and operation, the version (of updates only) and the subresource. */
export interface ManagerInfo {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource: string;
}

/** The identifier, the same JSON text that upstream makes: conflicts are listed in its order. */
export function managerId(info: ManagerInfo): string {
  const parts: string[] = [];
  if (info.manager !== '') parts.push(`"manager":${goJson(info.manager)}`);
  parts.push(`"operation":"${info.operation}"`);
  if (info.operation === 'Update') parts.push(`"apiVersion":${goJson(info.apiVersion)}`);
  if (info.subresource !== '') parts.push(`"subresource":${goJson(info.subresource)}`);
  return `{${parts.join(',')}}`;
}

/** The parts of an identifier; the apiVersion of an applier is empty. */
export function managerInfo(id: string): ManagerInfo {
  const info = JSON.parse(id) as Partial<ManagerInfo>;
  return {
    manager: info.manager ?? '',
    operation: info.operation ?? 'Update',
    apiVersion: info.apiVersion ?? '',
    subresource: info.subresource ?? '',
  };
}

const text = (v: Json | undefined) => (typeof v === 'string' ? v : '');

/** Decodes metadata.managedFields; a string is upstream's error text (DecodeManagedFields). */
export function decodeManaged(entries: readonly ManagedFieldsEntry[] | undefined): Managed | string {
  const managed = noneManaged();
  if (!Array.isArray(entries)) return managed;
  for (let i = 0; i < entries.length; i++) {
    const problem = decodeEntry(managed, entries[i] as ManagedFieldsEntry, i);
    if (problem !== null) return problem;
  }
  return managed;
}

function decodeEntry(managed: Managed, entry: ManagedFieldsEntry, i: number): string | null {
  const operation = entry.operation;
  if (operation !== 'Apply' && operation !== 'Update') return 'operation must be `Apply` or `Update`';
  const apiVersion = text(entry.apiVersion);
  if (apiVersion === '') return 'apiVersion must not be empty';
  const type = text(entry.fieldsType);
  if (type === '') return `missing fieldsType in managed fields entry ${i}`;
  if (type !== 'FieldsV1') return `invalid fieldsType ${quote(type)} in managed fields entry ${i}`;
  const info = { manager: text(entry.manager), operation, apiVersion, subresource: text(entry.subresource) } as const;
  const id = managerId(info);
  try {
    const set = entry.fieldsV1 === undefined ? EMPTY_SET : decodeFields(entry.fieldsV1);
    managed.owners.set(id, { set, apiVersion, applied: operation === 'Apply' });
    managed.asRead.set(id, set);
  } catch (e) {
    if (e instanceof SyntaxError) {
      return `error decoding versioned set from ${printGo(entry)}: error decoding set: ${e.message}`;
    }
    throw e;
  }
  managed.times.set(id, typeof entry.time === 'string' ? entry.time : undefined);
  return null;
}

/** Encodes ownership for metadata.managedFields in upstream's order; undefined when nobody owns anything. */
export function encodeManaged(managed: Managed): ManagedFieldsEntry[] | undefined {
  if (managed.owners.size === 0) return undefined;
  const entries: ManagedFieldsEntry[] = [];
  for (const [id, owned] of managed.owners) {
    const info = managerInfo(id);
    const set = owned.set === managed.asRead.get(id) ? owned.set : ordered(owned.set);
    entries.push(entryOf({ ...info, apiVersion: owned.apiVersion }, set, managed.times.get(id)));
  }
  return entries.length === 1 ? entries : entries.sort(compareEntries);
}

/** One entry, its members in the order of Go's struct; the set is in order. */
export function entryOf(info: ManagerInfo, set: FieldSet, time: string | undefined): ManagedFieldsEntry {
  const entry: ManagedFieldsEntry = {};
  if (info.manager !== '') entry.manager = info.manager;
  entry.operation = info.operation;
  entry.apiVersion = info.apiVersion;
  if (time !== undefined) entry.time = time;
  entry.fieldsType = 'FieldsV1';
  entry.fieldsV1 = set;
  if (info.subresource !== '') entry.subresource = info.subresource;
  return entry;
}

/** metadata.managedFields as JSON. */
export function printManaged(entries: readonly ManagedFieldsEntry[]): string {
  return `[${entries.map(printEntry).join(',')}]`;
}

function printEntry(entry: ManagedFieldsEntry): string {
  const { fieldsV1, subresource, ...head } = entry;
  if (!isObject(fieldsV1) || entry.operation === undefined) return printJson(entry);
  const tail = subresource === undefined ? '' : `,"subresource":${JSON.stringify(subresource)}`;
  return `${printJson(head).slice(0, -1)},"fieldsV1":${printFields(fieldsV1)}${tail}}`;
}

function compareEntries(a: ManagedFieldsEntry, b: ManagedFieldsEntry): number {
  return (
    compareText(a.operation, b.operation) ||
    secondsOf(a.time) - secondsOf(b.time) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

function compareText(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Unix seconds of an entry's time; 0 when it has none. */
export function secondsOf(time: string | undefined): number {
  if (time === undefined) return 0;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1000);
}

/** A write that sets managedFields to `[]` or to one empty entry takes all ownership away. */
export function isReset(entries: Json | undefined): boolean {
  if (!Array.isArray(entries)) return false;
  if (entries.length === 0) return true;
  const [only] = entries;
  return (
    entries.length === 1 &&
    isObject(only) &&
    Object.values(only).every((v) => v === undefined || v === null || v === '')
  );
}

/** Updates that may be told apart; of more, the oldest are merged. Upstream's DefaultMaxUpdateManagers. */
const UPDATE_MANAGERS_MAX = 10;
const OLD_UPDATES = 'ancient-changes';

/** Merges the oldest entries of updates into one per version until no more than the maximum are left. Changes `managed`. */
export function capUpdateManagers(managed: Managed): void {
  const { owners, times } = managed;
  const updaters = [...owners].filter(([, owned]) => !owned.applied).map(([id]) => id);
  if (updaters.length <= UPDATE_MANAGERS_MAX) return;
  updaters.sort((a, b) => secondsOf(times.get(a)) - secondsOf(times.get(b)) || compareText(a, b));
  const firstOfVersion = new Map<string, string>();
  let left = updaters.length;
  for (const id of updaters) {
    if (left <= UPDATE_MANAGERS_MAX) return;
    const owned = owners.get(id);
    if (owned === undefined) continue;
    const { apiVersion } = owned;
    const first = firstOfVersion.get(apiVersion);
    if (first === undefined) {
      firstOfVersion.set(apiVersion, id);
      continue;
    }
    mergeInto(
      managed,
      managerId({ manager: OLD_UPDATES, operation: 'Update', apiVersion, subresource: '' }),
      first,
      id,
    );
    left--;
  }
}

function mergeInto({ owners, times }: Managed, bucket: string, first: string, id: string): void {
  const owned = owners.get(id);
  if (owned === undefined) return;
  const base = owners.get(bucket) ?? owners.get(first);
  if (!owners.has(bucket)) owners.delete(first);
  owners.set(bucket, { ...owned, set: base === undefined ? owned.set : union(owned.set, base.set) });
  owners.delete(id);
  times.set(bucket, times.get(id));
}
