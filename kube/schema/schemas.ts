import { fnv1a } from '../meta/hash.ts';
import type { Json } from '../meta/json.ts';
import type { GroupVersionKind } from '../meta/object.ts';
import * as code from './encoding.ts';
import { packages } from './generated/1.37/index.ts';
import type { Field, Limits, ListType, Schemas, Struct, StructType, Type } from './schema.ts';

// The shapes of the built-in kinds, read from generated/ on first use and kept.

const META = 'apimachinery.pkg.apis.meta.v1';

/** The package of a group's kinds, without the version; the rest is `api.` and the group's first label. */
const GROUP_PACKAGES: Record<string, string> = {
  '': 'api.core',
  'internal.apiserver.k8s.io': 'api.apiserverinternal',
  'apiextensions.k8s.io': 'apiextensions-apiserver.pkg.apis.apiextensions',
  'apiregistration.k8s.io': 'kube-aggregator.pkg.apis.apiregistration',
  'meta.k8s.io': 'apimachinery.pkg.apis.meta',
};
/** Kinds of meta/v1 that upstream registers in every group and version. */
const EVERYWHERE = new Set([
  'WatchEvent',
  'ListOptions',
  'GetOptions',
  'DeleteOptions',
  'CreateOptions',
  'UpdateOptions',
  'PatchOptions',
]);
/** Kinds of meta/v1 that upstream registers under the version `v1` without a group. */
const UNVERSIONED = new Set(['Status', 'APIVersions', 'APIGroupList', 'APIGroup', 'APIResourceList']);

const parsed = new Map<string, code.GroupCode>();
const structs = new Map<string, Struct | null>();
const hashes = new Map<string, string>();

/** The records of a package by its model name without `io.k8s.`. */
function packageOf(name: string): code.PackageCode | undefined {
  const text = packages[name];
  if (text === undefined) return undefined;
  let group = parsed.get(text);
  if (!group) {
    group = JSON.parse(text) as code.GroupCode;
    parsed.set(text, group);
  }
  return group[name];
}

/** A struct by its name without `io.k8s.`. */
function find(short: string): Struct | undefined {
  const known = structs.get(short);
  if (known !== undefined) return known ?? undefined;
  const dot = short.lastIndexOf('.');
  const home = short.slice(0, dot);
  const pkg = packageOf(home);
  const name = short.slice(dot + 1);
  const same = pkg?.same?.[name];
  if (same !== undefined) return find(same);
  const fields = pkg?.fields[name];
  const struct = fields ? build(home, name, fields, pkg) : null;
  structs.set(short, struct);
  return struct ?? undefined;
}

function must(short: string): Struct {
  const s = find(short);
  if (!s) throw new Error(`no struct ${short} in the generated data`);
  return s;
}

function build(home: string, name: string, codes: code.FieldCode[], pkg: code.PackageCode | undefined): Struct {
  const unions = pkg?.unions?.[name];
  const fields = new Map<string, Field>();
  const numbered: Field[] = [];
  for (const c of codes) {
    const field = readField(home, c);
    if (field.number > 0) numbered.push(field);
    if (!field.inline) {
      fields.set(field.name, field);
      continue;
    }
    for (const inner of (field.type as StructType).struct().fields.values()) {
      fields.set(inner.name, { ...inner, number: 0, ...(field.number > 0 ? { via: field.number } : {}) });
    }
  }
  numbered.sort((a, b) => a.number - b.number);
  const struct: Struct = {
    name: `io.k8s.${home}.${name}`,
    fields,
    numbers: new Map(numbered.map((f) => [f.number, f])),
  };
  if (pkg?.atomic?.includes(name)) struct.atomic = true;
  if (unions) {
    struct.unions = unions.map((u) => ({
      members: u.m,
      ...(u.d ? { discriminator: u.d } : {}),
      ...(u.v ? { values: u.v } : {}),
      ...(u.r ? { required: true } : {}),
    }));
  }
  return struct;
}

function readField(home: string, [name, number, type, flags = 0, more]: code.FieldCode): Field {
  const field: Field = { name, number, type: readType(home, type) };
  if (flags & code.REQUIRED) field.required = true;
  if (flags & code.ALWAYS) field.always = true;
  if (flags & code.NULLABLE) field.nullable = true;
  if (flags & code.IMMUTABLE) field.immutable = true;
  if (flags & code.DEPRECATED) field.deprecated = true;
  if (flags & code.EXPECTED) field.expected = true;
  if (flags & code.FORBIDDEN) field.forbidden = true;
  if (flags & code.DISABLED) field.disabled = true;
  if (flags & code.INLINE) field.inline = true;
  if (more?.d !== undefined) field.default = more.d as Json;
  if (more?.u) field.update = more.u as Field['update'];
  if (more?.m) field.modes = { discriminator: more.m.d, required: more.m.r ?? [], optional: more.m.o ?? [] };
  if (more?.s) field.subfields = more.s as Record<string, Limits>;
  return field;
}

