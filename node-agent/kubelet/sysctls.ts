import type { Pod } from './pod.ts';

/** Sysctls that a pod may set anywhere: namespaced, and without effect on other pods. With the kernel that namespaced them. */
const SAFE: Readonly<Record<string, string>> = {
  'kernel.shm_rmid_forced': '',
  'net.ipv4.ip_local_port_range': '',
  'net.ipv4.tcp_syncookies': '',
  'net.ipv4.ping_group_range': '',
  'net.ipv4.ip_unprivileged_port_start': '',
  'net.ipv4.ip_local_reserved_ports': '3.16',
  'net.ipv4.tcp_keepalive_time': '4.5',
  'net.ipv4.tcp_fin_timeout': '4.6',
  'net.ipv4.tcp_keepalive_intvl': '4.5',
  'net.ipv4.tcp_keepalive_probes': '4.5',
  'net.ipv4.tcp_rmem': '4.15',
  'net.ipv4.tcp_wmem': '4.15',
  'net.ipv4.tcp_slow_start_after_idle': '4.15',
  'net.ipv4.tcp_notsent_lowat': '4.6',
};

/** `kernel/shm_rmid_forced` as `kernel.shm_rmid_forced`: where slashes separate, dots are part of a name. */
export function dotted(name: string): string {
  const at = name.search(/[./]/);
  if (at === -1 || name[at] === '.') return name;
  return name.replace(/[./]/g, (c) => (c === '/' ? '.' : '/'));
}

/** Why a pod's sysctls are refused by this node, null when they aren't: pkg/kubelet/sysctl. `kernel`: the release, as uname says it. */
export function forbiddenSysctl(pod: Pod, kernel: string): string | null {
  for (const s of pod.spec.securityContext?.sysctls ?? []) {
    const name = dotted(s.name);
    const since = SAFE[name];
    if (since === undefined || !atLeast(kernel, since))
      return `forbidden sysctl: ${JSON.stringify(name)} not allowlisted`;
    const shared = (what: string) => `forbidden sysctl: ${JSON.stringify(name)} not allowed with host ${what} enabled`;
    if (name.startsWith('kernel.') && pod.spec.hostIPC) return shared('IPC');
    if (name.startsWith('net.') && pod.spec.hostNetwork) return shared('Net');
  }
  return null;
}

function atLeast(kernel: string, since: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[^0-9]+/).map(Number);
  const [wantMajor = 0, wantMinor = 0] = since.split('.').map(Number);
  return major > wantMajor || (major === wantMajor && minor >= wantMinor);
}
