import type { FakeProcess } from './fake-process.ts';
import type {
  Container,
  ContainerConfig,
  ContainerState,
  ContainerStats,
  ContainerStatus,
  Labels,
  LinuxContainerResources,
  PodSandbox,
  PodSandboxConfig,
} from './messages.ts';

/** What a FakeRuntime knows of a sandbox. */
export interface FakeSandbox {
  id: string;
  config: PodSandboxConfig;
  handler: string;
  ready: boolean;
  /** Nanoseconds, as all times here. */
  createdAt: number;
  ip: string;
}

/** What a FakeRuntime knows of a container. */
export interface FakeContainer {
  id: string;
  sandbox: FakeSandbox;
  config: ContainerConfig;
  imageId: string;
  imageRef: string;
  createdAt: number;
  startedAt: number;
  /** 0 until it has exited. */
  finishedAt: number;
  exitCode: number;
  reason: string;
  message: string;
  /** null until it's started. */
  process: FakeProcess | null;
  resources: LinuxContainerResources;
  usage: { cpuNanos: number; memoryBytes: number };
}

export function stateOf(c: FakeContainer): ContainerState {
  if (c.finishedAt !== 0) return 'CONTAINER_EXITED';
  return c.process ? 'CONTAINER_RUNNING' : 'CONTAINER_CREATED';
}

/** The name that containerd reserves while the sandbox exists. */
export function sandboxName(config: PodSandboxConfig): string {
  const m = config.metadata;
  return [m.name, m.namespace, m.uid, m.attempt].join('_');
}

export function containerName(config: ContainerConfig, sandbox: PodSandboxConfig): string {
  const m = sandbox.metadata;
  return [config.metadata.name, m.name, m.namespace, m.uid, config.metadata.attempt].join('_');
}

/** The absolute path of its log; '' when none is kept. */
export function logPathOf(c: FakeContainer): string {
  const dir = c.sandbox.config.logDirectory;
  return dir && c.config.logPath ? `${dir}/${c.config.logPath}` : '';
}

export const matches = (have: Labels, want: Labels | undefined) =>
  Object.entries(want ?? {}).every(([k, v]) => have[k] === v);

export function sandboxView(s: FakeSandbox): PodSandbox {
  return {
    id: s.id,
    metadata: s.config.metadata,
    state: s.ready ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
    createdAt: s.createdAt,
    labels: s.config.labels ?? {},
    annotations: s.config.annotations ?? {},
    runtimeHandler: s.handler,
  };
}

export function containerView(c: FakeContainer): Container {
  return {
    id: c.id,
    podSandboxId: c.sandbox.id,
    metadata: c.config.metadata,
    image: c.config.image,
    imageRef: c.imageId,
    state: stateOf(c),
    createdAt: c.createdAt,
    labels: c.config.labels ?? {},
    annotations: c.config.annotations ?? {},
    imageId: '',
  };
}

export function statusView(c: FakeContainer): ContainerStatus {
  return {
    id: c.id,
    metadata: c.config.metadata,
    state: stateOf(c),
    createdAt: c.createdAt,
    startedAt: c.startedAt,
    finishedAt: c.finishedAt,
    exitCode: c.exitCode,
    image: c.config.image,
    imageRef: c.imageRef,
    reason: c.reason,
    message: c.message,
    labels: c.config.labels ?? {},
    annotations: c.config.annotations ?? {},
    mounts: c.config.mounts ?? [],
    logPath: logPathOf(c),
    resources: { linux: c.resources },
    imageId: '',
    stopSignal: 'SIGNAL_RUNTIME_DEFAULT',
  };
}

export function statsView(c: FakeContainer, timestamp: number): ContainerStats {
  const { cpuNanos, memoryBytes } = c.usage;
  return {
    attributes: {
      id: c.id,
      metadata: c.config.metadata,
      labels: c.config.labels ?? {},
      annotations: c.config.annotations ?? {},
    },
    cpu: { timestamp, usageCoreNanoSeconds: cpuNanos, usageNanoCores: 0 },
    memory: { timestamp, workingSetBytes: memoryBytes, usageBytes: memoryBytes, rssBytes: memoryBytes },
    writableLayer: { timestamp, fsId: { mountpoint: '/fake' }, usedBytes: 0, inodesUsed: 0 },
  };
}
