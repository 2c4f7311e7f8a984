import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ContainerConfig, Mount } from '../runtime/messages.ts';
import type { Container, Pod } from './pod.ts';
import { containerResources, type MachineFacts } from './resources.ts';
import { containerSecurity } from './security.ts';

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
  deletion: 'io.kubernetes.pod.deletionGracePeriod',
  hash: 'io.kubernetes.container.hash',
  preStop: 'io.kubernetes.container.preStopHandler',
  ports: 'io.kubernetes.container.ports',
} as const;

/** Where the pod's log files are, as every log collector expects it. */
export function logDirectory(root: string, pod: Pod): string {
  return join(root, `${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`);
}

export const podLabels = (pod: Pod): Record<string, string> => ({ ...pod.metadata.labels, ...ownLabels(pod) });
const ownLabels = (pod: Pod): Record<string, string> => ({
  [LABEL.pod]: pod.metadata.name ?? '',
  [LABEL.namespace]: pod.metadata.namespace ?? '',
  [LABEL.uid]: pod.metadata.uid ?? '',
});

/** The node's facts that configs need. */
export interface NodeFacts {
  logRoot: string;
  /** The cgroup of all pods. */
  cgroupParent: string;
  dns: { servers: readonly string[]; domain: string };
  /** The host's resolv.conf, for dnsPolicy Default. */
  hostDns: { servers: readonly string[]; searches: readonly string[]; options: readonly string[] };
}

/** Inputs of one container that took I/O to find. */
export interface ContainerInputs {
  imageRef: string;
  /** The image's own user: uid, or a name. */
  imageUser: { uid?: number; name: string };
  envs: { key: string; value: string }[];
  mounts: Mount[];
  machine: MachineFacts;
  /** The container whose processes an ephemeral one sees. */
  target?: string;
}

/** One container: kubelet's generateContainerConfig. */
export function containerConfig(pod: Pod, c: Container, attempt: number, inputs: ContainerInputs): ContainerConfig {
  const expand = (texts: string[] | undefined) => texts?.map((t) => expandVariables(t, inputs.envs));
  return {
    metadata: { name: c.name, attempt },
    image: { image: inputs.imageRef, userSpecifiedImage: c.image },
    ...(c.command ? { command: expand(c.command) ?? [] } : {}),
    ...(c.args ? { args: expand(c.args) ?? [] } : {}),
    ...(c.workingDir ? { workingDir: c.workingDir } : {}),
    envs: inputs.envs,
    mounts: inputs.mounts,
    labels: { ...ownLabels(pod), [LABEL.container]: c.name },
    annotations: containerAnnotations(pod, c, attempt),
    logPath: join(c.name, `${attempt}.log`),
    stdin: c.stdin ?? false,
    stdinOnce: c.stdinOnce ?? false,
    tty: c.tty ?? false,
    linux: {
      resources: containerResources(pod, c, inputs.machine),
      securityContext: containerSecurity(pod, c, inputs.imageUser, inputs.target),
    },
  };
}

/** What a kubelet that knows nothing of the pod needs to end the container. */
function containerAnnotations(pod: Pod, c: Container, attempt: number): Record<string, string> {
  const preStop = c.lifecycle?.preStop;
  const deletion = pod.metadata.deletionGracePeriodSeconds;
  return {
    [ANNOTATION.hash]: containerHash(c),
    [ANNOTATION.restarts]: String(attempt),
    [ANNOTATION.messagePath]: c.terminationMessagePath ?? '/dev/termination-log',
    [ANNOTATION.messagePolicy]: c.terminationMessagePolicy ?? 'File',
    [ANNOTATION.grace]: String(pod.spec.terminationGracePeriodSeconds ?? 30),
    ...(deletion === undefined ? {} : { [ANNOTATION.deletion]: String(deletion) }),
    ...(preStop ? { [ANNOTATION.preStop]: JSON.stringify(preStop) } : {}),
    ...(c.ports?.length ? { [ANNOTATION.ports]: JSON.stringify(c.ports) } : {}),
  };
}

/** Changes when a container that runs must be made anew: with its image. */
export function containerHash(c: Container): string {
  return createHash('sha256').update(`${c.name}\n${c.image}`).digest('hex').slice(0, 8);
}

/** Replaces `$(NAME)` by the variable's value; unknown names stay, `$$` is a dollar: third_party/forked/golang/expansion. */
export function expandVariables(text: string, envs: readonly { key: string; value: string }[]): string {
  if (!text.includes('$')) return text;
  return text.replace(/\$(?:\(([^)]*)\)|(.))/gsu, (whole, name: string | undefined, other: string | undefined) => {
    if (name === undefined) return other === '$' ? '$' : whole;
    for (let i = envs.length - 1; i >= 0; i--) if (envs[i]?.key === name) return envs[i]?.value ?? '';
    return whole;
  });
}
