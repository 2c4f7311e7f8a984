import { JSON_TYPE, PROTOBUF_TYPE } from '../kube/codec/negotiate.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import type { Struct } from '../kube/schema/schema.ts';
import type { Entry } from '../kube/store/store.ts';
import type { Call } from './call.ts';
import { encodeObject } from './encode.ts';
import type { Resource } from './parts.ts';
import { respond, respondJson } from './respond.ts';
import { isCurrent, objectOf, spliced, transcoded } from './row.ts';

// Answers with one object. The usual one is the stored text with three members put in front.

type Row = Pick<Entry, 'value' | 'revision' | 'version' | 'schema' | 'enc'>;

/** A stored row as the answer; parsed only when the client wants something else than its text. */
export function answerRow(call: Call, resource: Resource, code: number, row: Row): Response {
  const { out } = call;
  if (out.as === null && isCurrent(resource, row)) {
    if (out.type === JSON_TYPE && !call.pretty) return respondJson(call, code, spliced(resource, row));
    if (out.type === PROTOBUF_TYPE) return respond(call, code, transcoded(resource, row), PROTOBUF_TYPE);
  }
  return answerObject(call, resource, code, objectOf(resource, row));
}

/** An object as the answer, transformed and encoded as negotiated; `struct` where it isn't the resource's own kind (Scale). */
export function answerObject(
  call: Call,
  resource: Resource,
  code: number,
  object: KubeObject,
  struct: Struct = resource.struct,
): Response {
  const { type, body } = encodeObject(call, resource, object, struct);
  return respond(call, code, body, type);
}
