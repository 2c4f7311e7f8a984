import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultservicecidr } from './defaultservicecidr.ts';
import { type Given, planFor } from './testing/view.ts';

const namespace: Given = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } };
const cidr = (cidrs: string[], ready?: string): Given => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name: 'kubernetes' },
  spec: { cidrs },
  status: ready === undefined ? {} : { conditions: [{ type: 'Ready', status: ready }] },
});

test('the ServiceCIDR kubernetes is made, said to be ready, and left alone where somebody says otherwise', () => {
  const own = ['10.96.0.0/16'];
  const table: [string, Given[], string[]][] = [
    ['missing', [], ['create']],
    ['without a condition', [cidr(own)], ['patch status True']],
    ['unknown', [cidr(own, 'Unknown')], ['patch status True']],
    ['ready', [cidr(own, 'True')], []],
    ['not ready', [cidr(own, 'False')], []],
    ['of another range', [cidr(['10.0.0.0/8'])], []],
  ];
  for (const [what, given, does] of table) {
    const { writes } = planFor(defaultservicecidr, [namespace, ...given]);
    const said = writes.map((w) => {
      if (w.do !== 'patch') return w.do;
      const { conditions } = (w.patch as unknown as { status: { conditions: { status: string }[] } }).status;
      return `patch ${w.subresource} ${conditions[0]?.status}`;
    });
    assert.deepEqual(said, does, what);
  }
});
