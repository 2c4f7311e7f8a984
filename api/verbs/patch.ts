import { parseJson, printJson, textOf } from '../../kube/codec/json.ts';
import { duplicateFields } from '../../kube/codec/json-duplicates.ts';
import { type PatchKind, patchKind } from '../../kube/codec/negotiate.ts';
import { parseYaml } from '../../kube/codec/yaml.ts';
import { invalid as invalidIssue } from '../../kube/meta/issues.ts';
import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { apiVersionOf, type KubeObject } from '../../kube/meta/object.ts';
import { badRequest, conflict, failure, invalid, type StatusError } from '../../kube/meta/status.ts';
import { applyConflict, applyPatch } from '../../kube/patch/apply.ts';
import { printGo } from '../../kube/patch/go-print.ts';
import {
  applyJsonPatch,
  decodeJsonPatch,
  PatchError,
  unknownPatchFields,
  unprocessablePatch,
} from '../../kube/patch/json-patch.ts';
import { applyMergePatch } from '../../kube/patch/merge-patch.ts';
import { applyStrategicPatch, strategicStatus } from '../../kube/patch/strategic.ts';
import { StrategicError } from '../../kube/patch/strategic-errors.ts';
import { bodyOf, type Call, warn } from '../call.ts';
import { type Directive, directiveOf, settle, type Target } from '../decode.ts';
import { managedWrite, manageScale, manageUpdate } from '../managed.ts';
import type { Resource } from '../parts.ts';
import { managerOf, type WriteOptions, writeOptions } from '../query.ts';
import { copy, inGoOrder } from '../row.ts';
import { asTarget } from '../target.ts';
import { applyKindDefaults, checkName, ensureNamespace, isDryRun } from '../write.ts';
import { type As, answerWritten, reviseObject, writeView } from './update.ts';

/** A patch as it came, read once; applied anew after each lost race. */
interface Patch {
  kind: PatchKind;
  value: Json;
  text: string;
  directive: Directive;
  /** Keys that came twice, and members that no operation has. */
  strict: string[];
}

/** PATCH in its four forms. Two store calls, more only when somebody else writes the object meanwhile. */
export async function patch(call: Call, resource: Resource): Promise<Response> {
  const kind = kindOf(call, resource);
  const options = writeOptions(call.query, 'PatchOptions', kind === 'apply');
  const p = readPatch(kind, textOf(await bodyOf(call)), directiveOf(options));
  const { info } = call;
  const view = info.subresource === '' ? undefined : resource.kind.subresources?.[info.subresource];
  const as = view?.is === 'view' ? view.as : undefined;
  const manager = managerOf(options, call.request.headers.get('user-agent'));
  const target: Target = as ? asTarget(call, as.ref) : resource;
  const dryRun = isDryRun(options);
  const revise = (prev: KubeObject): KubeObject => {
    if (as) {
      const next = writeView(as, prev, patched(call, target, p, as.read(prev)));
      manageScale(call, resource, prev, next, manager);
      return next;
    }
    return kind === 'apply' ? applied(call, resource, p, prev, options) : merged(call, resource, p, prev, manager);
  };
  const done = await reviseObject(call, resource, {
    revise: (prev) => checked(call, resource, revise(prev)),
    ...(kind === 'apply' && info.subresource === ''
      ? { make: () => checked(call, resource, withoutUid(call, resource, applied(call, resource, p, null, options))) }
      : {}),
    dryRun,
    options: options as JsonObject,
  });
  return answerWritten(call, resource, done, as as As | undefined);
}

/** Upstream's router judges the media type of built-in kinds' patches, the handler that of CustomResources'. */
function kindOf(call: Call, resource: Resource): PatchKind {
  const type = call.request.headers.get('content-type');
  try {
    return patchKind(type, resource.custom);
  } catch (e) {
    throw resource.custom ? e : failure('UnsupportedMediaType', '415: Unsupported Media Type', {});
  }
}

function readPatch(kind: PatchKind, text: string, directive: Directive): Patch {
  const strict = directive === 'Ignore' ? [] : undefined;
  try {
    if (kind === 'apply') {
      const yaml = parseYaml(text);
      return {
        kind,
        value: yaml.value,
        text,
        directive,
        strict: strict ?? (yaml.duplicates === '' ? [] : [yaml.duplicates]),
      };
    }
    const value = parseJson(text);
    return { kind, value, text, directive, strict: strict ?? duplicateFields(text, value) };
  } catch (e) {
    if (kind !== 'apply') throw badRequest('invalid JSON patch');
    throw badRequest(`error encoding patch: ${e instanceof Error ? e.message : String(e)}`);
  }
}

