import type { Json } from '../meta/json.ts';
import type { GroupVersionKind } from '../meta/object.ts';

/**
 * The shape of data, one model for built-in kinds (made from generated/) and CustomResourceDefinitions (made at run time).
 * Everything that depends on shape (defaulting, pruning, validation, merge, apply, protobuf, OpenAPI, explain) walks this and nothing else.
 */
export type Type = (StringType | IntegerType | NumberType | BooleanType | StructType | ListType | MapType | AnyType) & {
  /** Go's name of a named type that isn't a struct (`v1.Protocol`), for the texts of decoding errors. */
  go?: string;
};

export interface StringType {
  is: 'string';
  /**
   * How the text is to be read, and how it goes over protobuf:
   * time (Time), micro-time (MicroTime), duration (metav1.Duration), quantity, int-or-string (a number or a text in JSON), byte (base64 in JSON).
   */
  format?: 'time' | 'micro-time' | 'duration' | 'quantity' | 'int-or-string' | 'byte';
  /** Sorted. The interpreter refuses other values unless `documented`. */
  enum?: readonly string[];
  /** The enum is documentation (`+enum`); the kind's own validation decides. */
  documented?: boolean;
  limits?: Limits;
}
export interface IntegerType {
  is: 'integer';
  bits: 32 | 64;
  limits?: Limits;
}
export interface NumberType {
  is: 'number';
  limits?: Limits;
}
export interface BooleanType {
  is: 'boolean';
}
export interface StructType {
  is: 'struct';
  /** Resolved on first use; recursive shapes (JSONSchemaProps) are fine. */
  struct(): Struct;
  /** The whole value has one owner in server-side apply (x-kubernetes-map-type: atomic). */
  atomic?: boolean;
  /** What strategic merge does with the field: x-kubernetes-patch-strategy on an object (`replace`, `retainKeys`). */
  patch?: 'replace' | 'retainKeys' | 'merge,retainKeys';
  /** A CRD's metadata-bearing embedded resource (x-kubernetes-embedded-resource). */
  embedded?: boolean;
}
export interface ListType {
  is: 'list';
  items: Type;
  /** Server-side apply's topology; atomic when absent. */
  list?: 'atomic' | 'set' | 'map';
  /** Keys of a list of type map. */
  keys?: readonly string[];
  /** Strategic merge: `merge` (by `mergeKey`, or as a set of scalars), `replace`, `retainKeys`; replace when absent. */
  patch?: 'merge' | 'replace' | 'retainKeys' | 'merge,retainKeys';
  mergeKey?: string;
  /** A named Go slice that protobuf wraps in a message of one repeated field (ExtraValue, Verbs). */
  wrapped?: boolean;
  /** The interpreter refuses duplicates: whole items (`set`) or items of equal keys (`map`). */
  unique?: 'set' | 'map';
  limits?: Limits;
}
export interface MapType {
  is: 'map';
  values: Type;
  atomic?: boolean;
  /** Limits on each key. */
  keyLimits?: Limits;
  limits?: Limits;
}
/** Any JSON: RawExtension, apiextensions JSON, FieldsV1, x-kubernetes-preserve-unknown-fields. */
export interface AnyType {
  is: 'any';
  /** How protobuf carries it: RawExtension and JSON as `raw` bytes in field 1, FieldsV1 as `Raw`; the JSONSchemaPropsOr* unions by name. */
  proto?: 'raw' | 'JSONSchemaPropsOrArray' | 'JSONSchemaPropsOrBool' | 'JSONSchemaPropsOrStringArray';
  /** An object in the value carries apiVersion and kind (RawExtension). */
  embedded?: boolean;
}

/** Limits that declarative tags (`+k8s:minimum`, `+k8s:maxLength`, ...) or a CRD's schema give. All inclusive unless said. */
export interface Limits {
  minimum?: number | bigint;
  maximum?: number | bigint;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  minLength?: number;
  maxLength?: number;
  maxBytes?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  multipleOf?: number;
  pattern?: string;
  uniqueItems?: boolean;
  /** A named format of `+k8s:format` or of a CRD: `k8s-short-name`, `k8s-uuid`, `ipv4`, ... */
  format?: string;
}

