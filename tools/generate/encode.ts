import * as code from '../../kube/schema/encoding.ts';
import type { GoConst, GoField, GoType } from './gosource.ts';
import type { ApiPackage } from './packages.ts';
import { type Rules, readTags } from './tags.ts';

/** Turns Go packages into the compact records of kube/schema/encoding.ts. */
export class Encoder {
  private readonly byPath = new Map<string, ApiPackage>();
  private readonly enabled: (feature: string) => boolean | undefined;
  /** Things that had to be left out; main.ts prints them. */
  readonly notes = new Set<string>();

  constructor(packages: ApiPackage[], enabled: (feature: string) => boolean | undefined) {
    for (const p of packages) this.byPath.set(p.path, p);
    this.enabled = enabled;
  }

  encode(pkg: ApiPackage): code.PackageCode {
    const fields: Record<string, code.FieldCode[]> = {};
    const unions: Record<string, code.UnionCode[]> = {};
    const same: Record<string, string> = {};
    const atomic: string[] = [];
    for (const type of [...pkg.types.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const target = type.is === 'struct' ? {} : this.resolve(pkg, type.name);
      if (
        target.in &&
        target.in !== pkg &&
        target.type?.is === 'struct' &&
        !SPECIAL[`${target.in.path}.${target.type.name}`]
      ) {
        same[type.name] = `${target.in.model.slice('io.k8s.'.length)}.${target.type.name}`;
      }
      if (type.is !== 'struct' || SPECIAL[`${pkg.path}.${type.name}`] || NOT_SHAPES.has(type.name)) continue;
      if (!/^[A-Z]/.test(type.name)) continue;
      if (type.fields.length === 0 && type.name !== 'Patch' && !/Mode$|Policy$|Status$|Spec$/.test(type.name)) continue;
      const mode = type.fields.find((f) => this.rules(f.tags).modeDiscriminator)?.json;
      fields[type.name] = type.fields.map((f) => this.field(pkg, f, mode)).filter((f) => f !== null);
      if (this.atomicType(type)) atomic.push(type.name);
      const found = this.unions(type);
      if (found.length > 0) unions[type.name] = found;
    }
    return {
      fields,
      ...(Object.keys(unions).length > 0 ? { unions } : {}),
      ...(atomic.length > 0 ? { atomic } : {}),
      ...(Object.keys(same).length > 0 ? { same } : {}),
    };
  }

  private rules(tags: readonly string[]): Rules {
    const rules = readTags(tags, this.enabled);
    for (const t of rules.unknown) this.notes.add(`tag not understood: ${t}`);
    return rules;
  }

  private field(pkg: ApiPackage, f: GoField, mode: string | undefined): code.FieldCode | null {
    const rules = this.rules(f.tags);
    const number = Number(f.protobuf[1] ?? 0) || 0;
    if (f.embedded && f.json === '') {
      const name = f.protobuf.find((p) => p.startsWith('name='))?.slice(5) ?? '';
      return [name, number, this.reference(pkg, f.type.replace('*', ''), null), code.INLINE];
    }
    const { type, pointer, goKind } = this.type(pkg, f.type, rules, f);
    const omit = f.jsonOptions.includes('omitempty');
    const omitZero = f.jsonOptions.includes('omitzero');
    // Go's omitempty never omits a struct: `status: {}`, a zero time's null.
    const always = !omitZero && (!omit || (goKind === 'struct' && !pointer));
    let flags = 0;
    // What has a default is never empty once defaulted: upstream then requires it.
    const defaulted =
      rules.optional && rules.default !== undefined && (pointer || !/^(?:0|""|false)$/.test(rules.default));
    if (rules.required || defaulted) flags |= code.REQUIRED;
    if (always) flags |= code.ALWAYS;
    if (pointer) flags |= code.NULLABLE;
    if (rules.immutable) flags |= code.IMMUTABLE;
    if (f.deprecated) flags |= code.DEPRECATED;
    if (rules.documentedRequired || rules.required || (!omit && !rules.documentedOptional)) flags |= code.EXPECTED;
    if (rules.forbidden) flags |= code.FORBIDDEN;
    if (rules.disabled) flags |= code.DISABLED;
    const more: code.MoreCode = {};
    if (rules.default !== undefined) more.d = this.defaultValue(pkg, rules.default);
    if (rules.update.length > 0) more.u = rules.update;
    if (Object.keys(rules.subfields).length > 0) more.s = rules.subfields;
    const { required, optional } = rules.modes;
    if (mode && required.length + optional.length > 0) {
      more.m = {
        d: mode,
        ...(required.length > 0 ? { r: required } : {}),
        ...(optional.length > 0 ? { o: optional } : {}),
      };
    }
    const out: code.FieldCode = [f.json, number, type];
    if (flags !== 0 || Object.keys(more).length > 0) out.push(flags);
    if (Object.keys(more).length > 0) out.push(more);
    return out;
  }

  private defaultValue(pkg: ApiPackage, text: string): unknown {
    const ref = /^ref\((\w+)\)$/.exec(text);
    if (ref) return pkg.consts.find((c) => c.name === ref[1])?.value;
    return JSON.parse(text) as unknown;
  }

  /** The code of a Go type expression in the light of a field's rules. */
  private type(
    pkg: ApiPackage,
    expression: string,
    rules: Rules,
    f?: GoField,
  ): { type: code.TypeCode; pointer: boolean; goKind: 'struct' | 'other' } {
    if (expression.startsWith('*')) return { ...this.type(pkg, expression.slice(1), rules, f), pointer: true };
    const other = (type: code.TypeCode) => ({ type, pointer: false, goKind: 'other' as const });
    if (expression === '[]byte') return other('y');
    if (expression.startsWith('[]')) return other(this.list(pkg, expression.slice(2), rules, f, false));
    const map = /^map\[([\w.]+)\](.+)$/.exec(expression);
    if (map) return other(this.map(pkg, map[2] ?? '', rules));
    const basic = BASIC[expression];
    if (basic) return other(withLimits(basic, rules));
    const { in: home, type } = this.resolve(pkg, expression);
    const special = SPECIAL[`${home?.path ?? this.importPath(pkg, expression)}.${baseName(expression)}`];
    if (special) return { type: special.code, pointer: false, goKind: special.struct ? 'struct' : 'other' };
    if (!home || !type) throw new Error(`${pkg.path}: ${f?.go}: unknown type ${expression}`);
    if (type.is === 'struct') {
      return { type: this.reference(pkg, expression, rules, f), pointer: false, goKind: 'struct' };
    }
    return this.named(home, type, rules, f);
  }

  private named(home: ApiPackage, type: GoType, fieldRules: Rules, f?: GoField) {
    const own = this.rules(type.tags);
    const rules: Rules = {
      ...fieldRules,
      limits: { ...own.limits, ...fieldRules.limits },
      listType: fieldRules.listType ?? own.listType,
      mapType: fieldRules.mapType ?? own.mapType,
      structType: fieldRules.structType ?? own.structType,
    };
    const underlying = BASIC[type.is];
    if (underlying === 's' && (own.enum || own.documentedEnum)) {
      const values = home.consts
        .filter((c) => c.type === type.name && !this.excluded(c.tags))
        .map((c) => this.constant(home, c));
      const out: code.StringCode = { s: 1, e: [...new Set(values)].sort() };
      if (!own.enum) out.h = 1;
      out.g = goName(home, type);
      if (Object.keys(rules.limits).length > 0) out.l = rules.limits;
      return { type: out as code.TypeCode, pointer: false, goKind: 'other' as const };
    }
    if (type.is.startsWith('[]') && type.is !== '[]byte') {
      const list = this.list(home, type.is.slice(2), rules, f, home.proto.has(type.name));
      list.g = goName(home, type);
      return { type: list as code.TypeCode, pointer: false, goKind: 'other' as const };
    }
    const inner = this.type(home, type.is, rules, f);
    const g = goName(home, type);
    if (inner.type === 's') return { ...inner, type: { s: 1 as const, g } };
    if (inner.type === 'i') return { ...inner, type: { i: 32 as const, g } };
    if (typeof inner.type === 'object') return { ...inner, type: { ...inner.type, g } as code.TypeCode };
    return inner;
  }

  private constant(home: ApiPackage, c: GoConst): string {
    if (!c.reference) return c.value;
    const owner = this.byPath.get(this.importPath(home, c.reference));
    const target = owner?.consts.find((x) => x.name === baseName(c.reference ?? ''));
    if (!owner || !target) throw new Error(`${home.path}: constant ${c.name} refers to ${c.reference}`);
    return this.constant(owner, target);
  }

  private excluded(tags: readonly string[]): boolean {
    return tags.some((t) => /^\+k8s:enumExclude\b/.test(t));
  }

  private list(pkg: ApiPackage, items: string, rules: Rules, f: GoField | undefined, wrapped: boolean): code.ListCode {
    const inner: Rules = { ...EMPTY_RULES, limits: rules.eachValue };
    const out: code.ListCode = { '[': this.type(pkg, items, inner).type };
    if (rules.listType === 'set') out.t = 's';
    else if (rules.listType === 'map') out.t = 'm';
    else if (rules.listType === 'atomic') out.t = 'a';
    if (rules.listMapKeys.length > 0) out.k = rules.listMapKeys;
    if (f?.patchStrategy) out.p = f.patchStrategy;
    if (f?.patchMergeKey) out.m = f.patchMergeKey;
    if (wrapped) out.w = 1;
    if (rules.unique) out.u = rules.unique === 'set' ? 's' : 'm';
    if (Object.keys(rules.limits).length > 0) out.l = rules.limits;
    return out;
  }

  private map(pkg: ApiPackage, values: string, rules: Rules): code.MapCode {
    const out: code.MapCode = { '{': this.type(pkg, values, { ...EMPTY_RULES, limits: rules.eachValue }).type };
    if (rules.mapType === 'atomic') out.a = 1;
    if (Object.keys(rules.eachKey).length > 0) out.k = rules.eachKey;
    if (Object.keys(rules.limits).length > 0) out.l = rules.limits;
    return out;
  }

  private reference(pkg: ApiPackage, expression: string, rules: Rules | null, f?: GoField): code.TypeCode {
    const { in: home, type } = this.resolve(pkg, expression);
    if (!home || !type) throw new Error(`${pkg.path}: unknown struct ${expression}`);
    const name = home === pkg ? type.name : `@${home.model.slice('io.k8s.'.length)}.${type.name}`;
    if (!rules) return `@${name}`;
    // A field may take back what its type declares: PersistentVolumeSpec.claimRef.
    const own = rules.structType ?? rules.mapType;
    const atomic = own === undefined ? this.atomicType(type) : own === 'atomic';
    if (!atomic && !f?.patchStrategy) return `@${name}`;
    const out: code.StructCode = { '@': name };
    if (atomic) out.a = 1;
    if (f?.patchStrategy) out.p = f.patchStrategy;
    return out;
  }

  private atomicType(type: GoType): boolean {
    const own = this.rules(type.tags);
    return own.structType === 'atomic' || own.mapType === 'atomic';
  }

  private importPath(pkg: ApiPackage, expression: string): string {
    const dot = expression.indexOf('.');
    return dot < 0 ? pkg.path : (pkg.imports.get(expression.slice(0, dot)) ?? '');
  }

  private resolve(pkg: ApiPackage, expression: string): { in?: ApiPackage; type?: GoType } {
    const home = this.byPath.get(this.importPath(pkg, expression));
    const type = home?.types.get(baseName(expression));
    // An alias, or a type made from another package's struct: the shape is that struct.
    if (home && type && /^\w+\.[A-Z]\w*$/.test(type.is)) {
      const target = this.resolve(home, type.is);
      if (target.type?.is === 'struct') return target;
    }
    return { in: home, type };
  }

  private unions(type: GoType): code.UnionCode[] {
    const unions = new Map<string, code.UnionCode & { zero: boolean }>();
    const of = (name: string, zero: boolean) => {
      const key = `${zero}${name}`;
      const u = unions.get(key) ?? { m: [], zero };
      unions.set(key, u);
      return u;
    };
    for (const f of type.fields) {
      const rules = this.rules(f.tags);
      if (rules.unionDiscriminator !== undefined) of(rules.unionDiscriminator, false).d = f.json;
      if (rules.unionMember) {
        const u = of(rules.unionMember.union, false);
        u.m.push(f.json);
        u.v = [...(u.v ?? []), rules.unionMember.name ?? f.go];
      }
      if (rules.zeroOrOneOfMember !== undefined) of(rules.zeroOrOneOfMember, true).m.push(f.json);
    }
    return [...unions.values()]
      .filter((u) => u.m.length > 0)
      .map(({ m, d, v, zero }) => ({ m, ...(d ? { d, v } : {}), ...(zero ? {} : { r: 1 as const }) }));
  }
}

const EMPTY_RULES: Rules = {
  update: [],
  limits: {},
  eachValue: {},
  eachKey: {},
  subfields: {},
  listMapKeys: [],
  modes: { required: [], optional: [] },
  unknown: [],
};

const BASIC: Record<string, 's' | 'i' | 'l' | 'd' | 'b' | 'a' | 'y'> = {
  string: 's',
  bool: 'b',
  int: 'l',
  int32: 'i',
  int64: 'l',
  uint32: 'l',
  float32: 'd',
  float64: 'd',
  'interface{}': 'a',
  any: 'a',
  '[]byte': 'y',
};

const META = 'k8s.io/apimachinery/pkg/apis/meta/v1';
const EXTENSIONS = 'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1';
/** Go types with a JSON form of their own. `struct`: Go's omitempty never omits them. */
const SPECIAL: Record<string, { code: code.TypeCode; struct: boolean }> = {
  [`${META}.Time`]: { code: 't', struct: true },
  [`${META}.MicroTime`]: { code: 'm', struct: true },
  [`${META}.Duration`]: { code: 'D', struct: true },
  [`${META}.FieldsV1`]: { code: 'af', struct: true },
  'k8s.io/apimachinery/pkg/api/resource.Quantity': { code: 'q', struct: true },
  'k8s.io/apimachinery/pkg/util/intstr.IntOrString': { code: 'x', struct: true },
  'k8s.io/apimachinery/pkg/runtime.RawExtension': { code: 'ae', struct: true },
  'k8s.io/apimachinery/pkg/types.UID': { code: { s: 1, g: 'types.UID' }, struct: false },
  'k8s.io/apimachinery/pkg/types.NodeName': { code: { s: 1, g: 'types.NodeName' }, struct: false },
  [`${EXTENSIONS}.JSON`]: { code: 'ar', struct: true },
  [`${EXTENSIONS}.JSONSchemaPropsOrArray`]: { code: 'a:JSONSchemaPropsOrArray', struct: true },
  [`${EXTENSIONS}.JSONSchemaPropsOrBool`]: { code: 'a:JSONSchemaPropsOrBool', struct: true },
  [`${EXTENSIONS}.JSONSchemaPropsOrStringArray`]: { code: 'a:JSONSchemaPropsOrStringArray', struct: true },
};
/** Go structs that hold no API data. */
const NOT_SHAPES = new Set(['InternalEvent', 'Timestamp', 'ConversionError', 'Scheme', 'DefaultScheme']);

const goName = (home: ApiPackage, type: GoType) => `${home.path.slice(home.path.lastIndexOf('/') + 1)}.${type.name}`;
const baseName = (expression: string) => expression.slice(expression.lastIndexOf('.') + 1);

function withLimits(basic: string, rules: Rules): code.TypeCode {
  if (Object.keys(rules.limits).length === 0) return basic;
  if (basic === 's') return { s: 1, l: rules.limits };
  if (basic === 'i') return { i: 32, l: rules.limits };
  if (basic === 'l') return { i: 64, l: rules.limits };
  return basic;
}
