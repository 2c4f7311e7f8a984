import type { Context, Kind } from '../kube/kinds/kind.ts';
import { equalJson, type Json, type JsonObject } from '../kube/meta/json.ts';
import { SUFFIX_ALPHABET } from '../kube/meta/names.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../kube/meta/object.ts';
import { alreadyExists, badRequest, failure, type Issue, invalid, type StatusError } from '../kube/meta/status.ts';
import { formatTime } from '../kube/meta/time.ts';
import { emptyObject } from '../kube/schema/prune.ts';
import { mergeIssues, validate } from '../kube/schema/validate.ts';
import { type Call, warn } from './call.ts';
import type { Resource } from './parts.ts';
import { copy } from './row.ts';

// The parts that create, update, patch and delete share: rest.BeforeCreate, rest.BeforeUpdate and what the handlers do around them.

/** What behaviour may know of this request. */
export function contextOf(call: Call, resource: Resource, operation: Context['operation'], dryRun: boolean): Context {
  const { env } = call.cluster;
  return {
    now: env.now(),
    operation,
    subresource: call.info.subresource,
    version: resource.ref.version,
    user: { name: call.user.name, groups: [...call.user.groups] },
    dryRun,
    random: env.random,
    uuid: env.uuid,
  };
}

/** Drops what only the server may set. */
export function wipeSystemFields(meta: ObjectMeta): void {
  delete meta.creationTimestamp;
  delete meta.uid;
  delete meta.deletionTimestamp;
  delete meta.deletionGracePeriodSeconds;
  delete meta.selfLink;
}

/** The object's namespace is the request's, or nothing for cluster-scoped kinds; a different one is a 400. */
export function ensureNamespace(meta: ObjectMeta, kind: Kind, namespace: string): void {
  const want = kind.scope === 'Namespaced' ? namespace : '';
  const has = meta.namespace ?? '';
  if (has === want) {
    if (want === '') delete meta.namespace;
    return;
  }
  if (has === '') meta.namespace = want;
  else if (want === '') delete meta.namespace;
  else throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

/** The body of a write to a name has none. */
export const nameless = (name: string): StatusError =>
  badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);

/** The names in the URL and in the body must agree: apiserver's checkName. */
export function checkName(meta: ObjectMeta, name: string, namespace: string): void {
  const has = meta.name ?? '';
  if (has === '') throw nameless(name);
  if (has !== name) {
    throw badRequest(`the name of the object (${has}) does not match the name on the URL (${name})`);
  }
  if (namespace !== '' && meta.namespace && meta.namespace !== namespace) {
    throw badRequest(
      `the namespace of the object (${meta.namespace}) does not match the namespace on the request (${namespace})`,
    );
  }
}

/** Removes owner references that occur twice, with the warning that upstream gives for each stage. */
export function dedupOwners(call: Call, meta: ObjectMeta, afterAdmission: boolean): void {
  const refs = meta.ownerReferences;
  if (!refs || refs.length < 2) return;
  const kept: OwnerReference[] = [];
  const twice: string[] = [];
  for (const r of refs) {
    if (kept.some((k) => k.uid === r.uid && equalJson(k, r))) twice.push(r.uid);
    else kept.push(r);
  }
  if (twice.length === 0) return;
  meta.ownerReferences = kept;
  warn(
    call,
    afterAdmission
      ? `.metadata.ownerReferences contains duplicate entries after mutating admission happens; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${twice.join(', ')}`
      : `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${twice.join(', ')}`,
  );
}

/** apiserver pkg/storage/names: the base is cut so that the name fits a DNS label. */
const NAME_MAX = 63;
const SUFFIX_LENGTH = 5;
/** generateName and five random characters. */
export function generatedName(base: string, random: () => number): string {
  let name = base.slice(0, NAME_MAX - SUFFIX_LENGTH);
  for (let i = 0; i < SUFFIX_LENGTH; i++) name += SUFFIX_ALPHABET[Math.floor(random() * SUFFIX_ALPHABET.length)] ?? 'x';
  return name;
}

/** Defaults that depend on other fields, in place; the unconditional ones came with decoding. */
export function applyKindDefaults(
  call: Call,
  resource: Resource,
  next: KubeObject,
  prev: KubeObject | null,
  dryRun: boolean,
): void {
  resource.kind.default?.(next, prev, contextOf(call, resource, prev ? 'update' : 'create', dryRun));
}

/** rest.BeforeCreate: in place; throws the 422. The name, uid and time have been filled in by fillSystemFields. */
export function beforeCreate(call: Call, resource: Resource, object: KubeObject, c: Context): void {
  const { kind } = resource;
  ensureNamespace(object.metadata, kind, call.info.namespace);
  kind.prepare?.(object, null, c);
  fillAlways(resource, object);
  const issues = mergeIssues(kind.validate?.(object, null, c) ?? [], validate(resource.struct, object, null));
  if (issues.length > 0) throw invalidObject(resource, object, issues);
  const warnings = kind.warn?.(object, null);
  if (warnings) for (const w of warnings) warn(call, w);
}