export interface Field {
  /** The JSON name. */
  name: string;
  /** The protobuf field number; 0 where the kind has no protobuf (CustomResources). */
  number: number;
  type: Type;
  /** Must be present and, for strings and lists of built-in kinds, not empty. The interpreter enforces it. */
  required?: boolean;
  /** OpenAPI lists it as required, but only the kind's own validation may enforce it. */
  expected?: boolean;
  /** Of a feature that is off by default in this release: dropped from writes (gates.ts) unless the stored object uses it. */
  disabled?: boolean;
  /** May not be set (a feature gate that is off). */
  forbidden?: boolean;
  /** Encoded by Go even when zero (no `omitempty`, or a struct without `omitzero`): `status: {}`, `containers: null`. */
  always?: boolean;
  /** A pointer in Go: absent and zero are different. */
  nullable?: boolean;
  /** Unconditional default (`+default`, a CRD's `default`). Conditional ones are behaviour: kube/kinds. */
  default?: Json;
  /** Names of `+k8s:immutable` and its kin that the interpreter enforces on update. */
  immutable?: boolean;
  /** Finer rules of update (`+k8s:update`). */
  update?: readonly ('NoSet' | 'NoUnset' | 'NoModify' | 'NoAddItem' | 'NoRemoveItem')[];
  /** Limits on fields of the field's struct (`+k8s:subfield`), as on `metadata.name`. */
  subfields?: Readonly<Record<string, Limits>>;
  /** Values of a sibling field with which this one must or may be set; with others it may not (`+k8s:ifMode`). */
  modes?: { discriminator: string; required: readonly string[]; optional: readonly string[] };
  deprecated?: boolean;
  /**
   * A Go struct embedded without a JSON name: its fields stand beside its siblings in JSON, and in a message of their own in protobuf.
   * Such a field is only in `numbers` (its type is that struct); its members are in `fields` with number 0 and `via` this one's number.
   */
  inline?: boolean;
  /** The number of the embedded message that carries this field in protobuf. */
  via?: number;
}

/** A named object shape: one Go struct, or one `properties` of a CRD. */
export interface Struct {
  /** `io.k8s.api.core.v1.PodSpec`; for CRDs a path within the schema. */
  name: string;
  /** By JSON name, in the order of Go's declaration, which is the order of Go's JSON. */
  fields: ReadonlyMap<string, Field>;
  /** By protobuf field number, ascending. kind and apiVersion have none (number 0): runtime.Unknown carries them. */
  numbers: ReadonlyMap<number, Field>;
  /**
   * Members that may not be set together (`+k8s:unionMember`): lists of field names; `required`: one must be. With a discriminator, `values`
   * are its values that select each member.
   */
  unions?: readonly {
    members: readonly string[];
    discriminator?: string;
    values?: readonly string[];
    required?: boolean;
  }[];
  /** The type itself is one owner wherever it stands (x-kubernetes-map-type: atomic); StructType.atomic repeats it. */
  atomic?: boolean;
  /** Unknown fields stay (x-kubernetes-preserve-unknown-fields). */
  open?: boolean;
}

/** A kind at a version: where its data is. */
export interface SchemaRef extends GroupVersionKind {
  /** Name of the struct. */
  struct: string;
}

/** Gives the shapes of one Kubernetes minor. Loading is lazy per group and synchronous. */
export interface Schemas {
  /** '1.37' */
  minor: string;
  /** The struct of a kind, or undefined when it isn't one of this release. */
  kind(gvk: GroupVersionKind): Struct | undefined;
  /** A struct by its full name; undefined when unknown. */
  struct(name: string): Struct | undefined;
  /** A short hash of the data that decides defaulting for that kind: stored beside each row. */
  hash(gvk: GroupVersionKind): string;
}
