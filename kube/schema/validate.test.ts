import assert from 'node:assert/strict';
import { test } from 'node:test';
import { issueText } from '../meta/issues.ts';
import type { JsonObject } from '../meta/json.ts';
import { applyDefaults } from './default.ts';
import { decode } from './prune.ts';
import { schemas } from './schemas.ts';
import { mergeIssues, validate } from './validate.ts';

/** The expected texts were checked against kube-apiserver 1.37. */
const check = (group: string, kind: string, value: JsonObject, old?: JsonObject) => {
  const struct = schemas.kind({ group, version: 'v1', kind });
  assert.ok(struct);
  const ready = (v: JsonObject) => {
    const d = decode(struct, v);
    assert.equal(d.error, '');
    applyDefaults(struct, d.value);
    return d.value;
  };
  return validate(struct, ready(value), old ? ready(old) : null).map(issueText);
};
const claim = (devices: JsonObject) => check('resource.k8s.io', 'ResourceClaim', { spec: { devices } });

test('declarative rules are enforced with the texts of upstream', () => {
  const cases: [found: string[], texts: string[]][] = [
    [check('storage.k8s.io', 'StorageClass', {}), ['provisioner: Required value']],
    [
      check('', 'ReplicationController', { spec: { replicas: -1, minReadySeconds: -3 } }),
      [
        'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        'spec.minReadySeconds: Invalid value: -3: must be greater than or equal to 0',
      ],
    ],
    [
      claim({ requests: Array.from({ length: 33 }, (_, i) => ({ name: `r${i}`, exactly: { deviceClassName: 'a' } })) }),
      ['spec.devices.requests: Too many: 33: must have at most 32 items'],
    ],
    [
      claim({ requests: [{ name: 'a', exactly: { deviceClassName: 'a', allocationMode: 'foo' } }] }),
      [
        'spec.devices.requests[0].exactly.allocationMode: Unsupported value: "foo": supported values: "All", "ExactCount"',
      ],
    ],
    [
      claim({ constraints: [{ requests: ['a', 'a'], matchAttribute: 'x.y/z' }] }),
      ['spec.devices.constraints[0].requests[1]: Duplicate value: "a"'],
    ],
    [
      claim({ constraints: [{ matchAttribute: 'x' }] }),
      [
        'spec.devices.constraints[0].matchAttribute: Invalid value: "x": a fully qualified name must be a domain and a name separated by a slash',
      ],
    ],
    [
      check('flowcontrol.apiserver.k8s.io', 'PriorityLevelConfiguration', {
        spec: { type: 'Limited', exempt: {}, limited: { limitResponse: { type: 'Queue' } } },
      }),
      ['spec.exempt: Forbidden', 'spec.limited.limitResponse.queuing: Required value'],
    ],
    [check('', 'Pod', { spec: { containers: [{ imagePullPolicy: 'Foo' }], restartPolicy: 'x' } }), []],
  ];
  for (const [found, texts] of cases) assert.deepEqual(found, texts);
});

test('what has not changed is not validated again, and immutable fields may not change', () => {
  const rc = (replicas: number, minReadySeconds: number) => ({ spec: { replicas, minReadySeconds } });
  assert.deepEqual(check('', 'ReplicationController', rc(-1, 5), rc(-1, 1)), []);
  const claimOf = (name: string) => ({
    spec: { devices: { requests: [{ name, exactly: { deviceClassName: 'a' } }] } },
  });
  assert.deepEqual(check('resource.k8s.io', 'ResourceClaim', claimOf('b'), claimOf('a')), [
    'spec: Invalid value: null: field is immutable',
  ]);
});

test('a declarative issue replaces the hand-written one of its field and type', () => {
  const issue = (field: string, message: string) => ({ type: 'FieldValueRequired' as const, field, message });
  assert.deepEqual(mergeIssues([issue('a', 'x'), issue('b', 'y')], [issue('a', 'z')]), [
    issue('b', 'y'),
    issue('a', 'z'),
  ]);
});
