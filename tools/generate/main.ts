import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GroupCode } from '../../kube/schema/encoding.ts';
import { compareWithOpenApi, noteAtomicTypes } from './compare.ts';
import { Encoder } from './encode.ts';
import { readFeatures } from './features.ts';
import { findModules, KUBERNETES, MINOR, type Modules } from './modules.ts';
import { readOpenApi } from './openapi.ts';
import { readPackages } from './packages.ts';
import { readResources } from './resources.ts';
import { typeFiles } from './types.ts';

// Writes kube/schema/generated from the Go modules of one Kubernetes release. `--check` compares instead of writing.

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../kube/schema/generated');
const HEAD = `// Made by tools/generate from Kubernetes ${KUBERNETES}. Don't edit: run \`npm run generate\`.\n`;

/** All generated files by path under kube/schema/generated. */
export function generate(modules: Modules): { files: Map<string, string>; notes: string[] } {
  const openapi = readOpenApi(modules);
  const packages = readPackages(modules, openapi.packages);
  const encoder = new Encoder(packages, readFeatures(modules));
  const groups = new Map<string, GroupCode>();
  for (const pkg of packages) {
    const encoded = encoder.encode(pkg);
    if (Object.keys(encoded.fields).length === 0) continue;
    const group = groups.get(pkg.file) ?? {};
    group[pkg.model.slice('io.k8s.'.length)] = encoded;
    groups.set(pkg.file, group);
  }
  const files = new Map<string, string>();
  for (const [name, group] of groups)
    files.set(`${MINOR}/${name}.ts`, `${HEAD}export const data =\n  ${literal(group)};\n`);
  files.set(`${MINOR}/index.ts`, `${HEAD}${indexFile([...groups])}`);
  files.set(`${MINOR}/resources.ts`, `${HEAD}export const data =\n  ${literal(readResources(modules, openapi))};\n`);
  for (const [name, text] of typeFiles(groups, HEAD)) files.set(`types/${name}`, text);
  noteAtomicTypes(openapi);
  const notes = [...encoder.notes, ...compareWithOpenApi(groups, openapi)];
  return { files, notes };
}

/** A JSON text as a string literal: single quotes, because JSON is full of double ones. */
export function literal(value: unknown): string {
  return `'${JSON.stringify(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function indexFile(groups: [string, GroupCode][]): string {
  const names = groups.map(([name]) => name).sort();
  const imports = names.map((n) => `import { data as ${n} } from './${n}.ts';`).join('\n');
  const owners = groups.flatMap(([name, g]) => Object.keys(g).map((p) => [p, name] as const));
  const rows = owners.sort().map(([p, n]) => `  '${p}': ${n},`);
  return `${imports}\n\n/** The text that holds each package, by model name without \`io.k8s.\`. */\nexport const packages: Record<string, string> = {\n${rows.join('\n')}\n};\n`;
}

function existing(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => relative(ROOT, join(e.parentPath, e.name)));
}

function main(): number {
  const modules = findModules();
  if (!modules) {
    console.log('skipped: Go or its modules are not available');
    return 0;
  }
  const { files, notes } = generate(modules);
  if (process.argv.includes('--notes')) for (const n of notes) console.log(n);
  const stale = existing(ROOT).filter((f) => !files.has(f));
  if (process.argv.includes('--check')) {
    const wrong = [...files].filter(([f, text]) => {
      const path = join(ROOT, f);
      return !existsSync(path) || readFileSync(path, 'utf8') !== text;
    });
    for (const [f] of wrong) console.log(`differs: ${f}`);
    for (const f of stale) console.log(`not generated: ${f}`);
    return wrong.length + stale.length > 0 ? 1 : 0;
  }
  for (const f of stale) rmSync(join(ROOT, f));
  for (const [f, text] of files) {
    mkdirSync(dirname(join(ROOT, f)), { recursive: true });
    writeFileSync(join(ROOT, f), text);
  }
  console.log(`${files.size} files, ${notes.length} notes`);
  return 0;
}

if (import.meta.main) process.exitCode = main();
