import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Container, Pod, PodSpec } from './pod.ts';
import { container, Machine } from './testing/machine.ts';

let m: Machine;
beforeEach(async () => {
  m = await Machine.start();
});
afterEach(() => m.close());

const pause = container('main', ['pause']);
/** What a write to the API does to a pod's spec. */
const change = async (name: string, spec: (s: PodSpec) => Partial<PodSpec>) => {
  const pod = m.api.pods.get(`default/${name}`) as Pod;
  const generation = (pod.metadata.generation ?? 1) + 1;
  m.api.put({ ...pod, metadata: { ...pod.metadata, generation }, spec: { ...pod.spec, ...spec(pod.spec) } });
  await m.pass(1);
};
const given = (requests: Record<string, string>, limits: Record<string, string> = requests) => ({ requests, limits });
const sized = (resources: Container['resources'], more: Partial<Container> = {}) =>
  container('main', ['pause'], { ...(resources ? { resources } : {}), ...more });
const resize = (resources: Container['resources']) =>
  change('a', (s) => ({ containers: s.containers.map((c) => ({ ...c, ...(resources ? { resources } : {}) })) }));
const types = (name: string) =>
  (m.status(name).conditions ?? []).map((c) => c.type).filter((t) => t.startsWith('PodResize'));

describe('ephemeral containers', () => {
  test('start beside what runs, once, and say so', async () => {
    await m.create('a', { containers: [pause] });
    await change('a', () => ({ ephemeralContainers: [container('debug', ['pause'])] }));
    const [status] = m.status('a').ephemeralContainerStatuses ?? [];
    assert.ok(status?.state.running);
    assert.equal(status?.ready, false);
    assert.equal(m.condition('a', 'Ready'), 'True');
    assert.equal(m.status('a').observedGeneration, 2);
    const id = status?.containerID?.replace('containerd://', '') ?? '';
    m.runtime.exit(id, 3);
    await m.pass(30);
    const [ended] = m.status('a').ephemeralContainerStatuses ?? [];
    assert.equal(ended?.state.terminated?.exitCode, 3);
    assert.equal(ended?.restartCount, 0);
    assert.equal(m.status('a').phase, 'Running');
  });
  test("one that looks at another's processes names it; where there is none of the name it waits", async () => {
    await m.create('a', { containers: [pause] });
    const aimed = (name: string, targetContainerName: string) => ({
      ...container(name, ['pause']),
      targetContainerName,
    });
    await change('a', () => ({ ephemeralContainers: [aimed('good', 'main'), aimed('bad', 'none')] }));
    const [good, bad] = m.status('a').ephemeralContainerStatuses ?? [];
    assert.ok(good?.state.running);
    const waiting = { reason: 'CreateContainerConfigError', message: 'unable to find target container none' };
    assert.deepEqual(bad?.state.waiting, waiting);
  });
  test('start although an init container never ends', async () => {
    await m.create('a', { initContainers: [container('init', ['pause'])], containers: [pause] });
    await change('a', () => ({ ephemeralContainers: [container('debug', ['pause'])] }));
    assert.ok(m.status('a').ephemeralContainerStatuses?.[0]?.state.running);
  });
  test('do not keep a pod that has ended', async () => {
    await m.create('a', { restartPolicy: 'Never', containers: [pause] });
    await change('a', () => ({ ephemeralContainers: [container('debug', ['pause'])] }));
    m.runtime.exit(m.id('a'), 0);
    await m.pass(35);
    assert.equal(m.status('a').phase, 'Succeeded');
  });
});

test('a container whose image changes is made anew, whatever its policy', async () => {
  m.runtime.images.offer('busybox:2', { command: ['pause'] });
  await m.create('a', { restartPolicy: 'Never', containers: [pause] });
  await change('a', () => ({ containers: [{ ...pause, image: 'busybox:2' }] }));
  await m.pass(2);
  assert.equal(m.container('a').restartCount, 1);
  assert.equal(m.container('a').image, 'busybox:2');
  assert.deepEqual(m.events('Killing'), ['Container main definition changed, will be restarted']);
  assert.equal(m.status('a').phase, 'Running');
});

