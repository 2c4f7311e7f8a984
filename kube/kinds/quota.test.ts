import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../meta/json.ts';
import type { KubeObject } from '../meta/object.ts';
import { constraintOf, countedNames, isInScope, printed, usageOf } from './quota.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const object = (spec: JsonObject, more: JsonObject = {}) => ({ metadata: { name: 'x' }, spec, ...more }) as KubeObject;
const container = (name: string, resources: JsonObject = {}) => ({ name, resources });

describe('what an object uses', () => {
  const asks = { requests: { cpu: '100m', memory: '64Mi', 'e.io/gpu': '1' }, limits: { cpu: '1' } };
  const two = { containers: [container('a', asks), container('b', asks)] };
  const table: [what: string, resource: string, o: KubeObject, uses: string][] = [
    ['anything: its place', 'deployments.apps', object({}), 'count/deployments.apps=1'],
    ['a Secret: its place, by two names', 'secrets', object({}), 'count/secrets=1,secrets=1'],
    [
      'a pod: what its containers ask for together',
      'pods',
      object(two),
      'count/pods=1,cpu=200m,limits.cpu=2,memory=128Mi,pods=1,requests.cpu=200m,requests.e.io/gpu=2,requests.memory=128Mi',
    ],
    [
      'a pod: what running it costs beside',
      'pods',
      object({ containers: [container('a', { requests: { cpu: '1' } })], overhead: { cpu: '250m' } }),
      'count/pods=1,cpu=1250m,pods=1,requests.cpu=1250m',
    ],
    ['a pod that has ended: its place', 'pods', object(two, { status: { phase: 'Succeeded' } }), 'count/pods=1'],
    [
      'a pod that should have gone: its place',
      'pods',
      object(two, {
        metadata: { name: 'x', deletionTimestamp: '2026-11-21T11:59:00Z', deletionGracePeriodSeconds: 30 },
      }),
      'count/pods=1',
    ],
    [
      'a claim: its storage, also by class',
      'persistentvolumeclaims',
      object({ storageClassName: 'gold', resources: { requests: { storage: '1Gi' } } }),
      'count/persistentvolumeclaims=1,gold.storageclass.storage.k8s.io/persistentvolumeclaims=1,gold.storageclass.storage.k8s.io/requests.storage=1Gi,persistentvolumeclaims=1,requests.storage=1Gi',
    ],
    [
      'a Service of node ports: each of them',
      'services',
      object({ type: 'NodePort', ports: [{}, {}] }),
      'count/services=1,services=1,services.loadbalancers=0,services.nodeports=2',
    ],
    [
      'a load balancer without node ports: those that it has all the same',
      'services',
      object({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports: [{ nodePort: 30_000 }, {}] }),
      'count/services=1,services=1,services.loadbalancers=1,services.nodeports=1',
    ],
  ];
  for (const [what, resource, o, uses] of table)
    test(what, () => assert.equal(printed(usageOf(resource, o, NOW)), uses));
});

test('names that objects count for', () => {
  const names = [
    'pods',
    'count/pods',
    'requests.cpu',
    'limits.memory',
    'hugepages-2Mi',
    'requests.e.io/gpu',
    'services.nodeports',
    'gold.storageclass.storage.k8s.io/requests.storage',
    'configmaps',
    'count/deployments.apps',
  ];
  const of = (resource: string) => countedNames(resource, names);
  assert.deepEqual(of('pods'), names.slice(0, 6));
  assert.deepEqual(of('services'), ['services.nodeports']);
  assert.deepEqual(of('persistentvolumeclaims'), ['gold.storageclass.storage.k8s.io/requests.storage']);
  assert.deepEqual(of('configmaps'), ['configmaps']);
  assert.deepEqual(of('deployments.apps'), ['count/deployments.apps']);
});

describe('scopes', () => {
  const select = (scopeName: string, operator: string, ...values: string[]) => ({
    scopeSelector: { matchExpressions: [{ scopeName, operator, values }] },
  });
  const plain = object({ containers: [container('a')] });
  const guaranteed = { requests: { cpu: '1', memory: '1Mi' }, limits: { cpu: '1', memory: '1Mi' } };
  const asking = object({
    containers: [container('a', guaranteed)],
    activeDeadlineSeconds: 5,
    priorityClassName: 'high',
  });
  const far = { requiredDuringSchedulingIgnoredDuringExecution: [{ namespaces: ['b'] }] };
  const table: [spec: JsonObject, plain: boolean, asking: boolean][] = [
    [{}, true, true],
    [{ scopes: ['BestEffort'] }, true, false],
    [{ scopes: ['NotBestEffort'] }, false, true],
    [{ scopes: ['Terminating'] }, false, true],
    [{ scopes: ['NotTerminating', 'BestEffort'] }, true, false],
    [{ scopes: ['PriorityClass'] }, false, true],
    [select('PriorityClass', 'In', 'high'), false, true],
    [select('PriorityClass', 'NotIn', 'high'), true, false],
    [select('PriorityClass', 'DoesNotExist'), true, false],
    [{ scopes: ['CrossNamespacePodAffinity'] }, false, false],
  ];
  for (const [spec, ofPlain, ofAsking] of table)
    test(JSON.stringify(spec), () => {
      assert.deepEqual([isInScope('pods', spec, plain), isInScope('pods', spec, asking)], [ofPlain, ofAsking]);
    });
  test('a pod that wants to be near pods of other namespaces', () =>
    assert.ok(
      isInScope('pods', { scopes: ['CrossNamespacePodAffinity'] }, object({ affinity: { podAffinity: far } })),
    ));
  test('other objects are in no scope', () => assert.ok(!isInScope('services', { scopes: ['BestEffort'] }, plain)));
});

test('where cpu and memory are counted each container says what it wants, or the pod does', () => {
  const pod = object({
    containers: [container('a', { requests: { cpu: '1' } }), container('b')],
    initContainers: [container('i')],
  });
  assert.equal(
    constraintOf('pods', ['requests.cpu', 'limits.memory', 'pods'], pod),
    'must specify limits.memory for: a,b,i; requests.cpu for: b,i',
  );
  assert.equal(constraintOf('pods', ['pods', 'requests.ephemeral-storage'], pod), undefined);
  const whole = object({ containers: [container('a')], resources: { requests: { cpu: '1' } } });
  assert.equal(constraintOf('pods', ['limits.cpu'], whole), undefined);
});
