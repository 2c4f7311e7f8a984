import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Container } from './pod.ts';
import { container, Machine } from './testing/machine.ts';

let m: Machine;
beforeEach(async () => {
  m = await Machine.start();
});
afterEach(() => m.close());

const pause = container('main', ['pause']);
const sidecar = (name: string, more: Partial<Container> = {}) =>
  container(name, ['pause'], { restartPolicy: 'Always', ...more });
/** Names of containers in the order in which they were made. */
const started = () =>
  [...new Set(m.runtime.calls.filter((c) => c.startsWith('startContainer')))].map((c) => nameOf(c.split(' ')[1] ?? ''));
const nameOf = (id: string) => {
  const all = [...m.kubelet.workers.values()].flatMap((w) =>
    [...(w.pod.spec.initContainers ?? []), ...w.pod.spec.containers].map((c) => [c.name, w.containerId(c.name)]),
  );
  return all.find(([, x]) => x === id)?.[0] ?? 'earlier run';
};

describe('start order', () => {
  test('init containers run one by one before the main ones, which start together', async () => {
    await m.create('a', {
      initContainers: [container('one', ['sleep', '3']), container('two', ['sleep', '3'])],
      containers: [pause, container('other', ['pause'])],
    });
    assert.equal(m.status('a').phase, 'Pending');
    assert.equal(
      m.condition('a', 'Initialized'),
      'False ContainersNotInitialized: containers with incomplete status: [one two]',
    );
    assert.deepEqual(m.container('a').state, { waiting: { reason: 'PodInitializing' } });
    await m.pass(3);
    assert.equal(
      m.condition('a', 'Initialized'),
      'False ContainersNotInitialized: containers with incomplete status: [two]',
    );
    await m.pass(4);
    assert.equal(m.status('a').phase, 'Running');
    assert.equal(m.condition('a', 'Initialized'), 'True');
    assert.equal(m.condition('a', 'Ready'), 'True');
    assert.deepEqual(started(), ['one', 'two', 'main', 'other']);
    assert.equal(m.container('a', 'one').state.terminated?.reason, 'Completed');
    assert.equal(m.container('a', 'one').ready, true);
  });

  test('a sidecar starts in its turn, runs on beside the main containers, and is started again', async () => {
    await m.create('a', { initContainers: [sidecar('side'), container('init', ['true'])], containers: [pause] });
    assert.deepEqual(started(), ['side', 'init', 'main']);
    m.runtime.exit(m.id('a', 'side'), 1);
    await m.pass(3);
    assert.equal(m.container('a', 'side').restartCount, 1);
    assert.equal(m.status('a').phase, 'Running');
    assert.equal(m.condition('a', 'Initialized'), 'True');
    assert.equal(m.container('a').restartCount, 0);
  });

  test('a sidecar with a startup probe holds back what comes after it', async () => {
    const startupProbe = { exec: { command: ['false'] }, periodSeconds: 2, failureThreshold: 10 };
    await m.create('a', { initContainers: [sidecar('side', { startupProbe })], containers: [pause] });
    await m.pass(5);
    assert.deepEqual(started(), ['side']);
    assert.equal(m.status('a').phase, 'Pending');
    assert.equal(
      m.condition('a', 'Initialized'),
      'False ContainersNotInitialized: containers with incomplete status: [side]',
    );
  });

  test('an init container that fails is run again under Always, and ends the pod under Never', async () => {
    const spec = { initContainers: [container('init', ['false'])], containers: [pause] };
    await m.create('always', spec);
    await m.pass(3);
    assert.equal(m.status('always').phase, 'Pending');
    assert.equal(m.container('always', 'init').state.waiting?.reason, 'CrashLoopBackOff');
    await m.create('never', { ...spec, restartPolicy: 'Never' });
    assert.equal(m.status('never').phase, 'Failed');
    assert.equal(m.container('never', 'init').state.terminated?.exitCode, 1);
  });
});

