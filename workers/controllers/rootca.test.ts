import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { rootca } from './rootca.ts';
import { ago, type Given, keyFor, planFor, printed, viewOf } from './testing/view.ts';

const namespace: Given = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' }, status: { phase: 'Active' } };
const DESCRIPTION = 'kubernetes.io/description';
const map = (
  data: JsonObject,
  annotations: Record<string, string> = { [DESCRIPTION]: 'x' },
  name = 'kube-root-ca.crt',
): Given =>
  ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'a', uid: 'u', labels: { mine: 'yes' }, annotations },
    data,
  }) as unknown as Given;
const results = { ca: { ok: true, value: { pem: 'PEM' } } } as const;
const effects = [{ id: 'ca', name: 'clusterCa', input: {} }];

describe('the ConfigMap kube-root-ca.crt', () => {
  it("is not written before the cluster's CA is known", () => {
    assert.deepEqual(planFor(rootca, [namespace]), { writes: [], effects });
    const failed = { ca: { ok: false, error: 'no' } } as const;
    assert.deepEqual(planFor(rootca, [namespace], { results: failed }).writes, []);
  });

  const table: { what: string; there: Given[]; does: string[] }[] = [
    { what: 'is made where it is missing', there: [], does: ['create configmaps/a/kube-root-ca.crt'] },
    { what: 'is left alone where it is right', there: [map({ 'ca.crt': 'PEM' })], does: [] },
    {
      what: 'is not made up for by another',
      there: [map({ 'ca.crt': 'PEM' }, {}, 'other')],
      does: ['create configmaps/a/kube-root-ca.crt'],
    },
    {
      what: 'is put right where the CA is another',
      there: [map({ 'ca.crt': 'OLD' })],
      does: ['update configmaps/a/kube-root-ca.crt'],
    },
    {
      what: 'is put right where there is more in it',
      there: [map({ 'ca.crt': 'PEM', more: 'x' })],
      does: ['update configmaps/a/kube-root-ca.crt'],
    },
    {
      what: 'is put right where nobody says what it is for',
      there: [map({ 'ca.crt': 'PEM' }, {})],
      does: ['update configmaps/a/kube-root-ca.crt'],
    },
  ];
  for (const { what, there, does } of table)
    it(what, () => assert.deepEqual(printed(planFor(rootca, [namespace, ...there], { results })), does));

  it('keeps what else is on it, and is replaced only as it was seen', () => {
    const [write] = planFor(rootca, [namespace, map({ 'ca.crt': 'OLD', more: 'x' }, { mine: 'too' })], {
      results,
    }).writes;
    assert.ok(write?.do === 'update');
    const { metadata } = write.object;
    assert.deepEqual(write.object.data, { 'ca.crt': 'PEM' });
    assert.deepEqual([metadata.labels, metadata.uid, metadata.resourceVersion], [{ mine: 'yes' }, 'u', '2']);
    assert.equal(metadata.annotations?.mine, 'too');
    assert.ok(metadata.annotations?.[DESCRIPTION]?.startsWith('Contains a CA bundle'));
  });

  it('is not made in a namespace that goes', () => {
    for (const gone of [
      { ...namespace, status: { phase: 'Terminating' } },
      { ...namespace, metadata: { name: 'a', deletionTimestamp: ago(1) } },
    ])
      assert.deepEqual(planFor(rootca, [gone], { results }), { writes: [] });
  });

  it('wakes its namespace when it changes; other ConfigMaps are not looked at', () => {
    const view = viewOf(rootca, [map({})]);
    const row = view.get(keyFor(map({})));
    assert.deepEqual(row && rootca.watches?.[0]?.map(row, view), ['namespaces/a']);
    assert.equal(rootca.watches?.[0]?.name, 'kube-root-ca.crt');
  });
});
