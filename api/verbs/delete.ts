import type { DeleteStrategy } from '../../kube/kinds/kind.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { groupResource, type KubeObject, type ObjectMeta } from '../../kube/meta/object.ts';
import { conflict, failure, notFound, type StatusError } from '../../kube/meta/status.ts';
import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import { buried, FOREGROUND, garbage, ORPHAN } from '../../kube/store/garbage.ts';
import { keyOf, rangeOf } from '../../kube/store/key.ts';
import { placement } from '../../kube/store/placement.ts';
import type { Entry, Op } from '../../kube/store/store.ts';
import { admissionContext, admit, attributes, mutate } from '../admit.ts';
import { answerObject, answerRow } from '../answer.ts';
import { type Call, commit, read, storeOf } from '../call.ts';
import { decodeDeleteOptions } from '../decode-options.ts';
import { fromKnown } from '../known.ts';
import type { Resource } from '../parts.ts';
import { put } from '../put.ts';
import type { DeleteOptions } from '../query.ts';
import { copy, readObject, storedText, toStored } from '../row.ts';
import { contextOf, isDryRun } from '../write.ts';

// apiserver pkg/registry/generic/registry/store.go Delete and pkg/registry/rest/delete.go BeforeDelete.

/** How often a deletion is decided anew after a lost race. */
const RACES_MAX = 64;

/** DELETE of one object. */
export async function remove(call: Call, resource: Resource): Promise<Response> {
  const options = await decodeDeleteOptions(call);
  const done = await removeObject(call, resource, call.info.namespace, call.info.name, options);
  const code = !done.gone && options.orphanDependents === false ? 202 : 200;
  if ('status' in done) return answerObject(call, resource, code, done.status);
  return 'row' in done ? answerRow(call, resource, code, done.row) : answerObject(call, resource, code, done.object);
}

/** What a deletion left: the object as it now is, or as it was; a Status for kinds that don't send it. `gone` = deleted now; `committed` = written now. */
export type Removed = { gone: boolean; committed?: boolean } & (
  | { row: Entry }
  | { object: KubeObject }
  | { status: KubeObject }
);

/** Deletes or begins to delete, by the kind's rules; 404 when there is no such object. */
export async function removeObject(
  call: Call,
  resource: Resource,
  namespace: string,
  name: string,
  options: DeleteOptions,
  known?: Entry,
): Promise<Removed> {
  const within = resource.kind.scope === 'Namespaced' ? namespace : '';
  let row = known;
  if (!row && !isDryRun(options)) {
    const key = keyOf(resource.stored.group, resource.kind.plural, within, name);
    const begun = await fromKnown(call, key, async (seen) => {
      const done = await removeRow(call, resource, seen, options);
      return 'found' in done || done.committed ? done : undefined;
    });
    if (begun && !('found' in begun)) return begun;
    if (begun && !begun.found) throw notFound(resource.name, name);
    row = begun?.found;
  }
  if (!row) {
    const range = rangeOf(resource.stored.group, resource.kind.plural, within, name);
    row = (await read(call, storeOf(call, resource, within), range, { limit: 1 })).entries[0];
  }
  for (let i = 0; i < RACES_MAX && row; i++) {
    const done: Removed | { found: Entry | undefined } = await removeRow(call, resource, row, options);
    if (!('found' in done)) return done;
    row = done.found;
  }
  if (!row) throw notFound(resource.name, name);
  throw conflict(resource.name, name, 'the object changes faster than it can be deleted');
}

async function removeRow(
  call: Call,
  resource: Resource,
  row: Entry,
  options: DeleteOptions,
): Promise<Removed | { found: Entry | undefined }> {
  const parsed = readObject(call, resource, row);
  const prev = parsed instanceof Promise ? await parsed : parsed;
  checkPreconditions(resource, prev, options);
  const dryRun = isDryRun(options);
  await admitDelete(call, resource, prev, options, dryRun);
  // A deletion changes an object's metadata; of the rest only what the kind's own rule does.
  const next = resource.kind.deletion?.begin
    ? (copy(prev as JsonObject) as KubeObject)
    : { ...prev, metadata: copy(prev.metadata as JsonObject) as ObjectMeta };
  const c = contextOf(call, resource, 'delete', dryRun);
  const step = plan(resource, next, options, c.now);
  if (step === 'pending') return finished(resource, prev, row, false);
  if (step === 'kept') return { gone: false, row };
  if (step === 'now' || step === 'marked')
    return removeNow(call, resource, row, step === 'marked' ? next : prev, dryRun);
  resource.kind.deletion?.begin?.(next, c);
  if (dryRun) return { gone: false, object: next };
  const done = await put(call, resource, next, prev, row, waitingOf(resource, next, row));
  return 'row' in done ? { gone: false, committed: true, row: done.row } : done;
}

/**
 * The row goes. One that was to be deleted with grace is marked in the same commit, as upstream does in two writes: watchers see its
 * last state with the deletion's time.
 */
