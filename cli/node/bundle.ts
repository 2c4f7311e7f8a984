import { build } from 'esbuild';
import { root } from '../home.ts';

/** What the one file does, by its first argument. Here alone node-agent/ and cli/ meet. */
const ENTRY = `
const [what, ...args] = process.argv.slice(2);
process.argv = [...process.argv.slice(0, 2), ...args];
const parts = {
  run: () => import('./node-agent/main.ts'),
  remove: () => import('./node-agent/remove.ts'),
  check: () => import('./node-agent/check.ts'),
  install: () => import('./cli/node/main.ts'),
};
if (!Object.hasOwn(parts, what ?? '')) {
  console.error('usage: coracle-node.js ' + Object.keys(parts).join('|') + ' ...');
  process.exit(2);
}
await parts[what]();
`;

/** Libraries that are CommonJS ask for Node's own modules with require, which a module doesn't have. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/**
 * The node's side of Coracle as one JavaScript file that needs nothing but Node.js: agent (`run SETTINGS`), its removal (`remove SETTINGS`) and installation
 * (`install ...`). The same sources give the same bytes.
 */
export async function bundleNode(): Promise<Uint8Array> {
  const made = await build({
    absWorkingDir: root,
    stdin: { contents: ENTRY, resolveDir: root, sourcefile: 'coracle-node.js', loader: 'js' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    charset: 'utf8',
    legalComments: 'inline',
    banner: { js: REQUIRE },
    logLevel: 'error',
  });
  const [file] = made.outputFiles;
  if (file === undefined) throw new Error('esbuild gave no file');
  return file.contents;
}
