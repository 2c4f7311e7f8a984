import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { podRequests as podTotals } from '../../kube/kinds/podspec/totals.ts';
import { milliValue, wholeValue } from '../../kube/meta/quantity.ts';
import type { Pod } from './framework.ts';
import { amounts, podRequests, podUsage } from './resources.ts';

const c = (cpu: string, memory: string, more: object = {}) => ({
  name: 'c',
  resources: { requests: { cpu, memory } },
  ...more,
});
const sidecar = (cpu: string, memory: string) => c(cpu, memory, { restartPolicy: 'Always' });
const pod = (spec: Partial<Pod['spec']>): Pod =>
  ({ metadata: { name: 'p' }, spec: { containers: [], ...spec } }) as Pod;

describe('what a pod asks for', () => {
  const table: { what: string; of: Partial<Pod['spec']>; is: Record<string, number> }[] = [
    { what: 'nothing', of: { containers: [{ name: 'c' }] }, is: {} },
    {
      what: 'its containers together',
      of: { containers: [c('100m', '1Ki'), c('1', '1Ki')] },
      is: { cpu: 1100, memory: 2048 },
    },
    {
      what: 'the largest of its init containers',
      of: { containers: [c('1', '1')], initContainers: [c('2', '1'), c('500m', '3')] },
      is: { cpu: 2000, memory: 3 },
    },
    {
      what: 'sidecars with the containers',
      of: { containers: [c('1', '1')], initContainers: [sidecar('1', '2')] },
      is: { cpu: 2000, memory: 3 },
    },
    {
      what: 'an init container with the sidecars before it',
      of: { containers: [c('1', '1')], initContainers: [sidecar('1', '1'), c('3', '1'), sidecar('1', '1')] },
      is: { cpu: 4000, memory: 3 },
    },
    {
      what: 'its overhead on top',
      of: { containers: [c('1', '1')], initContainers: [c('2', '1')], overhead: { cpu: '10m' } },
      is: { cpu: 2010, memory: 1 },
    },
    {
      what: 'not its limits: the API has made requests of them',
      of: { containers: [{ name: 'c', resources: { limits: { cpu: '2', memory: '7' }, requests: { cpu: '1' } } }] },
      is: { cpu: 1000 },
    },
  ];
  for (const { what, of, is } of table) it(what, () => assert.deepEqual(podRequests(pod(of)), is));

  it('in scores each container that asks for nothing counts as 100m and 200Mi', () => {
    const two = pod({ containers: [{ name: 'a' }, { name: 'b', resources: { requests: { cpu: '1' } } }] });
    assert.deepEqual(podUsage(two).nonZero, { cpu: 1100, memory: 400 * 1024 * 1024 });
  });
});

describe('the whole pod', () => {
  const whole = { requests: { cpu: '3', memory: '9' } };
  const one = { containers: [c('1', '1')] };
  const table: {
    what: string;
    of: Partial<Pod['spec']>;
    is: Record<string, number>;
    nonZero: Record<string, number>;
  }[] = [
    {
      what: "its own requests stand for its containers'",
      of: { ...one, resources: whole },
      is: { cpu: 3000, memory: 9 },
      nonZero: { cpu: 3000, memory: 9 },
    },
    {
      what: 'only those that it has',
      of: {
        containers: [{ name: 'c', resources: { requests: { memory: '1', 'example.com/a': '2' } } }],
        resources: { requests: { cpu: '3' } },
      },
      is: { cpu: 3000, memory: 1, 'example.com/a': 2 },
      nonZero: { cpu: 3000, memory: 1, 'example.com/a': 2 },
    },
    {
      what: 'what neither has counts for something',
      of: { containers: [{ name: 'c' }], resources: { requests: { cpu: '3' } } },
      is: { cpu: 3000 },
      nonZero: { cpu: 3000, memory: 200 * 1024 * 1024 },
    },
    {
      what: 'overhead on top',
      of: { ...one, resources: whole, overhead: { memory: '1' } },
      is: { cpu: 3000, memory: 10 },
      nonZero: { cpu: 3000, memory: 10 },
    },
    {
      what: 'limits of its own say nothing',
      of: { ...one, resources: { limits: { cpu: '9' } } },
      is: { cpu: 1000, memory: 1 },
      nonZero: { cpu: 1000, memory: 1 },
    },
  ];
  for (const { what, of, is, nonZero } of table)
    it(what, () => {
      assert.deepEqual(podRequests(pod(of)), is);
      assert.deepEqual(podUsage(pod(of)).nonZero, nonZero);
    });
});

describe('while it is resized it takes', () => {
  const running = (cpu: string, status: object, conditions: object[] = []): Pod =>
    ({
      ...pod({ containers: [c(cpu, '1')] }),
      status: { containerStatuses: [{ name: 'c', ...status }], conditions },
    }) as Pod;
  const has = (cpu: string) => ({ resources: { requests: { cpu, memory: '1' } } });
  const promised = (cpu: string) => ({ allocatedResources: { cpu, memory: '1' } });
  const table: { what: string; pod: Pod; is: number }[] = [
    { what: 'what it asks for', pod: running('1', {}), is: 1000 },
    { what: 'what it still has where it asks for less', pod: running('1', has('3')), is: 3000 },
    { what: 'what it will have where it asks for more', pod: running('3', has('1')), is: 3000 },
    { what: 'what it was promised', pod: running('1', { ...has('1'), ...promised('2') }), is: 2000 },
    {
      what: 'not what it can never have',
      pod: running('9', { ...has('1'), ...promised('2') }, [{ type: 'PodResizePending', reason: 'Infeasible' }]),
      is: 2000,
    },
    {
      what: 'what it may have later',
      pod: running('9', { ...has('1'), ...promised('2') }, [{ type: 'PodResizePending', reason: 'Deferred' }]),
      is: 9000,
    },
  ];
  for (const { what, pod: p, is } of table) it(what, () => assert.equal(podUsage(p).counted.cpu, is));
});

it('amounts are milli for cpu and rounded up whole units for the rest', () => {
  assert.deepEqual(amounts({ cpu: '0.5', memory: '1Gi', 'example.com/x': '3', pods: '110' }), {
    cpu: 500,
    memory: 2 ** 30,
    'example.com/x': 3,
    pods: 110,
  });
  assert.deepEqual(amounts({ cpu: '1u', memory: '1500m' }), { cpu: 1, memory: 2 });
  assert.deepEqual(amounts(undefined), {});
});

it('is what quotas and limits count, whatever the pod', () => {
  let seed = 1;
  const below = (n: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % n;
  };
  const NAMES = ['cpu', 'memory', 'ephemeral-storage', 'hugepages-2Mi', 'example.com/a'];
  const some = () => Object.fromEntries(NAMES.filter(() => below(2) === 0).map((n) => [n, String(below(9))]));
  const containers = (n: number) =>
    Array.from({ length: n }, (_, i) => ({
      name: `c${i}`,
      resources: { requests: some() },
      ...(below(2) === 0 ? { restartPolicy: 'Always' } : {}),
    }));
  for (let i = 0; i < 500; i++) {
    const spec = {
      containers: containers(1 + below(3)),
      initContainers: containers(below(4)),
      ...(below(3) === 0 ? { resources: { requests: some() } } : {}),
    };
    const counted = [...podTotals(spec)].map(([name, q]) => [name, name === 'cpu' ? milliValue(q) : wholeValue(q)]);
    const mine = podRequests(pod(spec as Partial<Pod['spec']>));
    assert.deepEqual(mine, Object.fromEntries(counted), JSON.stringify(spec));
  }
});
