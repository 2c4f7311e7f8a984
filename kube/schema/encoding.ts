// How generated/ holds shapes: one JSON text per group, read on first use. tools/generate writes it, schemas.ts reads it.

/**
 * A type as text or object. Texts: s string, i int32, l int64, d number, b boolean, t Time, m MicroTime, D Duration, q quantity,
 * x int-or-string, y bytes, a any, ar JSON, af FieldsV1, ae RawExtension, `a:NAME` a union of apiextensions,
 * `@NAME` a struct of the same package, `@@NAME` one by its full name without `io.k8s.`.
 */
export type TypeCode = string | StringCode | IntegerCode | ListCode | MapCode | StructCode;
export interface StringCode {
  s: 1;
  /** Values; `h` when they are documented but checked by the kind itself. */
  e?: string[];
  h?: 1;
  /** Go's name of the type, where it has one: `v1.Protocol`. */
  g?: string;
  l?: LimitsCode;
}
export interface IntegerCode {
  i: 32 | 64;
  g?: string;
  l?: LimitsCode;
}
export interface ListCode {
  '[': TypeCode;
  /** List type: s set, m map, a atomic given explicitly. */
  t?: 's' | 'm' | 'a';
  k?: string[];
  p?: string;
  m?: string;
  w?: 1;
  /** Uniqueness is enforced. */
  u?: 's' | 'm';
  g?: string;
  l?: LimitsCode;
}
export interface MapCode {
  '{': TypeCode;
  a?: 1;
  /** Limits of keys. */
  k?: LimitsCode;
  g?: string;
  l?: LimitsCode;
}
export interface StructCode {
  '@': string;
  a?: 1;
  p?: string;
}
export type LimitsCode = Record<string, number | string>;

/** Bits of a field's flags. */
export const REQUIRED = 1;
export const ALWAYS = 2;
export const NULLABLE = 4;
export const IMMUTABLE = 8;
export const DEPRECATED = 16;
export const EXPECTED = 32;
export const INLINE = 64;
export const FORBIDDEN = 128;
export const DISABLED = 256;

/** JSON name (of an inlined struct: its proto name), protobuf number, type, flags, the rest. */
export type FieldCode = [name: string, number: number, type: TypeCode, flags?: number, more?: MoreCode];
export interface MoreCode {
  /** Unconditional default. */
  d?: unknown;
  /** Rules of update: NoSet, NoUnset, NoModify, NoAddItem, NoRemoveItem. */
  u?: string[];
  /** Limits on fields of the field's struct. */
  s?: Record<string, LimitsCode>;
  /** By the value of the discriminator `d`: required, optional; else forbidden. */
  m?: { d: string; r?: string[]; o?: string[] };
}
export interface UnionCode {
  m: string[];
  /** Discriminator's JSON name and the value that names each member. */
  d?: string;
  v?: string[];
  r?: 1;
}
/** Structs of one package by short name. */
export interface PackageCode {
  fields: Record<string, FieldCode[]>;
  unions?: Record<string, UnionCode[]>;
  /** Structs that server-side apply treats as one wherever they stand. */
  atomic?: string[];
  /** Types that are another package's struct: full names without `io.k8s.`. */
  same?: Record<string, string>;
}
/** Packages of one file by model name without `io.k8s.`. */
export type GroupCode = Record<string, PackageCode>;

/** Discovery in generated/resources.ts: groups in order, each with its versions in order of preference. */
export interface GroupRecord {
  n: string;
  v: { n: string; r: ResourceRecord[] }[];
}
/** Plural, kind, singular, verbs, namespaced, short names, categories, storage version hash, subresources. */
export interface ResourceRecord {
  n: string;
  k: string;
  s: string;
  v: string[];
  ns?: 1;
  sn?: string[];
  c?: string[];
  h?: string;
  /** DELETE answers with the object. */
  d?: 1;
  sub?: SubresourceRecord[];
}
/** Name, kind, verbs, and the kind's group and version where they aren't the parent's. */
export interface SubresourceRecord {
  n: string;
  k: string;
  v: string[];
  g?: string;
  gv?: string;
}
