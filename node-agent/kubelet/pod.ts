import type { NodeTerm, Toleration } from '../../kube/kinds/podspec/fit.ts';
import type { ObjectMeta } from '../../kube/meta/object.ts';
import type { LabelSelector } from '../../kube/meta/selectors.ts';

/** The parts of core/v1 Pod that the kubelet reads: facts of k8s.io/api/core/v1 types.go. Absent means what upstream's default means. */
export interface Pod {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: PodSpec;
  status?: PodStatus;
}
export interface PodSpec {
  nodeName?: string;
  hostname?: string;
  hostnameOverride?: string;
  subdomain?: string;
  setHostnameAsFQDN?: boolean;
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  shareProcessNamespace?: boolean;
  restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  terminationGracePeriodSeconds?: number;
  activeDeadlineSeconds?: number;
  dnsPolicy?: string;
  dnsConfig?: { nameservers?: string[]; searches?: string[]; options?: { name: string; value?: string }[] };
  hostAliases?: { ip: string; hostnames: string[] }[];
  serviceAccountName?: string;
  enableServiceLinks?: boolean;
  initContainers?: Container[];
  containers: Container[];
  ephemeralContainers?: (Container & { targetContainerName?: string })[];
  volumes?: Volume[];
  imagePullSecrets?: { name: string }[];
  securityContext?: PodSecurityContext;
  readinessGates?: { conditionType: string }[];
  runtimeClassName?: string;
  nodeSelector?: Record<string, string>;
  affinity?: { nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms: NodeTerm[] } } };
  tolerations?: (Toleration & { tolerationSeconds?: number })[];
  overhead?: Record<string, string>;
  resources?: Resources;
  os?: { name: string };
  priority?: number;
  priorityClassName?: string;
  hostUsers?: boolean;
}
export interface Resources {
  limits?: Record<string, string>;
  requests?: Record<string, string>;
}
export interface PodSecurityContext {
  runAsUser?: number;
  runAsGroup?: number;
  runAsNonRoot?: boolean;
  fsGroup?: number;
  fsGroupChangePolicy?: 'Always' | 'OnRootMismatch';
  supplementalGroups?: number[];
  supplementalGroupsPolicy?: 'Merge' | 'Strict';
  sysctls?: { name: string; value: string }[];
  seccompProfile?: Profile;
  appArmorProfile?: Profile;
  seLinuxOptions?: SELinux;
}
/** A seccomp or AppArmor profile. */
export interface Profile {
  type: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  localhostProfile?: string;
}
export interface SELinux {
  user?: string;
  role?: string;
  type?: string;
  level?: string;
}
export interface SecurityContext {
  privileged?: boolean;
  runAsUser?: number;
  runAsGroup?: number;
  runAsNonRoot?: boolean;
  readOnlyRootFilesystem?: boolean;
  allowPrivilegeEscalation?: boolean;
  procMount?: string;
  capabilities?: { add?: string[]; drop?: string[] };
  seccompProfile?: Profile;
  appArmorProfile?: Profile;
  seLinuxOptions?: SELinux;
}
export interface Container {
  name: string;
  image: string;
  imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  command?: string[];
  args?: string[];
  workingDir?: string;
  env?: EnvVar[];
  envFrom?: { prefix?: string; configMapRef?: KeyRef; secretRef?: KeyRef }[];
  ports?: {
    name?: string;
    containerPort: number;
    hostPort?: number;
    hostIP?: string;
    protocol?: 'TCP' | 'UDP' | 'SCTP';
  }[];
  resources?: Resources;
  resizePolicy?: { resourceName: string; restartPolicy: 'NotRequired' | 'RestartContainer' }[];
  volumeMounts?: {
    name: string;
    mountPath: string;
    subPath?: string;
    subPathExpr?: string;
    readOnly?: boolean;
    recursiveReadOnly?: 'Disabled' | 'IfPossible' | 'Enabled';
    mountPropagation?: string;
  }[];
  volumeDevices?: { name: string; devicePath: string }[];
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  startupProbe?: Probe;
  lifecycle?: { postStart?: Handler; preStop?: Handler };
  securityContext?: SecurityContext;
  terminationMessagePath?: string;
  terminationMessagePolicy?: 'File' | 'FallbackToLogsOnError';
  stdin?: boolean;
  stdinOnce?: boolean;
  tty?: boolean;
  /** In place of the pod's. `Always` on an init container: a sidecar, which is started in turn and then kept running. */
  restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  restartPolicyRules?: { action: string; exitCodes?: { operator: 'In' | 'NotIn'; values?: number[] } }[];
}
export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: {
    fieldRef?: { fieldPath: string };
    resourceFieldRef?: { containerName?: string; resource: string; divisor?: string };
    configMapKeyRef?: KeyRef & { key: string };
    secretKeyRef?: KeyRef & { key: string };
    fileKeyRef?: { volumeName: string; path: string; key: string; optional?: boolean };
  };
}
export interface KeyRef {
  name: string;
  optional?: boolean;
}
export interface Handler {
  exec?: { command: string[] };
  httpGet?: {
    path?: string;
    port: number | string;
    host?: string;
    scheme?: string;
    httpHeaders?: { name: string; value: string }[];
  };
  tcpSocket?: { port: number | string; host?: string };
  grpc?: { port: number; service?: string };
  sleep?: { seconds: number };
}
export interface Probe extends Handler {
  initialDelaySeconds?: number;
  timeoutSeconds?: number;
  periodSeconds?: number;
  successThreshold?: number;
  failureThreshold?: number;
  terminationGracePeriodSeconds?: number;
}
export interface KeyToPath {
  key: string;
  path: string;
  mode?: number;
}
export interface DownwardItem {
  path: string;
  mode?: number;
  fieldRef?: { fieldPath: string };
  resourceFieldRef?: { containerName?: string; resource: string; divisor?: string };
}
export interface Projection {
  configMap?: KeyRef & { items?: KeyToPath[] };
  secret?: KeyRef & { items?: KeyToPath[] };
  downwardAPI?: { items?: DownwardItem[] };
  serviceAccountToken?: { audience?: string; expirationSeconds?: number; path: string };
  podCertificate?: {
    signerName?: string;
    keyType?: string;
    maxExpirationSeconds?: number;
    credentialBundlePath?: string;
    keyPath?: string;
    certificateChainPath?: string;
    userAnnotations?: Record<string, string>;
  };
  clusterTrustBundle?: {
    name?: string;
    signerName?: string;
    labelSelector?: LabelSelector;
    optional?: boolean;
    path: string;
  };
}
export interface Volume {
  name: string;
  emptyDir?: { medium?: string; sizeLimit?: string };
  hostPath?: { path: string; type?: string };
  configMap?: KeyRef & { items?: KeyToPath[]; defaultMode?: number };
  secret?: { secretName: string; optional?: boolean; items?: KeyToPath[]; defaultMode?: number };
  downwardAPI?: { items?: DownwardItem[]; defaultMode?: number };
  projected?: { sources?: Projection[]; defaultMode?: number };
  persistentVolumeClaim?: { claimName: string; readOnly?: boolean };
  ephemeral?: { volumeClaimTemplate?: unknown };
  csi?: { driver: string };
  image?: { reference?: string; pullPolicy?: 'Always' | 'IfNotPresent' | 'Never' };
}
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastProbeTime?: string | null;
  lastTransitionTime?: string;
  observedGeneration?: number;
}
export interface ContainerStateStatus {
  waiting?: { reason: string; message?: string };
  running?: { startedAt: string };
  terminated?: {
    exitCode: number;
    reason: string;
    message?: string;
    /** Absent, as all that follows, of a run that nobody has seen the end of. */
    startedAt?: string;
    finishedAt?: string;
    containerID?: string;
  };
}
/** The status of a container that a pod's status shows. */
export const statusOf = (pod: Pod, name: string): ContainerStatus | undefined =>
  [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.ephemeralContainerStatuses ?? []),
  ].find((s) => s.name === name);
