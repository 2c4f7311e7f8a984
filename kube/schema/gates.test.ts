import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../meta/json.ts';
import { dropDisabled } from './gates.ts';
import type { Struct } from './schema.ts';
import { schemas } from './schemas.ts';

const struct = schemas.kind({ group: 'apps', version: 'v1', kind: 'Deployment' }) as Struct;
const deployment = (): JsonObject => ({
  spec: { template: { spec: { containers: [{ name: 'a' }], evictionResponders: [{ name: 'x' }], hostUsers: true } } },
});

test('fields of features that are off are dropped on create', () => {
  const next = deployment();
  dropDisabled(struct, next, null);
  assert.deepEqual(next, { spec: { template: { spec: { containers: [{ name: 'a' }], hostUsers: true } } } });
});

test('they stay when the stored object uses them', () => {
  const next = deployment();
  dropDisabled(struct, next, deployment());
  assert.deepEqual(next, deployment());
});
