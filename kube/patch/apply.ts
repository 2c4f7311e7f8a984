import { goJson, quote } from '../meta/issues.ts';
import { isObject, type Json, type JsonObject } from '../meta/json.ts';
import { type KubeObject, type ObjectMeta, parseApiVersion } from '../meta/object.ts';
import { badRequest, failure, type StatusCause, type StatusError } from '../meta/status.ts';
import { finish, type Steps } from '../meta/steps.ts';
import { difference, type FieldSet, hasPath, isEmptySet } from './fieldset.ts';
import {
  emptyObject,
  rulesOf,
  stripOwner,
  trackUpdate,
  typedOf,
  type Write,
  withManagedFields,
  withoutManagedFields,
} from './managed.ts';
import { decodeManaged, encodeManaged, type Managed, managerId, managerInfo } from './managed-entries.ts';
import { printPath } from './path-element.ts';
import { type Plan, planOfStruct, rawPlanOfStruct } from './plan.ts';
import { typedProblem } from './typed-validate.ts';
import { goView, TypedError } from './typed-view.ts';
import { applyTo, type Conflict, ConflictError, conflictSet, type Owners, unchangedFields } from './updater.ts';

export interface Apply extends Write {
  kind: string;
  /** What is stored; null when the apply creates. */
  live: KubeObject | null;
  /** The applied configuration, as decoded; not changed. */
  applied: JsonObject;
  force: boolean;
}

/** An apply's outcome: an object to default, admit and store, or the conflicts that stop it (then `object` is null). */
export interface ApplyResult {
  object: KubeObject | null;
  conflicts: Conflict[];
}

/** kubectl's annotation of client-side apply. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Only this manager takes over from client-side apply. */
const KUBECTL = 'kubectl';
/** Owns what an object had before anybody applied it. */
const BEFORE_FIRST_APPLY = 'before-first-apply';
/** Bytes of all annotations together: apimachinery api/validation TotalAnnotationSizeLimitB. */
const ANNOTATIONS_MAX = 256 * 1024;

/**
 * Server-side apply: merges a configuration into the live object, removes what the manager applied before and no longer does, and
 * settles ownership. Throws a StatusError (400, 500) for a configuration that can't be applied; conflicts are a value.
 */
export function applyPatch(w: Apply): ApplyResult {
  return finish(applySteps(w));
}

/** applyPatch() in steps: of an object with 10,000 fields each takes some milliseconds. */
export function* applySteps(w: Apply): Steps<ApplyResult> {
  const applied = w.applied as KubeObject;
  const managed = decodeManaged(w.live?.metadata?.managedFields);
  if (typeof managed === 'string') throw failure('', `failed to decode managed fields: ${managed}`);
  checkType(w);
  yield;
  try {
    const base = yield* baseOf(w, managed);
    yield;
    let done = yield* applyOnce(w, base, w.force);
    if (Array.isArray(done) && w.manager === KUBECTL) done = yield* upgradeFromLastApplied(w, base, done);
    yield;
    if (Array.isArray(done)) return { object: null, conflicts: done };
    const synced = w.manager === KUBECTL ? syncLastApplied(done.object, applied) : done.object;
    return { object: withManagedFields(synced, encodeManaged(done.managed)), conflicts: [] };
  } catch (e) {
    if (e instanceof TypedError) throw failure('', e.message);
    throw e;
  }
}

