import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { kubernetesservice } from './kubernetesservice.ts';
import { type Given, keyFor, planFor, printed, viewOf } from './testing/view.ts';

const namespace = (name: string): Given => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
const service = (name: string, of: string): Given => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: of },
});

describe('the Service default/kubernetes', () => {
  const table: { what: string; given: [Given, ...Given[]]; does: string[] }[] = [
    {
      what: 'is made where it is missing',
      given: [namespace('default')],
      does: ['create services/default/kubernetes'],
    },
    { what: 'is left alone where it is', given: [namespace('default'), service('kubernetes', 'default')], does: [] },
    { what: 'is of no other namespace', given: [namespace('a')], does: [] },
    {
      what: 'is not made up for by one elsewhere',
      given: [namespace('default'), service('kubernetes', 'a')],
      does: ['create services/default/kubernetes'],
    },
  ];
  for (const { what, given, does } of table)
    it(what, () => assert.deepEqual(printed(planFor(kubernetesservice, given)), does));

  it("has the first address of the range, port 443 and upstream's labels, and no selector", () => {
    const [write] = planFor(kubernetesservice, [namespace('default')]).writes;
    assert.ok(write?.do === 'create');
    const spec = write.object.spec as JsonObject;
    assert.deepEqual(write.object.metadata.labels, { component: 'apiserver', provider: 'kubernetes' });
    assert.deepEqual([spec.clusterIP, spec.sessionAffinity, spec.selector], ['10.96.0.1', 'None', undefined]);
    assert.deepEqual(spec.ports, [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }]);
  });

  it('is made anew when it is deleted', () => {
    const woken = (o: Given) => {
      const view = viewOf(kubernetesservice, [o]);
      const row = view.get(keyFor(o));
      return row && kubernetesservice.watches?.[0]?.map(row, view);
    };
    assert.deepEqual(woken(service('kubernetes', 'default')), ['namespaces/default']);
    assert.deepEqual(woken(service('other', 'default')), []);
  });
});
