import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexOf } from '../../codec/hex.ts';
import { isSpliceable } from '../splice.ts';
import { baseLayer, layerText } from './base.ts';

const { hash, rows } = baseLayer();
const row = (key: string) => JSON.parse(rows.find((r) => r.key === key)?.text ?? 'null');

test('the hash is that of the content: run tools/bootstrap/generate.ts when it is not', async () => {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(layerText()));
  assert.equal(hash, hexOf(new Uint8Array(bytes)).slice(0, 32));
});

test('rows are in key order, in the stored form, with uids of their own', () => {
  const keys = rows.map((r) => r.key);
  assert.deepEqual(keys, [...new Set(keys)].sort());
  const uids = new Set(rows.map((r) => r.facts.uid));
  assert.equal(uids.size, rows.length);
  for (const r of rows) {
    assert.ok(isSpliceable(r.text), r.key);
    assert.match(r.facts.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(JSON.parse(r.text).metadata.uid, r.facts.uid);
    assert.ok(r.facts.policy, r.key);
  }
});

test('namespaces, priority classes, flow control and RBAC are there', () => {
  const count = (resource: string) => rows.filter((r) => r.key.startsWith(`${resource}/`)).length;
  assert.equal(count('namespaces'), 4);
  assert.equal(count('priorityclasses.scheduling.k8s.io'), 2);
  assert.equal(count('flowschemas.flowcontrol.apiserver.k8s.io'), 11);
  assert.equal(count('prioritylevelconfigurations.flowcontrol.apiserver.k8s.io'), 8);
  assert.ok(count('clusterroles.rbac.authorization.k8s.io') > 60);
  assert.equal(row('namespaces/kube-system').status.phase, 'Active');
  assert.equal(row('priorityclasses.scheduling.k8s.io/system-node-critical').value, 2000001000);
  const binding = row('clusterrolebindings.rbac.authorization.k8s.io/cluster-admin');
  assert.deepEqual(binding.roleRef, {
    apiGroup: 'rbac.authorization.k8s.io',
    kind: 'ClusterRole',
    name: 'cluster-admin',
  });
  assert.equal(binding.subjects[0].name, 'system:masters');
});

test('aggregated roles hold the rules of the roles that they select', () => {
  const rules = (name: string) => row(`clusterroles.rbac.authorization.k8s.io/${name}`).rules.length;
  assert.equal(rules('view'), rules('system:aggregate-to-view'));
  assert.ok(rules('edit') > rules('view'));
  assert.ok(rules('admin') > rules('edit'));
});
