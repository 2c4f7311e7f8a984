import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../meta/object.ts';
import { kindByStorage } from './index.ts';

// What agents select their own objects by: upstream's AddFieldLabelConversionFunc of each kind.
const cases: [resource: string, spec: object, fields: Record<string, string>][] = [
  [
    'podcertificaterequests.certificates.k8s.io',
    { signerName: 'a.b/c', podName: 'p', nodeName: 'n' },
    { 'spec.signerName': 'a.b/c', 'spec.podName': 'p', 'spec.nodeName': 'n' },
  ],
  [
    'resourceslices.resource.k8s.io',
    { nodeName: 'n', driver: 'd', pool: { name: 'x' } },
    { 'spec.nodeName': 'n', 'spec.driver': 'd', 'spec.pool.name': 'x' },
  ],
  ['resourceslices.resource.k8s.io', {}, { 'spec.nodeName': '', 'spec.driver': '', 'spec.pool.name': '' }],
];
for (const [resource, spec, wanted] of cases)
  test(`${resource} can be selected by ${Object.keys(wanted).join(', ')}`, () => {
    const object = { metadata: { name: 'x' }, spec } as unknown as KubeObject;
    const fields = Object.entries(kindByStorage(resource)?.fields ?? {}).map(([name, of]) => [name, of(object)]);
    assert.deepEqual(Object.fromEntries(fields), wanted);
  });
