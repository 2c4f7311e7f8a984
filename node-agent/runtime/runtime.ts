import type {
  AuthConfig,
  CgroupDriver,
  Container,
  ContainerConfig,
  ContainerFilter,
  ContainerStats,
  ContainerStatsFilter,
  ContainerStatus,
  ExecSyncResult,
  Image,
  ImageFsInfo,
  ImageSpec,
  Labels,
  LinuxContainerResources,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxFilter,
  PodSandboxStats,
  PodSandboxStatsFilter,
  PodSandboxStatusResponse,
  StatusResponse,
  VersionResponse,
} from './messages.ts';

/** What to run in a container, and which of its streams to connect. With `tty`, `stderr` must be false. */
export interface ExecRequest {
  containerId: string;
  cmd: string[];
  tty?: boolean;
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
}
export type AttachRequest = Omit<ExecRequest, 'cmd'>;

/**
 * Pods and containers on this machine: CRI v1's RuntimeService. Every failure is a RuntimeError with the runtime's code
 * and text. CriRuntime (cri.ts) speaks to containerd or any CRI runtime, FakeRuntime (fake.ts) runs in memory; both pass
 * runtimeSuite(). No call retries.
 */
export interface Runtime {
  version(): Promise<VersionResponse>;
  /** `verbose` fills `info` (JSON texts); RuntimeReady and NetworkReady decide whether the node is ready. */
  status(verbose?: boolean): Promise<StatusResponse>;
  /** The runtime's own cgroup driver; null when it doesn't tell (containerd before 2.0). */
  cgroupDriver(): Promise<CgroupDriver | null>;
  /** Tells the node's pod range; a runtime with a CNI configuration of its own ignores it. */
  updateRuntimeConfig(podCidr: string): Promise<void>;

  /** Makes and starts a sandbox with its network; its id. `handler` is a RuntimeClass's handler, '' the default. */
  runPodSandbox(config: PodSandboxConfig, handler?: string): Promise<string>;
  /** Kills what still runs in it and takes its network away. Idempotent, and silent for an id that is not there. */
  stopPodSandbox(id: string): Promise<void>;
  /** Removes it with its containers. Silent for an id that is not there. */
  removePodSandbox(id: string): Promise<void>;
  /** NotFound for an unknown id. */
  podSandboxStatus(id: string, verbose?: boolean): Promise<PodSandboxStatusResponse>;
  listPodSandbox(filter?: PodSandboxFilter): Promise<PodSandbox[]>;
  /** Unimplemented before containerd 2.1. */
  updatePodSandboxResources(
    id: string,
    r: { overhead?: LinuxContainerResources; resources?: LinuxContainerResources },
  ): Promise<void>;

  /** A created, not yet running container; its id. Needs a ready sandbox and a pulled image. */
  createContainer(sandboxId: string, config: ContainerConfig, sandboxConfig: PodSandboxConfig): Promise<string>;
  /** Once per container: a second call fails. A command that can't be started leaves it CONTAINER_EXITED, StartError. */
  startContainer(id: string): Promise<void>;
  /** The stop signal, then SIGKILL after `graceSeconds` (0: at once); resolves when it has exited. Idempotent. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  /** Kills it first when it runs. Silent for an id that is not there. */
  removeContainer(id: string): Promise<void>;
  /** NotFound for an unknown id. */
  containerStatus(id: string): Promise<ContainerStatus>;
  listContainers(filter?: ContainerFilter): Promise<Container[]>;
  updateContainerResources(id: string, linux: LinuxContainerResources, annotations?: Labels): Promise<void>;
  /** After the log file was renamed away: the runtime goes on in a new file at the old path. Fails unless it runs. */
  reopenContainerLog(id: string): Promise<void>;

  /** Runs a command to its end. DeadlineExceeded after `timeoutSeconds` (0: none); the command is killed then. */
  execSync(id: string, cmd: string[], timeoutSeconds?: number): Promise<ExecSyncResult>;
  /** One-time URLs of the runtime's streaming server, for node-agent/streaming. */
  exec(request: ExecRequest): Promise<string>;
  attach(request: AttachRequest): Promise<string>;
  portForward(sandboxId: string, ports: number[]): Promise<string>;

  containerStats(id: string): Promise<ContainerStats>;
  listContainerStats(filter?: ContainerStatsFilter): Promise<ContainerStats[]>;
  podSandboxStats(id: string): Promise<PodSandboxStats>;
  listPodSandboxStats(filter?: PodSandboxStatsFilter): Promise<PodSandboxStats[]>;

  /** Lets go of the connection. Calls under way fail with Canceled. */
  close(): void;
}

/** Images on this machine: CRI v1's ImageService. */
export interface ImageStore {
  listImages(): Promise<Image[]>;
  /** null when there is no such image. */
  imageStatus(image: ImageSpec): Promise<Image | null>;
  /** The reference to create containers with. Has no deadline; `signal` ends it. */
  pullImage(
    image: ImageSpec,
    o?: { auth?: AuthConfig; sandbox?: PodSandboxConfig; signal?: AbortSignal },
  ): Promise<string>;
  /** Removes all names of the image. Silent for one that is not there. */
  removeImage(image: ImageSpec): Promise<void>;
  imageFsInfo(): Promise<ImageFsInfo>;
}
