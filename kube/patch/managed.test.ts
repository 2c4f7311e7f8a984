import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject, ManagedFieldsEntry } from '../meta/object.ts';
import { StatusError } from '../meta/status.ts';
import type { Struct, Type } from '../schema/schema.ts';
import { type Apply, applyConflict, applyPatch } from './apply.ts';
import { includeFields } from './field-filter.ts';
import { fieldManagerIssues, managerOrUserAgent } from './field-manager.ts';
import { keepTimestamps, type Update, updateManagedFields, withManagedFields } from './managed.ts';
import { managedFieldsIssues, managedFieldsProblem } from './managed-validate.ts';
import { structOf, widget } from './sample-types.ts';

const time = '2026-01-01T00:00:00Z';
const object = (spec: KubeObject['spec'], entries?: ManagedFieldsEntry[]): KubeObject => ({
  apiVersion: 'example.dev/v1',
  kind: 'Widget',
  metadata: { name: 'w', ...(entries ? { managedFields: entries } : {}) },
  spec,
});
const entry = (manager: string, operation: string, fieldsV1: ManagedFieldsEntry['fieldsV1']): ManagedFieldsEntry => ({
  manager,
  operation,
  apiVersion: 'example.dev/v1',
  time,
  fieldsType: 'FieldsV1',
  fieldsV1: fieldsV1 ?? {},
});
const update = (w: Partial<Update>): Update => ({
  struct: widget,
  apiVersion: 'example.dev/v1',
  manager: 'm',
  time: '2026-02-02T00:00:00Z',
  live: null,
  next: object({}),
  ...w,
});

describe('the field manager of a write', () => {
  const cases: [string, string | undefined, string | undefined, string][] = [
    ['is the one it names', 'me', 'kubectl/v1', 'me'],
    ['is else what the User-Agent begins with', '', 'kubectl/v1.37.1 (linux/amd64) kubernetes/abc', 'kubectl'],
    ['is the whole User-Agent without a slash', undefined, 'curl', 'curl'],
    ['has no unprintable characters', '', 'a\u0007b\tc d/1', 'abc d'],
    ['ends at 128 bytes, on a whole character', '', `${'a'.repeat(127)}é/1`, 'a'.repeat(127)],
    ['may be nothing', undefined, undefined, ''],
  ];
  for (const [name, manager, agent, want] of cases)
    test(name, () => assert.equal(managerOrUserAgent(manager, agent), want));
  test('is checked', () => {
    assert.deepEqual(
      fieldManagerIssues(`é\u0007${'x'.repeat(128)}`, 'fieldManager').map((i) => i.message.replace(/"é.*x"/, '...')),
      ['Too long: may not be more than 128 bytes', 'Invalid value: ...: invalid character U+0007 (at position 2)'],
    );
  });
});

describe('managedFields that a client sent', () => {
  const good = entry('a', 'Apply', {});
  const cases: [string, ManagedFieldsEntry, string | null][] = [
    ['can be read', good, null],
    ['need an operation', { ...good, operation: 'Other' }, 'operation must be `Apply` or `Update`'],
    ['need a version', { ...good, apiVersion: '' }, 'apiVersion must not be empty'],
    ['need a type of fields', { ...good, fieldsType: '' }, 'missing fieldsType in managed fields entry 0'],
    ['need a known type of fields', { ...good, fieldsType: 'V2' }, 'invalid fieldsType "V2" in managed fields entry 0'],
  ];
  for (const [name, e, want] of cases) test(name, () => assert.equal(managedFieldsProblem([e]), want));
  test('are validated', () => {
    const issues = managedFieldsIssues([{ operation: 'X', fieldsType: 'V2', subresource: 's'.repeat(257) }, {}]);
    assert.deepEqual(
      issues.map((i) => `${i.field}: ${i.message}`),
      [
        'metadata.managedFields[0].operation: Unsupported value: "X": supported values: "Apply", "Update"',
        'metadata.managedFields[0].fieldsType: Invalid value: "V2": must be `FieldsV1`',
        'metadata.managedFields[0].subresource: Too long: may not be more than 256 bytes',
        'metadata.managedFields[1].operation: Required value: must not be empty',
      ],
    );
  });
});

