/**
 * The CRI v1 messages that an agent needs, in camelCase (k8s.io/cri-api v0.37.1, api.proto). Rules of the mapping:
 * enums are their names; int64 is a `number` (nanosecond times lose less than 256 ns); Int64Value and UInt64Value are a
 * plain number or absent; a message that isn't set is absent; in results scalars, lists and maps are always there.
 */

export type Labels = Record<string, string>;
export type PodSandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
export type ContainerState = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';
export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';
export type PortProtocol = 'TCP' | 'UDP' | 'SCTP';
export type MountPropagation = 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL';
export type ProfileType = 'RuntimeDefault' | 'Unconfined' | 'Localhost';
export type CgroupDriver = 'SYSTEMD' | 'CGROUPFS';
/** `SIGNAL_RUNTIME_DEFAULT`, or `SIGNAL_` and the signal's name: `SIGNAL_SIGTERM`. */
export type Signal = `SIGNAL_${string}`;

export interface VersionResponse {
  version: string;
  runtimeName: string;
  runtimeVersion: string;
  runtimeApiVersion: string;
}

/** Conditions `RuntimeReady` and `NetworkReady`, and what the runtime's handlers can do (empty before containerd 2). */
export interface StatusResponse {
  status?: { conditions: { type: string; status: boolean; reason: string; message: string }[] };
  info: Record<string, string>;
  runtimeHandlers: {
    name: string;
    features?: { recursiveReadOnlyMounts: boolean; userNamespaces: boolean };
  }[];
  features?: { supplementalGroupsPolicy: boolean; userNamespacesHostNetwork: boolean; mountOptions: boolean };
}

export interface IDMapping {
  hostId: number;
  containerId: number;
  length: number;
}
export interface NamespaceOption {
  network?: NamespaceMode;
  pid?: NamespaceMode;
  ipc?: NamespaceMode;
  targetId?: string;
  usernsOptions?: { mode?: NamespaceMode; uids?: IDMapping[]; gids?: IDMapping[] };
}
export interface SELinuxOption {
  user?: string;
  role?: string;
  type?: string;
  level?: string;
}
export interface SecurityProfile {
  profileType: ProfileType;
  localhostRef?: string;
}

/** Linux resources; 0 and absent mean "not set". CPU quota and period in microseconds. */
export interface LinuxContainerResources {
  cpuPeriod?: number;
  cpuQuota?: number;
  cpuShares?: number;
  memoryLimitInBytes?: number;
  oomScoreAdj?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  hugepageLimits?: { pageSize: string; limit: number }[];
  unified?: Record<string, string>;
  memorySwapLimitInBytes?: number;
}

export interface PodSandboxMetadata {
  name: string;
  uid: string;
  namespace: string;
  attempt: number;
}

export interface PodSandboxConfig {
  metadata: PodSandboxMetadata;
  /** Empty for pods on the host's network. */
  hostname?: string;
  /** Container log paths are relative to it; empty: no logs are kept. */
  logDirectory?: string;
  dnsConfig?: { servers?: string[]; searches?: string[]; options?: string[] };
  portMappings?: { protocol?: PortProtocol; containerPort: number; hostPort?: number; hostIp?: string }[];
  labels?: Labels;
  annotations?: Labels;
  linux?: {
    cgroupParent?: string;
    securityContext?: {
      namespaceOptions?: NamespaceOption;
      selinuxOptions?: SELinuxOption;
      runAsUser?: number;
      runAsGroup?: number;
      readonlyRootfs?: boolean;
      supplementalGroups?: number[];
      supplementalGroupsPolicy?: 'Merge' | 'Strict';
      privileged?: boolean;
      seccomp?: SecurityProfile;
      apparmor?: SecurityProfile;
    };
    sysctls?: Record<string, string>;
    overhead?: LinuxContainerResources;
    resources?: LinuxContainerResources;
  };
}

export interface PodSandboxStatus {
  id: string;
  metadata: PodSandboxMetadata;
  state: PodSandboxState;
  /** Nanoseconds since the epoch. */
  createdAt: number;
  /** Absent addresses (`ip` '') for pods on the host's network. */
  network?: { ip: string; additionalIps: { ip: string }[] };
  linux?: { namespaces?: { options?: NamespaceOption } };
  labels: Labels;
  annotations: Labels;
  runtimeHandler: string;
}

export interface PodSandboxStatusResponse {
  status: PodSandboxStatus;
  info: Record<string, string>;
  /** Empty before containerd 1.7. */
  containersStatuses: ContainerStatus[];
  timestamp: number;
}

/** All given fields must match; none given matches everything. `id` may be an unambiguous prefix. */
export interface PodSandboxFilter {
  id?: string;
  state?: PodSandboxState;
  labelSelector?: Labels;
}

export interface PodSandbox {
  id: string;
  metadata: PodSandboxMetadata;
  state: PodSandboxState;
  createdAt: number;
  labels: Labels;
  annotations: Labels;
  runtimeHandler: string;
}

export interface ImageSpec {
  image: string;
  annotations?: Labels;
  userSpecifiedImage?: string;
  runtimeHandler?: string;
  imageRef?: string;
}

export interface Mount {
  containerPath: string;
  hostPath?: string;
  readonly?: boolean;
  selinuxRelabel?: boolean;
  propagation?: MountPropagation;
  uidMappings?: IDMapping[];
  gidMappings?: IDMapping[];
  recursiveReadOnly?: boolean;
  image?: ImageSpec;
  imageSubPath?: string;
  mountOptions?: string[];
}

export interface Capability {
  addCapabilities?: string[];
  dropCapabilities?: string[];
  addAmbientCapabilities?: string[];
}

