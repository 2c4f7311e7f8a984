import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TextIndex, TextTable } from '../../kube/wire/texts.ts';
import { findModules, KUBERNETES, MINOR, type Modules } from './modules.ts';
import type { OpenApiSchema } from './openapi.ts';

// Extracts upstream's descriptions for `kubectl explain` into a folder: node tools/generate/descriptions.ts FOLDER
// The texts are upstream's, so whoever runs the server makes them (`coracle explain-text`), and they are never committed.

const packageOf = (name: string) => name.slice(0, name.lastIndexOf('.'));

/** The texts of each package, and which packages each OpenAPI document's structs are of. */
export function readTexts(modules: Modules): { tables: Map<string, TextTable>; documents: TextIndex['documents'] } {
  const dir = join(modules.kubernetes, 'api/openapi-spec/v3');
  const enums = readEnumTexts(modules);
  const tables = new Map<string, TextTable>();
  const documents: Record<string, string[]> = {};
  for (const file of readdirSync(dir).sort()) {
    const doc = JSON.parse(readFileSync(join(dir, file), 'utf8')) as {
      components?: { schemas?: Record<string, OpenApiSchema & { description?: string }> };
    };
    const schemas = Object.entries(doc.components?.schemas ?? {});
    for (const [name, schema] of schemas) {
      const table = tables.get(packageOf(name)) ?? {};
      table[name] = textsOf(name.slice(name.lastIndexOf('.') + 1), schema, enums);
      tables.set(packageOf(name), table);
    }
    // apis__apps__v1_openapi.json
    const path = file.replace(/_openapi\.json$/, '').replaceAll('__', '/');
    documents[path] = [...new Set(schemas.map(([name]) => packageOf(name)))];
  }
  return { tables, documents };
}

/**
 * Texts that say the values of an enum too, by type, field and the text without them: servers give those, but the recorded documents were made without. They
 * stand in the Go source that servers are built with.
 */
function readEnumTexts(modules: Modules): Map<string, string> {
  const source = readFileSync(join(modules.kubernetes, 'pkg/generated/openapi/zz_generated.openapi.go'), 'utf8');
  const out = new Map<string, string>();
  let [type, field] = ['', ''];
  for (const line of source.split('\n')) {
    type = /^func schema_\w*_(\w+)\(/.exec(line)?.[1] ?? type;
    field = /^\t{5}"([^"]+)": \{$/.exec(line)?.[1] ?? field;
    const text = /^\t+Description: +(".*Possible enum values:.*"),$/.exec(line)?.[1];
    if (text === undefined) continue;
    const whole = JSON.parse(text) as string;
    const [before = ''] = whole.split('\n\nPossible enum values:');
    out.set(enumKey(type, field, before), whole);
  }
  return out;
}
const enumKey = (type: string, field: string, text: string) => `${type} ${field} ${text}`;

function textsOf(
  type: string,
  schema: OpenApiSchema & { description?: string },
  enums: ReadonlyMap<string, string>,
): TextTable[string] {
  const out: Record<string, string> = {};
  if (schema.description) out[''] = schema.description;
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const text = (field as { description?: string }).description;
    if (text) out[name] = enums.get(enumKey(type, name, text)) ?? text;
  }
  return out;
}

function main(dir: string | undefined): number {
  if (dir === undefined) {
    console.error('usage: node tools/generate/descriptions.ts FOLDER');
    return 2;
  }
  const modules = findModules();
  if (!modules) {
    console.error(`the Go modules of Kubernetes ${KUBERNETES} are needed, and Go to fetch them`);
    return 1;
  }
  const { tables, documents } = readTexts(modules);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const hash = createHash('sha256');
  let texts = 0;
  for (const [name, table] of tables) {
    const body = JSON.stringify(table);
    hash.update(body);
    texts += Object.values(table).reduce((n, t) => n + Object.keys(t).length, 0);
    writeFileSync(join(dir, `${name}.json`), body);
  }
  // Last: whoever sees the index finds what it names.
  const index: TextIndex = { minor: MINOR, version: hash.digest('hex').slice(0, 16), documents };
  writeFileSync(join(dir, 'index.json'), JSON.stringify(index));
  console.log(`${texts} texts of Kubernetes ${KUBERNETES}`);
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv[2]);