async function removeNow(
  call: Call,
  resource: Resource,
  row: Entry,
  last: KubeObject,
  dryRun: boolean,
): Promise<Removed | { found: Entry | undefined }> {
  const text = isMarkedNow(row, last) ? storedText(toStored(resource, last)) : row.value;
  const value = { ...row, value: text };
  if (dryRun) return finished(resource, last, value, true);
  const end: Op = { key: row.key, expect: text === row.value ? row.revision : undefined, value: null };
  const mark: Op = {
    key: row.key,
    expect: row.revision,
    value: { text, version: resource.storedVersion, schema: resource.hash },
    facts: { ...row.facts, terminating: true },
  };
  const ops = text === row.value ? [end] : [mark, end];
  const also = buriedOf(resource, row);
  const done = await commit(call, storeOf(call, resource, last.metadata.namespace ?? ''), [...ops, ...also]);
  call.cluster.rows?.drop(row.key);
  // The object that is sent carries the revision of its deletion, as a watch shows it.
  if (done.ok) {
    const revision = done.revisions[ops.length - 1] ?? done.revision;
    return { ...finished(resource, last, { ...value, revision }, true), committed: true };
  }
  if (done.lost === 'race') return { found: done.found[0] ?? undefined };
  throw failure('InternalError', `Internal error occurred: the commit was lost: ${done.lost}`);
}
/** What the commit that deletes a row tells the garbage collector. Events and Leases own nothing. */
export const buriedOf = (resource: Resource, row: Entry): Op[] =>
  placement(resource.key, '') === 'main' ? [buried(row)] : [];

/** What the commit that begins a deletion tells the garbage collector: the object waits for its dependents. */
const waitingOf = (resource: Resource, next: KubeObject, row: Entry): Op[] =>
  placement(resource.key, '') === 'main' && next.metadata.finalizers?.some((f) => f === ORPHAN || f === FOREGROUND)
    ? [garbage(row.key, row.facts.uid, row.version)]
    : [];

const isMarkedNow = (row: Entry, last: KubeObject): boolean =>
  last.metadata.deletionTimestamp !== undefined && !row.facts.terminating
    ? true
    : last.metadata.deletionGracePeriodSeconds === 0 && row.facts.terminating === true;

