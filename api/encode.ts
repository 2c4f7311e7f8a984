import { printJson, printPretty } from '../kube/codec/json.ts';
import { type Accepted, JSON_TYPE, PROTOBUF_TYPE } from '../kube/codec/negotiate.ts';
import { encodeObject as protoObject } from '../kube/codec/protobuf.ts';
import { includeObjectOf, toPartial, toPartialList, toTable, wrongPartial } from '../kube/codec/table.ts';
import { printYaml } from '../kube/codec/yaml.ts';
import type { Kind } from '../kube/kinds/kind.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import { failure, type Status } from '../kube/meta/status.ts';
import type { Schemas, Struct } from '../kube/schema/schema.ts';
import type { Call } from './call.ts';
import type { Resource } from './parts.ts';

/** An answer's bytes and their Content-Type. */
export interface Encoded {
  type: string;
  body: string | Uint8Array;
}

/** Where the kinds of every group are. */
export const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** A Status in the form asked for; JSON when that isn't known. */
export function encodeStatus(status: Status, out: Accepted | undefined, schemas: Schemas): Encoded {
  const struct = out?.type === PROTOBUF_TYPE ? schemas.struct(`${META}.Status`) : undefined;
  if (struct) return { type: PROTOBUF_TYPE, body: protoObject(struct, status) };
  return encodeText(status, out, false);
}

/** JSON or YAML of anything. */
export function encodeText(object: JsonObject, out: Accepted | undefined, pretty: boolean): Encoded {
  if (out && out.type !== JSON_TYPE && out.type !== PROTOBUF_TYPE) {
    return { type: out.type, body: printYaml(object) };
  }
  return { type: JSON_TYPE, body: `${pretty ? printPretty(object) : printJson(object)}\n` };
}

/** One object, transformed and encoded as negotiated; a Status goes as it is. */
export function encodeObject(call: Call, resource: Resource, object: KubeObject, struct: Struct): Encoded {
  const { out, pretty } = call;
  const { schemas } = call.parts;
  if (object.kind === 'Status' && object.apiVersion === 'v1') return encodeStatus(object as Status, out, schemas);
  const { as } = out;
  if (as === null) {
    if (out.type === PROTOBUF_TYPE) return { type: PROTOBUF_TYPE, body: protoObject(struct, object) };
    return encodeText(object, out, pretty);
  }
  if (as.kind === 'PartialObjectMetadataList') throw wrongPartial('PartialObjectMetadataList', goType(resource, ''));
  if (as.kind === 'PartialObjectMetadata') {
    return encodeMeta(schemas, toPartial(object, version(as)), 'PartialObjectMetadata', out, pretty);
  }
  const { resourceVersion } = object.metadata;
  const table = toTable(resource.kind.columns, [object], {
    ...tableOptions(call),
    list: resourceVersion === undefined ? {} : { resourceVersion },
  });
  return encodeText(table, out, pretty);
}

/** A list of objects in hand, transformed and encoded as negotiated; in protobuf only what is transformed. */
export function encodeList(
  call: Call,
  resource: Resource,
  metadata: JsonObject,
  items: readonly KubeObject[],
): Encoded {
  const { out, pretty } = call;
  const { as } = out;
  if (as === null) return plainList(call, resource, metadata, items);
  if (as.kind === 'PartialObjectMetadata') throw wrongPartial('PartialObjectMetadata', goType(resource, 'List'));
  if (as.kind === 'PartialObjectMetadataList') {
    const list = toPartialList(items, metadata, version(as));
    return encodeMeta(call.parts.schemas, list, 'PartialObjectMetadataList', out, pretty);
  }
  return encodeText(
    toTable(resource.kind.columns, inRowOrder(resource.kind, items), { ...tableOptions(call), list: metadata }),
    out,
    pretty,
  );
}

/** Objects as a Table shows them one below the other. */
export function inRowOrder(kind: Pick<Kind, 'rowOrder'>, items: readonly KubeObject[]): readonly KubeObject[] {
  return kind.rowOrder ? [...items].sort(kind.rowOrder) : items;
}

/** What a Table of this call shows. */
export function tableOptions(call: Call): Parameters<typeof toTable>[2] & { now: number } {
  return {
    includeObject: includeObjectOf(call.query.get('includeObject')),
    version: metaVersion(call),
    now: call.cluster.env.now(),
  };
}

function plainList(call: Call, resource: Resource, metadata: JsonObject, items: readonly KubeObject[]): Encoded {
  const { out, pretty } = call;
  const list: JsonObject = { kind: `${resource.ref.kind}List`, apiVersion: resource.apiVersion, metadata };
  list.items = resource.custom ? [...items] : items.map(({ kind: _k, apiVersion: _a, ...item }) => item as JsonObject);
  return encodeText(list, out, pretty);
}
/** Every list has its metadata in field 1 and its items in field 2. */
export function listStruct(resource: Resource, schemas: Schemas): Struct {
  const known = schemas.struct(`${resource.ref.struct}List`);
  if (known) return known;
  const meta = schemas.struct(`${META}.ListMeta`);
  if (!meta) throw failure('InternalError', 'Internal error occurred: no shape for ListMeta');
  const fields: Struct['fields'] = new Map([
    ['metadata', { name: 'metadata', number: 1, type: { is: 'struct', struct: () => meta } }],
    [
      'items',
      { name: 'items', number: 2, type: { is: 'list', items: { is: 'struct', struct: () => resource.struct } } },
    ],
  ]);
  return {
    name: `${resource.struct.name}List`,
    fields,
    numbers: new Map([...fields.values()].map((f) => [f.number, f])),
  };
}

/** PartialObjectMetadata and its list, which speak protobuf too. */
function encodeMeta(schemas: Schemas, object: JsonObject, name: string, out: Accepted, pretty: boolean): Encoded {
  const struct = out.type === PROTOBUF_TYPE ? schemas.struct(`${META}.${name}`) : undefined;
  return struct ? { type: PROTOBUF_TYPE, body: protoObject(struct, object) } : encodeText(object, out, pretty);
}

/** The version of meta.k8s.io that was asked for. */
export const metaVersion = (call: Call) => (call.out.as ? version(call.out.as) : 'v1');
const version = (as: { version: string }) => (as.version === 'v1beta1' ? 'v1beta1' : 'v1');
/** Go's name of the internal type. */
const goType = (r: Resource, suffix: string) =>
  `*${r.ref.group === '' ? 'core' : r.ref.group.split('.')[0]}.${r.ref.kind}${suffix}`;
