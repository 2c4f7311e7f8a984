import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LinuxContainerSecurityContext, NamespaceOption, SecurityProfile } from '../runtime/messages.ts';
import { type Container, namedContainers, type Pod, type Profile } from './pod.ts';

/** Where Localhost profiles of seccomp are, as the kubelet has it: tools put them there. */
export const SECCOMP_ROOT = '/var/lib/kubelet/seccomp';

/** Namespaces of a pod's containers. An ephemeral container may join that of one of them: `target` is its id. */
export function namespaces(pod: Pod, target?: string): NamespaceOption {
  const { spec } = pod;
  const pid = spec.hostPID ? 'NODE' : spec.shareProcessNamespace ? 'POD' : 'CONTAINER';
  return {
    network: spec.hostNetwork ? 'NODE' : 'POD',
    pid: pid === 'CONTAINER' && target !== undefined ? 'TARGET' : pid,
    ipc: spec.hostIPC ? 'NODE' : 'POD',
    ...(pid === 'CONTAINER' && target !== undefined ? { targetId: target } : {}),
  };
}

/** Groups that every process of the pod is in, fsGroup first; and what becomes of the image's own. */
export function groups(pod: Pod): { supplementalGroups: number[]; supplementalGroupsPolicy?: 'Merge' | 'Strict' } {
  const s = pod.spec.securityContext;
  return {
    supplementalGroups: [...(s?.fsGroup === undefined ? [] : [s.fsGroup]), ...(s?.supplementalGroups ?? [])],
    ...(s?.supplementalGroupsPolicy ? { supplementalGroupsPolicy: s.supplementalGroupsPolicy } : {}),
  };
}

/** True when a container of the pod is privileged: its sandbox is then, too. */
export const isPrivileged = (pod: Pod): boolean =>
  namedContainers(pod).some((c) => c.securityContext?.privileged === true);

function seccomp(p: Profile | undefined): SecurityProfile {
  if (p?.type === 'RuntimeDefault') return { profileType: 'RuntimeDefault' };
  if (p?.type !== 'Localhost') return { profileType: 'Unconfined' };
  return { profileType: 'Localhost', localhostRef: join(SECCOMP_ROOT, p.localhostProfile ?? '') };
}

/** The AppArmor profile of a container; undefined without one. */
const appArmorOf = (pod: Pod, c: Container): Profile | undefined =>
  c.securityContext?.appArmorProfile ?? pod.spec.securityContext?.appArmorProfile;

/** Why AppArmor can't be had for this pod, null when it can or isn't asked for: pkg/security/apparmor. */
export function refusedAppArmor(pod: Pod, enabled = appArmorEnabled): string | null {
  const asked = namedContainers(pod).some((c) => (appArmorOf(pod, c)?.type ?? 'Unconfined') !== 'Unconfined');
  return asked && !enabled() ? 'Cannot enforce AppArmor: AppArmor is not enabled on the host' : null;
}
function appArmorEnabled(): boolean {
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y');
  } catch {
    return false; // a kernel without it
  }
}

/** The security context of one container: kubelet's determineEffectiveSecurityContext. `image`: the user that it names itself. */
export function containerSecurity(
  pod: Pod,
  c: Container,
  image: { uid?: number; name: string },
  target?: string,
): LinuxContainerSecurityContext {
  const own = c.securityContext ?? {};
  const whole = pod.spec.securityContext ?? {};
  const user = own.runAsUser ?? whole.runAsUser ?? (image.name === '' ? image.uid : undefined);
  const group = own.runAsGroup ?? whole.runAsGroup;
  const selinux = own.seLinuxOptions ?? whole.seLinuxOptions;
  const apparmor = appArmorOf(pod, c);
  const named = own.runAsUser === undefined && whole.runAsUser === undefined && image.name !== '';
  return {
    privileged: own.privileged === true,
    namespaceOptions: namespaces(pod, target),
    ...(user === undefined ? {} : { runAsUser: user }),
    ...(named ? { runAsUsername: image.name } : {}),
    ...(group === undefined ? {} : { runAsGroup: group }),
    ...groups(pod),
    readonlyRootfs: own.readOnlyRootFilesystem ?? false,
    noNewPrivs: own.allowPrivilegeEscalation === false,
    capabilities: {
      addCapabilities: own.capabilities?.add ?? [],
      dropCapabilities: own.capabilities?.drop ?? [],
    },
    seccomp: seccomp(own.seccompProfile ?? whole.seccompProfile),
    ...(apparmor ? { apparmor: { profileType: apparmor.type, localhostRef: apparmor.localhostProfile ?? '' } } : {}),
    ...(selinux ? { selinuxOptions: selinux } : {}),
    ...(own.procMount === 'Unmasked' ? {} : { maskedPaths: masked(), readonlyPaths: READ_ONLY }),
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
const CPUS = '/sys/devices/system/cpu';
let allMasked: string[] | undefined;
/** Heat of the processors tells of other tenants' work. */
function masked(): string[] {
  allMasked ??= [
    ...MASKED,
    ...(existsSync(CPUS) ? readdirSync(CPUS) : [])
      .filter((name) => /^cpu\d+$/.test(name))
      .map((name) => join(CPUS, name, 'thermal_throttle'))
      .filter((path) => existsSync(path)),
  ];
  return allMasked;
}
