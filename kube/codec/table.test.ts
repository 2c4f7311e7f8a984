import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import { humanDuration, shortHumanDuration } from './human-duration.ts';
import {
  AGE_COLUMN,
  ageOf,
  type Column,
  includeObjectOf,
  NAME_COLUMN,
  type TableOptions,
  toPartialList,
  toTable,
  untilOf,
  wrongPartial,
} from './table.ts';

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;
const Y = 365 * D;

// The cases of upstream's duration_test.go, and the edges between its branches.
const HUMAN: [number, string][] = [
  [0, '0s'],
  [S, '1s'],
  [-S, '0s'],
  [-1999, '0s'],
  [-2 * S, '<invalid>'],
  [119 * S, '119s'],
  [2 * M, '2m'],
  [2 * M + 2 * S, '2m2s'],
  [9 * M + 59 * S, '9m59s'],
  [10 * M + S, '10m'],
  [179 * M, '179m'],
  [3 * H, '3h'],
  [3 * H + 5 * M, '3h5m'],
  [7 * H + 59 * M, '7h59m'],
  [8 * H + 10 * M, '8h'],
  [47 * H, '47h'],
  [48 * H, '2d'],
  [2 * D + 5 * H, '2d5h'],
  [8 * D - H, '7d23h'],
  [8 * D + H, '8d'],
  [2 * Y - H, '729d'],
  [2 * Y, '2y'],
  [2 * Y + 3 * D, '2y3d'],
  [8 * Y - H, '7y364d'],
  [8 * Y + D, '8y'],
];

test('durations are shown as kubectl shows them', () => {
  for (const [ms, want] of HUMAN) assert.equal(humanDuration(ms), want, String(ms));
});

test('short durations have one unit', () => {
  const rows: [number, string][] = [
    [-2 * S, '<invalid>'],
    [-S, '0s'],
    [59 * S, '59s'],
    [M, '1m'],
    [59 * M + 59 * S, '59m'],
    [H, '1h'],
    [23 * H, '23h'],
    [D, '1d'],
    [364 * D, '364d'],
    [Y, '1y'],
  ];
  for (const [ms, want] of rows) assert.equal(shortHumanDuration(ms), want, String(ms));
});

const now = Date.parse('2026-11-21T12:00:00Z');

test('an age needs a time', () => {
  assert.equal(ageOf('2026-11-21T11:00:00Z', now), '60m');
  assert.equal(ageOf('2026-11-21T13:00:00+01:00', now), '0s');
  assert.equal(ageOf(undefined, now), '<unknown>');
  assert.equal(ageOf('soon', now), '<unknown>');
  assert.equal(untilOf('2026-11-21T12:05:00Z', now), '5m');
});

const object = (name: string, more: JsonObject = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, uid: `u-${name}`, creationTimestamp: '2026-11-21T11:58:00Z', ...more },
  data: { a: 'b' },
});
const columns: Column[] = [
  { name: 'Data', type: 'integer', description: 'Entries.', priority: 0, value: () => 1 },
  AGE_COLUMN,
  { name: 'Wide', type: 'string', priority: 1, value: () => null },
];
const options: TableOptions = { includeObject: 'Metadata', version: 'v1', now };

test('a table has columns, rows and metadata as metav1.Table', () => {
  assert.deepEqual(
    toTable(columns, [object('x')], {
      ...options,
      list: { resourceVersion: '7', continue: 'c', remainingItemCount: 2 },
    }),
    {
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: '7', continue: 'c', remainingItemCount: 2 },
      columnDefinitions: [
        { name: 'Name', type: 'string', format: 'name', description: NAME_COLUMN.description, priority: 0 },
        { name: 'Data', type: 'integer', format: '', description: 'Entries.', priority: 0 },
        { name: 'Age', type: 'string', format: '', description: AGE_COLUMN.description, priority: 0 },
        { name: 'Wide', type: 'string', format: '', description: '', priority: 1 },
      ],
      rows: [
        {
          cells: ['x', 1, '2m', null],
          object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object('x').metadata },
        },
      ],
    },
  );
});

test('a kind without columns has name and creation time', () => {
  const t = toTable(undefined, [object('x')], { ...options, includeObject: 'None' });
  assert.deepEqual(
    (t.columnDefinitions as JsonObject[]).map((c) => c.name),
    ['Name', 'Created At'],
  );
  assert.deepEqual(t.rows, [{ cells: ['x', '2026-11-21T11:58:00Z'], object: null }]);
});

test('an empty table has no rows and no headers when none are wanted', () => {
  const t = toTable(columns, [], { ...options, noHeaders: true, version: 'v1beta1' });
  assert.deepEqual([t.apiVersion, t.metadata, t.columnDefinitions, t.rows], ['meta.k8s.io/v1beta1', {}, null, []]);
});

test('a row carries what includeObject asks for', () => {
  const rowOf = (o: KubeObject, more: Partial<TableOptions>) =>
    (toTable(columns, [o], { ...options, ...more }).rows as JsonObject[])[0] as JsonObject;
  assert.deepEqual(rowOf(object('x'), { includeObject: 'Object' }).object, object('x'));
  assert.equal(rowOf(object('x'), { includeObject: 'None' }).object, null);
  const end = object('x', { annotations: { 'k8s.io/initial-events-end': 'true' } });
  assert.equal((rowOf(end, { includeObject: 'None' }).object as JsonObject).kind, 'PartialObjectMetadata');
  const done = [{ type: 'Completed', status: 'True' }];
  assert.deepEqual(rowOf(object('x'), { conditions: () => done }).conditions, done);
  assert.equal('conditions' in rowOf(object('x'), { conditions: () => [] }), false);
});

test('includeObject is one of three words', () => {
  assert.equal(includeObjectOf(null), 'Metadata');
  assert.equal(includeObjectOf('None'), 'None');
  assert.throws(() => includeObjectOf('All'), {
    message:
      "Unable to convert to Table as requested: includeObject: Invalid value: \"All\": must be 'Metadata', 'Object', 'None', or empty",
  });
});

test('metadata alone is a PartialObjectMetadataList', () => {
  const list = toPartialList([object('x')], { resourceVersion: '1' }, 'v1');
  assert.deepEqual(
    [list.kind, (list.items as JsonObject[])[0]?.kind],
    ['PartialObjectMetadataList', 'PartialObjectMetadata'],
  );
  assert.equal(
    wrongPartial('PartialObjectMetadata', '*v1.PodList').message,
    'you requested PartialObjectMetadata, but the requested object is a list (*v1.PodList)',
  );
});
