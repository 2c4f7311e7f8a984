import { hexOf } from '../kube/codec/hex.ts';
import { JsonError, textOf, typeMetaOf } from '../kube/codec/json.ts';
import { duplicateFields } from '../kube/codec/json-duplicates.ts';
import { bodySteps, parseBody } from '../kube/codec/json-pieces.ts';
import {
  contentType,
  JSON_TYPE,
  type MediaType,
  PROTOBUF_TYPE,
  unsupportedMediaType,
  YAML_TYPE,
} from '../kube/codec/negotiate.ts';
import { decodeEnvelope, decodeProto } from '../kube/codec/protobuf.ts';
import { parseYaml, yamlSteps } from '../kube/codec/yaml.ts';
import { isObject, type Json, type JsonObject } from '../kube/meta/json.ts';
import { apiVersionOf, type KubeObject, parseApiVersion } from '../kube/meta/object.ts';
import { badRequest, type StatusError } from '../kube/meta/status.ts';
import type { Steps } from '../kube/meta/steps.ts';
import { applyDefaults } from '../kube/schema/default.ts';
import { decode } from '../kube/schema/prune.ts';
import type { SchemaRef, Schemas, Struct } from '../kube/schema/schema.ts';
import { bodyOf, type Call, inStages, meet, stage, warn } from './call.ts';

/** fieldValidation of a write; Warn when the client doesn't say. */
export type Directive = 'Ignore' | 'Warn' | 'Strict';
export const directiveOf = (o: { fieldValidation?: string | undefined }): Directive =>
  (o.fieldValidation || 'Warn') as Directive;

/** What a request's body is decoded to: a kind at a version. */
export interface Target {
  ref: SchemaRef;
  struct: Struct;
  /** CustomResources speak no protobuf and are pruned by their own schema. */
  custom: boolean;
  /** Of a custom kind. */
  decode?: (value: JsonObject) => Settled;
}
/** An object as Go would have read it, with its unconditional defaults. */
export interface Settled {
  object: KubeObject;
  /** What strict decoding has to say: `unknown field "spec.foo"`. */
  strict: string[];
  /** Why it can't be read at all; empty when it can. */
  error: string;
}

/** The request's body as an object of the target's kind, pruned and defaulted, with apiVersion and kind. 400s in upstream's words. */
export async function decodeBody(call: Call, target: Target, directive: Directive): Promise<KubeObject> {
  const type = contentType(call.request.headers.get('content-type'));
  if (target.custom && type === PROTOBUF_TYPE) throw unsupportedMediaType([JSON_TYPE, YAML_TYPE]);
  meet(call, target.struct);
  const bytes = await bodyOf(call);
  const reading = inStages(call, read(bytes, type, target, directive !== 'Ignore'));
  const { value, kind, apiVersion, strict } = reading instanceof Promise ? await reading : reading;
  checkType(call.parts.schemas, kind, apiVersion, target, value);
  const turn = stage(call);
  if (turn) await turn;
  const done = settle(target, value);
  if (done.error !== '') throw unhandled(target, done.error);
  strict.push(...done.strict);
  if (strict.length > 0 && directive === 'Strict') {
    throw unhandled(target, `strict decoding error: ${strict.join(', ')}`);
  }
  if (directive === 'Warn') for (const s of strict) warn(call, s);
  return done.object;
}

/** Prunes and defaults an object of a known kind. The input may be shared by the result and must not be changed afterwards. */
export function settle(target: Target, value: JsonObject): Settled {
  if (target.decode) return target.decode(value);
  const { value: read, unknown, error } = decode(target.struct, value);
  const { apiVersion: _a, kind: _k, ...rest } = read;
  const object = { kind: target.ref.kind, apiVersion: apiVersionOf(target.ref), ...rest } as KubeObject;
  if (!isObject(object.metadata)) object.metadata = {};
  if (error === '') applyDefaults(target.struct, object);
  return { object, strict: unknown, error };
}

interface Body {
  value: JsonObject;
  kind: string;
  apiVersion: string;
  strict: string[];
}

