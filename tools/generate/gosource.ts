import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// Reads gofmt-ed Go packages line by line: structs with their tags, named types, typed constants. Only what API packages use.

export interface GoField {
  /** The Go name; for an embedded field, its type's. */
  go: string;
  type: string;
  embedded: boolean;
  json: string;
  jsonOptions: string[];
  /** The struct tag `protobuf`, split at commas; empty when there is none. */
  protobuf: string[];
  patchStrategy?: string;
  patchMergeKey?: string;
  /** Comment lines that start with `+`. */
  tags: string[];
  deprecated: boolean;
}
export interface GoType {
  name: string;
  /** The underlying type's expression, or `struct`. */
  is: string;
  fields: GoField[];
  tags: string[];
}
export interface GoConst {
  name: string;
  type: string;
  value: string;
  /** The constant whose value it takes; `value` is empty then. */
  reference?: string;
  tags: string[];
}
export interface GoPackage {
  /** Import path, as in `k8s.io/api/core/v1`. */
  path: string;
  types: Map<string, GoType>;
  consts: GoConst[];
  /** Import aliases, as they stand in the package's files. */
  imports: Map<string, string>;
}

/** Reads one package from its directory; tests and generated code are left out. */
export function readPackage(path: string, dir: string): GoPackage {
  const pkg: GoPackage = { path, types: new Map(), consts: [], imports: new Map() };
  for (const name of readdirSync(dir).sort()) {
    if (!name.endsWith('.go') || name.endsWith('_test.go')) continue;
    if (/^zz_generated|^generated|types_swagger_doc/.test(name)) continue;
    readFile(pkg, readFileSync(join(dir, name), 'utf8'));
  }
  return pkg;
}

/** Comments that stand above the next declaration; a blank line keeps the group before it (upstream reads both). */
class Comments {
  private lines: string[] = [];
  private blank = 0;
  add(line: string): void {
    if (this.blank > 1) this.lines = [];
    this.blank = 0;
    this.lines.push(line.replace(/^\/\/\s?/, '').trim());
  }
  gap(): void {
    this.blank++;
  }
  take(): { tags: string[]; deprecated: boolean } {
    const lines = this.lines;
    this.lines = [];
    this.blank = 0;
    return {
      tags: lines.filter((l) => l.startsWith('+')),
      deprecated: lines.some((l) => /^(\w+ is )?deprecated[:. ]/i.test(l)),
    };
  }
}

function readFile(pkg: GoPackage, text: string): void {
  const comments = new Comments();
  let struct: GoType | null = null;
  let consts = false;
  let imports = false;
  let constType = '';
  let block = false;
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (block || line.startsWith('/*')) {
      block = !line.includes('*/');
      continue;
    }
    if (line.startsWith('//')) {
      comments.add(line);
      continue;
    }
    if (line === '') {
      comments.gap();
      continue;
    }
    if (imports) {
      const m = /^(?:(\w+)\s+)?"([^"]+)"/.exec(line);
      if (m) pkg.imports.set(m[1] ?? m[2]?.split('/').pop() ?? '', m[2] ?? '');
      imports = line !== ')';
    } else if (struct) {
      if (raw === '}') {
        pkg.types.set(struct.name, struct);
        struct = null;
        comments.take();
      } else {
        const field = readField(line, comments.take());
        if (field) struct.fields.push(field);
      }
    } else if (consts) {
      if (raw === ')') consts = false;
      else constType = readConst(pkg, line, constType, comments.take().tags);
    } else if (line === 'import (') imports = true;
    else if (/^const \($/.test(line)) {
      consts = true;
      constType = '';
      comments.take();
    } else if (raw.startsWith('const ')) readConst(pkg, line.slice(6), '', comments.take().tags);
    else if (raw.startsWith('type ')) {
      const m = /^type (\w+) (=\s*)?(.+)$/.exec(line);
      const type: GoType = { name: m?.[1] ?? '', is: m?.[3] ?? '', fields: [], tags: comments.take().tags };
      if (/^struct \{$/.test(type.is)) {
        type.is = 'struct';
        struct = type;
      } else if (/^struct\s*\{\s*\}$/.test(type.is)) {
        type.is = 'struct';
        pkg.types.set(type.name, type);
      } else if (/^[\w.[\]*]+$/.test(type.is)) pkg.types.set(type.name, type);
    } else comments.take();
  }
}

function readConst(pkg: GoPackage, line: string, previous: string, tags: string[]): string {
  const m = /^(\w+)(?:\s+([\w.]+))?\s*=\s*(?:(\w+)\()?"((?:[^"\\]|\\.)*)"/.exec(line);
  if (!m) return readConstReference(pkg, line, previous, tags);
  const type = m[2] ?? m[3] ?? '';
  pkg.consts.push({ name: m[1] ?? '', type, value: JSON.parse(`"${m[4]}"`) as string, tags });
  return type;
}

/** `A = Type(v1.B)` and `A Type = B`: the value stands elsewhere. */
function readConstReference(pkg: GoPackage, line: string, previous: string, tags: string[]): string {
  const m = /^(\w+)\s*=\s*(\w+)\(([\w.]+)\)$/.exec(line) ?? /^(\w+)\s+(\w+)\s*=\s*([A-Za-z][\w.]*)$/.exec(line);
  if (m) pkg.consts.push({ name: m[1] ?? '', type: m[2] ?? '', value: '', reference: m[3] ?? '', tags });
  return previous;
}

function readField(line: string, above: { tags: string[]; deprecated: boolean }): GoField | null {
  const m = /^(?:([A-Za-z]\w*)\s+)?([\w.[\]*{} ]+?)\s*`([^`]*)`/.exec(line);
  if (!m) return null;
  const tag = (name: string) => new RegExp(`(?:^|\\s)${name}:"([^"]*)"`).exec(m[3] ?? '')?.[1];
  const json = tag('json');
  if (json === undefined || json === '-') return null;
  const [name = '', ...options] = json.split(',');
  const type = m[2] ?? '';
  return {
    go: m[1] ?? type.replace(/^\*/, '').split('.').pop() ?? '',
    type,
    embedded: m[1] === undefined,
    json: name,
    jsonOptions: options,
    protobuf: tag('protobuf')?.split(',') ?? [],
    patchStrategy: tag('patchStrategy'),
    patchMergeKey: tag('patchMergeKey'),
    ...above,
  };
}
