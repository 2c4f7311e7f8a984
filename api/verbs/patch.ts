import { printJson, textOf } from '../../kube/codec/json.ts';
import { duplicateFields } from '../../kube/codec/json-duplicates.ts';
import { parseSteps } from '../../kube/codec/json-pieces.ts';
import { type PatchKind, patchKind } from '../../kube/codec/negotiate.ts';
import { yamlSteps } from '../../kube/codec/yaml.ts';
import { invalid as invalidIssue } from '../../kube/meta/issues.ts';
import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { apiVersionOf, type KubeObject, parseApiVersion } from '../../kube/meta/object.ts';
import { badRequest, conflict, failure, invalid, type StatusError } from '../../kube/meta/status.ts';
import type { Steps } from '../../kube/meta/steps.ts';
import { applyConflict, applySteps } from '../../kube/patch/apply.ts';
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
import { decode } from '../../kube/schema/prune.ts';
import type { Schemas } from '../../kube/schema/schema.ts';
import { bodyOf, type Call, inStages, warn } from '../call.ts';
import { type Directive, directiveOf, foreign, settle, type Target } from '../decode.ts';
import { managedWrite, manageScale, manageUpdate } from '../managed.ts';
import type { Resource } from '../parts.ts';
import { managerOf, type WriteOptions, writeOptions } from '../query.ts';
import { copy, inGoOrder } from '../row.ts';
import { asTarget } from '../target.ts';
import { applyKindDefaults, checkName, ensureNamespace, isDryRun, nameless } from '../write.ts';
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