/** The body in any encoding as JSON, with its type and what strict decoding says of keys that come twice. */
function* read(bytes: Uint8Array, type: MediaType, target: Target, strict: boolean): Steps<Body> {
  try {
    if (type === PROTOBUF_TYPE) return readProto(bytes, target);
    const text = textOf(bytes);
    let value: Json;
    let found: string[] = [];
    if (type === JSON_TYPE) {
      value = yield* bodySteps(text);
      yield;
      if (strict) found = duplicateFields(text, value);
    } else {
      const yaml = yield* yamlSteps(text);
      value = yaml.value;
      if (strict && yaml.duplicates !== '') found = [yaml.duplicates];
    }
    yield;
    const meta = typeMetaOf(value);
    return { value: isObject(value) ? value : {}, ...meta, strict: found };
  } catch (e) {
    throw unreadable(e, bytes, target);
  }
}
function readProto(bytes: Uint8Array, target: Target): Body {
  const { apiVersion, kind, raw } = decodeEnvelope(bytes);
  return { value: decodeProto(target.struct, raw), kind, apiVersion, strict: [] };
}

/** The body's kind and version must be the target's; absent ones are taken for it. */
function checkType(schemas: Schemas, kind: string, apiVersion: string, target: Target, value: JsonObject): void {
  const { ref } = target;
  const want = apiVersionOf(ref);
  const is = kind || ref.kind;
  const of = apiVersion || want;
  if (is === ref.kind && of === want) return;
  const { group, version } = parseApiVersion(of) ?? ref;
  if (is === ref.kind && group === ref.group && schemas.kind({ group, version, kind: is })) {
    throw badRequest(`the API version in the data (${of}) does not match the expected API version (${want})`);
  }
  const head = `${is} in version ${JSON.stringify(version)} cannot be handled as a ${ref.kind}`;
  // Go reads it as what it says it is before it sees that this isn't what was wanted.
  const other = schemas.kind({ group, version, kind: is });
  const unread = other ? decode(other, value).error : '';
  throw badRequest(`${head}: ${unread || foreign(schemas, { group, version, kind: is }, ref)}`);
}

/** Why an object of another type can't be taken, in the scheme's words. */
export function foreign(
  schemas: Schemas,
  is: { group: string; version: string; kind: string },
  ref: SchemaRef,
): string {
  if (!schemas.kind(is)) {
    const scheme = 'pkg/runtime/scheme.go:111';
    return `no kind ${JSON.stringify(is.kind)} is registered for version ${JSON.stringify(apiVersionOf(is))} in scheme ${JSON.stringify(scheme)}`;
  }
  // Go names the internal package of the kind that was wanted.
  const home = ref.group === '' ? 'core' : (ref.group.split('.')[0] ?? '');
  return `converting (${is.version}.${is.kind}) to (${home}.${ref.kind}): unknown conversion`;
}

function unhandled({ ref }: Target, why: string): StatusError {
  return badRequest(`${ref.kind} in version ${JSON.stringify(ref.version)} cannot be handled as a ${ref.kind}: ${why}`);
}

const decoder = new TextDecoder();
/** How much of a bad body the error shows. */
const SUMMARY_BYTES = 30;
/** apiserver's transformDecodeError for a body whose kind isn't known. */
function unreadable(e: unknown, bytes: Uint8Array, target: Target): StatusError {
  const why = e instanceof JsonError || e instanceof Error ? e.message : String(e);
  return badRequest(
    `the object provided is unrecognized (must be of type ${target.ref.kind}): ${why} (${summary(bytes)})`,
  );
}
function summary(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>';
  const head = bytes.subarray(0, SUMMARY_BYTES);
  const text = bytes[0] === 0x7b ? decoder.decode(head) : hexOf(head);
  return bytes.length > SUMMARY_BYTES ? `${text} ...` : text;
}

/** An options body (DeleteOptions) in any encoding, whatever group it says it's of. */
export function decodeOptions(bytes: Uint8Array, type: MediaType, struct: Struct): JsonObject {
  if (type === PROTOBUF_TYPE) return decodeProto(struct, decodeEnvelope(bytes).raw);
  const text = textOf(bytes);
  const value = type === JSON_TYPE ? parseBody(text) : parseYaml(text).value;
  typeMetaOf(value);
  return isObject(value) ? value : {};
}
