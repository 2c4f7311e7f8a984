import type { FieldCode, GroupCode, PackageCode, TypeCode } from '../../kube/schema/encoding.ts';
import { EXPECTED, INLINE } from '../../kube/schema/encoding.ts';

/** TypeScript types of the stable versions: one file per group, `-v2` appended where there is more than v1. */
export function typeFiles(groups: Map<string, GroupCode>, head: string): [string, string][] {
  const out: [string, string][] = [];
  for (const group of groups.values()) {
    for (const [model, pkg] of Object.entries(group)) {
      const name = fileOf(model);
      if (name) out.push([`${name}.ts`, `${head}${new Writer(model, pkg).write()}`]);
    }
  }
  return out;
}

/** The file of a package's types; null when it has none (alphas, betas, packages without a version). */
function fileOf(model: string): string | null {
  const m = /([\w-]+)\.(v\d+)$/.exec(model);
  if (!m) return null;
  return m[2] === 'v1' ? (m[1] ?? '') : `${m[1]}-${m[2]}`;
}

const META = 'apimachinery.pkg.apis.meta.v1';
/** Types of kube/meta/object.ts, which stand for upstream's of the same name. */
const OURS = new Set(['ObjectMeta', 'OwnerReference', 'ManagedFieldsEntry']);

class Writer {
  private readonly model: string;
  private readonly pkg: PackageCode;
  private readonly imports = new Map<string, Set<string>>();

  constructor(model: string, pkg: PackageCode) {
    this.model = model;
    this.pkg = pkg;
  }

  write(): string {
    const bodies = Object.entries(this.pkg.fields)
      .filter(([name]) => !(this.model === META && OURS.has(name)))
      .map(([name, fields]) => this.struct(name, fields));
    for (const [name, target] of Object.entries(this.pkg.same ?? {})) {
      bodies.push(`export type ${name} = ${this.reference(`@${target}`, true)};\n`);
    }
    const imports = [...this.imports]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([file, names]) => `import type { ${[...names].sort().join(', ')} } from '${file}';\n`);
    return `${imports.join('')}\n${bodies.join('\n')}`;
  }

  private struct(name: string, fields: FieldCode[]): string {
    const inlined = fields.filter((f) => ((f[3] ?? 0) & INLINE) !== 0);
    const parents = inlined.map((f) => this.type(f[2]));
    const isKind = inlined.some((f) => typeof f[2] === 'string' && f[2].endsWith('TypeMeta'));
    const rows = fields.filter((f) => ((f[3] ?? 0) & INLINE) === 0).map((f) => this.row(f, isKind));
    const own = rows.length === 0 ? '{ [key: string]: never }' : `{\n${rows.join('')}}`;
    const body = parents.length > 0 && rows.length === 0 ? parents.join(' & ') : [...parents, own].join(' & ');
    return `export type ${name} = ${body};\n`;
  }

  private row([name, , type, flags = 0]: FieldCode, isKind: boolean): string {
    const must = (flags & EXPECTED) !== 0 || (isKind && name === 'metadata');
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`;
    return `  ${key}${must ? '' : '?'}: ${this.type(type)};\n`;
  }

  private type(t: TypeCode): string {
    if (typeof t === 'string') {
      if (t.startsWith('@')) return this.reference(t.slice(1));
      if (t.startsWith('a')) return this.use('../../../meta/json.ts', 'Json');
      return PLAIN[t] ?? 'string';
    }
    if ('s' in t) return t.e && t.e.length > 0 ? t.e.map((v) => `'${v}'`).join(' | ') : 'string';
    if ('i' in t) return 'number';
    if ('@' in t) return this.reference(t['@']);
    if ('{' in t) return `Record<string, ${this.type(t['{'])}>`;
    const items = this.type(t['[']);
    return /[|&]/.test(items) ? `(${items})[]` : `${items}[]`;
  }

  private reference(ref: string, asBase = false): string {
    const full = ref.startsWith('@') ? ref.slice(1) : `${this.model}.${ref}`;
    const dot = full.lastIndexOf('.');
    const [home, name] = [full.slice(0, dot), full.slice(dot + 1)];
    if (home === META && OURS.has(name)) return this.use('../../../meta/object.ts', name);
    if (home === this.model && !asBase) return name;
    const file = fileOf(home);
    // A field that leads into an alpha or beta package.
    if (!file) return this.use('../../../meta/json.ts', 'JsonObject');
    return asBase ? `import('./${file}.ts').${name}` : this.use(`./${file}.ts`, name);
  }

  private use(file: string, name: string): string {
    const names = this.imports.get(file) ?? new Set();
    this.imports.set(file, names.add(name));
    return name;
  }
}

// int64 is a number here; kube/meta/json.ts makes it a bigint beyond 2^53.
const PLAIN: Record<string, string> = {
  i: 'number',
  l: 'number',
  d: 'number',
  b: 'boolean',
  x: 'number | string',
};