export interface ContainerStatus {
  name: string;
  state: ContainerStateStatus;
  lastState: ContainerStateStatus;
  ready: boolean;
  started?: boolean;
  restartCount: number;
  image: string;
  imageID: string;
  containerID?: string;
  allocatedResources?: Record<string, string>;
  resources?: Resources;
  user?: { linux: { uid: number; gid: number; supplementalGroups?: number[] } };
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean; recursiveReadOnly?: string }[];
}
export interface PodStatus {
  phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  conditions?: Condition[];
  message?: string;
  reason?: string;
  hostIP?: string;
  hostIPs?: { ip: string }[];
  podIP?: string;
  podIPs?: { ip: string }[];
  startTime?: string;
  qosClass?: string;
  initContainerStatuses?: ContainerStatus[];
  containerStatuses?: ContainerStatus[];
  ephemeralContainerStatuses?: ContainerStatus[];
  resources?: Resources;
  allocatedResources?: Record<string, string>;
  observedGeneration?: number;
}

export const restartPolicyOf = (pod: Pod) => pod.spec.restartPolicy ?? 'Always';
export const isInit = (pod: Pod, c: Container) => pod.spec.initContainers?.includes(c) ?? false;
/** To be asked of init containers only: any other may say `Always` as well. */
export const isSidecar = (c: Container) => c.restartPolicy === 'Always';
export const podKey = (pod: Pod) => `${pod.metadata.namespace}/${pod.metadata.name}`;
export const uidOf = (pod: Pod) => pod.metadata.uid ?? '';
/** Every container that runs for as long as the pod does or before it, init containers first. */
export const allContainers = (pod: Pod): Container[] => [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
/** Those and the ephemeral ones. */
export const namedContainers = (pod: Pod): Container[] => [
  ...allContainers(pod),
  ...(pod.spec.ephemeralContainers ?? []),
];
/** `name_namespace(uid)`, as the kubelet's texts name a pod. */
export const podText = (pod: Pod) => `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