describe('restart policies', () => {
  const table: { policy: 'Always' | 'OnFailure' | 'Never'; code: number; phase: string; restarts: number }[] = [
    { policy: 'Always', code: 0, phase: 'Running', restarts: 1 },
    { policy: 'Always', code: 3, phase: 'Running', restarts: 1 },
    { policy: 'OnFailure', code: 0, phase: 'Succeeded', restarts: 0 },
    { policy: 'OnFailure', code: 3, phase: 'Running', restarts: 1 },
    { policy: 'Never', code: 0, phase: 'Succeeded', restarts: 0 },
    { policy: 'Never', code: 3, phase: 'Failed', restarts: 0 },
  ];
  for (const { policy, code, phase, restarts } of table) {
    test(`${policy}: exit code ${code} makes the pod ${phase} with ${restarts} restarts`, async () => {
      await m.create('a', { restartPolicy: policy, containers: [pause] });
      m.runtime.exit(m.id('a'), code);
      await m.pass(3);
      assert.equal(m.status('a').phase, phase);
      assert.equal(m.container('a').restartCount, restarts);
      if (phase === 'Running') return;
      const reason = phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed';
      assert.equal(m.condition('a', 'Ready'), `False ${reason}`);
      assert.equal(m.condition('a', 'ContainersReady'), `False ${reason}`);
      assert.equal(m.condition('a', 'PodReadyToStartContainers'), 'False PodSandboxNotReady: pod sandbox is not ready');
    });
  }

  test("a container's own policy and rules go before the pod's", async () => {
    const once = container('once', ['false'], { restartPolicy: 'Never' });
    const ruled = container('ruled', ['sh', '-c', 'exit 42'], {
      restartPolicy: 'Never',
      restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
    });
    await m.create('a', { containers: [once, ruled] });
    await m.pass(3);
    assert.equal(m.container('a', 'once').restartCount, 0);
    assert.equal(m.container('a', 'ruled').restartCount, 1);
    assert.equal(m.status('a').phase, 'Running');
  });

  test('a pod whose main containers have ended takes its sidecars down and is Succeeded', async () => {
    await m.create('a', {
      restartPolicy: 'Never',
      initContainers: [sidecar('side')],
      containers: [container('main', ['sleep', '5'])],
    });
    assert.equal(m.status('a').phase, 'Running');
    await m.pass(8);
    assert.equal(m.status('a').phase, 'Succeeded');
    assert.notEqual(m.container('a', 'side').state.terminated, undefined);
  });
});

describe('back-off', () => {
  test('restarts wait 10 s, then twice as long each time, and say so in upstream words', async () => {
    await m.create('a', { containers: [container('main', ['false'])] });
    await m.pass(2);
    const text = (wait: string) => `back-off ${wait} restarting failed container=main pod=a_default(uid-a)`;
    assert.deepEqual(m.container('a').state, { waiting: { reason: 'CrashLoopBackOff', message: text('10s') } });
    assert.equal(m.container('a').lastState.terminated?.exitCode, 1);
    assert.equal(m.container('a').restartCount, 1);
    assert.deepEqual(m.events('BackOff'), ['Back-off restarting failed container main in pod a_default(uid-a)']);
    await m.pass(11);
    assert.equal(m.container('a').state.waiting?.message, text('20s'));
    await m.pass(21);
    assert.equal(m.container('a').state.waiting?.message, text('40s'));
    assert.equal(m.status('a').phase, 'Running');
    assert.equal(m.container('a').restartCount, 3);
  });
});

