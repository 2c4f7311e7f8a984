import { join } from 'node:path';
import { milliValue, parseQuantity, wholeValue } from '../../kube/meta/quantity.ts';
import type {
  ContainerConfig,
  LinuxContainerResources,
  Mount,
  PodSandboxConfig,
  SecurityProfile,
} from '../runtime/messages.ts';
import type { Container, Pod } from './pod.ts';

/** Labels by which the kubelet and every tool know whose a sandbox or container is: k8s.io/kubelet types labels.go. */
export const LABEL = {
  pod: 'io.kubernetes.pod.name',
  namespace: 'io.kubernetes.pod.namespace',
  uid: 'io.kubernetes.pod.uid',
  container: 'io.kubernetes.container.name',
} as const;
/** Annotations that let a restarted agent go on: kubelet's own names. */
export const ANNOTATION = {
  restarts: 'io.kubernetes.container.restartCount',
  messagePath: 'io.kubernetes.container.terminationMessagePath',
  messagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  grace: 'io.kubernetes.pod.terminationGracePeriod',
} as const;

/** cgroup limits: upstream's constants of pkg/kubelet/cm. */
const MIN_SHARES = 2;
const SHARES_PER_CPU = 1024;
const MIN_QUOTA_US = 1000;
const PERIOD_US = 100_000;

/** Where the pod's log files are, as every log collector expects it. */
export function logDirectory(root: string, pod: Pod): string {
  return join(root, `${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`);
}

export function podLabels(pod: Pod): Record<string, string> {
  return {
    ...pod.metadata.labels,
    [LABEL.pod]: pod.metadata.name ?? '',
    [LABEL.namespace]: pod.metadata.namespace ?? '',
    [LABEL.uid]: pod.metadata.uid ?? '',
  };
}

/** The node's facts that configs need. */
export interface NodeFacts {
  logRoot: string;
  cgroupParent: string;
  dns: { servers: readonly string[]; domain: string };
  /** The host's resolv.conf, for dnsPolicy Default. */
  hostDns: { servers: readonly string[]; searches: readonly string[]; options: readonly string[] };
}

/** The pod's hostname: spec.hostname, else its name, cut to what the kernel takes. */
export function hostnameOf(pod: Pod): string {
  return (pod.spec.hostname ?? pod.metadata.name ?? '').slice(0, 63).replace(/[-.]+$/, '');
}

/** The sandbox of a pod: kubelet's generatePodSandboxConfig. */
export function sandboxConfig(pod: Pod, attempt: number, node: NodeFacts): PodSandboxConfig {
  const { spec, metadata } = pod;
  const host = spec.hostNetwork === true;
  const security = spec.securityContext ?? {};
  return {
    metadata: { name: metadata.name ?? '', namespace: metadata.namespace ?? '', uid: metadata.uid ?? '', attempt },
    ...(host ? {} : { hostname: hostnameOf(pod) }),
    logDirectory: logDirectory(node.logRoot, pod),
    dnsConfig: dnsOf(pod, node),
    portMappings: host
      ? []
      : spec.containers.flatMap((c) =>
          (c.ports ?? [])
            .filter((p) => p.hostPort)
            .map((p) => ({
              protocol: p.protocol ?? 'TCP',
              containerPort: p.containerPort,
              hostPort: p.hostPort ?? 0,
              hostIp: p.hostIP ?? '',
            })),
        ),
    labels: podLabels(pod),
    annotations: { ...metadata.annotations },
    linux: {
      cgroupParent: node.cgroupParent,
      sysctls: Object.fromEntries((security.sysctls ?? []).map((s) => [s.name, s.value])),
      securityContext: {
        namespaceOptions: namespaces(pod),
        ...(security.runAsUser === undefined ? {} : { runAsUser: security.runAsUser }),
        ...(security.runAsGroup === undefined ? {} : { runAsGroup: security.runAsGroup }),
        supplementalGroups: groupsOf(pod),
        seccomp: profile(security.seccompProfile),
        privileged: spec.containers.some((c) => c.securityContext?.privileged === true),
      },
    },
  };
}

function namespaces(pod: Pod) {
  const { spec } = pod;
  return {
    network: spec.hostNetwork ? ('NODE' as const) : ('POD' as const),
    pid: spec.hostPID ? ('NODE' as const) : spec.shareProcessNamespace ? ('POD' as const) : ('CONTAINER' as const),
    ipc: spec.hostIPC ? ('NODE' as const) : ('POD' as const),
  };
}

function groupsOf(pod: Pod): number[] {
  const s = pod.spec.securityContext;
  return [...(s?.supplementalGroups ?? []), ...(s?.fsGroup === undefined ? [] : [s.fsGroup])];
}

function profile(p: { type: string; localhostProfile?: string } | undefined): SecurityProfile {
  if (p?.type === 'RuntimeDefault') return { profileType: 'RuntimeDefault' };
  if (p?.type === 'Localhost') return { profileType: 'Localhost', localhostRef: p.localhostProfile ?? '' };
  return { profileType: 'Unconfined' };
}