const PLAIN: Record<string, Type> = {
  s: { is: 'string' },
  i: { is: 'integer', bits: 32 },
  l: { is: 'integer', bits: 64 },
  d: { is: 'number' },
  b: { is: 'boolean' },
  t: { is: 'string', format: 'time' },
  m: { is: 'string', format: 'micro-time' },
  D: { is: 'string', format: 'duration' },
  q: { is: 'string', format: 'quantity' },
  x: { is: 'string', format: 'int-or-string' },
  y: { is: 'string', format: 'byte' },
  a: { is: 'any' },
  ar: { is: 'any', proto: 'raw', go: 'v1.JSON' },
  af: { is: 'any', proto: 'raw', go: 'v1.FieldsV1' },
  ae: { is: 'any', proto: 'raw', embedded: true },
  'a:JSONSchemaPropsOrArray': { is: 'any', proto: 'JSONSchemaPropsOrArray' },
  'a:JSONSchemaPropsOrBool': { is: 'any', proto: 'JSONSchemaPropsOrBool' },
  'a:JSONSchemaPropsOrStringArray': { is: 'any', proto: 'JSONSchemaPropsOrStringArray' },
};

function readType(home: string, c: code.TypeCode): Type {
  if (typeof c === 'string') {
    const plain = PLAIN[c];
    if (plain) return plain;
    return { is: 'struct', struct: reference(home, c.slice(1)) };
  }
  const limits = {
    ...('g' in c && c.g ? { go: c.g } : {}),
    ...('l' in c && c.l ? { limits: c.l as Limits } : {}),
  };
  if ('s' in c) {
    return { is: 'string', ...(c.e ? { enum: c.e } : {}), ...(c.h ? { documented: true } : {}), ...limits };
  }
  if ('i' in c) return { is: 'integer', bits: c.i, ...limits };
  if ('@' in c) {
    return {
      is: 'struct',
      struct: reference(home, c['@']),
      ...(c.a ? { atomic: true } : {}),
      ...(c.p ? { patch: c.p as StructType['patch'] } : {}),
    };
  }
  if ('{' in c) {
    const keys = c.k ? { keyLimits: c.k as Limits } : {};
    return { is: 'map', values: readType(home, c['{']), ...(c.a ? { atomic: true } : {}), ...keys, ...limits };
  }
  return { ...readList(home, c), ...limits };
}

const LIST_TYPES = { s: 'set', m: 'map', a: 'atomic' } as const;

function readList(home: string, c: code.ListCode): ListType {
  const list: ListType = { is: 'list', items: readType(home, c['[']) };
  if (c.t) list.list = LIST_TYPES[c.t];
  if (c.k) list.keys = c.k;
  if (c.p) list.patch = c.p as ListType['patch'];
  if (c.m) list.mergeKey = c.m;
  if (c.w) list.wrapped = true;
  if (c.u) list.unique = c.u === 's' ? 'set' : 'map';
  return list;
}

function reference(home: string, ref: string): () => Struct {
  const short = ref.startsWith('@') ? ref.slice(1) : `${home}.${ref}`;
  let found: Struct | undefined;
  return () => {
    found ??= must(short);
    return found;
  };
}

/** The package of a group and version, without `io.k8s.`. */
function packageName(group: string, version: string): string {
  return `${GROUP_PACKAGES[group] ?? `api.${group.split('.')[0]}`}.${version}`;
}

function kind({ group, version, kind: name }: GroupVersionKind): Struct | undefined {
  const own = find(`${packageName(group, version)}.${name}`);
  // Only TypeMeta's kind has no protobuf number; references have a kind of their own.
  const typed = own?.fields.get('kind');
  if (typed?.number === 0 && typed.via === undefined) return own;
  const meta = EVERYWHERE.has(name) || (group === '' && version === 'v1' && UNVERSIONED.has(name));
  return meta ? find(`${META}.${name}`) : undefined;
}

/** Short, and good enough to tell two releases' data apart. */
function hash(gvk: GroupVersionKind): string {
  const root = kind(gvk);
  if (!root) return '';
  const known = hashes.get(root.name);
  if (known) return known;
  let h = fnv1a('');
  const seen = new Set<Struct>();
  const visit = (t: Type): void => {
    if (t.is === 'list') visit(t.items);
    else if (t.is === 'map') visit(t.values);
    else if (t.is === 'struct') visitStruct(t.struct());
  };
  const visitStruct = (s: Struct): void => {
    if (seen.has(s)) return;
    seen.add(s);
    for (const f of s.fields.values()) {
      h = fnv1a(`${f.name}${f.type.is}${f.always ? '!' : ''}`, h);
      if (f.default !== undefined) h = fnv1a(JSON.stringify(f.default), h);
      visit(f.type);
    }
  };
  visitStruct(root);
  const text = h.toString(16).padStart(8, '0');
  hashes.set(root.name, text);
  return text;
}

/** The shapes of Kubernetes 1.37: every kind of its groups, also those of versions that are not served by default. */
export const schemas: Schemas = {
  minor: '1.37',
  kind,
  struct: (name) => (name.startsWith('io.k8s.') ? find(name.slice('io.k8s.'.length)) : undefined),
  hash,
};
