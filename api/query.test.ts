import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../kube/meta/status.ts';
import { deleteOptions, listOptions, managerOf, writeOptions } from './query.ts';

const q = (text: string) => new URLSearchParams(text);
function refusal(f: () => unknown): [number, string] {
  try {
    f();
  } catch (e) {
    if (e instanceof StatusError) return [e.code, e.status.message ?? ''];
    throw e;
  }
  return [0, ''];
}

const LIST = 'ListOptions.meta.k8s.io "" is invalid: ';
const REFUSED: [string, () => unknown, number, string][] = [
  [
    'a limit that is no number',
    () => listOptions(q('limit=x'), false),
    400,
    'strconv.ParseInt: parsing "x": invalid syntax',
  ],
  [
    'a match without a version',
    () => listOptions(q('resourceVersionMatch=Exact'), false),
    422,
    `${LIST}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided`,
  ],
  [
    'an exact match at 0',
    () => listOptions(q('resourceVersionMatch=Exact&resourceVersion=0'), false),
    422,
    `${LIST}resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"`,
  ],
  [
    'initial events of a list',
    () => listOptions(q('sendInitialEvents=true'), false),
    422,
    `${LIST}sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list`,
  ],
  [
    'initial events without a match',
    () => listOptions(q('sendInitialEvents=true&resourceVersion=5'), true),
    422,
    `${LIST}resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan`,
  ],
  [
    'a dry run that is no All',
    () => writeOptions(q('dryRun=Some'), 'CreateOptions'),
    422,
    'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"',
  ],
  [
    'an unknown field validation',
    () => writeOptions(q('fieldValidation=Never'), 'UpdateOptions'),
    422,
    'UpdateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Never": supported values: "", "Ignore", "Strict", "Warn"',
  ],
  [
    'an apply without a manager',
    () => writeOptions(q('force=true'), 'PatchOptions', true),
    422,
    'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  ],
  [
    'force on another patch',
    () => writeOptions(q('force=true'), 'PatchOptions', false),
    422,
    'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
  ],
  [
    'a manager that is too long',
    () => writeOptions(q(`fieldManager=${'x'.repeat(129)}`), 'CreateOptions'),
    422,
    'CreateOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
  ],
  [
    'an unknown propagation',
    () => deleteOptions(q('propagationPolicy=Later')),
    422,
    'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Later": supported values: "Foreground", "Background", "Orphan", "nil"',
  ],
];
test('options are refused in the words of upstream', () => {
  for (const [what, f, code, text] of REFUSED) assert.deepEqual(refusal(f), [code, text], what);
});

test('a watch from nothing or from 0 begins with the present state', () => {
  for (const query of ['', 'resourceVersion=0']) {
    const o = listOptions(q(query), true);
    assert.deepEqual([o.sendInitialEvents, o.resourceVersionMatch], [true, 'NotOlderThan']);
  }
  assert.equal(listOptions(q('resourceVersion=7'), true).sendInitialEvents, undefined);
});

test('the manager of a write without one is the start of the user agent', () => {
  assert.equal(managerOf({}, 'kubectl/v1.37.1 (linux/amd64)'), 'kubectl');
  assert.equal(managerOf({}, `a\u0007b${'x'.repeat(200)}/1`), `ab${'x'.repeat(126)}`);
  assert.equal(managerOf({ fieldManager: 'mine' }, 'kubectl/1'), 'mine');
});
