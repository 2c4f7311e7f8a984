import { writeFileSync } from 'node:fs';
import { findModules } from './modules.ts';
import { type OpenApiSchema, readOpenApi } from './openapi.ts';

// Extracts upstream's descriptions into a static asset for `kubectl explain`: node tools/generate/descriptions.ts OUT.json
// The texts are upstream's, so the asset is made at deploy time by whoever deploys, and never committed.

/** Description of each struct (under '') and of its fields, by the struct's full name. */
export type DescriptionTable = Record<string, Record<string, string>>;

function describe(schema: OpenApiSchema & { description?: string }): Record<string, string> {
  const out: Record<string, string> = {};
  if (schema.description) out[''] = schema.description;
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const text = (field as { description?: string }).description;
    if (text) out[name] = text;
  }
  return out;
}

function main(path: string | undefined): number {
  const modules = findModules();
  if (!modules || !path) {
    console.log(
      path ? 'skipped: Go or its modules are not available' : 'usage: node tools/generate/descriptions.ts OUT.json',
    );
    return path ? 0 : 2;
  }
  const table: DescriptionTable = {};
  for (const [name, schema] of readOpenApi(modules).schemas) table[name] = describe(schema);
  writeFileSync(path, JSON.stringify(table));
  console.log(`${Object.keys(table).length} shapes described in ${path}`);
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv[2]);