function checkPreconditions(resource: Resource, prev: KubeObject, o: DeleteOptions): void {
  const p = o.preconditions;
  if (!p) return;
  const { name = '', uid = '', resourceVersion = '' } = prev.metadata;
  if (p.uid !== undefined && p.uid !== uid) {
    throw mismatch(
      resource,
      name,
      `the UID in the precondition (${p.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  }
  if (p.resourceVersion !== undefined && p.resourceVersion !== resourceVersion) {
    throw mismatch(
      resource,
      name,
      `the ResourceVersion in the precondition (${p.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    );
  }
}
/** Upstream names the kind here where it names the resource elsewhere. */
const mismatch = (r: Resource, name: string, why: string): StatusError =>
  conflict({ group: r.ref.group, resource: r.ref.kind }, name, why);

async function admitDelete(
  call: Call,
  resource: Resource,
  prev: KubeObject,
  options: DeleteOptions,
  dryRun: boolean,
): Promise<void> {
  if (call.parts.admission.length === 0) return;
  const context = admissionContext(call);
  const a = attributes(call, resource.kind, 'DELETE', {
    name: prev.metadata.name ?? '',
    object: null,
    oldObject: prev,
    options: options as JsonObject,
    dryRun,
  });
  await mutate(call, a, context);
  await admit(call, a, context);
}

/**
 * `now`: delete the row. `marked`: delete it, its last state is `next`. `update`: `next` says how it waits for its end.
 * `pending`: it waits already for its grace, `kept`: for its finalizers.
 */
function plan(
  resource: Resource,
  next: KubeObject,
  options: DeleteOptions,
  now: number,
): 'now' | 'marked' | 'update' | 'pending' | 'kept' {
  const strategy = resource.kind.deletion;
  const meta = next.metadata;
  if (strategy?.held) {
    // A namespace turns Terminating first, and stays as long as its own finalizers hold it.
    if (meta.deletionTimestamp === undefined) {
      meta.deletionTimestamp = formatTime(now);
      collectorFinalizers(meta, strategy, options, true);
      return 'update';
    }
    if (strategy.held(next)) return 'pending';
  }
  const graceful = begin(next, strategy, options, now);
  if (graceful === 'pending') return 'pending';
  // An Event is never waited for: upstream's garbage collection policy Unsupported.
  const changed = resource.kind.ttl === undefined && collectorFinalizers(meta, strategy, options, false);
  const pending = (meta.finalizers?.length ?? 0) > 0;
  if (graceful === 'yes') return pending || (meta.deletionGracePeriodSeconds ?? 0) > 0 ? 'update' : 'marked';
  if (!pending) return 'now';
  const before = meta.deletionTimestamp;
  const wasMarked = before !== undefined && timeToMillis(before) <= now && meta.deletionGracePeriodSeconds === 0;
  mark(meta, now);
  return wasMarked && !changed ? 'kept' : 'update';
}

/** BeforeDelete's graceful part; changes the object's timestamps. */
function begin(
  next: KubeObject,
  strategy: DeleteStrategy | undefined,
  options: DeleteOptions,
  now: number,
): 'yes' | 'no' | 'pending' {
  const meta = next.metadata;
  if (options.gracePeriodSeconds !== undefined && options.gracePeriodSeconds < 0) options.gracePeriodSeconds = 1;
  if ((meta.deletionGracePeriodSeconds ?? 0) < 0) meta.deletionGracePeriodSeconds = 1;
  if (!strategy?.grace) return 'no';
  if (meta.deletionTimestamp !== undefined) return shorten(meta, options.gracePeriodSeconds, now);
  const grace = strategy.grace(next, options.gracePeriodSeconds);
  meta.deletionTimestamp = formatTime(now + grace * 1000);
  meta.deletionGracePeriodSeconds = grace;
  if ((meta.generation ?? 0) > 0) meta.generation = (meta.generation ?? 0) + 1;
  return 'yes';
}

/** An object that is being deleted may only be given less time. */
function shorten(meta: ObjectMeta, asked: number | undefined, now: number): 'yes' | 'no' | 'pending' {
  const had = meta.deletionGracePeriodSeconds ?? 0;
  if (had === 0) return 'no';
  if (asked === undefined || asked >= had) return 'pending';
  let period = asked;
  let at = timeToMillis(meta.deletionTimestamp) + (asked - had) * 1000;
  if (at < now) {
    at = now;
    // Its time is over already: a second remains for whoever carries the deletion out.
    if (period !== 0) period = 1;
  }
  meta.deletionTimestamp = formatTime(at);
  meta.deletionGracePeriodSeconds = period;
  return 'yes';
}

function mark(meta: ObjectMeta, now: number): void {
  if (meta.deletionTimestamp === undefined && (meta.generation ?? 0) > 0) meta.generation = (meta.generation ?? 0) + 1;
  if (meta.deletionTimestamp === undefined || timeToMillis(meta.deletionTimestamp) > now) {
    meta.deletionTimestamp = formatTime(now);
  }
  meta.deletionGracePeriodSeconds = 0;
}

/** Puts the garbage collector's two finalizers as the options say; true when the list changed. */
function collectorFinalizers(
  meta: ObjectMeta,
  strategy: DeleteStrategy | undefined,
  o: DeleteOptions,
  namespace: boolean,
): boolean {
  const had = meta.finalizers ?? [];
  const orphan = wants(o, had, ORPHAN, strategy);
  const foreground =
    namespace && o.orphanDependents !== undefined ? !o.orphanDependents : wants(o, had, FOREGROUND, strategy);
  const next = had.filter((f) => f !== ORPHAN && f !== FOREGROUND);
  if (orphan) next.push(ORPHAN);
  if (foreground) next.push(FOREGROUND);
  if (next.length === had.length && next.every((f) => had.includes(f))) return false;
  if (next.length > 0) meta.finalizers = next;
  else delete meta.finalizers;
  return true;
}
function wants(
  o: DeleteOptions,
  had: readonly string[],
  finalizer: string,
  strategy: DeleteStrategy | undefined,
): boolean {
  const isOrphan = finalizer === ORPHAN;
  if (o.orphanDependents !== undefined) return isOrphan && o.orphanDependents;
  if (o.propagationPolicy !== undefined) return o.propagationPolicy === (isOrphan ? 'Orphan' : 'Foreground');
  for (const f of had) if (f === ORPHAN || f === FOREGROUND) return f === finalizer;
  return isOrphan && strategy?.propagation === 'Orphan';
}

/** Kinds whose DELETE answers with the object: upstream's ReturnDeletedObject. */
const RETURNED: ReadonlySet<string> = new Set([
  'namespaces',
  'persistentvolumes',
  'persistentvolumeclaims',
  'pods',
  'podtemplates',
  'resourcequotas',
  'services',
  'serviceaccounts',
  'deviceclasses.resource.k8s.io',
  'resourceclaims.resource.k8s.io',
  'resourceclaimtemplates.resource.k8s.io',
  'resourceslices.resource.k8s.io',
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'storageclasses.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'volumeattributesclasses.storage.k8s.io',
]);

function finished(resource: Resource, prev: KubeObject, row: Entry, gone: boolean): Removed {
  if (
    RETURNED.has(groupResource(resource.stored.group, resource.kind.plural)) ||
    (!gone && resource.kind.deletion?.held)
  ) {
    return { gone, row };
  }
  const { name, uid } = prev.metadata;
  const { group, resource: kind } = resource.name;
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(group === '' ? {} : { group }), kind, uid },
  };
  return { gone, status: status as JsonObject as KubeObject };
}
