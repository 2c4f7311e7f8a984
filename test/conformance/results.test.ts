import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { choose, judge, names, parseResults, shrunk } from './results.ts';

const all = names(
  '# two groups\n[sig-node] Pods should run\n\n[sig-apps] Job should end [Serial]\n[sig-apps] Job should fail\n',
);

test('tests are chosen by group, by pattern, and without others', () => {
  const cases: [Parameters<typeof choose>[1], number][] = [
    [{}, 3],
    [{ groups: ['sig-apps'] }, 2],
    [{ groups: ['apps'] }, 0],
    [{ focus: 'Job should' }, 2],
    [{ focus: 'Job', skip: '\\[Serial\\]' }, 1],
  ];
  for (const [o, count] of cases) assert.equal(choose(all, o).length, count, JSON.stringify(o));
});

test('a listed test that failed, was skipped or never ran is lost; others that fail are not; what passes anew is gained', () => {
  const [pods = '', end = '', fail = ''] = all;
  const results = parseResults(`${end}\tfailed\t3.5\tno pod\n${fail}\tpassed\t1.0\t\n`);
  const v = judge(all, results, new Set([pods, end]));
  assert.deepEqual(
    v.lost.map((r) => [r.name, r.why]),
    [
      [pods, 'did not run'],
      [end, 'no pod'],
    ],
  );
  assert.deepEqual(
    v.gained.map((r) => r.name),
    [fail],
  );
  assert.equal(v.failed.length, 2);
  assert.equal(judge([end], results, new Set()).lost.length, 0);
  assert.equal(judge([pods], parseResults(`${pods}\tskipped\t0\tno`), new Set([pods])).lost.length, 1);
});

test('a name that the list had at some time and has no more is found', () => {
  const history = '--- /dev/null\n+++ b/passing.txt\n@@ -0,0 +1,3 @@\n+# of today\n+a\n+b\n--- a/passing.txt\n-b\n';
  assert.deepEqual(shrunk(history, ['a']), ['b']);
  assert.deepEqual(shrunk(history, ['b', 'c', 'a']), []);
});

test('the list of tests that pass never shrinks', (t) => {
  const args = ['log', '--format=', '-p', '--unified=0', '--', 'passing.txt'];
  const history = spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' });
  if (history.status !== 0) return t.skip('no git history here');
  const today = names(readFileSync(join(import.meta.dirname, 'passing.txt'), 'utf8'));
  assert.ok(today.length > 0);
  assert.deepEqual(shrunk(history.stdout, today), []);
});
