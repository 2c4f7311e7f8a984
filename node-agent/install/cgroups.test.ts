import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { delegateControllers } from './cgroups.ts';

/** What is in subtree_control after delegation in a tree of plain files; '' when it wasn't written. */
async function delegated(controllers: string, enabled: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'cgroup-'));
  try {
    await writeFile(join(root, 'cgroup.controllers'), controllers);
    await writeFile(join(root, 'cgroup.subtree_control'), enabled);
    await delegateControllers(root);
    const after = await readFile(join(root, 'cgroup.subtree_control'), 'utf8');
    return after === enabled ? '' : after;
  } finally {
    await rm(root, { recursive: true });
  }
}

const CASES: [string, string, string, string][] = [
  [
    'what is there and not yet enabled is enabled',
    'cpuset cpu io memory pids rdma\n',
    'cpu\n',
    '+cpuset +io +memory +pids',
  ],
  ['nothing is written when all is enabled', 'cpu memory\n', 'cpu memory\n', ''],
  ['nothing is written where there is no controller', '\n', '\n', ''],
];
for (const [name, controllers, enabled, expected] of CASES) {
  test(name, async () => assert.equal(await delegated(controllers, enabled), expected));
}