describe('images', () => {
  const broken = (image: string, more: Partial<Container> = {}) => ({ containers: [{ ...pause, image, ...more }] });

  test('a pull that fails is ErrImagePull, then ImagePullBackOff with the reason in it', async () => {
    await m.create('a', broken('nothere:1'));
    const why =
      'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/nothere:1": failed to resolve reference "docker.io/library/nothere:1": docker.io/library/nothere:1: not found';
    assert.deepEqual(m.container('a').state, { waiting: { reason: 'ErrImagePull', message: why } });
    assert.deepEqual(m.events('Failed'), [`Failed to pull image "nothere:1": ${why}`, 'Error: ErrImagePull']);
    m.touch('a');
    await m.pass(1);
    assert.equal(
      m.container('a').state.waiting?.reason,
      'ErrImagePull',
      'a change elsewhere is no reason to try again',
    );
    await m.pass(4);
    const again = m.container('a').state.waiting;
    assert.equal(again?.reason, 'ImagePullBackOff');
    assert.equal(again?.message, `Back-off pulling image "nothere:1": ErrImagePull: ${why}`);
    assert.equal(m.status('a').phase, 'Pending');
    m.runtime.images.offer('nothere:1', { command: ['pause'] });
    await m.pass(60);
    assert.equal(m.status('a').phase, 'Running');
  });

  const invalid = [
    ['Busybox', 'repository name must be lowercase'],
    ['busybox:', 'invalid reference format'],
    ['bad image', 'invalid reference format'],
  ] as const;
  for (const [image, why] of invalid) {
    test(`the name ${JSON.stringify(image)} is InvalidImageName`, async () => {
      await m.create('a', broken(image));
      const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": ${why}`;
      assert.deepEqual(m.container('a').state.waiting, { reason: 'InvalidImageName', message });
      assert.deepEqual(m.events('InspectFailed'), [message]);
    });
  }

  test('Never uses what is there and fails without it', async () => {
    await m.create('a', broken('nothere:1', { imagePullPolicy: 'Never' }));
    const message = 'Container image "nothere:1" is not present with pull policy of Never';
    assert.deepEqual(m.container('a').state.waiting, { reason: 'ErrImageNeverPull', message });
    assert.deepEqual(m.runtime.images.pulls, []);
  });

  test('imagePullSecrets reach the pull of their registry', async () => {
    const auth = Buffer.from('user:pass:word').toString('base64');
    const data = {
      '.dockerconfigjson': Buffer.from(JSON.stringify({ auths: { 'reg.test:5000': { auth } } })).toString('base64'),
    };
    m.api.objects.set('/api/v1/namespaces/default/secrets/creds', { data });
    m.runtime.images.offer('reg.test:5000/app', { command: ['pause'] });
    const seen: unknown[] = [];
    const pull = m.runtime.images.pullImage.bind(m.runtime.images);
    m.runtime.images.pullImage = (image, o) => {
      seen.push(o && 'auth' in o ? o.auth : undefined);
      return pull(image, o);
    };
    await m.create('a', { ...broken('reg.test:5000/app'), imagePullSecrets: [{ name: 'missing' }, { name: 'creds' }] });
    assert.equal(m.status('a').phase, 'Running');
    assert.deepEqual(seen, [{ username: 'user', password: 'pass:word' }]);
  });

  const roots = [
    [
      'rooted',
      {},
      /container has runAsNonRoot and image will run as root \(pod: "a_default\(uid-a\)", container: main\)/,
    ],
    ['named', {}, /image has non-numeric user \(app\), cannot verify user is non-root/],
    ['rooted', { runAsUser: 0 }, /container's runAsUser breaks non-root policy/],
  ] as const;
  for (const [image, more, text] of roots) {
    test(`runAsNonRoot refuses ${image} with ${JSON.stringify(more)}`, async () => {
      await m.create('a', broken(image, { securityContext: { runAsNonRoot: true, ...more } }));
      assert.equal(m.container('a').state.waiting?.reason, 'CreateContainerConfigError');
      assert.match(m.container('a').state.waiting?.message ?? '', text);
    });
  }
});

describe('hooks', () => {
  const hooked = (lifecycle: Container['lifecycle']) => ({
    containers: [{ ...pause, ...(lifecycle ? { lifecycle } : {}) }],
  });

  test('a postStart hook that fails ends the container and is its waiting reason', async () => {
    await m.create('a', hooked({ postStart: { exec: { command: ['false'] } } }));
    const waiting = m.container('a').state.waiting;
    assert.equal(waiting?.reason, 'PostStartHookError');
    assert.match(
      waiting?.message ?? '',
      /^Exec lifecycle hook \(\[false\]\) for Container "main" in Pod "a_default\(uid-a\)" failed - error: /,
    );
    assert.ok(m.events('FailedPostStartHook').length > 0);
    assert.ok(m.events('Killing').includes('FailedPostStartHook'));
  });

  test('a container is not ready before its postStart hook is through', async () => {
    await m.create('a', hooked({ postStart: { sleep: { seconds: 5 } } }));
    assert.equal(m.condition('a', 'Ready').split(' ')[0], 'False');
    await m.pass(5);
    assert.equal(m.condition('a', 'Ready'), 'True');
  });

  test('a preStop hook runs before the stop signal, within the grace period', async () => {
    await m.create('a', { ...hooked({ preStop: { sleep: { seconds: 5 } } }), terminationGracePeriodSeconds: 20 });
    const id = m.id('a');
    await m.delete('a');
    await m.pass(3);
    assert.ok(!m.runtime.calls.includes(`stopContainer ${id}`));
    assert.equal(m.container('a').state.running !== undefined, true);
    await m.pass(4);
    assert.ok(m.runtime.calls.includes(`stopContainer ${id}`));
    assert.equal(m.has('a'), false);
  });

  test('a preStop hook that takes longer than the grace period is left, and one that fails is told', async () => {
    await m.create('slow', { ...hooked({ preStop: { sleep: { seconds: 500 } } }), terminationGracePeriodSeconds: 4 });
    await m.create('bad', hooked({ preStop: { exec: { command: ['false'] } } }));
    await m.delete('slow');
    await m.delete('bad');
    await m.pass(9);
    assert.deepEqual([m.has('slow'), m.has('bad')], [false, false]);
    assert.deepEqual(m.events('FailedPreStopHook'), ['PreStopHook failed']);
  });
});

describe('deletion', () => {
  test('Events of a container say which one; the same of two containers are two Events', async () => {
    await m.create('a', {
      initContainers: [container('first', ['true'])],
      containers: [pause, container('side', ['pause'])],
    });
    await m.pass(3);
    assert.deepEqual(
      m.api.events.filter((e) => e.reason === 'Created').map((e) => e.about),
      ['spec.initContainers{first}', `spec.containers{${pause.name}}`, 'spec.containers{side}'],
    );
    await m.delete('a');
    await m.pass(3);
    const killed = m.api.events.filter((e) => e.reason === 'Killing').map((e) => e.about);
    assert.deepEqual(killed.sort(), [`spec.containers{${pause.name}}`, 'spec.containers{side}'].sort());
  });

  test('a pod is told ended, then its object, sandbox and files go', async () => {
    await m.create('a', {
      containers: [container('main', ['sh', '-c', 'trap "exit 7" TERM; sleep 1000'])],
      volumes: [{ name: 'v', emptyDir: {} }],
    });
    await m.delete('a');
    await m.pass(3);
    assert.equal(m.has('a'), false);
    const last = m.api.patches.at(-1)?.status;
    assert.equal(last?.phase, 'Failed');
    assert.equal(last?.containerStatuses?.[0]?.state.terminated?.exitCode, 7);
    assert.deepEqual(await m.runtime.listPodSandbox(), []);
    assert.equal(m.kubelet.workers.size, 0);
    assert.deepEqual(m.events('Killing'), ['Stopping container main']);
  });

  test('what ignores the stop signal is killed after the grace period', async () => {
    await m.create('a', { containers: [container('main', ['sleep', '1000'])], terminationGracePeriodSeconds: 6 });
    await m.delete('a');
    await m.pass(4);
    assert.equal(m.has('a'), true);
    await m.pass(5);
    assert.equal(m.has('a'), false);
    assert.equal(m.api.patches.at(-1)?.status.containerStatuses?.[0]?.state.terminated?.exitCode, 137);
  });

  test('a pod deleted by force has gone from the API at once and goes from the node soon', async () => {
    await m.create('a', { containers: [container('main', ['sleep', '1000'])] });
    await m.delete('a', 0);
    await m.pass(5);
    assert.deepEqual(await m.runtime.listPodSandbox(), []);
    assert.equal(m.kubelet.workers.size, 0);
  });

  test('sidecars are stopped after the main containers, the last one first', async () => {
    await m.create('a', {
      initContainers: [sidecar('first'), sidecar('second')],
      containers: [container('main', ['sleep', '1000'])],
      terminationGracePeriodSeconds: 5,
    });
    const names = new Map(['first', 'second', 'main'].map((n) => [m.id('a', n), n]));
    await m.delete('a');
    await m.pass(12);
    const stops = m.runtime.calls
      .filter((c) => c.startsWith('stopContainer'))
      .map((c) => names.get(c.split(' ')[1] ?? ''));
    assert.deepEqual(stops, ['main', 'second', 'first']);
    assert.equal(m.has('a'), false);
  });

  test('a pod that never started goes at once', async () => {
    await m.create('a', { containers: [{ ...pause, image: 'nothere:1' }] });
    await m.delete('a');
    await m.pass(3);
    assert.equal(m.has('a'), false);
  });
});

describe('what this node ends', () => {
  test('activeDeadlineSeconds ends a pod with DeadlineExceeded', async () => {
    await m.create('a', { containers: [pause], activeDeadlineSeconds: 10 });
    await m.pass(6);
    assert.equal(m.status('a').phase, 'Running');
    await m.pass(6);
    const { phase, reason, message } = m.status('a');
    assert.deepEqual(
      { phase, reason, message },
      {
        phase: 'Failed',
        reason: 'DeadlineExceeded',
        message: 'Pod was active on the node longer than the specified deadline',
      },
    );
    assert.equal(m.container('a').state.terminated?.exitCode, 0);
  });

  const cpu = (n: string) => ({ containers: [{ ...pause, resources: { requests: { cpu: n } } }] });
  const refused: [string, Parameters<Machine['create']>[1], string, string][] = [
    [
      'more CPU than there is',
      cpu('3'),
      'OutOfcpu',
      "Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000",
    ],
    [
      'a node selector that does not match',
      { containers: [pause], nodeSelector: { zone: 'b' } },
      'NodeAffinity',
      "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ],
    [
      'an affinity that does not match',
      {
        containers: [pause],
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['a'] }] }],
            },
          },
        },
      },
      'NodeAffinity',
      "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ],
    [
      'another system',
      { containers: [pause], os: { name: 'windows' } },
      'PodOSNotSupported',
      "Failed to admit pod as the OS field doesn't match node OS",
    ],
  ];
  for (const [what, spec, reason, message] of refused) {
    test(`a pod with ${what} is refused with ${reason}`, async () => {
      await m.create('a', spec);
      const s = m.status('a');
      assert.deepEqual([s.phase, s.reason, s.message], ['Failed', reason, `Pod was rejected: ${message}`]);
      assert.deepEqual(m.events(reason), [message]);
      assert.ok(!m.runtime.calls.some((c) => c.startsWith('runPodSandbox')));
      await m.delete('a');
      await m.pass(2);
      assert.equal(m.has('a'), false);
    });
  }

  test('what is taken counts, what has ended or was refused does not', async () => {
    await m.create('one', { ...cpu('1500m'), restartPolicy: 'Never' });
    await m.create('two', cpu('1'));
    assert.equal(
      m.status('two').message,
      "Pod was rejected: Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000",
    );
    m.runtime.exit(m.id('one'), 0);
    await m.pass(2);
    await m.create('three', cpu('1'));
    assert.equal(m.status('three').phase, 'Running');
  });

  test('a NoExecute taint and a host port that is taken refuse a pod', async () => {
    const ported = { containers: [{ ...pause, ports: [{ containerPort: 80, hostPort: 8080 }] }] };
    await m.create('one', ported);
    await m.create('two', ported);
    assert.equal(m.status('two').reason, 'NodePorts');
  });
});
