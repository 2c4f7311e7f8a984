import type { Level, LevelVersion } from './podsecuritypolicy.ts';
import {
  appArmor,
  type CheckPod,
  capabilitiesBaseline,
  capabilitiesRestricted,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbes,
  privileged,
  privilegeEscalation,
  procMount,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  SYSCTLS,
  SYSCTLS_27,
  SYSCTLS_29,
  SYSCTLS_32,
  SYSCTLS_37,
  seccompAnnotations,
  seccompBaseline,
  seccompRestricted,
  seLinux,
  sysctls,
  unlessUserNamespace,
  unlessWindows,
  windowsHostProcess,
} from './podsecurityrules.ts';

interface Check {
  id: string;
  level: Exclude<Level, 'privileged'>;
  /** From which minor of 1.x on which function counts, rising. */
  versions: readonly (readonly [minor: number, check: CheckPod])[];
  /** Baseline checks that it takes the place of. */
  instead?: string;
}

/** pod-security-admission policy/, by level and id: the order of findings in messages. */
const CHECKS: readonly Check[] = [
  { id: 'appArmorProfile', level: 'baseline', versions: [[0, appArmor]] },
  { id: 'capabilities_baseline', level: 'baseline', versions: [[0, capabilitiesBaseline]] },
  { id: 'hostNamespaces', level: 'baseline', versions: [[0, hostNamespaces]] },
  { id: 'hostPathVolumes', level: 'baseline', versions: [[0, hostPathVolumes]] },
  { id: 'hostPorts', level: 'baseline', versions: [[0, hostPorts]] },
  { id: 'hostProbesAndHostLifecycle', level: 'baseline', versions: [[34, hostProbes]] },
  { id: 'privileged', level: 'baseline', versions: [[0, privileged]] },
  {
    id: 'procMount',
    level: 'baseline',
    versions: [
      [0, procMount],
      [35, unlessUserNamespace(procMount)],
    ],
  },
  {
    id: 'seLinuxOptions',
    level: 'baseline',
    versions: [
      [0, seLinux('container_t', 'container_init_t', 'container_kvm_t')],
      [31, seLinux('container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t')],
    ],
  },
  {
    id: 'seccompProfile_baseline',
    level: 'baseline',
    versions: [
      [0, seccompAnnotations],
      [19, seccompBaseline],
    ],
  },
  {
    id: 'sysctls',
    level: 'baseline',
    versions: [
      [0, sysctls(SYSCTLS)],
      [27, sysctls(SYSCTLS_27)],
      [29, sysctls(SYSCTLS_29)],
      [32, sysctls(SYSCTLS_32)],
      [37, sysctls(SYSCTLS_37)],
    ],
  },
  { id: 'windowsHostProcess', level: 'baseline', versions: [[0, windowsHostProcess]] },
  {
    id: 'allowPrivilegeEscalation',
    level: 'restricted',
    versions: [
      [8, privilegeEscalation],
      [25, unlessWindows(privilegeEscalation)],
    ],
  },
  {
    id: 'capabilities_restricted',
    level: 'restricted',
    versions: [
      [22, capabilitiesRestricted],
      [25, unlessWindows(capabilitiesRestricted)],
    ],
    instead: 'capabilities_baseline',
  },
  { id: 'procMount_restricted', level: 'restricted', versions: [[35, procMount]], instead: 'procMount' },
  { id: 'restrictedVolumes', level: 'restricted', versions: [[0, restrictedVolumes]], instead: 'hostPathVolumes' },
  {
    id: 'runAsNonRoot',
    level: 'restricted',
    versions: [
      [0, runAsNonRoot],
      [35, unlessUserNamespace(runAsNonRoot)],
    ],
  },
  {
    id: 'runAsUser',
    level: 'restricted',
    versions: [
      [23, runAsUser],
      [35, unlessUserNamespace(runAsUser)],
    ],
  },
  {
    id: 'seccompProfile_restricted',
    level: 'restricted',
    versions: [
      [19, seccompRestricted],
      [25, unlessWindows(seccompRestricted)],
    ],
    instead: 'seccompProfile_baseline',
  },
];
const NEWEST = Math.max(...CHECKS.flatMap((c) => c.versions.map(([minor]) => minor)));
const compiled = new Map<string, readonly CheckPod[]>();

/** The checks of a level at a version, baseline first; none for privileged. */
export function checksOf(l: LevelVersion): readonly CheckPod[] {
  if (l.level === 'privileged') return [];
  const minor = Math.min(l.minor, NEWEST);
  const key = `${l.level}:${minor}`;
  let list = compiled.get(key);
  if (list === undefined) {
    const at = (c: Check) => c.versions.findLast(([from]) => from <= minor)?.[1];
    const active = CHECKS.filter((c) => c.level === 'baseline' || l.level === 'restricted').filter((c) => at(c));
    const replaced = new Set(active.map((c) => c.instead));
    list = active.filter((c) => !replaced.has(c.id)).flatMap((c) => at(c) ?? []);
    compiled.set(key, list);
  }
  return list;
}
