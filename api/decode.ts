import {
  contentType,
  JSON_TYPE,
  MEDIA_TYPES,
  type MediaType,
  PROTOBUF_TYPE,
  unsupportedMediaType,
  YAML_TYPE,
} from '../kube/codec/negotiate.ts';
import { isObject, type JsonObject } from '../kube/meta/json.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import { apiVersionOf, parseApiVersion } from '../kube/meta/object.ts';
import { badRequest } from '../kube/meta/status.ts';
import type { SchemaRef, Struct } from '../kube/schema/schema.ts';
import { bodyOf, type Call, warn } from './call.ts';
import { applyDefaults, parseBody, prune } from './standin.ts';

/** fieldValidation of a write; Warn when the client doesn't say. */
export type Directive = 'Ignore' | 'Warn' | 'Strict';
export const directiveOf = (o: { fieldValidation?: string | undefined }): Directive =>
  (o.fieldValidation || 'Warn') as Directive;

/** What a request's body is decoded to: a kind at a version. */
export interface Target {
  ref: SchemaRef;
  struct: Struct;
  /** Protobuf is not spoken by CustomResources. */
  custom: boolean;
}

const decoder = new TextDecoder();

/** The request's body as an object of the target's kind: pruned and defaulted, with apiVersion and kind. 400s in upstream's words. */
export async function decodeBody(call: Call, target: Target, directive: Directive): Promise<KubeObject> {
  const type = contentType(call.request.headers.get('content-type'));
  if (target.custom && type === PROTOBUF_TYPE) throw unsupportedMediaType([JSON_TYPE, YAML_TYPE]);
  const bytes = await bodyOf(call);
  const { value, strict } = read(bytes, type, target, directive !== 'Ignore');
  const object = typed(value, bytes, target);
  finish(call, object, target, directive, strict);
  return object;
}

/** Prunes and defaults an object of a known kind; strict findings become warnings or the 400. */
export function finish(call: Call, object: KubeObject, target: Target, directive: Directive, strict: string[]): void {
  strict.push(...prune(target.struct, object));
  if (strict.length > 0 && directive === 'Warn') for (const s of strict) warn(call, s);
  if (strict.length > 0 && directive === 'Strict') {
    const { kind, version } = target.ref;
    throw badRequest(
      `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: strict decoding error: ${strict.join(', ')}`,
    );
  }
  applyDefaults(target.struct, object);
}

function read(
  bytes: Uint8Array,
  type: MediaType,
  target: Target,
  strict: boolean,
): { value: unknown; strict: string[] } {
  try {
    return parseBody(bytes, type, target.struct, strict);
  } catch (e) {
    throw unreadable(e instanceof Error ? e.message : String(e), bytes, target);
  }
}

/** apiserver's transformDecodeError for a body whose kind isn't known. */
function unreadable(why: string, bytes: Uint8Array, target: Target) {
  return badRequest(
    `the object provided is unrecognized (must be of type ${target.ref.kind}): ${why} (${summary(bytes)})`,
  );
}
/** How much of a bad body the error shows. */
const SUMMARY_BYTES = 30;
function summary(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>';
  const head = bytes.subarray(0, SUMMARY_BYTES);
  const text =
    bytes[0] === 0x7b ? decoder.decode(head) : [...head].map((b) => b.toString(16).padStart(2, '0')).join('');
  return bytes.length > SUMMARY_BYTES ? `${text} ...` : text;
}

/** The body's kind and version must be the target's; absent ones are filled in. */
function typed(value: unknown, bytes: Uint8Array, target: Target): KubeObject {
  const { ref } = target;
  if (!isObject(value)) {
    throw unreadable(
      'couldn\'t get version/kind; json parse error: json: cannot unmarshal value into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }',
      bytes,
      target,
    );
  }
  const kind = typeof value.kind === 'string' && value.kind !== '' ? value.kind : ref.kind;
  const apiVersion =
    typeof value.apiVersion === 'string' && value.apiVersion !== '' ? value.apiVersion : apiVersionOf(ref);
  const gv = parseApiVersion(apiVersion);
  if (!gv) throw unreadable(`unexpected GroupVersion string: ${apiVersion}`, bytes, target);
  if (gv.group !== ref.group || gv.version !== ref.version) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(ref)})`,
    );
  }
  if (kind !== ref.kind) {
    throw badRequest(
      `${kind} in version ${JSON.stringify(gv.version)} cannot be handled as a ${ref.kind}: no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`,
    );
  }
  value.kind = kind;
  value.apiVersion = apiVersion;
  if (!isObject(value.metadata)) value.metadata = {};
  return value as JsonObject & KubeObject;
}