describe('an update', () => {
  const owned = [entry('m', 'Update', { 'f:spec': { 'f:size': {} } })];
  const stored = (spec: KubeObject['spec']) => {
    const o = object(spec, owned);
    return { ...o, metadata: { ...o.metadata, uid: 'u' } };
  };
  test('that changes nothing keeps every time', () => {
    assert.deepEqual(updateManagedFields(update({ live: stored({ size: 1 }), next: stored({ size: 1 }) })), owned);
  });
  test('that changes a field moves the time of its manager only', () => {
    const got = updateManagedFields(update({ manager: 'n', live: stored({ size: 1 }), next: stored({ size: 2 }) }));
    assert.deepEqual(got, [{ ...entry('n', 'Update', { 'f:spec': { 'f:size': {} } }), time: '2026-02-02T00:00:00Z' }]);
  });
  test('without a manager belongs to unknown', () => {
    const got = updateManagedFields(update({ manager: '', next: object({ size: 1 }) }));
    assert.equal(got?.[0]?.manager, 'unknown');
  });
  test('through a subresource has an entry of its own', () => {
    const got = updateManagedFields(
      update({ subresource: 'scale', live: stored({ size: 1 }), next: stored({ size: 2 }) }),
    );
    assert.deepEqual(
      got?.map((e) => e.subresource),
      ['scale'],
    );
  });
  test('through a subresource may own what its filter includes', () => {
    const resetFields = includeFields([['spec', 'size']]);
    const next = stored({ size: 2, color: 'red' });
    const got = updateManagedFields(update({ subresource: 'resize', resetFields, live: stored({ size: 1 }), next }));
    assert.deepEqual(got?.[0]?.fieldsV1, { 'f:spec': { 'f:size': {} } });
  });
  test('that can not be told leaves the entries of the live object', () => {
    const next = stored({ size: 2, tags: [{ a: 1 }] });
    assert.deepEqual(updateManagedFields(update({ live: stored({ size: 1 }), next })), owned);
  });
});

describe('times are put back', () => {
  const at = (t: string, spec: KubeObject['spec'] = { size: 1 }) =>
    object(spec, [{ ...entry('m', 'Update', { 'f:spec': {} }), time: t }]);
  test('when nothing else changed', () => {
    assert.deepEqual(keepTimestamps(at('1'), at('2')), at('1'));
  });
  test('but not when the object changed', () => {
    const next = at('2', { size: 2 });
    assert.equal(keepTimestamps(at('1'), next), next);
  });
  test('nor when ownership changed', () => {
    const next = object({ size: 1 }, [{ ...entry('m', 'Update', { 'f:metadata': {} }), time: '2' }]);
    assert.equal(keepTimestamps(at('1'), next), next);
  });
});

// Two versions of a kind: v2 calls v1's size `width`.
const integer: Type = { is: 'integer', bits: 64 };
const string: Type = { is: 'string' };
const box = (fields: Record<string, Type>): Struct =>
  structOf('Box', {
    apiVersion: string,
    kind: string,
    metadata: { is: 'any' },
    spec: { is: 'struct', struct: () => structOf('spec', fields) },
  });
const versions: Record<string, Struct> = {
  'example.dev/v1': box({ size: integer, color: string }),
  'example.dev/v2': box({ width: integer, color: string }),
};

function convert(o: KubeObject, apiVersion: string): { object: KubeObject; struct: Struct } | null {
  const struct = versions[apiVersion];
  if (struct === undefined) return null;
  const { size, width, ...spec } = (o.spec ?? {}) as Record<string, number>;
  const value = size ?? width;
  const name = apiVersion.endsWith('v1') ? 'size' : 'width';
  return { object: { ...o, apiVersion, spec: value === undefined ? spec : { ...spec, [name]: value } }, struct };
}

