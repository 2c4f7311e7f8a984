/** A TypeScript file of the tree: path from the root, whole text. */
export interface SourceFile {
  path: string;
  text: string;
}

/** Longer files do more than one thing; what is mostly data or one table says so here. */
const LINES_MAX = 400;
const LONG: Readonly<Record<string, string>> = {
  'node-agent/runtime/runtime.suite.ts': 'one shared suite: cases of one contract',
  'node-agent/runtime/fake.ts': 'one state machine with the rules of containerd',
  'kube/store/suite.ts': 'one shared suite: cases of one contract',
};

/** Inside kube/: what each folder may import of it (design, section 2). */
const KUBE: Readonly<Record<string, readonly string[]>> = {
  meta: [],
  schema: ['meta', 'patch', 'codec', 'cel'],
  patch: ['meta', 'schema', 'codec', 'cel'],
  codec: ['meta', 'schema', 'patch', 'cel'],
  cel: ['meta', 'schema', 'patch', 'codec'],
  kinds: ['meta', 'schema', 'patch', 'codec', 'cel'],
  store: ['meta', 'schema', 'patch', 'codec', 'cel', 'kinds'],
  reconcile: ['meta', 'schema', 'patch', 'codec', 'cel', 'kinds', 'store'],
  wire: ['meta', 'schema', 'patch', 'codec', 'cel', 'kinds'],
};
const PARTS = ['api', 'workers', 'node-agent', 'console', 'cli'];
/** The composition root's files: the only ones of workers/ that may import api/. */
const ROOTS = ['workers/main.ts', 'workers/cluster.ts', 'workers/platform.ts', 'workers/maker.ts'];
/** Where time, chance and the network may be touched; everything else gets an Env. */
const WORLD =
  /\bDate\.now\(|\bMath\.random\(|(?<![.\w#])fetch\((?!$)|\bsetTimeout\(|\bsetInterval\(|\bcrypto\.randomUUID\(/;

const isTest = (path: string) => /\.test\.ts$|\bsuite\b[^/]*\.ts$|\/testing\//.test(path) || path.startsWith('test/');

/** All findings, one line each; empty when the tree is tidy. `resolve` gives the path that an import of `from` names. */
export function check(files: readonly SourceFile[], resolve: (from: string, to: string) => string): string[] {
  return files
    .filter((f) => !f.path.includes('/generated/'))
    .flatMap((f) => [...lengths(f), ...imports(f, resolve), ...words(f)]);
}

function lengths({ path, text }: SourceFile): string[] {
  const lines = text.split('\n').length - 1;
  return lines > LINES_MAX && LONG[path] === undefined && !isTest(path)
    ? [`${path}: ${lines} lines (at most ${LINES_MAX})`]
    : [];
}

function imports({ path, text }: SourceFile, resolve: (from: string, to: string) => string): string[] {
  const found: string[] = [];
  for (const [, target = ''] of text.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    const why = target.startsWith('.') ? local(path, resolve(path, target)) : foreign(path, target);
    if (why) found.push(`${path}: imports ${target}: ${why}`);
  }
  return found;
}

const part = (path: string) => path.slice(0, path.indexOf('/'));

function local(from: string, to: string): string | undefined {
  const [a, b] = [part(from), part(to)];
  if (a === 'kube') {
    if (b !== 'kube') return 'kube/ imports nothing outside kube/';
    const [x = '', y = ''] = [from.split('/')[1], to.split('/')[1]];
    return x === y || KUBE[x]?.includes(y) ? undefined : `kube/${x} may not know kube/${y}`;
  }
  if (!PARTS.includes(a) || a === b || b === 'kube') return undefined;
  if (a === 'workers' && b === 'api' && ROOTS.includes(from)) return undefined;
  if (isTest(from)) return undefined;
  return `${a}/ may import kube/ only`;
}

const NODE_PARTS = ['node-agent', 'cli', 'tools', 'test'];
function foreign(from: string, name: string): string | undefined {
  const a = part(from);
  if (name.startsWith('node:')) {
    if (NODE_PARTS.includes(a)) return undefined;
    return isTest(from) && (name === 'node:test' || name === 'node:assert/strict' || name === 'node:assert')
      ? undefined
      : 'node:* is for node-agent/, cli/, tools/ and test/';
  }
  if (name.startsWith('@grpc/') || name === 'ws') return NODE_PARTS.includes(a) ? undefined : 'a Node library';
  if (name === 'cloudflare:workers')
    return a === 'workers' || isTest(from) ? undefined : 'the platform is for workers/';
  if (name.startsWith('@upstash/'))
    return from.startsWith('workers/tenant/cache') ? undefined : 'Redis is for the cache';
  return undefined;
}

function words({ path, text }: SourceFile): string[] {
  if (isTest(path) || !['kube', 'api', 'workers'].includes(part(path)) || path === 'workers/env.ts') return [];
  return text.split('\n').flatMap((line, i) => {
    const code = line.replace(/\/\/.*$/, '').trim();
    if (code.startsWith('*') || code.startsWith('/*')) return [];
    const match = WORLD.exec(code);
    // Calling an object's fetch method is not the network of the isolate.
    return match && !/\.fetch\(|async fetch\(/.test(code) ? [`${path}:${i + 1}: ${match[0]} belongs to an Env`] : [];
  });
}
