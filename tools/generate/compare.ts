import type { FieldCode, GroupCode, TypeCode } from '../../kube/schema/encoding.ts';
import { EXPECTED, INLINE } from '../../kube/schema/encoding.ts';
import type { OpenApi, OpenApiSchema } from './openapi.ts';

/** What the shapes read from Go and the recorded OpenAPI documents disagree on; one line each, empty when they agree. */
export function compareWithOpenApi(groups: Map<string, GroupCode>, openapi: OpenApi): string[] {
  const packages = new Map<string, GroupCode[string]>();
  for (const g of groups.values()) for (const [name, p] of Object.entries(g)) packages.set(name, p);
  const fieldsOf = (full: string): FieldCode[] | undefined => {
    const dot = full.lastIndexOf('.');
    return packages.get(full.slice(0, dot))?.fields[full.slice(dot + 1)];
  };
  const flat = (pkg: string, fields: FieldCode[]): [string, FieldCode][] =>
    fields.flatMap((f) => {
      if (((f[3] ?? 0) & INLINE) === 0) return [[pkg, f] as [string, FieldCode]];
      const target = fullName(pkg, typeof f[2] === 'string' ? f[2].slice(1) : '');
      return flat(target.slice(0, target.lastIndexOf('.')), fieldsOf(target) ?? []);
    });
  const out: string[] = [];
  for (const [name, schema] of openapi.schemas) {
    const short = name.slice('io.k8s.'.length);
    const pkg = short.slice(0, short.lastIndexOf('.'));
    const fields = fieldsOf(short);
    if (!fields) {
      if (schema.properties) out.push(`${name}: missing`);
      continue;
    }
    const ours = new Map(flat(pkg, fields).map(([p, f]) => [f[0], { p, f }]));
    for (const [field, s] of Object.entries(schema.properties ?? {})) {
      const mine = ours.get(field);
      if (!mine) {
        out.push(`${name}.${field}: missing`);
        continue;
      }
      const a = describe(mine.p, mine.f[2]);
      const b = describeSchema(s);
      if (a !== b) out.push(`${name}.${field}: ${a} here, ${b} in OpenAPI`);
      const expected = schema.required?.includes(field) ?? false;
      if (expected !== (((mine.f[3] ?? 0) & EXPECTED) !== 0))
        out.push(`${name}.${field}: required is ${expected} in OpenAPI`);
      ours.delete(field);
    }
    for (const field of ours.keys()) out.push(`${name}.${field}: not in OpenAPI`);
  }
  return out;
}

const fullName = (pkg: string, ref: string) => (ref.startsWith('@') ? ref.slice(1) : `${pkg}.${ref}`);
const NAMES: Record<string, string> = {
  s: 'string',
  i: 'integer32',
  l: 'integer64',
  d: 'number',
  b: 'boolean',
  y: 'stringbyte',
  a: 'any',
  t: 'apimachinery.pkg.apis.meta.v1.Time',
  m: 'apimachinery.pkg.apis.meta.v1.MicroTime',
  D: 'string',
  q: 'apimachinery.pkg.api.resource.Quantity',
  x: 'apimachinery.pkg.util.intstr.IntOrString',
};

function describe(pkg: string, t: TypeCode): string {
  if (typeof t === 'string') {
    if (t.startsWith('@')) return fullName(pkg, t.slice(1));
    return t.startsWith('a') ? 'any' : (NAMES[t] ?? t);
  }
  if ('s' in t) return 'string';
  if ('i' in t) return `integer${t.i}`;
  if ('@' in t) return `${fullName(pkg, t['@'])}${t.a ? ' atomic' : ''}${t.p ? ` patch ${t.p}` : ''}`;
  if ('{' in t) return `{${describe(pkg, t['{'])}}${t.a ? ' atomic' : ''}`;
  const list = t.t === 's' ? ' set' : t.t === 'm' ? ` map ${t.k}` : t.t === 'a' ? ' atomic' : '';
  return `[${describe(pkg, t['['])}]${list}${t.p ? ` patch ${t.p} ${t.m ?? ''}` : ''}`;
}

const ANY = new Set([
  'RawExtension',
  'FieldsV1',
  'JSON',
  'JSONSchemaPropsOrArray',
  'JSONSchemaPropsOrBool',
  'JSONSchemaPropsOrStringArray',
]);
const ATOMIC_TYPES = new Set<string>();

function describeSchema(s: OpenApiSchema): string {
  const ref = s.$ref ?? s.allOf?.[0]?.$ref;
  const patch = s['x-kubernetes-patch-strategy'];
  const key = s['x-kubernetes-patch-merge-key'];
  if (ref) {
    const name = ref.slice('#/components/schemas/io.k8s.'.length);
    if (ANY.has(name.slice(name.lastIndexOf('.') + 1))) return 'any';
    const atomic = s['x-kubernetes-map-type'] ?? (ATOMIC_TYPES.has(name) ? 'atomic' : 'granular');
    return `${name}${atomic === 'atomic' ? ' atomic' : ''}${patch ? ` patch ${patch}` : ''}`;
  }
  if (s.type === 'array') {
    const type = s['x-kubernetes-list-type'];
    const list = type === 'map' ? ` map ${s['x-kubernetes-list-map-keys']}` : type ? ` ${type}` : '';
    return `[${describeSchema(s.items ?? {})}]${list}${patch ? ` patch ${patch} ${key ?? ''}` : ''}`;
  }
  if (s.type === 'object' && s.additionalProperties) {
    return `{${describeSchema(s.additionalProperties)}}${s['x-kubernetes-map-type'] === 'atomic' ? ' atomic' : ''}`;
  }
  if (s.type === 'integer') return `integer${s.format === 'int64' ? 64 : 32}`;
  if (s.type === 'string') return `string${s.format === 'byte' ? 'byte' : ''}`;
  return s.type ?? 'any';
}

/** Tells compareWithOpenApi which structs OpenAPI marks atomic at the type itself. */
export function noteAtomicTypes(openapi: OpenApi): void {
  for (const [name, s] of openapi.schemas)
    if (s['x-kubernetes-map-type'] === 'atomic') ATOMIC_TYPES.add(name.slice('io.k8s.'.length));
}