export interface LinuxContainerSecurityContext {
  capabilities?: Capability;
  privileged?: boolean;
  namespaceOptions?: NamespaceOption;
  selinuxOptions?: SELinuxOption;
  runAsUser?: number;
  runAsGroup?: number;
  runAsUsername?: string;
  readonlyRootfs?: boolean;
  supplementalGroups?: number[];
  supplementalGroupsPolicy?: 'Merge' | 'Strict';
  noNewPrivs?: boolean;
  maskedPaths?: string[];
  readonlyPaths?: string[];
  seccomp?: SecurityProfile;
  apparmor?: SecurityProfile;
}

export interface ContainerMetadata {
  name: string;
  attempt: number;
}

export interface ContainerConfig {
  metadata: ContainerMetadata;
  /** `image` is the reference or id that pullImage or imageStatus gave. */
  image: ImageSpec;
  /** Replaces the image's entrypoint; empty keeps it. */
  command?: string[];
  args?: string[];
  workingDir?: string;
  /** A value is text (sent as UTF-8) or bytes. */
  envs?: { key: string; value: string | Uint8Array }[];
  mounts?: Mount[];
  devices?: { containerPath: string; hostPath: string; permissions: string }[];
  labels?: Labels;
  annotations?: Labels;
  /** Relative to the sandbox's logDirectory. */
  logPath?: string;
  stdin?: boolean;
  stdinOnce?: boolean;
  tty?: boolean;
  linux?: { resources?: LinuxContainerResources; securityContext?: LinuxContainerSecurityContext };
  CDIDevices?: { name: string }[];
  stopSignal?: Signal;
}

export interface ContainerFilter {
  id?: string;
  state?: ContainerState;
  podSandboxId?: string;
  labelSelector?: Labels;
}

export interface Container {
  id: string;
  podSandboxId: string;
  metadata: ContainerMetadata;
  image?: ImageSpec;
  imageRef: string;
  state: ContainerState;
  createdAt: number;
  labels: Labels;
  annotations: Labels;
  /** Empty before containerd 1.7. */
  imageId: string;
}

export interface ContainerStatus {
  id: string;
  metadata: ContainerMetadata;
  state: ContainerState;
  /** Nanoseconds since the epoch; 0 while it hasn't happened. */
  createdAt: number;
  startedAt: number;
  finishedAt: number;
  /** Meaningful once the state is CONTAINER_EXITED; 128 + signal for a killed process. */
  exitCode: number;
  image?: ImageSpec;
  imageRef: string;
  /** `Completed`, `Error`, `OOMKilled`, `StartError`, `Unknown`; empty while it runs. */
  reason: string;
  message: string;
  labels: Labels;
  annotations: Labels;
  mounts: Mount[];
  /** Absolute. */
  logPath: string;
  resources?: { linux?: LinuxContainerResources };
  imageId: string;
  user?: { linux?: { uid: number; gid: number; supplementalGroups: number[] } };
  stopSignal: Signal;
}

export interface ExecSyncResult {
  /** The runtime caps each at 16 MiB. */
  stdout: Uint8Array;
  stderr: Uint8Array;
  exitCode: number;
}

export interface PsiStats {
  Full?: PsiData;
  Some?: PsiData;
}
export interface PsiData {
  Total: number;
  Avg10: number;
  Avg60: number;
  Avg300: number;
}
export interface CpuUsage {
  timestamp: number;
  usageCoreNanoSeconds?: number;
  usageNanoCores?: number;
  psi?: PsiStats;
}
export interface MemoryUsage {
  timestamp: number;
  workingSetBytes?: number;
  availableBytes?: number;
  usageBytes?: number;
  rssBytes?: number;
  pageFaults?: number;
  majorPageFaults?: number;
  psi?: PsiStats;
}
export interface FilesystemUsage {
  timestamp: number;
  fsId?: { mountpoint: string };
  usedBytes?: number;
  inodesUsed?: number;
}
export interface SwapUsage {
  timestamp: number;
  swapAvailableBytes?: number;
  swapUsageBytes?: number;
}
export interface NetworkInterfaceUsage {
  name: string;
  rxBytes?: number;
  rxErrors?: number;
  txBytes?: number;
  txErrors?: number;
}

export interface ContainerStats {
  attributes: { id: string; metadata: ContainerMetadata; labels: Labels; annotations: Labels };
  cpu?: CpuUsage;
  memory?: MemoryUsage;
  writableLayer?: FilesystemUsage;
  swap?: SwapUsage;
  io?: { timestamp: number; psi?: PsiStats };
}
export interface ContainerStatsFilter {
  id?: string;
  podSandboxId?: string;
  labelSelector?: Labels;
}
export interface PodSandboxStats {
  attributes: { id: string; metadata: PodSandboxMetadata; labels: Labels; annotations: Labels };
  linux?: {
    cpu?: CpuUsage;
    memory?: MemoryUsage;
    network?: { timestamp: number; defaultInterface?: NetworkInterfaceUsage; interfaces: NetworkInterfaceUsage[] };
    process?: { timestamp: number; processCount?: number };
    containers: ContainerStats[];
    io?: { timestamp: number; psi?: PsiStats };
  };
}
export interface PodSandboxStatsFilter {
  id?: string;
  labelSelector?: Labels;
}

export interface Image {
  /** `sha256:...`, the digest of the image's configuration. */
  id: string;
  repoTags: string[];
  repoDigests: string[];
  size: number;
  uid?: number;
  username: string;
  spec?: ImageSpec;
  pinned: boolean;
}
export interface AuthConfig {
  username?: string;
  password?: string;
  auth?: string;
  serverAddress?: string;
  identityToken?: string;
  registryToken?: string;
}
export interface ImageFsInfo {
  imageFilesystems: FilesystemUsage[];
  containerFilesystems: FilesystemUsage[];
}
