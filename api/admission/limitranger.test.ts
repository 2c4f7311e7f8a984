import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { at } from '../../kube/meta/object.ts';
import { limitRanger } from './limitranger.ts';
import { admitWith } from './testing.ts';

const world = (...limits: JsonObject[]) => ({ 'limitranges/ns/l': { spec: { limits } } });
const container = (requests: JsonObject, limits: JsonObject, more: JsonObject = {}): JsonObject => ({
  name: 'c',
  resources: { requests, limits },
  ...more,
});
const pod = (...containers: JsonObject[]): JsonObject => ({ metadata: { name: 'p' }, spec: { containers } });

test('containers get the defaults that they do not state', async () => {
  const limits = { type: 'Container', default: { cpu: '1', memory: '1Gi' }, defaultRequest: { cpu: '500m' } };
  const draft: JsonObject = {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'a' }, container({ cpu: '1' }, { cpu: '2' })], initContainers: [{ name: 'i' }] },
  };
  const { object } = await admitWith([limitRanger], { what: 'create pods ns', object: draft }, world(limits));
  const full = { requests: { cpu: '500m' }, limits: { cpu: '1', memory: '1Gi' } };
  assert.deepEqual(at(object ?? {}, 'spec.containers'), [
    { name: 'a', resources: full },
    container({ cpu: '1' }, { cpu: '2', memory: '1Gi' }),
  ]);
  assert.deepEqual(at(object ?? {}, 'spec.initContainers'), [{ name: 'i', resources: full }]);
  assert.equal(
    object?.metadata.annotations?.['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu request for container a; cpu, memory limit for container a; memory limit for container c; cpu request for init container i; cpu, memory limit for init container i',
  );
});

const cases: { name: string; limit: JsonObject; object: JsonObject; what?: string; error: string }[] = [
  {
    name: 'a request under the minimum',
    limit: { type: 'Container', min: { cpu: '100m' } },
    object: pod(container({ cpu: '50m' }, {})),
    error: 'minimum cpu usage per Container is 100m, but request is 50m',
  },
  {
    name: 'no request with a minimum',
    limit: { type: 'Container', min: { cpu: '100m' } },
    object: pod(container({}, {})),
    error: 'minimum cpu usage per Container is 100m.  No request is specified',
  },
  {
    name: 'a limit over the maximum',
    limit: { type: 'Container', max: { memory: '1Gi' } },
    object: pod(container({}, { memory: '2Gi' })),
    error: 'maximum memory usage per Container is 1Gi, but limit is 2Gi',
  },
  {
    name: 'no limit with a maximum',
    limit: { type: 'Container', max: { memory: '1Gi' } },
    object: pod(container({}, {})),
    error: 'maximum memory usage per Container is 1Gi.  No limit is specified',
  },
  {
    name: 'too high a ratio',
    limit: { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
    object: pod(container({ cpu: '100m' }, { cpu: '500m' })),
    error: 'cpu max limit to request ratio per Container is 2, but provided ratio is 5.000000',
  },
  {
    name: 'two containers over the maximum of a pod',
    limit: { type: 'Pod', max: { cpu: '1' } },
    object: pod(container({}, { cpu: '600m' }), container({}, { cpu: '600m' })),
    error: 'maximum cpu usage per Pod is 1, but limit is 1200m',
  },
  {
    name: 'an init container beside a sidecar over the maximum of a pod',
    limit: { type: 'Pod', max: { cpu: '1' } },
    object: {
      metadata: { name: 'p' },
      spec: {
        containers: [container({}, { cpu: '100m' })],
        initContainers: [container({}, { cpu: '500m' }, { restartPolicy: 'Always' }), container({}, { cpu: '600m' })],
      },
    },
    error: 'maximum cpu usage per Pod is 1, but limit is 1100m',
  },
  {
    name: 'two faults at once',
    limit: { type: 'Container', min: { cpu: '1' }, max: { memory: '1' } },
    object: pod(container({}, {})),
    error:
      '[minimum cpu usage per Container is 1.  No request is specified, maximum memory usage per Container is 1.  No limit is specified]',
  },
  {
    name: 'a claim over the maximum',
    limit: { type: 'PersistentVolumeClaim', max: { storage: '1Gi' } },
    object: { metadata: { name: 'p' }, spec: { resources: { requests: { storage: '2Gi' } } } },
    what: 'persistentvolumeclaims',
    error: 'maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi',
  },
  {
    name: 'a pod within its bounds',
    limit: { type: 'Pod', min: { cpu: '100m' }, max: { cpu: '1' } },
    object: pod(container({ cpu: '100m' }, { cpu: '1' })),
    error: '',
  },
];
for (const c of cases) {
  test(`limits: ${c.name}`, async () => {
    const what = c.what ?? 'pods';
    const { error } = await admitWith([limitRanger], { what: `create ${what} ns`, object: c.object }, world(c.limit));
    assert.equal(error, c.error === '' ? '' : `${what} "p" is forbidden: ${c.error}`);
  });
}
