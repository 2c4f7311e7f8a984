import { parseJson, printJson } from '../kube/codec/json.ts';
import { parseSteps } from '../kube/codec/json-pieces.ts';
import { transcodeObject } from '../kube/codec/protobuf.ts';
import { rowFacts } from '../kube/kinds/rowfacts.ts';
import type { Facts } from '../kube/meta/facts.ts';
import { isObject, type Json, type JsonObject } from '../kube/meta/json.ts';
import { apiVersionOf, type KubeObject } from '../kube/meta/object.ts';
import { finish, type Steps } from '../kube/meta/steps.ts';
import { printManaged } from '../kube/patch/managed-entries.ts';
import { spliceItem, spliceObject } from '../kube/store/splice.ts';
import type { Entry, Revision, Value } from '../kube/store/store.ts';
import { type Call, inStages, weigh } from './call.ts';
import type { Resource } from './parts.ts';

// Between objects and rows. An object in hand carries apiVersion, kind and resourceVersion; a row's text none of them (store.ts Value.text).

/** The text of an object as it's stored: metadata first, without apiVersion, kind and resourceVersion. */
export const storedText = (object: KubeObject): string => finish(textSteps(object));
function* textSteps(object: KubeObject): Steps<string> {
  const { apiVersion: _a, kind: _k, metadata, ...rest } = object;
  // Metadata is never empty: an object without a name isn't stored.
  const { managedFields, ...meta } = ordered(metadata);
  delete meta.resourceVersion;
  delete meta.selfLink;
  const owned = managedFields === undefined ? '' : `,"managedFields":${printManaged(managedFields)}`;
  yield;
  const text = printJson(rest);
  yield;
  return `{"metadata":${printJson(meta).slice(0, -1)}${owned}}${text === '{}' ? '' : ','}${text.slice(1)}`;
}

/** Members of ObjectMeta in the order of the Go struct, as kube-apiserver sends them. */
const META_ORDER = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
] as const;
function ordered(metadata: KubeObject['metadata']): KubeObject['metadata'] {
  const out: KubeObject['metadata'] = {};
  for (const name of META_ORDER) {
    const v = metadata[name];
    if (v !== undefined) out[name] = v as never;
  }
  for (const name in metadata) if (!(name in out)) out[name] = metadata[name];
  return out;
}
/** The object with its metadata in Go's order, for texts that quote it. */
export function inGoOrder(object: JsonObject): JsonObject {
  return isObject(object.metadata) ? { ...object, metadata: ordered(object.metadata) } : object;
}

/** What is written of an object, which is in its storage version. */
export const storedValue = (resource: Resource, object: KubeObject): Value => finish(valueSteps(resource, object));
/** storedValue() in steps. */
export function* valueSteps(resource: Resource, object: KubeObject): Steps<Value> {
  return { text: yield* textSteps(object), version: resource.storedVersion, schema: resource.hash };
}

/** What the store shall know of the object. */
export const factsOf = (resource: Resource, object: KubeObject): Facts => rowFacts(resource.kind, object);

/** The object of a row in the version asked for, with apiVersion, kind and resourceVersion. */
export const objectOf = (resource: Resource, row: Row): KubeObject => withBody(resource, row, parseJson(row.value));
type Row = Pick<Entry, 'value' | 'revision' | 'version'>;
/** objectOf() for a request; of a heavy one in steps, with everybody else's turn before and between. */
export function readObject(call: Call, resource: Resource, row: Row): KubeObject | Promise<KubeObject> {
  weigh(call, row.value.length);
  return call.kept.heavy ? inStages(call, objectSteps(resource, row)) : objectOf(resource, row);
}
function* objectSteps(resource: Resource, row: Row): Steps<KubeObject> {
  yield;
  const body = yield* parseSteps(row.value);
  yield;
  return withBody(resource, row, body);
}
function withBody(resource: Resource, row: Row, body: Json): KubeObject {
  if (!isObject(body) || !isObject(body.metadata)) throw new Error(`row of ${resource.key} is not an object`);
  const { kind, ref } = resource;
  if (row.version === resource.apiVersion || !kind.convert) {
    return withHead(resource.apiVersion, ref.kind, body as Body, row.revision);
  }
  const from = kind.served.find((s) => apiVersionOf(s) === row.version) ?? resource.stored;
  return named(resource, kind.convert(withHead(row.version, from.kind, body as Body, row.revision), ref));
}
type Body = JsonObject & { metadata: JsonObject };
function withHead(apiVersion: string, kind: string, body: Body, revision: Revision): KubeObject {
  const { metadata, ...rest } = body;
  return { kind, apiVersion, metadata: { ...metadata, resourceVersion: String(revision) }, ...rest } as KubeObject;
}
function named(resource: Resource, object: KubeObject): KubeObject {
  return { ...object, kind: resource.ref.kind, apiVersion: resource.apiVersion };
}

/** An object of the version asked for in its storage version. */
export function toStored(resource: Resource, object: KubeObject): KubeObject {
  const { kind, ref, stored } = resource;
  return ref === stored || !kind.convert ? object : kind.convert(object, stored);
}

/** The JSON of a current row with apiVersion, kind and resourceVersion, without its object. */
export const spliced = (r: Resource, row: Pick<Entry, 'value' | 'revision'>): string =>
  spliceObject(row.value, r.ref.kind, r.apiVersion, row.revision);
/** The same in protobuf, enveloped. */
export const transcoded = (r: Resource, row: Pick<Entry, 'value' | 'revision'>): Uint8Array =>
  transcodeObject(r.struct, spliceItem(row.value, row.revision), r.apiVersion, r.ref.kind);

/** True when a row can be sent by splicing alone: current, plain, of the version asked for. */
export function isCurrent(resource: Resource, e: { version: string; schema: string; enc?: string }): boolean {
  return e.version === resource.apiVersion && e.schema === resource.hash && e.enc === undefined;
}

/** A deep copy of a JSON value; far cheaper than structuredClone. */
export function copy<T extends Json | undefined>(v: T): T {
  if (typeof v !== 'object' || v === null) return v;
  if (Array.isArray(v)) return v.map((x) => copy(x)) as T;
  const out: JsonObject = {};
  for (const k in v) out[k] = copy((v as JsonObject)[k]);
  return out as T;
}
