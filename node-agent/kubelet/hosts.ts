import { podName } from './hostname.ts';
import type { Pod } from './pod.ts';

/**
 * The /etc/hosts that containers of a pod share: kubelet's managed hosts file with the pod's addresses, or `machine` (the node's own file) for pods
 * on the host's network; spec.hostAliases after it.
 */
export function hostsText(pod: Pod, podIPs: readonly string[], clusterDomain: string, machine: string): string {
  const aliases = (pod.spec.hostAliases ?? []).map((a) => `${a.ip}\t${a.hostnames.join('\t')}\n`);
  const tail = aliases.length === 0 ? '' : `\n# Entries added by HostAliases.\n${aliases.join('')}`;
  if (pod.spec.hostNetwork) return `# Kubernetes-managed hosts file (host network).\n${machine}${tail}`;
  const { host, domain } = podName(pod, clusterDomain);
  const names = domain === '' ? host : `${host}.${domain}\t${host}`;
  const own = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...podIPs.map((ip) => `${ip}\t${names}`),
    '',
  ];
  return own.join('\n') + tail;
}
