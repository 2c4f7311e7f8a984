import type { Env } from '../../kube/meta/env.ts';
import { RuntimeError } from './error.ts';
import { FakeCalls, type FakeMethod } from './fake-calls.ts';
import { FakeImages } from './fake-images.ts';
import { FakeProcess, type LogSink } from './fake-process.ts';
import { busyboxProgram, type Program, type ProgramContext } from './fake-program.ts';
import {
  containerName,
  containerView,
  type FakeContainer,
  type FakeSandbox,
  logPathOf,
  matches,
  sandboxName,
  sandboxView,
  stateOf,
  statsView,
  statusView,
} from './fake-rows.ts';
import type {
  Container,
  ContainerConfig,
  ContainerFilter,
  ContainerStats,
  ContainerStatsFilter,
  ContainerStatus,
  ExecSyncResult,
  LinuxContainerResources,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxFilter,
  PodSandboxStats,
  PodSandboxStatusResponse,
  StatusResponse,
} from './messages.ts';
import type { AttachRequest, ExecRequest, Runtime } from './runtime.ts';

export interface FakeOptions {
  env: Env;
  /** Where container output goes; absent: nowhere. */
  logs?: LogSink;
  /** What a command does; null: no such executable. Default: busyboxProgram. */
  program?: (argv: string[], c: ProgramContext, container: ContainerConfig) => Program | null;
}

const SANDBOX_IPS_MAX = 250; // 10.88.0.2 to 10.88.0.251, then the next third byte
const KILLED = 128 + 9;
const TERMINATED = 128 + 15;
const notFound = (what: string) => new RuntimeError('NotFound', `${what}: not found`);
const unknown = (desc: string) => new RuntimeError('Unknown', desc);
/** `1m30s`: how Go prints whole seconds. */
export function goSeconds(n: number): string {
  const [h, m, s] = [Math.floor(n / 3600), Math.floor(n / 60) % 60, n % 60];
  return h > 0 ? `${h}h${m}m${s}s` : m > 0 ? `${m}m${s}s` : `${s}s`;
}

/**
 * A runtime in memory by containerd 1.6's rules: states, errors, idempotence, reserved names, logs in CRI format. Time is
 * the Env's. `exit`, `oomKill`, `loseSandbox`, `fail` and `delay` make happen what a test needs.
 */
export class FakeRuntime implements Runtime {
  readonly images: FakeImages;
  readonly #o: Required<Pick<FakeOptions, 'program'>> & FakeOptions;
  readonly #env: Env;
  readonly #sandboxes = new Map<string, FakeSandbox>();
  readonly #containers = new Map<string, FakeContainer>();
  readonly #calls: FakeCalls;
  #addresses = 0;
  #streams = 0;
  ready = { runtime: true, network: true };

  constructor(o: FakeOptions) {
    this.#o = { program: busyboxProgram, ...o };
    this.#env = o.env;
    this.images = new FakeImages(o.env);
    this.#calls = new FakeCalls(o.env);
  }

  /** Every call, in order: the method and its first argument where that is an id or a name. */
  get calls(): readonly string[] {
    return this.#calls.made;
  }

  /** The next `times` calls of `method` fail with `error`. */
  fail(method: FakeMethod, error: RuntimeError, times = 1): void {
    this.#calls.fail(method, error, times);
  }

  /** Every call of `method` takes `ms` from now on. */
  delay(method: FakeMethod, ms: number): void {
    this.#calls.delay(method, ms);
  }

  /** The container's process ends now with this code. */
  exit(id: string, code: number): void {
    this.#container(id).process?.exit(code);
  }

  /** The kernel kills it for lack of memory. */
  oomKill(id: string): void {
    const c = this.#container(id);
    c.process?.exit(KILLED);
    c.reason = 'OOMKilled';
  }

  /** The sandbox's own process dies; its containers' processes go on, as in containerd. */
  loseSandbox(id: string): void {
    const s = this.#sandboxes.get(id);
    if (s) s.ready = false;
  }

  /** What stats will say about it. */
  setUsage(id: string, usage: { cpuNanos: number; memoryBytes: number }): void {
    this.#container(id).usage = usage;
  }

