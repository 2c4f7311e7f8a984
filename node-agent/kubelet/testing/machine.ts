import { appendFileSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FakeRuntime } from '../../runtime/fake.ts';
import { busyboxProgram } from '../../runtime/fake-program.ts';
import { type VirtualClock, virtualClock } from '../../runtime/testing/clock.ts';
import { MemoryCgroups } from '../cgroups.ts';
import { Kubelet } from '../kubelet.ts';
import type { Container, ContainerStatus, Pod, PodSpec, PodStatus } from '../pod.ts';
import type { Service } from '../serviceenv.ts';
import { FakeApi } from './api.ts';
import { FakeMounter } from './mounter.ts';

/** A worker may wait for time itself: it gets this many looks, a millisecond apart, before time goes on without it. */
const LOOKS_MAX = 25;
/** Real files are waited for, however slow the disk is. */
const filesUnderWay = () =>
  process.getActiveResourcesInfo().some((r) => r.startsWith('FSReq') || r.startsWith('FileHandle'));
const STEP_MS = 500;
const NODE = 'node-a';

/** A node agent's kubelet on a runtime, an API and a clock that are in memory; its files are real. */
export class Machine {
  readonly clock: VirtualClock;
  readonly runtime: FakeRuntime;
  readonly api: FakeApi;
  readonly mounter = new FakeMounter();
  readonly cgroups = new MemoryCgroups();
  /** Folders at which images were shown, and whose views were let go of. */
  readonly forgotten: string[] = [];
  readonly root: string;
  /** What the agent knows of Services; undefined: nothing yet. */
  services: Service[] | undefined = [];
  kubelet: Kubelet;
  #run: Promise<void>;

  static async start(): Promise<Machine> {
    return new Machine(await mkdtemp(join(tmpdir(), 'kubelet-')));
  }
  private constructor(root: string) {
    this.root = root;
    mkdirSync(join(root, 'manifests'));
    this.clock = virtualClock();
    const logs = {
      write(path: string, line: string) {
        mkdirSync(dirname(path), { recursive: true });
        appendFileSync(path, line);
      },
      reopen: () => undefined,
    };
    this.runtime = new FakeRuntime({
      env: this.clock,
      logs,
      program: (argv, c, container) => {
        // `fails-once` in a command: the first run exits with 1, later ones run for ever.
        if (argv[0] === 'fails-once')
          return busyboxProgram(container.metadata.attempt === 0 ? ['false'] : ['pause'], c);
        return busyboxProgram(argv, c);
      },
    });
    this.runtime.images.offer('busybox', { command: ['pause'] });
    this.runtime.images.offer('rooted', { command: ['pause'], user: '0' });
    this.runtime.images.offer('named', { command: ['pause'], user: 'app' });
    this.api = new FakeApi();
    this.api.objects.set(`/api/v1/nodes/${NODE}`, {
      metadata: { name: NODE, labels: { zone: 'a', 'kubernetes.io/os': 'linux' } },
      spec: {},
      status: { allocatable: { cpu: '2', memory: '4Gi', pods: '5' } },
    });
    [this.kubelet, this.#run] = this.#begin();
  }

  #begin(): [Kubelet, Promise<void>] {
    const kubelet = new Kubelet({
      api: this.api,
      runtime: this.runtime,
      images: this.runtime.images,
      node: {
        logRoot: join(this.root, 'logs'),
        cgroupParent: '/kubepods',
        dns: { servers: ['10.96.0.10'], domain: 'cluster.local' },
        hostDns: { servers: ['1.1.1.1'], searches: [], options: [] },
      },
      name: NODE,
      root: this.root,
      hostIPs: ['192.0.2.9'],
      allocatable: { cpu: '2', memory: '4Gi', pods: '5' },
      mounter: this.mounter,
      imageMounts: {
        show: async (image, target) => this.mounter.mount({ type: 'image', source: image, target, options: ['ro'] }),
        forget: async (target) => void this.forgotten.push(target),
      },
      services: async () => this.services,
      staticPods: join(this.root, 'manifests'),
      cgroups: this.cgroups,
      machine: { memoryBytes: 4 * 1024 ** 3, hugePages: ['2MB'], unified: false },
      env: this.clock,
    });
    return [kubelet, kubelet.run()];
  }

