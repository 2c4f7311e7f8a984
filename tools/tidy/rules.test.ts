import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import { check } from './rules.ts';

const resolve = (from: string, to: string) => posix.normalize(posix.join(posix.dirname(from), to));
const findings = (path: string, text: string) => check([{ path, text }], resolve);

const allowed: [string, string][] = [
  ['kube/store/a.ts', "import { x } from '../kinds/b.ts';"],
  ['api/a.ts', "import type { X } from '../kube/meta/b.ts';"],
  ['workers/main.ts', "import { x } from '../api/server.ts';"],
  ['node-agent/a.ts', "import { x } from 'node:fs';"],
  ['kube/meta/a.test.ts', "import { test } from 'node:test';"],
  ['workers/tunnel/a.ts', 'await stub.fetch(request);'],
];
for (const [path, text] of allowed)
  test(`allows in ${path}: ${text}`, () => assert.deepEqual(findings(path, text), []));

const refused: [string, string][] = [
  ['kube/meta/a.ts', "import { x } from '../store/b.ts';"],
  ['kube/kinds/a.ts', "import type { X } from '../store/b.ts';"],
  ['kube/meta/a.ts', "import { x } from '../../api/b.ts';"],
  ['api/a.ts', "import { x } from '../workers/b.ts';"],
  ['workers/loops/a.ts', "import { x } from '../../api/b.ts';"],
  ['cli/a.ts', "import { x } from '../node-agent/b.ts';"],
  ['api/a.ts', "import { x } from 'node:fs';"],
  ['kube/meta/a.test.ts', "import { x } from 'node:fs';"],
  ['api/a.ts', "import { x } from 'cloudflare:workers';"],
  ['api/a.ts', 'const t = Date.now();'],
  ['kube/store/a.ts', 'setTimeout(f, 1);'],
  ['workers/a.ts', 'const r = Math.random();'],
  ['cli/a.ts', 'x\n'.repeat(401)],
];
for (const [path, text] of refused)
  test(`refuses in ${path}: ${text.slice(0, 60)}`, () => assert.equal(findings(path, text).length, 1));