  #nanos(): number {
    return this.#env.now() * 1e6;
  }
  #newId(): string {
    return (this.#env.uuid() + this.#env.uuid()).replaceAll('-', '');
  }

  /** An id or its unambiguous prefix. */
  #lookup<T>(map: Map<string, T>, id: string): T | undefined {
    const exact = map.get(id);
    if (exact || id === '') return exact;
    const found = [...map].filter(([k]) => k.startsWith(id));
    return found.length === 1 ? found[0]?.[1] : undefined;
  }
  #container(id: string): FakeContainer {
    const c = this.#lookup(this.#containers, id);
    if (!c) throw notFound(`an error occurred when try to find container "${id}"`);
    return c;
  }

  async version() {
    await this.#calls.enter('version');
    return { version: '0.1.0', runtimeName: 'fake', runtimeVersion: '1.6.0', runtimeApiVersion: 'v1' };
  }
  async status(): Promise<StatusResponse> {
    await this.#calls.enter('status');
    const condition = (type: string, status: boolean) =>
      status
        ? { type, status, reason: '', message: '' }
        : { type, status, reason: `${type.replace('Ready', '')}NotReady`, message: `${type} is false` };
    const { runtime, network } = this.ready;
    return {
      status: { conditions: [condition('RuntimeReady', runtime), condition('NetworkReady', network)] },
      info: {},
      runtimeHandlers: [],
    };
  }
  async cgroupDriver() {
    await this.#calls.enter('cgroupDriver');
    return null;
  }
  async updateRuntimeConfig(): Promise<void> {
    await this.#calls.enter('updateRuntimeConfig');
  }

  async runPodSandbox(config: PodSandboxConfig, handler = ''): Promise<string> {
    const name = sandboxName(config);
    await this.#calls.enter('runPodSandbox', name);
    for (const s of this.#sandboxes.values()) {
      if (sandboxName(s.config) !== name) continue;
      throw unknown(`failed to reserve sandbox name "${name}": name "${name}" is reserved for "${s.id}"`);
    }
    if (handler !== '' && handler !== 'runc') {
      throw unknown(`failed to get sandbox runtime: no runtime for "${handler}" is configured`);
    }
    const id = this.#newId();
    const hostNetwork = config.linux?.securityContext?.namespaceOptions?.network === 'NODE';
    const n = hostNetwork ? 0 : this.#addresses++;
    const ip = hostNetwork ? '' : `10.88.${Math.floor(n / SANDBOX_IPS_MAX)}.${(n % SANDBOX_IPS_MAX) + 2}`;
    this.#sandboxes.set(id, { id, config, handler, ready: true, createdAt: this.#nanos(), ip });
    return id;
  }

  async stopPodSandbox(id: string): Promise<void> {
    await this.#calls.enter('stopPodSandbox', id);
    const s = this.#lookup(this.#sandboxes, id);
    if (!s) return;
    for (const c of this.#containers.values()) if (c.sandbox === s) c.process?.exit(KILLED);
    s.ready = false;
    s.ip = '';
  }

  async removePodSandbox(id: string): Promise<void> {
    await this.#calls.enter('removePodSandbox', id);
    const s = this.#lookup(this.#sandboxes, id);
    if (!s) return;
    for (const c of [...this.#containers.values()]) {
      if (c.sandbox !== s) continue;
      c.process?.exit(KILLED);
      this.#containers.delete(c.id);
    }
    this.#sandboxes.delete(s.id);
  }

  async podSandboxStatus(id: string): Promise<PodSandboxStatusResponse> {
    await this.#calls.enter('podSandboxStatus', id);
    const s = this.#lookup(this.#sandboxes, id);
    if (!s) throw notFound('an error occurred when try to find sandbox');
    const options = s.config.linux?.securityContext?.namespaceOptions;
    const status = {
      ...sandboxView(s),
      network: { ip: s.ip, additionalIps: [] },
      linux: { namespaces: options ? { options } : {} },
    };
    return { status, info: {}, containersStatuses: [], timestamp: 0 };
  }

  async listPodSandbox(filter: PodSandboxFilter = {}): Promise<PodSandbox[]> {
    await this.#calls.enter('listPodSandbox');
    const only = filter.id ? this.#lookup(this.#sandboxes, filter.id) : null;
    if (only === undefined) return [];
    return [...this.#sandboxes.values()]
      .filter((s) => only === null || s === only)
      .map((s) => sandboxView(s))
      .filter((s) => (!filter.state || s.state === filter.state) && matches(s.labels, filter.labelSelector));
  }

  async updatePodSandboxResources(): Promise<void> {
    await this.#calls.enter('updatePodSandboxResources');
    throw new RuntimeError(
      'Unimplemented',
      'unknown method UpdatePodSandboxResources for service runtime.v1.RuntimeService',
    );
  }

  async createContainer(sandboxId: string, config: ContainerConfig, _: PodSandboxConfig): Promise<string> {
    await this.#calls.enter('createContainer', sandboxId);
    const s = this.#lookup(this.#sandboxes, sandboxId);
    if (!s) throw notFound(`failed to find sandbox id "${sandboxId}"`);
    if (!s.ready) {
      throw notFound(`failed to get sandbox container task: no running task found: task ${s.id} not found`);
    }
    const name = containerName(config, s.config);
    for (const c of this.#containers.values()) {
      if (containerName(c.config, c.sandbox.config) !== name) continue;
      throw unknown(`failed to reserve container name "${name}": name "${name}" is reserved for "${c.id}"`);
    }
    const found = this.images.find(config.image.image);
    if (!found) throw notFound(`failed to resolve image "${config.image.image}"`);
    const id = this.#newId();
    this.#containers.set(id, {
      id,
      sandbox: s,
      config,
      imageId: found.id,
      imageRef: this.images.referenceOf(found.id),
      createdAt: this.#nanos(),
      startedAt: 0,
      finishedAt: 0,
      exitCode: 0,
      reason: '',
      message: '',
      process: null,
      resources: { ...config.linux?.resources },
      usage: { cpuNanos: 0, memoryBytes: 0 },
    });
    return id;
  }

  #programOf(c: FakeContainer, argv: string[]): Program {
    const env: Record<string, string> = { PATH: '/bin', HOSTNAME: c.sandbox.config.hostname ?? '' };
    for (const e of c.config.envs ?? [])
      env[e.key] = typeof e.value === 'string' ? e.value : new TextDecoder().decode(e.value);
    const program = this.#o.program(argv, { env, workingDir: c.config.workingDir || '/' }, c.config);
    if (program) return program;
    throw unknown(
      `unable to start container process: exec: ${JSON.stringify(argv[0] ?? '')}: executable file not found in $PATH: unknown`,
    );
  }

  async startContainer(id: string): Promise<void> {
    await this.#calls.enter('startContainer', id);
    const c = this.#container(id);
    const state = stateOf(c);
    if (state !== 'CONTAINER_CREATED') {
      throw unknown(`failed to set starting state for container "${c.id}": container is in ${state} state`);
    }
    if (!c.sandbox.ready) throw unknown(`sandbox container "${c.sandbox.id}" is not running`);
    const { command = [], args = [] } = c.config;
    const own = [...command, ...args];
    const argv = own.length > 0 ? own : (this.images.find(c.imageId)?.image.command ?? ['sh']);
    let program: Program;
    try {
      program = this.#programOf(c, argv);
    } catch (e) {
      const cause = e instanceof RuntimeError ? e.desc : String(e);
      const why = `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: ${cause}`;
      Object.assign(c, { finishedAt: this.#nanos(), exitCode: 128, reason: 'StartError', message: why });
      throw unknown(why);
    }
    c.startedAt = this.#nanos();
    const path = logPathOf(c);
    c.process = new FakeProcess(this.#env, program, path ? { sink: this.#o.logs, path } : {});
    c.process.exited.then((code) => {
      c.finishedAt = this.#nanos();
      c.exitCode = code;
      c.reason ||= code === 0 ? 'Completed' : 'Error';
    });
    c.process.start();
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    await this.#calls.enter('stopContainer', id);
    const c = this.#lookup(this.#containers, id);
    if (!c?.process || c.finishedAt !== 0) return;
    const pid1 = c.config.linux?.securityContext?.namespaceOptions?.pid === 'CONTAINER';
    if (graceSeconds > 0) {
      if (c.process.program.onTerm !== undefined) c.process.exit(c.process.program.onTerm);
      else if (!pid1)
        c.process.exit(TERMINATED); // the first process of a pid namespace ignores what it doesn't handle
      else {
        const cancel = this.#env.after(graceSeconds * 1000, () => c.process?.exit(KILLED));
        c.process.exited.then(cancel);
      }
    } else c.process.exit(KILLED);
    await c.process.exited;
  }

  async removeContainer(id: string): Promise<void> {
    await this.#calls.enter('removeContainer', id);
    const c = this.#lookup(this.#containers, id);
    if (!c) return;
    c.process?.exit(KILLED);
    this.#containers.delete(c.id);
  }

  async containerStatus(id: string): Promise<ContainerStatus> {
    await this.#calls.enter('containerStatus', id);
    return statusView(this.#container(id));
  }

  async listContainers(filter: ContainerFilter = {}): Promise<Container[]> {
    await this.#calls.enter('listContainers');
    const only = filter.id ? this.#lookup(this.#containers, filter.id) : null;
    const sandbox = filter.podSandboxId ? this.#lookup(this.#sandboxes, filter.podSandboxId) : null;
    if (only === undefined || sandbox === undefined) return [];
    return [...this.#containers.values()]
      .filter((c) => (only === null || c === only) && (sandbox === null || c.sandbox === sandbox))
      .filter((c) => !filter.state || stateOf(c) === filter.state)
      .filter((c) => matches(c.config.labels ?? {}, filter.labelSelector))
      .map(containerView);
  }

  async updateContainerResources(id: string, linux: LinuxContainerResources): Promise<void> {
    await this.#calls.enter('updateContainerResources', id);
    Object.assign(this.#container(id).resources, linux);
  }

  async reopenContainerLog(id: string): Promise<void> {
    await this.#calls.enter('reopenContainerLog', id);
    const c = this.#container(id);
    if (stateOf(c) !== 'CONTAINER_RUNNING') throw unknown('container is not running');
    c.process?.reopen();
  }

  #running(id: string, prefix = ''): FakeContainer {
    const c = this.#container(id);
    const state = stateOf(c);
    if (state !== 'CONTAINER_RUNNING') throw unknown(`${prefix}container is in ${state} state`);
    return c;
  }

  async execSync(id: string, cmd: string[], timeoutSeconds = 0): Promise<ExecSyncResult> {
    await this.#calls.enter('execSync', id);
    const failed = 'failed to exec in container: ';
    const c = this.#running(id, failed);
    let program: Program;
    try {
      program = this.#programOf(c, cmd);
    } catch (e) {
      const cause = e instanceof RuntimeError ? e.desc : String(e);
      throw unknown(`${failed}failed to start exec "${this.#newId()}": OCI runtime exec failed: exec failed: ${cause}`);
    }
    const p = new FakeProcess(this.#env, program, {});
    p.start();
    let late = false;
    const cancel = timeoutSeconds
      ? this.#env.after(timeoutSeconds * 1000, () => {
          late = true;
          p.exit(KILLED);
        })
      : () => undefined;
    c.process?.exited.then(() => p.exit(KILLED)); // they share the container's end
    const exitCode = await p.exited;
    cancel();
    if (late) {
      const why = `${failed}timeout ${goSeconds(timeoutSeconds)} exceeded: context deadline exceeded`;
      throw new RuntimeError('DeadlineExceeded', why);
    }
    const bytes = (s: string) => new TextEncoder().encode(s);
    return { stdout: bytes(p.output.stdout), stderr: bytes(p.output.stderr), exitCode };
  }

  #url(kind: string): string {
    return `http://127.0.0.1:0/${kind}/${++this.#streams}`;
  }
  async exec(r: ExecRequest): Promise<string> {
    await this.#calls.enter('exec', r.containerId);
    this.#running(r.containerId);
    return this.#url('exec');
  }
  async attach(r: AttachRequest): Promise<string> {
    await this.#calls.enter('attach', r.containerId);
    this.#running(r.containerId);
    return this.#url('attach');
  }
  async portForward(sandboxId: string): Promise<string> {
    await this.#calls.enter('portForward', sandboxId);
    const s = this.#lookup(this.#sandboxes, sandboxId);
    if (!s) throw notFound(`failed to find sandbox "${sandboxId}"`);
    if (!s.ready) throw unknown('sandbox container is not running');
    return this.#url('portforward');
  }

  async containerStats(id: string): Promise<ContainerStats> {
    await this.#calls.enter('containerStats', id);
    const c = this.#container(id);
    if (stateOf(c) !== 'CONTAINER_RUNNING') throw unknown('unexpected metrics response: []');
    return statsView(c, this.#nanos());
  }
  async listContainerStats(filter: ContainerStatsFilter = {}) {
    await this.#calls.enter('listContainerStats');
    const listed = await this.listContainers({ ...filter, state: 'CONTAINER_RUNNING' });
    return listed.map((c) => statsView(this.#container(c.id), this.#nanos()));
  }
  async podSandboxStats(id: string): Promise<PodSandboxStats> {
    await this.#calls.enter('podSandboxStats', id);
    const s = this.#lookup(this.#sandboxes, id);
    if (!s) throw notFound(`an error occurred when trying to find sandbox ${id}`);
    const containers = [...this.#containers.values()].filter((c) => c.sandbox === s && c.process && !c.finishedAt);
    const { metadata, labels = {}, annotations = {} } = s.config;
    return {
      attributes: { id: s.id, metadata, labels, annotations },
      linux: { containers: containers.map((c) => statsView(c, this.#nanos())) },
    };
  }
  async listPodSandboxStats(): Promise<PodSandboxStats[]> {
    const out: PodSandboxStats[] = [];
    for (const id of this.#sandboxes.keys()) out.push(await this.podSandboxStats(id));
    return out;
  }

  close(): void {}
}
