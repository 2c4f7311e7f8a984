import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ManagedFieldsEntry } from '../meta/object.ts';
import { parentEntries, type ReplicasPaths, scaleEntries } from './scale-ownership.ts';

const paths: ReplicasPaths = { 'apps/v1': ['spec', 'replicas'], 'example.dev/v1': null };
const entry = (
  manager: string,
  operation: string,
  fields: ManagedFieldsEntry['fieldsV1'],
  more: Partial<ManagedFieldsEntry> = {},
): ManagedFieldsEntry => ({
  manager,
  operation,
  apiVersion: 'apps/v1',
  fieldsType: 'FieldsV1',
  fieldsV1: fields ?? {},
  ...more,
});
const replicas = { 'f:spec': { 'f:replicas': {} } };
const both = { 'f:spec': { 'f:replicas': {}, 'f:selector': {} } };
const time = '2026-01-01T00:00:00Z';

describe('the managers of a Scale', () => {
  test('are those of the replicas, at the version of Scale', () => {
    const parent = [entry('a', 'Apply', both, { time }), entry('b', 'Update', { 'f:metadata': {} })];
    assert.deepEqual(scaleEntries(parent, paths), [
      entry('a', 'Apply', replicas, { time, apiVersion: 'autoscaling/v1' }),
    ]);
  });
  test('leave out versions that are not known or have no scale', () => {
    const parent = [
      entry('a', 'Apply', both, { apiVersion: 'apps/v0' }),
      entry('b', 'Apply', both, { apiVersion: 'example.dev/v1' }),
    ];
    assert.deepEqual(scaleEntries(parent, paths), []);
  });
  test('can not be told when entries can not be read', () => {
    assert.equal(scaleEntries([entry('a', 'X', both)], paths), 'operation must be `Apply` or `Update`');
  });
});

describe('the managers of a workload after its Scale was written', () => {
  const scale = (manager: string, more: Partial<ManagedFieldsEntry> = {}) =>
    entry(manager, 'Update', replicas, { apiVersion: 'autoscaling/v1', subresource: 'scale', ...more });
  test('stay where the Scale changed nobody', () => {
    const parent = [entry('a', 'Apply', both, { time })];
    const same = [entry('a', 'Apply', replicas, { time, apiVersion: 'autoscaling/v1' })];
    assert.deepEqual(parentEntries(parent, same, 'apps/v1', paths), parent);
  });
  test('lose the replicas to the one who scaled', () => {
    const parent = [entry('a', 'Apply', both, { time })];
    assert.deepEqual(parentEntries(parent, [scale('hpa')], 'apps/v1', paths), [
      entry('a', 'Apply', { 'f:spec': { 'f:selector': {} } }, { time }),
      entry('hpa', 'Update', replicas, { subresource: 'scale' }),
    ]);
  });
  test('go when they owned nothing else', () => {
    const parent = [entry('a', 'Apply', replicas)];
    assert.deepEqual(parentEntries(parent, [scale('hpa')], 'apps/v1', paths), [
      entry('hpa', 'Update', replicas, { subresource: 'scale' }),
    ]);
  });
  test('go with a version that is not known', () => {
    const parent = [entry('a', 'Apply', replicas, { apiVersion: 'apps/v0' })];
    assert.deepEqual(parentEntries(parent, [], 'apps/v1', paths), []);
  });
  test('of an entry of Scale that lacks the replicas are not made', () => {
    assert.deepEqual(parentEntries([], [scale('x', { fieldsV1: { 'f:spec': {} } })], 'apps/v1', paths), []);
  });
});