/** What upstream checks of every patched object before admission. */
function checked(call: Call, resource: Resource, next: KubeObject): KubeObject {
  ensureNamespace(next.metadata, resource.kind, call.info.namespace);
  checkName(next.metadata, call.info.name, call.info.namespace);
  return next;
}
function withoutUid(call: Call, resource: Resource, next: KubeObject): KubeObject {
  const { uid } = next.metadata;
  if (!uid) return next;
  throw conflict(
    resource.name,
    call.info.name,
    `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
  );
}

function merged(call: Call, resource: Resource, p: Patch, prev: KubeObject, manager: string): KubeObject {
  const next = patched(call, resource, p, prev);
  applyKindDefaults(call, resource, next, prev, false);
  manageUpdate(call, resource, prev, next, manager);
  return next;
}

/** The object with a JSON, merge or strategic patch applied, pruned and defaulted. */
function patched(call: Call, target: Target, p: Patch, prev: KubeObject): KubeObject {
  const out = p.kind === 'apply' ? applyMergePatch(prev, p.value, true) : run(target, p, prev);
  if (!isObject(out)) throw notAnObject(p, out);
  const other = retyped(target, out);
  if (other !== '') throw badPatch(shown(p, out), other);
  const done = settle(target, out);
  if (done.error !== '') throw badPatch(shown(p, out), done.error);
  // The result shares with what it was made of.
  const next = copy(done.object as JsonObject) as KubeObject;
  const strict = [...p.strict, ...done.strict];
  if (strict.length === 0 || p.directive === 'Ignore') return next;
  if (p.directive === 'Strict') throw badPatch(shown(p, out), `strict decoding error: ${strict.join(', ')}`);
  for (const s of strict) warn(call, s);
  return next;
}

function run(target: Target, p: Patch, prev: KubeObject): Json {
  const strict = p.directive !== 'Ignore';
  if (p.kind === 'merge') return applyMergePatch(prev, p.value, strict);
  if (p.kind === 'json') {
    const operations = decodeJsonPatch(p.value, strict);
    if (strict) for (const s of unknownPatchFields(operations)) if (!p.strict.includes(s)) p.strict.push(s);
    try {
      return applyJsonPatch(prev, operations);
    } catch (e) {
      if (e instanceof PatchError) throw unprocessablePatch();
      throw e;
    }
  }
  if (!isObject(p.value)) {
    throw badRequest(
      `json: cannot unmarshal ${Array.isArray(p.value) ? 'array' : typeof p.value} into Go value of type map[string]interface {}`,
    );
  }
  try {
    return applyStrategicPatch(target.struct, prev, p.value);
  } catch (e) {
    if (e instanceof StrategicError) throw strategicStatus(e);
    throw e;
  }
}

/** Why a patch that changes the type can't be decoded; empty when it doesn't. */
function retyped({ ref }: Target, out: JsonObject): string {
  const is = typeof out.kind === 'string' ? out.kind : '';
  const of = typeof out.apiVersion === 'string' ? out.apiVersion : '';
  if (is === ref.kind && of === apiVersionOf(ref)) return '';
  if (is === '') return "Object 'Kind' is missing in 'the patched object'";
  return `no kind ${JSON.stringify(is)} is registered for version ${JSON.stringify(of)} in scheme "pkg/runtime/scheme.go:111"`;
}

const shown = (p: Patch, next: JsonObject) =>
  p.kind === 'strategic' ? printGo(p.value) : printJson(sorted(inGoOrder(next)));
/** The patched document as the patch library writes it: the outermost members sorted. */
const sorted = (o: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1)));
function badPatch(value: string, why: string): StatusError {
  return invalid({ group: '', kind: '' }, '', [invalidIssue('patch', value, why)]);
}
function notAnObject(p: Patch, out: Json): StatusError {
  void p;
  return badPatch(printJson(out), 'json: cannot unmarshal the patched document into an object');
}

/** Server-side apply; conflicts are the 409 that names them. */
function applied(call: Call, resource: Resource, p: Patch, prev: KubeObject | null, o: WriteOptions): KubeObject {
  if (!isObject(p.value))
    throw badRequest(
      `error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal into an object`,
    );
  const done = applyPatch({
    ...managedWrite(call, resource, o.fieldManager ?? ''),
    kind: resource.ref.kind,
    live: prev,
    applied: p.value,
    force: o.force === true,
  });
  if (!done.object) throw applyConflict(done.conflicts);
  const { object: next, error } = settle(resource, copy(done.object as JsonObject));
  if (error !== '') throw failure('', error);
  applyKindDefaults(call, resource, next, prev, false);
  if (p.strict.length > 0 && p.directive !== 'Ignore') {
    const text = `error converting YAML to JSON: ${p.strict.join(', ')}`;
    if (p.directive === 'Strict') throw badRequest(`error strict decoding patch: ${text}`);
    warn(call, text);
  }
  return next;
}
