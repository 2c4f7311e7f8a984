import { JSON_TYPE, PROTOBUF_TYPE, YAML_TYPE } from '../kube/codec/negotiate.ts';
import { printYamlSteps } from '../kube/codec/yaml.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import type { Struct } from '../kube/schema/schema.ts';
import type { Entry } from '../kube/store/store.ts';
import { type Call, inStages, stage } from './call.ts';
import { encodeObject } from './encode.ts';
import type { Resource } from './parts.ts';
import { respond, respondJson } from './respond.ts';
import { isCurrent, readObject, spliced, transcoded } from './row.ts';

// Answers with one object. The usual one is the stored text with three members put in front.

type Row = Pick<Entry, 'value' | 'revision' | 'version' | 'schema' | 'enc'>;

/** A stored row as the answer; parsed only when the client wants something else than its text. */
export function answerRow(call: Call, resource: Resource, code: number, row: Row): Response | Promise<Response> {
  const { out } = call;
  if (out.as === null && isCurrent(resource, row)) {
    if (out.type === JSON_TYPE && !call.pretty) return respondJson(call, code, spliced(resource, row));
    if (out.type === PROTOBUF_TYPE) return respond(call, code, transcoded(resource, row), PROTOBUF_TYPE);
  }
  const object = readObject(call, resource, row);
  return object instanceof Promise
    ? answerLarge(call, resource, code, object)
    : answerObject(call, resource, code, object);
}

async function answerLarge(call: Call, resource: Resource, code: number, read: Promise<KubeObject>): Promise<Response> {
  const object = await read;
  await stage(call);
  return answerObject(call, resource, code, object);
}

/** An object as the answer, transformed and encoded as negotiated; `struct` where it isn't the resource's own kind (Scale). */
export function answerObject(
  call: Call,
  resource: Resource,
  code: number,
  object: KubeObject,
  struct: Struct = resource.struct,
): Response | Promise<Response> {
  if (isPlainYaml(call)) {
    const text = inStages(call, printYamlSteps(object));
    return typeof text === 'string'
      ? respond(call, code, text, YAML_TYPE)
      : text.then((t) => respond(call, code, t, YAML_TYPE));
  }
  const { type, body } = encodeObject(call, resource, object, struct);
  return respond(call, code, body, type);
}

const isPlainYaml = ({ out }: Call): boolean => out.as === null && out.type === YAML_TYPE;
