/**
 * node:test inside workerd: the hooks and subtests that our tests use, collected while a test file loads and run afterwards.
 * The bundle of test/workerd/run.ts puts this in the place of `node:test`.
 */
type Body = (t: TestContext) => unknown;
interface Options {
  skip?: boolean | string;
  timeout?: number;
}
interface Node {
  name: string;
  options: Options;
  body: Body | null;
  children: Node[];
  before: (() => unknown)[];
  after: (() => unknown)[];
  beforeEach: (() => unknown)[];
  afterEach: (() => unknown)[];
  parent: Node | null;
}

/** What a test is handed. */
export interface TestContext {
  readonly name: string;
  skip(why?: string): void;
  diagnostic(text: string): void;
  test(name: string, a?: Options | Body, b?: Body): Promise<void>;
}

/** One finished test. */
export interface Result {
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  error?: string;
  ms: number;
}

/** A test that takes longer hangs. */
const TIMEOUT_MS = 60_000;

let current: Node = node('', {}, null, null);

function node(name: string, options: Options, body: Body | null, parent: Node | null): Node {
  return { name, options, body, children: [], before: [], after: [], beforeEach: [], afterEach: [], parent };
}

function register(suite: boolean, name: string, a?: Options | Body, b?: Body): void {
  const options = typeof a === 'function' || a === undefined ? {} : a;
  const body = typeof a === 'function' ? a : (b ?? (() => {}));
  const n = node(name, options, suite ? null : body, current);
  current.children.push(n);
  if (!suite || options.skip) return;
  current = n;
  try {
    body(undefined as unknown as TestContext);
  } finally {
    current = n.parent ?? n;
  }
}

const withSkip = (suite: boolean) =>
  Object.assign((name: string, a?: Options | Body, b?: Body) => register(suite, name, a, b), {
    skip: (name: string, _a?: unknown, _b?: unknown) => register(suite, name, { skip: true }, () => {}),
    only: (name: string, a?: Options | Body, b?: Body) => register(suite, name, a, b),
  });

export const describe = withSkip(true);
export const suite = describe;
export const it = withSkip(false);
export const test = it;
export const before = (f: () => unknown) => void current.before.push(f);
export const after = (f: () => unknown) => void current.after.push(f);
export const beforeEach = (f: () => unknown) => void current.beforeEach.push(f);
export const afterEach = (f: () => unknown) => void current.afterEach.push(f);
export default Object.assign(it, { describe, it, test, suite, before, after, beforeEach, afterEach });

/** Loads one file's tests and runs them in order, telling each result. */
export async function runFile(load: () => Promise<unknown>, tell: (r: Result) => void): Promise<void> {
  const root = node('', {}, null, null);
  current = root;
  try {
    await load();
  } catch (e) {
    tell({ name: '(loading)', outcome: 'failed', error: textOf(e), ms: 0 });
    return;
  }
  await runSuite(root, '', tell);
}

async function runSuite(s: Node, path: string, tell: (r: Result) => void): Promise<void> {
  try {
    for (const f of s.before) await f();
    for (const child of s.children) {
      const name = path === '' ? child.name : `${path} > ${child.name}`;
      if (child.options.skip) tell({ name, outcome: 'skipped', ms: 0 });
      else if (child.body) await runTest(child, name, tell);
      else await runSuite(child, name, tell);
    }
    for (const f of s.after) await f();
  } catch (e) {
    tell({ name: `${path} (hook)`, outcome: 'failed', error: textOf(e), ms: 0 });
  }
}

async function runTest(n: Node, name: string, tell: (r: Result) => void): Promise<void> {
  const start = Date.now();
  let skipped = false;
  const t: TestContext = {
    name: n.name,
    skip: () => {
      skipped = true;
    },
    diagnostic: () => {},
    test: (sub, a, b) => {
      const body = typeof a === 'function' ? a : (b ?? (() => {}));
      return runTest(node(sub, {}, body, n), `${name} > ${sub}`, tell);
    },
  };
  const around = (pick: 'beforeEach' | 'afterEach'): (() => unknown)[] => {
    const hooks: (() => unknown)[] = [];
    for (let p: Node | null = n.parent; p; p = p.parent) hooks.unshift(...p[pick]);
    return hooks;
  };
  try {
    for (const f of around('beforeEach')) await f();
    await within(n.options.timeout ?? TIMEOUT_MS, async () => n.body?.(t));
    for (const f of around('afterEach')) await f();
    tell({ name, outcome: skipped ? 'skipped' : 'passed', ms: Date.now() - start });
  } catch (e) {
    tell({ name, outcome: 'failed', error: textOf(e), ms: Date.now() - start });
  }
}

async function within(ms: number, f: () => Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${ms} ms`)), ms);
  });
  try {
    await Promise.race([f(), late]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}

const textOf = (e: unknown): string => (e instanceof Error ? (e.stack ?? `${e.name}: ${e.message}`) : String(e));
