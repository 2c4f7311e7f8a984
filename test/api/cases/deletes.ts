import { type Case, configMap, del, get, NS, patch, pod, post, put } from '../case.ts';

const CM = `${NS}/configmaps`;
const PODS = `${NS}/pods`;
const RC = '/apis/apps/v1/namespaces/{ns}/replicasets';
const rs = {
  metadata: { name: 'r' },
  spec: {
    replicas: 0,
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
};
export const deletes: readonly Case[] = [
  { name: 'delete answers Success with details', steps: [post(CM, configMap('a')), del(`${CM}/a`), get(`${CM}/a`)] },
  { name: 'delete of what is absent is 404', steps: [del(`${CM}/a`)] },
  {
    name: 'delete with a uid that differs is 409',
    steps: [
      post(CM, configMap('a')),
      del(`${CM}/a`, { preconditions: { uid: '11111111-2222-4333-8444-555555555555' } }),
      del(`${CM}/a`, { preconditions: { uid: '{{0.metadata.uid}}' } }),
    ],
  },
  {
    name: 'delete with a stale resourceVersion is 409',
    steps: [
      post(CM, configMap('a')),
      put(`${CM}/a`, configMap('a', { z: '1' })),
      del(`${CM}/a`, { preconditions: { resourceVersion: '{{0.metadata.resourceVersion}}' } }),
    ],
  },
  {
    name: 'delete with malformed options is 400',
    steps: [
      post(CM, configMap('a')),
      del(`${CM}/a`, '{'),
      del(`${CM}/a`, { propagationPolicy: 'Sideways' }),
      del(`${CM}/a`, { orphanDependents: true, propagationPolicy: 'Orphan' }),
      del(`${CM}/a`, { gracePeriodSeconds: 'x' }),
    ],
  },
  {
    name: 'delete with a finalizer waits',
    steps: [
      post(CM, configMap('a', {}, { finalizers: ['a.b/c'] })),
      del(`${CM}/a`),
      get(`${CM}/a`),
      del(`${CM}/a`),
      patch('merge', `${CM}/a`, { metadata: { finalizers: null } }),
      get(`${CM}/a`),
    ],
  },
  {
    name: 'no finalizer is added to what is being deleted',
    steps: [
      post(CM, configMap('a', {}, { finalizers: ['a.b/c'] })),
      del(`${CM}/a`),
      patch('merge', `${CM}/a`, { metadata: { finalizers: ['a.b/c', 'd.e/f'] } }),
    ],
  },
  {
    name: 'foreground propagation adds its finalizer',
    steps: [post(RC, rs), del(`${RC}/r`, { propagationPolicy: 'Foreground' }), get(`${RC}/r`)],
  },
  {
    name: 'orphan propagation adds its finalizer',
    steps: [post(RC, rs), del(`${RC}/r`, { propagationPolicy: 'Orphan' }), get(`${RC}/r`)],
  },
  { name: 'orphanDependents of old clients', steps: [post(RC, rs), del(`${RC}/r`, { orphanDependents: true })] },
  {
    name: 'background propagation deletes at once',
    steps: [post(RC, rs), del(`${RC}/r?propagationPolicy=Background`)],
  },
  { name: 'propagation by query', steps: [post(RC, rs), del(`${RC}/r?propagationPolicy=Foreground`)] },
  { name: 'an unscheduled pod is deleted at once', steps: [post(PODS, pod('p')), del(`${PODS}/p`), get(`${PODS}/p`)] },
  {
    name: 'a scheduled pod gets its grace',
    steps: [
      post(PODS, pod('p', { nodeName: 'n' })),
      del(`${PODS}/p`),
      get(`${PODS}/p`),
      del(`${PODS}/p`, { gracePeriodSeconds: 5 }),
      del(`${PODS}/p`, { gracePeriodSeconds: 60 }),
      del(`${PODS}/p`, { gracePeriodSeconds: 0 }),
      get(`${PODS}/p`),
    ],
  },
  {
    name: 'a grace of zero deletes a scheduled pod',
    steps: [post(PODS, pod('p', { nodeName: 'n' })), del(`${PODS}/p?gracePeriodSeconds=0`)],
  },
  {
    name: 'a negative grace counts as one second',
    steps: [post(PODS, pod('p', { nodeName: 'n' })), del(`${PODS}/p`, { gracePeriodSeconds: -5 })],
  },
  {
    name: 'a finished pod is deleted at once',
    steps: [
      post(PODS, pod('p', { nodeName: 'n' })),
      patch('merge', `${PODS}/p/status`, { status: { phase: 'Succeeded' } }),
      del(`${PODS}/p`),
    ],
  },
  {
    name: 'a pod with a finalizer and grace',
    steps: [
      post(PODS, pod('p', { nodeName: 'n' }, { finalizers: ['a.b/c'] })),
      del(`${PODS}/p`, { gracePeriodSeconds: 1 }),
      del(`${PODS}/p`, { gracePeriodSeconds: 0 }),
      get(`${PODS}/p`),
    ],
  },
  {
    name: 'an update can not take deletion back',
    steps: [
      post(CM, configMap('a', {}, { finalizers: ['a.b/c'] })),
      del(`${CM}/a`),
      put(`${CM}/a`, configMap('a', {}, { finalizers: ['a.b/c'], deletionTimestamp: null })),
    ],
  },
  {
    name: 'deletecollection',
    steps: [
      post(CM, configMap('a', {}, { labels: { x: '1' } })),
      post(CM, configMap('b')),
      { method: 'DELETE', path: `${CM}?labelSelector=x%3D1` },
      get(CM),
      { method: 'DELETE', path: CM },
      get(CM),
    ],
  },
  { name: 'deletecollection of nothing', steps: [{ method: 'DELETE', path: `${CM}?labelSelector=x%3Dnothing` }] },
  {
    name: 'deletecollection dry-run',
    steps: [post(CM, configMap('a')), { method: 'DELETE', path: `${CM}?dryRun=All` }, get(`${CM}/a`)],
  },
  {
    name: 'a namespace is terminating until it is finalized',
    steps: [
      post('/api/v1/namespaces', { metadata: { name: '{ns}-x' } }),
      del('/api/v1/namespaces/{ns}-x'),
      post('/api/v1/namespaces/{ns}-x/configmaps', configMap('a')),
      del('/api/v1/namespaces/{ns}-x'),
      put('/api/v1/namespaces/{ns}-x/finalize', {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: '{ns}-x' },
        spec: {},
      }),
      get('/api/v1/namespaces/{ns}-x'),
    ],
  },
  {
    name: 'protected namespaces are not deleted',
    steps: [del('/api/v1/namespaces/default'), del('/api/v1/namespaces/kube-system')],
  },
  {
    name: 'delete answers the object of kinds that wait',
    steps: [
      post('/api/v1/namespaces', { metadata: { name: '{ns}-y' } }),
      del('/api/v1/namespaces/{ns}-y', { propagationPolicy: 'Background' }),
    ],
  },
];