describe('managers of different versions', () => {
  const applied = (
    apiVersion: string,
    spec: KubeObject['spec'],
    manager: string,
    live: KubeObject | null,
    force = false,
  ): Apply => ({
    struct: versions[apiVersion] as Struct,
    apiVersion,
    kind: 'Box',
    manager,
    time,
    convert,
    live: live === null ? null : (convert(live, apiVersion)?.object ?? null),
    applied: { apiVersion, kind: 'Box', metadata: { name: 'b' }, spec },
    force,
  });
  const first = applyPatch(applied('example.dev/v1', { size: 1, color: 'red' }, 'a', null)).object;

  test('conflict where both mean the same field', () => {
    const { object: none, conflicts } = applyPatch(applied('example.dev/v2', { width: 2 }, 'b', first));
    assert.equal(none, null);
    assert.equal(applyConflict(conflicts).message, 'Apply failed with 1 conflict: conflict with "a": .spec.size');
  });
  test('agree where the values are equal', () => {
    const { object: both } = applyPatch(applied('example.dev/v2', { width: 1 }, 'b', first));
    assert.deepEqual(
      both?.metadata.managedFields?.map((e) => [e.manager, e.apiVersion, e.fieldsV1]),
      [
        ['b', 'example.dev/v2', { 'f:spec': { 'f:width': {} } }],
        ['a', 'example.dev/v1', { 'f:spec': { 'f:color': {}, 'f:size': {} } }],
      ],
    );
  });
  test('remove at a new version what they applied at the old one', () => {
    const { object: next } = applyPatch(applied('example.dev/v2', { color: 'red' }, 'a', first));
    assert.deepEqual(next?.spec, { color: 'red' });
    assert.deepEqual(
      next?.metadata.managedFields?.map((e) => [e.manager, e.apiVersion]),
      [['a', 'example.dev/v2']],
    );
  });
  test('go with a version that is no longer served', () => {
    const entries = [{ ...entry('old', 'Apply', { 'f:spec': { 'f:gone': {} } }), apiVersion: 'example.dev/v0' }];
    const live = withManagedFields(first as KubeObject, entries);
    const { object: next } = applyPatch(applied('example.dev/v1', { size: 3 }, 'a', live));
    assert.deepEqual(
      next?.metadata.managedFields?.map((e) => e.manager),
      ['a'],
    );
  });
});

test('a conflict is a 409 with a cause for each field', () => {
  const base = { struct: widget, apiVersion: 'example.dev/v1', kind: 'Widget', time, force: false };
  const live = object({ size: 1, color: 'red' }, [
    entry('kubectl', 'Update', { 'f:spec': { 'f:size': {} } }),
    entry('x', 'Apply', { 'f:spec': { 'f:color': {} } }),
  ]);
  const { conflicts } = applyPatch({ ...base, manager: 'a', live, applied: object({ size: 2, color: 'blue' }) });
  const { status } = applyConflict(conflicts);
  assert.deepEqual([status.code, status.reason], [409, 'Conflict']);
  assert.deepEqual(status.details?.causes, [
    { reason: 'FieldManagerConflict', message: 'conflict with "kubectl" using example.dev/v1', field: '.spec.size' },
    { reason: 'FieldManagerConflict', message: 'conflict with "x"', field: '.spec.color' },
  ]);
});

test('an apply to entries that can not be read is an error', () => {
  const live = object({}, [entry('a', 'Other', {})]);
  const run = () =>
    applyPatch({
      struct: widget,
      apiVersion: 'example.dev/v1',
      kind: 'Widget',
      time,
      force: false,
      manager: 'a',
      live,
      applied: object({}),
    });
  assert.throws(
    run,
    (e) =>
      e instanceof StatusError &&
      e.code === 500 &&
      e.message === 'failed to decode managed fields: operation must be `Apply` or `Update`',
  );
});