/** 409 of an apply: apierrors.NewApplyConflict with one cause for each conflict. */
export function applyConflict(conflicts: readonly Conflict[]): StatusError {
  const causes = conflicts.map(
    (c): StatusCause => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${printManager(c.manager)}`,
      field: printPath(c.path),
    }),
  );
  return failure('Conflict', conflictMessage(conflicts), { causes });
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [only] = conflicts;
  if (conflicts.length === 1 && only !== undefined) {
    return `Apply failed with 1 conflict: conflict with ${printManager(only.manager)}: ${printPath(only.path)}`;
  }
  const lines: string[] = [];
  for (const manager of [...new Set(conflicts.map((c) => c.manager))].sort()) {
    lines.push(`conflicts with ${printManager(manager)}:`);
    for (const c of conflicts) if (c.manager === manager) lines.push(`- ${printPath(c.path)}`);
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}

function printManager(id: string): string {
  const info = managerInfo(id);
  const name = quote(info.manager) + (info.subresource === '' ? '' : ` with subresource ${quote(info.subresource)}`);
  return info.operation === 'Update' ? `${name} using ${info.apiVersion}` : name;
}

/** Go's GroupVersionKind.String. */
function printKind(apiVersion: string, kind: string): string {
  const gv = parseApiVersion(apiVersion) ?? { group: '', version: '' };
  return `${gv.group}/${gv.version}, Kind=${kind}`;
}

function checkType(w: Apply): void {
  const text = (v: Json | undefined) => (typeof v === 'string' ? v : '');
  const { apiVersion, kind, metadata } = w.applied;
  if (text(apiVersion) !== w.apiVersion || text(kind) !== w.kind) {
    throw badRequest(`invalid object type: ${printKind(text(apiVersion), text(kind))}`);
  }
  if (isObject(metadata) && metadata.managedFields !== undefined && metadata.managedFields !== null) {
    throw badRequest('metadata.managedFields must be nil');
  }
}

/** What every attempt of an apply starts from. */
interface Base {
  plan: Plan;
  live: KubeObject;
  applied: KubeObject;
  managed: Managed;
}

function* baseOf(w: Apply, managed: Managed): Steps<Base> {
  const viewed = planOfStruct(w.struct);
  const plan = rawPlanOfStruct(w.struct);
  const applied = w.applied as KubeObject;
  const live = goView(viewed, withoutManagedFields(w.live ?? emptyObject(applied))) as KubeObject;
  yield;
  if (w.live !== null && managed.owners.size === 0) {
    yield* trackUpdate({ ...w, manager: BEFORE_FIRST_APPLY }, viewed, emptyObject(applied), live, managed);
  }
  yield;
  const wrong = typedProblem(plan, applied);
  if (wrong !== null) throw failure('', `failed to create typed patch object (${printObject(applied)}): ${wrong}`);
  yield;
  const broken = typedProblem(plan, live, true);
  if (broken !== null) throw failure('', `failed to create typed live object (${printObject(live)}): ${broken}`);
  return { plan, live, applied, managed };
}

function printObject(o: KubeObject): string {
  const meta: ObjectMeta = isObject(o.metadata) ? o.metadata : {};
  const text = (v: unknown) => (typeof v === 'string' ? v : '');
  return `${text(meta.namespace)}/${text(meta.name)}; ${printKind(o.apiVersion ?? '', o.kind ?? '')}`;
}

interface Done {
  object: KubeObject;
  managed: Managed;
}

/** One attempt; its conflicts when it fails. */
function* applyOnce(w: Apply, base: Base, force: boolean): Steps<Done | Conflict[]> {
  const id = managerId({
    manager: w.manager,
    operation: 'Apply',
    apiVersion: w.apiVersion,
    subresource: w.subresource ?? '',
  });
  let result: { object: Json | null; owners: Owners };
  try {
    const live = typedOf(w, base.plan, base.live);
    result = yield* applyTo(rulesOf(w), live, typedOf(w, base.plan, base.applied), base.managed.owners, id, force);
  } catch (e) {
    if (!(e instanceof ConflictError)) throw e;
    return e.conflicts;
  }
  yield;
  const managed: Managed = { ...base.managed, owners: result.owners, times: new Map(base.managed.times) };
  stripOwner(managed, id);
  // No change, no new time: repeating an apply isn't a write.
  if (result.object === null) return { object: base.live, managed };
  managed.times.set(id, w.time);
  return { object: goView(planOfStruct(w.struct), result.object) as KubeObject, managed };
}

/** kubectl takes over what it applied on the client before: conflicts with unchanged fields of the annotation are forced. */
function* upgradeFromLastApplied(w: Apply, base: Base, conflicts: Conflict[]): Steps<Done | Conflict[]> {
  const allowed = allowedByLastApplied(w, base);
  if (allowed === null) return conflicts;
  if (!isEmptySet(difference(conflictSet(conflicts), allowed))) {
    return conflicts.filter((c) => !hasPath(allowed, c.path));
  }
  return yield* applyOnce(w, base, true);
}

function allowedByLastApplied(w: Apply, base: Base): FieldSet | null {
  const text = (base.live.metadata as ObjectMeta | undefined)?.annotations?.[LAST_APPLIED];
  if (text === undefined || text === '') return null;
  const last = parseObject(text);
  if (last === null || last.apiVersion !== w.apiVersion || last.kind !== w.kind) return null;
  if (typedProblem(base.plan, last) !== null) return null;
  return unchangedFields(typedOf(w, base.plan, last), typedOf(w, base.plan, base.live));
}

function parseObject(text: string): JsonObject | null {
  try {
    const v = JSON.parse(text) as Json;
    return isObject(v) ? v : null;
  } catch (e) {
    if (e instanceof SyntaxError) return null;
    throw e;
  }
}

/** Keeps the annotation of client-side apply true where an object still has it, so that either way of applying works next time. */
function syncLastApplied(object: KubeObject, applied: KubeObject): KubeObject {
  const annotations = (object.metadata as ObjectMeta | undefined)?.annotations;
  if (annotations === undefined || (annotations[LAST_APPLIED] ?? '') === '') return object;
  const next = { ...annotations, [LAST_APPLIED]: lastAppliedOf(applied) };
  if (sizeOf(next) > ANNOTATIONS_MAX) delete (next as Partial<typeof next>)[LAST_APPLIED];
  return { ...object, metadata: { ...object.metadata, annotations: next } };
}

function lastAppliedOf(applied: KubeObject): string {
  const annotations = isObject(applied.metadata) ? applied.metadata.annotations : undefined;
  if (!isObject(annotations)) return `${goJson(applied)}\n`;
  const { [LAST_APPLIED]: _, ...rest } = annotations;
  return `${goJson({ ...applied, metadata: { ...applied.metadata, annotations: rest } })}\n`;
}

function sizeOf(annotations: Record<string, string>): number {
  const encoder = new TextEncoder();
  let size = 0;
  for (const [k, v] of Object.entries(annotations)) size += encoder.encode(k).length + encoder.encode(v).length;
  return size;
}
