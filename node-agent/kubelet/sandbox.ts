import type { PodSandboxConfig } from '../runtime/messages.ts';
import { podCgroupPath } from './cgroups.ts';
import { logDirectory, type NodeFacts, podLabels } from './container.ts';
import { kernelName } from './hostname.ts';
import type { Pod } from './pod.ts';
import { podDns } from './poddns.ts';
import { sandboxResources } from './resources.ts';
import { groups, isPrivileged, namespaces } from './security.ts';
import { dotted } from './sysctls.ts';

/** The sandbox of a pod: kubelet's generatePodSandboxConfig. Throws when its name is too long. `told`: what its resolv.conf has no room for. */
export function sandboxConfig(
  pod: Pod,
  attempt: number,
  node: NodeFacts,
  told: (reason: string, message: string) => void = () => undefined,
): PodSandboxConfig {
  const { spec, metadata } = pod;
  const host = spec.hostNetwork === true;
  const security = spec.securityContext ?? {};
  const { servers, searches, options } = podDns(pod, node, told);
  return {
    metadata: { name: metadata.name ?? '', namespace: metadata.namespace ?? '', uid: metadata.uid ?? '', attempt },
    ...(host ? {} : { hostname: kernelName(pod, node.dns.domain) }),
    logDirectory: logDirectory(node.logRoot, pod),
    dnsConfig: { servers: [...servers], searches: [...searches], options: [...options] },
    portMappings: host ? [] : portMappings(pod),
    labels: podLabels(pod),
    annotations: { ...metadata.annotations },
    linux: {
      cgroupParent: podCgroupPath(node.cgroupParent, pod),
      sysctls: Object.fromEntries((security.sysctls ?? []).map((s) => [dotted(s.name), s.value])),
      securityContext: {
        namespaceOptions: namespaces(pod),
        ...(security.runAsUser === undefined ? {} : { runAsUser: security.runAsUser }),
        ...(security.runAsGroup === undefined ? {} : { runAsGroup: security.runAsGroup }),
        ...groups(pod),
        ...(security.seLinuxOptions ? { selinuxOptions: security.seLinuxOptions } : {}),
        // The sandbox's own process needs no more, whatever the containers ask for.
        seccomp: { profileType: 'RuntimeDefault' },
        privileged: isPrivileged(pod),
      },
      ...sandboxResources(pod),
    },
  };
}

function portMappings(pod: Pod): NonNullable<PodSandboxConfig['portMappings']> {
  return pod.spec.containers.flatMap((c) =>
    (c.ports ?? [])
      .filter((p) => p.hostPort)
      .map((p) => ({
        protocol: p.protocol ?? 'TCP',
        containerPort: p.containerPort,
        hostPort: p.hostPort ?? 0,
        hostIp: p.hostIP ?? '',
      })),
  );
}