  /** Lets everything happen that can without time passing. */
  async settle(): Promise<void> {
    for (let idle = 0, looks = 0; idle < 3 && looks < LOOKS_MAX; ) {
      await this.clock.advance(0);
      await delay(1);
      const files = filesUnderWay();
      const busy = files || [...this.kubelet.workers.values()].some((w) => w.busy);
      idle = busy ? 0 : idle + 1;
      if (!files) looks++;
    }
  }

  /** Lets time pass. */
  async pass(seconds: number): Promise<void> {
    await this.settle();
    for (let ms = 0; ms < seconds * 1000; ms += STEP_MS) {
      await this.clock.advance(STEP_MS);
      await this.settle();
    }
  }

  /** Makes a pod as the API server would have completed it, and gives it the time to start. */
  async create(name: string, spec: Partial<PodSpec> & { containers: Container[] }, more: object = {}): Promise<Pod> {
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', uid: `uid-${name}`, generation: 1, ...more },
      spec: { nodeName: NODE, restartPolicy: 'Always', terminationGracePeriodSeconds: 30, ...spec },
      status: {
        phase: 'Pending',
        qosClass: 'BestEffort',
        conditions: [{ type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: this.time() }],
      },
    };
    const made = this.api.put(pod);
    await this.pass(2);
    return made;
  }

  /** What `kubectl delete` does. */
  async delete(name: string, graceSeconds?: number): Promise<void> {
    const pod = this.api.pods.get(`default/${name}`);
    if (!pod) return;
    const deletionGracePeriodSeconds = graceSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
    if (graceSeconds === 0) this.api.remove(`default/${name}`);
    else {
      const metadata = { ...pod.metadata, deletionTimestamp: this.time(), deletionGracePeriodSeconds };
      this.api.put({ ...pod, metadata });
    }
    await this.settle();
  }

  /** The API tells the pod again, as after a change that is nobody's here. */
  touch(name: string): void {
    const pod = this.api.pods.get(`default/${name}`);
    if (pod) this.api.put(pod);
  }

  /** The agent dies and another one begins; the runtime and the files are as they were. */
  async crash(): Promise<void> {
    const stopped = this.kubelet.stop();
    await this.pass(2);
    await stopped;
    [this.kubelet, this.#run] = this.#begin();
    await this.settle();
  }

  time(): string {
    return `${new Date(this.clock.now()).toISOString().slice(0, 19)}Z`;
  }
  has(name: string): boolean {
    return this.api.pods.has(`default/${name}`);
  }
  status(name: string): PodStatus {
    const status = this.api.pods.get(`default/${name}`)?.status;
    if (!status) throw new Error(`no pod ${name}`);
    return status;
  }
  container(pod: string, name = 'main'): ContainerStatus {
    const s = this.status(pod);
    const found = [...(s.initContainerStatuses ?? []), ...(s.containerStatuses ?? [])].find((c) => c.name === name);
    if (!found) throw new Error(`no status of container ${name}`);
    return found;
  }
  /** `True`, or `False Reason: message`. */
  condition(pod: string, type: string): string {
    const c = this.status(pod).conditions?.find((x) => x.type === type);
    if (!c) return 'none';
    return [c.status, c.reason, c.message && `: ${c.message}`].filter(Boolean).join(' ').replace(' : ', ': ');
  }
  /** The runtime's id of a container that has started. */
  id(pod: string, name = 'main'): string {
    return this.container(pod, name).containerID?.replace('containerd://', '') ?? '';
  }
  events(reason?: string): string[] {
    const all = reason === undefined ? this.api.events : this.api.events.filter((e) => e.reason === reason);
    return all.map((e) => (reason === undefined ? `${e.reason}: ${e.message}` : e.message));
  }

  async close(): Promise<void> {
    const stopped = this.kubelet.stop();
    await this.pass(35);
    await stopped;
    await Promise.race([this.#run, delay(100)]);
    await rm(this.root, { recursive: true, force: true });
  }
}

/** A container with what every test's container has. */
export const container = (name: string, command: string[], more: Partial<Container> = {}): Container => ({
  name,
  image: 'busybox',
  command,
  ...more,
});
