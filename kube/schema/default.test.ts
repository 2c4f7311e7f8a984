import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../meta/json.ts';
import { applyDefaults, hasDefaults } from './default.ts';
import type { Struct } from './schema.ts';
import { schemas } from './schemas.ts';

test('defaults of built-in kinds go where the parent is', () => {
  const struct = schemas.kind({ group: '', version: 'v1', kind: 'Pod' });
  assert.ok(struct);
  const pod: JsonObject = {
    spec: {
      containers: [
        { ports: [{ containerPort: 1 }, { containerPort: 2, protocol: 'UDP' }, { containerPort: 3, protocol: '' }] },
      ],
      volumes: [{ rbd: { image: 'a' } }],
    },
  };
  applyDefaults(struct, pod);
  assert.deepEqual(pod, {
    spec: {
      containers: [
        {
          ports: [
            { containerPort: 1, protocol: 'TCP' },
            { containerPort: 2, protocol: 'UDP' },
            { containerPort: 3, protocol: 'TCP' },
          ],
        },
      ],
      volumes: [{ rbd: { image: 'a', pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' } }],
    },
  });
});

test('a kind without defaults costs nothing', () => {
  assert.equal(hasDefaults(schemas.kind({ group: '', version: 'v1', kind: 'ConfigMap' }) as Struct), false);
});

test('defaults of custom resources replace null unless it is allowed, and are copies', () => {
  const fallback = { list: [1] };
  const struct: Struct = {
    name: 'spec',
    numbers: new Map(),
    fields: new Map([
      ['a', { name: 'a', number: 0, type: { is: 'any' }, default: fallback }],
      ['b', { name: 'b', number: 0, type: { is: 'string' }, nullable: true, default: 'x' }],
      ['c', { name: 'c', number: 0, type: { is: 'string' }, default: 'x' }],
    ]),
  };
  const value: JsonObject = { a: null, b: null, c: '' };
  applyDefaults(struct, value);
  assert.deepEqual(value, { a: { list: [1] }, b: null, c: '' });
  (value.a as JsonObject).list = [];
  assert.deepEqual(fallback, { list: [1] });
});