const always = new WeakMap<Resource, [string, Json][]>();
/** Members that Go always writes (status, spec) come back where a strategy took them away; in place. */
function fillAlways(resource: Resource, object: KubeObject): void {
  let fields = always.get(resource);
  if (!fields) {
    const empty = resource.custom ? {} : emptyObject(resource.struct);
    fields = Object.entries(empty).flatMap(([k, v]): [string, Json][] =>
      v === undefined || k === 'metadata' ? [] : [[k, v]],
    );
    always.set(resource, fields);
  }
  for (const [name, value] of fields) if (object[name] === undefined) object[name] = copy(value);
}

/** uid, creationTimestamp and, where only a base is given, the name. */
export function fillSystemFields(call: Call, meta: ObjectMeta): void {
  const { env } = call.cluster;
  meta.creationTimestamp = formatTime(env.now());
  meta.uid = env.uuid();
  if (meta.generateName && !meta.name) meta.name = generatedName(meta.generateName, env.random);
}

/** rest.BeforeUpdate with a subresource's own prepare and validate where it has them; in place; throws the 422. */
export function beforeUpdate(call: Call, resource: Resource, next: KubeObject, prev: KubeObject, c: Context): void {
  const { kind } = resource;
  const meta = next.metadata;
  ensureNamespace(meta, kind, call.info.namespace);
  if (prev.metadata.generation === undefined) delete meta.generation;
  else meta.generation = prev.metadata.generation;
  const view = c.subresource === '' ? undefined : kind.subresources?.[c.subresource];
  if (view?.is === 'view' && view.prepare) view.prepare(next, prev, c);
  // A view of another kind (Scale) has written what it may; the rest is the main resource's strategy.
  else if (view?.is === 'view' && !view.as) onlyStatus(next, prev);
  else kind.prepare?.(next, prev, c);
  keepSystemFields(meta, prev.metadata);
  fillAlways(resource, next);
  const own = view?.is === 'view' && view.validate ? view.validate(next, prev, c) : kind.validate?.(next, prev, c);
  const issues = mergeIssues(own ?? [], validate(resource.struct, next, prev));
  if (issues.length > 0) throw invalidObject(resource, next, issues);
  const warnings = kind.warn?.(next, prev);
  if (warnings) for (const w of warnings) warn(call, w);
}
function keepSystemFields(meta: ObjectMeta, prev: ObjectMeta): void {
  if (!meta.uid && prev.uid !== undefined) meta.uid = prev.uid;
  if (prev.creationTimestamp) meta.creationTimestamp = prev.creationTimestamp;
  if (prev.deletionTimestamp) meta.deletionTimestamp = prev.deletionTimestamp;
  if (prev.deletionGracePeriodSeconds !== undefined && meta.deletionGracePeriodSeconds === undefined) {
    meta.deletionGracePeriodSeconds = prev.deletionGracePeriodSeconds;
  }
}
/** A view without a rule of its own changes status, and metadata. */
function onlyStatus(next: KubeObject, prev: KubeObject): void {
  for (const m in next) if (m !== 'metadata' && m !== 'status' && !(m in prev)) delete next[m];
  for (const m in prev) if (m !== 'metadata' && m !== 'status') next[m] = prev[m];
}

/** 422 of an object. */
export function invalidObject(resource: Resource, object: KubeObject, found: Issue[]): StatusError {
  // Metadata is judged more than once on an update; each finding is told once.
  const issues = found.filter(
    (x, i) => found.findIndex((y) => y.type === x.type && y.field === x.field && y.message === x.message) === i,
  );
  // Upstream names the kind as it's stored.
  return invalid({ group: resource.stored.group, kind: resource.stored.kind }, object.metadata.name ?? '', issues);
}

/** What a create answers when the name is taken: the found row decides the words. */
export function nameTaken(resource: Resource, object: KubeObject, terminating: boolean): StatusError {
  const name = object.metadata.name ?? '';
  const error = object.metadata.generateName
    ? failure(
        'AlreadyExists',
        `${print(resource)} ${JSON.stringify(name)} already exists, the server was not able to generate a unique name for the object`,
        {
          name,
          ...(resource.name.group === '' ? {} : { group: resource.name.group }),
          kind: resource.name.resource,
          retryAfterSeconds: 1,
        },
      )
    : alreadyExists(resource.name, name);
  if (terminating) error.status.message = `object is being deleted: ${error.status.message ?? ''}`;
  return error;
}
const print = (r: Resource) => (r.name.group === '' ? r.name.resource : `${r.name.resource}.${r.name.group}`);

export const isDryRun = (o: { dryRun?: string[] | undefined }): boolean =>
  o.dryRun !== undefined && o.dryRun.length > 0;
export type Options = JsonObject;