describe('resizes in place', () => {
  const BEFORE = given({ cpu: '100m', memory: '100Mi' }, { cpu: '200m', memory: '200Mi' });
  const AFTER = given({ cpu: '150m', memory: '150Mi' }, { cpu: '300m', memory: '300Mi' });
  const path = '/kubepods/burstable/poduid-a';

  test('change what runs, and are told', async () => {
    await m.create('a', { containers: [sized(BEFORE)] });
    assert.deepEqual(m.container('a').resources, BEFORE);
    assert.deepEqual(m.container('a').allocatedResources, BEFORE.requests);
    assert.deepEqual(m.cgroups.groups.get(path), {
      cpuShares: 102,
      cpuPeriod: 100_000,
      cpuQuota: 20_000,
      memoryBytes: 200 * 1024 ** 2,
    });
    const id = m.id('a');
    await resize(AFTER);
    await m.pass(2);
    assert.equal(m.id('a'), id);
    assert.equal(m.container('a').restartCount, 0);
    assert.deepEqual(m.container('a').resources, AFTER);
    assert.deepEqual(m.container('a').allocatedResources, AFTER.requests);
    assert.equal(m.cgroups.groups.get(path)?.memoryBytes, 300 * 1024 ** 2);
    assert.equal(m.status('a').observedGeneration, 2);
    assert.deepEqual(types('a'), []);
    const told =
      '{"containers":[{"name":"main","resources":{"limits":{"cpu":"300m","memory":"300Mi"},"requests":{"cpu":"150m","memory":"150Mi"}}}],"generation":2}';
    assert.deepEqual(m.events('ResizeStarted'), [`Pod resize started: ${told}`]);
    assert.deepEqual(m.events('ResizeCompleted'), [`Pod resize completed: ${told}`]);
  });

  test('grow the pod before its containers and shrink it after them', async () => {
    await m.create('a', { containers: [sized(BEFORE)] });
    const order = () => [
      ...m.cgroups.calls
        .filter((c) => c.startsWith('set /kubepods/burstable/pod'))
        .map((c) => c.split(' ').slice(2).join(' ')),
    ];
    await resize(AFTER);
    assert.deepEqual(order(), ['memoryBytes', 'cpuQuota cpuPeriod', 'cpuShares']);
    await resize(BEFORE);
    assert.deepEqual(order().slice(3), ['memoryBytes', 'cpuShares', 'cpuQuota cpuPeriod']);
    assert.deepEqual(m.container('a').resources, BEFORE);
  });

  test('restart the container where its policy for that resource says so', async () => {
    const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' as const }];
    await m.create('a', { containers: [sized(BEFORE, { resizePolicy })] });
    await resize(given({ ...BEFORE.requests, cpu: '150m' }, BEFORE.limits));
    assert.equal(m.container('a').restartCount, 0);
    await resize(AFTER);
    await m.pass(2);
    assert.equal(m.container('a').restartCount, 1);
    assert.deepEqual(m.events('Killing'), ['Container main resize requires restart']);
    assert.deepEqual(m.container('a').resources, AFTER);
    assert.equal(m.cgroups.groups.get(path)?.memoryBytes, 300 * 1024 ** 2);
    assert.deepEqual(types('a'), []);
  });

  test('that do not fit wait, and are done when others go', async () => {
    await m.create('a', { containers: [sized(given({ cpu: '1' }))] });
    await m.create('other', { containers: [sized(given({ cpu: '900m' }))] });
    await resize(given({ cpu: '1500m' }));
    const text = "Node didn't have enough resource: cpu, requested: 1500, used: 900, capacity: 2000";
    assert.equal(m.condition('a', 'PodResizePending'), `True Deferred: ${text}`);
    assert.equal(m.status('a').conditions?.find((c) => c.type === 'PodResizePending')?.observedGeneration, 2);
    assert.deepEqual(m.container('a').allocatedResources, { cpu: '1' });
    assert.match(
      m.events('ResizeDeferred')[0] ?? '',
      /^Pod resize OutOfcpu: \{"containers":.*"generation":2,"error":"Node didn't/,
    );
    await m.delete('other');
    await m.pass(5);
    assert.deepEqual(m.container('a').allocatedResources, { cpu: '1500m' });
    assert.deepEqual(types('a'), []);
  });

  test('that are taken back leave no trace', async () => {
    await m.create('a', { containers: [sized(given({ cpu: '1' }))] });
    await resize(given({ cpu: '9' }));
    assert.deepEqual(types('a'), ['PodResizePending']);
    await resize(given({ cpu: '1' }));
    assert.deepEqual(types('a'), []);
  });

  test('take no memory from who uses it', async () => {
    await m.create('a', { containers: [sized(BEFORE)] });
    m.runtime.setUsage(m.id('a'), { cpuNanos: 0, memoryBytes: 150 * 1024 ** 2 });
    await resize(given(BEFORE.requests, { cpu: '200m', memory: '120Mi' }));
    const why = `cannot decrease memory limits: attempting to set container "main" memory limit (${120 * 1024 ** 2}) below current usage (${150 * 1024 ** 2})`;
    assert.equal(m.condition('a', 'PodResizeInProgress'), `True Error: ${why}`);
    assert.equal(m.events('ResizeError').length, 1);
    m.runtime.setUsage(m.id('a'), { cpuNanos: 0, memoryBytes: 1024 ** 2 });
    await m.pass(12);
    assert.deepEqual(types('a'), []);
    assert.equal(m.container('a').resources?.limits?.memory, '120Mi');
  });

  test('an agent that begins anew goes on with what was granted', async () => {
    await m.create('a', { containers: [sized(given({ cpu: '1' }))] });
    await resize(given({ cpu: '9' }));
    await m.crash();
    await m.pass(3);
    assert.deepEqual(types('a'), ['PodResizePending']);
    assert.deepEqual(m.container('a').allocatedResources, { cpu: '1' });
    await resize(given({ cpu: '1500m' }));
    assert.deepEqual(types('a'), []);
    assert.deepEqual(m.container('a').allocatedResources, { cpu: '1500m' });
    assert.equal(m.container('a').restartCount, 0);
  });

  test("a pod's own resources count for it as a whole", async () => {
    const whole = given({ cpu: '200m', memory: '64Mi' });
    await m.create('a', { resources: whole, containers: [sized(undefined)] });
    assert.deepEqual(m.status('a').allocatedResources, whole.requests);
    assert.deepEqual(m.status('a').resources, whole);
    const group = { cpuShares: 204, cpuPeriod: 100_000, cpuQuota: 20_000, memoryBytes: 64 * 1024 ** 2 };
    assert.deepEqual(m.cgroups.groups.get('/kubepods/poduid-a'), group);
    const more = given({ cpu: '300m', memory: '96Mi' });
    await change('a', () => ({ resources: more }));
    await m.pass(2);
    assert.deepEqual(m.status('a').resources, more);
    assert.deepEqual(types('a'), []);
    assert.equal(m.container('a').restartCount, 0);
  });
});

describe('deletion', () => {
  const slow = container('main', ['sleep', '1000']);
  test('may get shorter while it goes on', async () => {
    await m.create('a', { terminationGracePeriodSeconds: 600, containers: [slow] });
    await m.delete('a');
    await m.pass(5);
    assert.ok(m.has('a'));
    await m.delete('a', 3);
    await m.pass(6);
    assert.equal(m.has('a'), false);
  });
  test('shortens a preStop hook too', async () => {
    const lifecycle = { preStop: { exec: { command: ['sleep', '500'] } } };
    await m.create('a', { terminationGracePeriodSeconds: 600, containers: [{ ...pause, lifecycle }] });
    await m.delete('a');
    await m.pass(5);
    await m.delete('a', 2);
    await m.pass(8);
    assert.equal(m.has('a'), false);
  });
  test('does not wait for a postStart hook', async () => {
    const lifecycle = { postStart: { exec: { command: ['sleep', '500'] } } };
    await m.create('a', { terminationGracePeriodSeconds: 1, containers: [{ ...pause, lifecycle }] });
    await m.delete('a');
    await m.pass(6);
    assert.equal(m.has('a'), false);
  });
  test('does not wait for an image', async () => {
    m.runtime.images.offer('slow', { command: ['pause'] });
    await m.create('b', { containers: [pause] });
    await m.create('a', { containers: [{ ...pause, image: 'never.test/there' }] });
    await m.delete('a');
    await m.pass(4);
    assert.equal(m.has('a'), false);
  });
  const last = (name: string) => m.api.patches.filter((p) => p.pod === name).at(-1)?.status;
  test('of a pod that has not begun leaves it failed, with containers whose end nobody has seen', async () => {
    await m.create('a', { containers: [{ ...pause, image: 'never.test/there' }] });
    await m.delete('a');
    await m.pass(3);
    assert.equal(last('a')?.phase, 'Failed');
    assert.deepEqual(last('a')?.containerStatuses?.[0]?.state, {
      terminated: {
        exitCode: 137,
        reason: 'ContainerStatusUnknown',
        message: 'The container could not be located when the pod was terminated',
      },
    });
  });
  test('of a pod that is not initialized says nothing of its containers', async () => {
    const bad = { ...container('init', ['true']), image: 'never.test/there' };
    await m.create('a', { initContainers: [bad], containers: [pause] });
    await m.delete('a');
    await m.pass(3);
    assert.equal(last('a')?.phase, 'Failed');
    assert.equal(last('a')?.containerStatuses?.[0]?.state.waiting?.reason, 'PodInitializing');
    assert.equal(last('a')?.initContainerStatuses?.[0]?.state.terminated?.exitCode, 137);
  });
  test('of a pod whose containers have ended well leaves it so', async () => {
    await m.create('a', { containers: [pause] });
    await m.delete('a');
    await m.pass(3);
    assert.equal(last('a')?.phase, 'Succeeded');
  });
  test("takes the pod's cgroup", async () => {
    await m.create('a', { containers: [pause] });
    assert.ok(m.cgroups.groups.has('/kubepods/besteffort/poduid-a'));
    await m.delete('a');
    await m.pass(4);
    assert.equal(m.cgroups.groups.has('/kubepods/besteffort/poduid-a'), false);
  });
});

test('the back-off begins anew once a container has run for ten minutes', async () => {
  await m.create('a', { containers: [pause] });
  const waits: number[] = [];
  for (const run of [1, 1, 1, 700, 1, 1]) {
    await m.pass(run);
    m.runtime.exit(m.id('a'), 1);
    await m.pass(1);
    const text = m.container('a').state.waiting?.message ?? '';
    waits.push(Number(/^back-off (\d+)s/.exec(text)?.[1] ?? 0));
    await m.pass(waits.at(-1) ?? 0);
  }
  assert.deepEqual(waits, [0, 10, 20, 0, 10, 20]);
});

describe('a rule that starts all containers anew', () => {
  const restartPolicyRules = [{ action: 'RestartAllContainers', exitCodes: { operator: 'In' as const, values: [42] } }];
  const asks = container('main', ['pause'], { restartPolicy: 'Never', restartPolicyRules });
  test('takes them all away and begins with the init containers, in the same sandbox', async () => {
    const init = container('init', ['sleep', '2']);
    await m.create('a', {
      restartPolicy: 'Never',
      initContainers: [init],
      containers: [asks, container('other', ['pause'])],
    });
    await m.pass(4);
    assert.equal(m.condition('a', 'AllContainersRestarting'), 'False');
    const sandboxes = m.runtime.calls.filter((c) => c.startsWith('runPodSandbox')).length;
    m.runtime.exit(m.id('a'), 42);
    await m.pass(1.5);
    assert.equal(m.status('a').phase, 'Pending'); // its init container runs again
    await m.pass(4);
    assert.equal(m.status('a').phase, 'Running');
    assert.equal(m.condition('a', 'AllContainersRestarting'), 'False');
    assert.deepEqual(
      ['init', 'main', 'other'].map((c) => m.container('a', c).restartCount),
      [1, 1, 1],
    );
    assert.equal(m.container('a', 'other').lastState.terminated?.reason, 'RestartingAllContainers');
    assert.equal(m.container('a', 'other').lastState.terminated?.exitCode, 137);
    assert.equal(m.runtime.calls.filter((c) => c.startsWith('runPodSandbox')).length, sandboxes);
    assert.equal(m.condition('a', 'Ready'), 'True');
  });
  test('leaves other exit codes to the policy', async () => {
    await m.create('a', { restartPolicy: 'Never', containers: [asks] });
    m.runtime.exit(m.id('a'), 1);
    await m.pass(4);
    assert.equal(m.status('a').phase, 'Failed');
    assert.equal(m.condition('a', 'AllContainersRestarting'), 'False PodFailed');
  });
});