function dnsOf(pod: Pod, node: NodeFacts): NonNullable<PodSandboxConfig['dnsConfig']> {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  const useHost = policy === 'Default' || (policy === 'ClusterFirst' && pod.spec.hostNetwork === true);
  const domain = node.dns.domain;
  const base =
    policy === 'None'
      ? { servers: [], searches: [], options: [] }
      : useHost || node.dns.servers.length === 0
        ? node.hostDns
        : {
            servers: node.dns.servers,
            searches: [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain, ...node.hostDns.searches],
            options: ['ndots:5'],
          };
  const own = pod.spec.dnsConfig;
  const options = new Map<string, string>();
  for (const o of base.options) options.set(o.split(':')[0] ?? o, o);
  for (const o of own?.options ?? []) options.set(o.name, o.value === undefined ? o.name : `${o.name}:${o.value}`);
  return {
    servers: [...new Set([...base.servers, ...(own?.nameservers ?? [])])],
    searches: [...new Set([...base.searches, ...(own?.searches ?? [])])],
    options: [...options.values()],
  };
}

/** Inputs of one container that took I/O to find. */
export interface ContainerInputs {
  imageRef: string;
  /** The image's own user: uid, or a name. */
  imageUser: { uid?: number; name: string };
  envs: { key: string; value: string }[];
  mounts: Mount[];
}

/** One container: kubelet's generateContainerConfig. */
export function containerConfig(pod: Pod, c: Container, attempt: number, inputs: ContainerInputs): ContainerConfig {
  const expand = (texts: string[] | undefined) => texts?.map((t) => expandVariables(t, inputs.envs));
  const user = c.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  const group = c.securityContext?.runAsGroup ?? pod.spec.securityContext?.runAsGroup;
  const security = c.securityContext ?? {};
  const privileged = security.privileged === true;
  return {
    metadata: { name: c.name, attempt },
    image: { image: inputs.imageRef, userSpecifiedImage: c.image },
    ...(c.command ? { command: expand(c.command) ?? [] } : {}),
    ...(c.args ? { args: expand(c.args) ?? [] } : {}),
    ...(c.workingDir ? { workingDir: c.workingDir } : {}),
    envs: inputs.envs,
    mounts: inputs.mounts,
    labels: { ...podLabels(pod), [LABEL.container]: c.name },
    annotations: {
      [ANNOTATION.restarts]: String(attempt),
      [ANNOTATION.messagePath]: c.terminationMessagePath ?? '/dev/termination-log',
      [ANNOTATION.messagePolicy]: c.terminationMessagePolicy ?? 'File',
      [ANNOTATION.grace]: String(pod.spec.terminationGracePeriodSeconds ?? 30),
    },
    logPath: join(c.name, `${attempt}.log`),
    stdin: c.stdin ?? false,
    stdinOnce: c.stdinOnce ?? false,
    tty: c.tty ?? false,
    linux: {
      resources: resourcesOf(c),
      securityContext: {
        privileged,
        namespaceOptions: namespaces(pod),
        ...(user === undefined ? {} : { runAsUser: user }),
        ...(user === undefined && inputs.imageUser.name !== '' ? { runAsUsername: inputs.imageUser.name } : {}),
        ...(user === undefined && inputs.imageUser.name === '' && inputs.imageUser.uid !== undefined
          ? { runAsUser: inputs.imageUser.uid }
          : {}),
        ...(group === undefined ? {} : { runAsGroup: group }),
        supplementalGroups: groupsOf(pod),
        readonlyRootfs: security.readOnlyRootFilesystem ?? false,
        noNewPrivs: security.allowPrivilegeEscalation === false,
        capabilities: {
          addCapabilities: security.capabilities?.add ?? [],
          dropCapabilities: security.capabilities?.drop ?? [],
        },
        seccomp: profile(security.seccompProfile ?? pod.spec.securityContext?.seccompProfile),
        ...(privileged || security.procMount === 'Unmasked' ? {} : { maskedPaths: MASKED, readonlyPaths: READ_ONLY }),
      },
    },
  };
}

// The runtime's usual sets: what upstream sends when procMount is Default.
const MASKED = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Limits and requests as cgroup settings. CPU in shares and CFS quota, memory in bytes. */
export function resourcesOf(c: Container): LinuxContainerResources {
  const { limits = {}, requests = {} } = c.resources ?? {};
  const milli = (text: string | undefined) =>
    text === undefined
      ? undefined
      : milliValue(parseQuantity(text) ?? { unscaled: 0n, scale: 0, format: 'DecimalSI', text: '0' });
  const cpu = milli(requests.cpu ?? limits.cpu);
  const cpuLimit = milli(limits.cpu);
  const memory = limits.memory === undefined ? undefined : parseQuantity(limits.memory);
  return {
    cpuShares:
      cpu === undefined || cpu === 0 ? MIN_SHARES : Math.max(MIN_SHARES, Math.floor((cpu * SHARES_PER_CPU) / 1000)),
    ...(cpuLimit
      ? { cpuPeriod: PERIOD_US, cpuQuota: Math.max(MIN_QUOTA_US, Math.floor((cpuLimit * PERIOD_US) / 1000)) }
      : {}),
    ...(memory ? { memoryLimitInBytes: wholeValue(memory) } : {}),
  };
}

/** Replaces `$(NAME)` by the variable's value; unknown names stay, `$$` is a dollar: third_party/forked/golang/expansion. */
export function expandVariables(text: string, envs: readonly { key: string; value: string }[]): string {
  return text.replace(/\$(\$|\(([^()]*)\))/g, (whole, one: string, name: string | undefined) => {
    if (one === '$') return '$';
    for (let i = envs.length - 1; i >= 0; i--) if (envs[i]?.key === name) return envs[i]?.value ?? '';
    return whole;
  });
}