/** PATCH in its four forms. Two store calls, one where this process has seen the row, more only when somebody else writes the object meanwhile. */
export async function patch(call: Call, resource: Resource): Promise<Response> {
  const kind = kindOf(call, resource);
  const options = writeOptions(call.query, 'PatchOptions', kind === 'apply');
  const p = await inStages(call, readPatch(kind, textOf(await bodyOf(call)), directiveOf(options)));
  const { info } = call;
  const view = info.subresource === '' ? undefined : resource.kind.subresources?.[info.subresource];
  const as = view?.is === 'view' ? view.as : undefined;
  const manager = managerOf(options, call.request.headers.get('user-agent'));
  const target: Target = as ? asTarget(call, as.ref) : resource;
  const dryRun = isDryRun(options);
  const revise = function* (prev: KubeObject): Steps<KubeObject> {
    if (as) {
      const next = writeView(as, prev, yield* patched(call, target, p, as.read(prev)));
      yield* manageScale(call, resource, prev, next, manager);
      return next;
    }
    if (kind === 'apply') return yield* applied(call, resource, p, prev, options);
    return yield* merged(call, resource, p, prev, manager);
  };
  const done = await reviseObject(call, resource, {
    revise: function* (prev) {
      return checked(call, resource, yield* revise(prev));
    },
    ...(kind === 'apply' && info.subresource === ''
      ? {
          make: function* () {
            return checked(
              call,
              resource,
              withoutUid(call, resource, yield* applied(call, resource, p, null, options)),
            );
          },
        }
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

function* readPatch(kind: PatchKind, text: string, directive: Directive): Steps<Patch> {
  const strict = directive === 'Ignore' ? [] : undefined;
  try {
    if (kind === 'apply') {
      const yaml = yield* yamlSteps(text);
      return {
        kind,
        value: yaml.value,
        text,
        directive,
        strict: strict ?? (yaml.duplicates === '' ? [] : [yaml.duplicates]),
      };
    }
    const value = yield* parseSteps(text);
    yield;
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

function* merged(call: Call, resource: Resource, p: Patch, prev: KubeObject, manager: string): Steps<KubeObject> {
  const next = yield* patched(call, resource, p, prev);
  applyKindDefaults(call, resource, next, prev, false);
  yield;
  yield* manageUpdate(call, resource, prev, next, manager);
  return next;
}

/** The object with a JSON, merge or strategic patch applied, pruned and defaulted. */
function* patched(call: Call, target: Target, p: Patch, prev: KubeObject): Steps<KubeObject> {
  const out = p.kind === 'apply' ? applyMergePatch(prev, p.value, true) : run(target, p, prev);
  if (!isObject(out)) throw notAnObject(out);
  if (p.kind === 'strategic') keepType(p, target, out);
  // Without an apiVersion upstream reads an object of the internal version, which has no JSON names.
  if (!out.apiVersion) {
    const unknown = Object.keys(out).filter((k) => k !== 'apiVersion' && k !== 'kind');
    if (p.directive === 'Warn') for (const k of unknown.sort()) warn(call, `unknown field ${JSON.stringify(k)}`);
    throw nameless(call.info.name);
  }
  const other = retyped(call.parts.schemas, target, out);
  if (other !== '') throw badPatch(shown(p, out), other);
  yield;
  const done = settle(target, out);
  yield;
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
  if (p.value === null) return prev;
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

/** A strategic patch is read into an object of the type; only the types of its members must be right. In place. */
function keepType(p: Patch, { ref }: Target, out: JsonObject): void {
  for (const member of ['apiVersion', 'kind']) {
    const v = out[member];
    if (v === undefined || v === null || typeof v === 'string') continue;
    const go = typeof v === 'number' ? 'int64' : typeof v === 'boolean' ? 'bool' : 'map[string]interface {}';
    throw badPatch(shown(p, out), `cannot convert ${go} to string`);
  }
  out.kind = ref.kind;
  out.apiVersion = apiVersionOf(ref);
}
/**
 * Why a patch that changes the type can't be decoded; empty when it can. Upstream decodes the patched document as what it says it is.
 * A strategic patch is applied to an object of a known type, so what it says of that is not read.
 */
function retyped(schemas: Schemas, { ref }: Target, out: JsonObject): string {
  const { kind = null, apiVersion = null } = out;
  if (kind === ref.kind && apiVersion === apiVersionOf(ref)) return '';
  for (const [member, v] of [
    ['apiVersion', apiVersion],
    ['kind', kind],
  ] as const) {
    if (v === null || typeof v === 'string') continue;
    return `couldn't get version/kind; json parse error: json: cannot unmarshal ${goKind(v)} into Go struct field .${member} of type string`;
  }
  const gv = parseApiVersion(apiVersion as string);
  if (!gv) return `unexpected GroupVersion string: ${apiVersion as string}`;
  const is = { ...gv, kind: (kind as string | null) || ref.kind };
  if (is.kind === ref.kind && is.group === ref.group && is.version === ref.version) return '';
  const struct = schemas.kind(is);
  return (struct && decode(struct, out).error) || foreign(schemas, is, ref);
}
const goKind = (v: Json): string => (Array.isArray(v) ? 'array' : typeof v === 'boolean' ? 'bool' : typeof v);

const shown = (p: Patch, next: JsonObject) =>
  p.kind === 'strategic' ? printGo(p.value) : printJson(sorted(inGoOrder(next)));
/** The patched document as the patch library writes it: the outermost members sorted. */
const sorted = (o: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1)));
function badPatch(value: string, why: string): StatusError {
  return invalid({ group: '', kind: '' }, '', [invalidIssue('patch', value, why)]);
}
function notAnObject(out: Json): StatusError {
  const into = String.raw`struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }`;
  const why = `json: cannot unmarshal ${goKind(out)} into Go value of type ${into}`;
  return badPatch(printJson(out), `couldn't get version/kind; json parse error: ${why}`);
}

/** Server-side apply; conflicts are the 409 that names them. */
function* applied(
  call: Call,
  resource: Resource,
  p: Patch,
  prev: KubeObject | null,
  o: WriteOptions,
): Steps<KubeObject> {
  if (!isObject(p.value))
    throw badRequest(
      `error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal into an object`,
    );
  const done = yield* applySteps({
    ...managedWrite(call, resource, o.fieldManager ?? ''),
    kind: resource.ref.kind,
    live: prev,
    applied: p.value,
    force: o.force === true,
  });
  if (!done.object) throw applyConflict(done.conflicts);
  yield;
  const { object: next, error } = settle(resource, copy(done.object as JsonObject));
  if (error !== '') {
    const gvk = `${resource.ref.group}/${resource.ref.version}, Kind=${resource.ref.kind}`;
    const { namespace = '', name = '' } = next.metadata;
    throw failure(
      '',
      `failed to convert new object (${namespace}/${name}; ${gvk}) to proper version: unable to convert unstructured object to ${gvk}: ${error.startsWith('illegal base64') ? 'error decoding from json: ' : ''}${error}`,
    );
  }
  applyKindDefaults(call, resource, next, prev, false);
  if (p.strict.length > 0 && p.directive !== 'Ignore') {
    const text = `error converting YAML to JSON: ${p.strict.join(', ')}`;
    if (p.directive === 'Strict') throw badRequest(`error strict decoding patch: ${text}`);
    warn(call, text);
  }
  return next;
}
