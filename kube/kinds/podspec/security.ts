import { duplicate, forbidden, index, invalid, notSupported, required, tooLong } from '../../meta/issues.ts';
import type { Json, JsonObject } from '../../meta/json.ts';
import { dns1123Subdomain } from '../../meta/names.ts';
import type { Issue } from '../../meta/status.ts';
import { bool, has, list, obj, objs, str } from '../access.ts';
import { internalIssue, internalText } from '../internal.ts';
import { descending, each, id, oneOf } from './checks.ts';

const PROFILES = ['Localhost', 'RuntimeDefault', 'Unconfined'];
function seccomp(path: string, v: Json | undefined): Issue[] {
  if (!has(v)) return [];
  const p = obj(v);
  const issues = oneOf(`${path}.type`, p.type, PROFILES, 'type is required when seccompProfile is set');
  const local = `${path}.localhostProfile`;
  if (p.type === 'Localhost') {
    issues.push(
      ...(has(p.localhostProfile)
        ? descending(local, str(p.localhostProfile))
        : [required(local, 'must be set when seccomp type is Localhost')]),
    );
  } else if (has(p.localhostProfile)) {
    issues.push(invalid(local, p, 'can only be set when seccomp type is Localhost'));
  }
  return issues;
}
/** PATH_MAX without its terminator. */
const MAX_PROFILE_BYTES = 4095;
function appArmor(path: string, v: Json | undefined): Issue[] {
  if (!has(v)) return [];
  const p = obj(v);
  const profile = str(p.localhostProfile);
  const local = `${path}.localhostProfile`;
  if (p.type === 'Localhost') {
    const must = required(local, 'must be set when AppArmor type is Localhost');
    if (!has(p.localhostProfile)) return [must];
    const issues: Issue[] = [];
    if (profile.trim() !== profile) issues.push(invalid(local, profile, 'must not be padded with whitespace'));
    else if (profile === '') issues.push(must);
    if (profile.length > MAX_PROFILE_BYTES) issues.push(tooLong(local, MAX_PROFILE_BYTES));
    return issues;
  }
  if (p.type === 'RuntimeDefault' || p.type === 'Unconfined') {
    return has(p.localhostProfile) ? [invalid(local, profile, 'can only be set when AppArmor type is Localhost')] : [];
  }
  return oneOf(`${path}.type`, p.type, PROFILES, 'type is required when appArmorProfile is set');
}

const NETBIOS = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const DNS = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
const MAX_GMSA_KIB = 64;
const MAX_DOMAIN = 256;
const MAX_USER = 104;
function windows(path: string, v: Json | undefined): Issue[] {
  if (!has(v)) return [];
  const o = obj(v);
  const issues: Issue[] = [];
  const name = str(o.gmsaCredentialSpecName);
  if (has(o.gmsaCredentialSpecName))
    issues.push(...each(`${path}.gmsaCredentialSpecName`, name, dns1123Subdomain(name)));
  const gmsa = str(o.gmsaCredentialSpec);
  if (has(o.gmsaCredentialSpec)) {
    const at = `${path}.gmsaCredentialSpec`;
    if (gmsa === '') issues.push(invalid(at, gmsa, 'gmsaCredentialSpec cannot be an empty string'));
    else if (gmsa.length > MAX_GMSA_KIB * 1024) {
      issues.push(invalid(at, gmsa, `gmsaCredentialSpec size must be under ${MAX_GMSA_KIB} KiB`));
    }
  }
  if (has(o.runAsUserName)) {
    const user = str(o.runAsUserName);
    issues.push(...windowsUser(user).map((p) => invalid(`${path}.runAsUserName`, user, p)));
  }
  return issues;
}
function windowsUser(name: string): string[] {
  if (name === '') return ['runAsUserName cannot be an empty string'];
  if (/\p{Cc}/u.test(name)) return ['runAsUserName cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const domain = parts.length === 2 ? (parts[0] ?? '') : '';
  const user = parts[parts.length - 1] ?? '';
  const problems: string[] = [];
  if (domain.length >= MAX_DOMAIN) {
    problems.push(`runAsUserName's Domain length must be under ${MAX_DOMAIN} characters`);
  }
  if (parts.length === 2 && !NETBIOS.test(domain) && !DNS.test(domain)) {
    problems.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === '') problems.push("runAsUserName's User cannot be empty");
  else if (user.length > MAX_USER) {
    problems.push(`runAsUserName's User length must not be longer than ${MAX_USER} characters`);
  }
  if (/^[. ]+$/.test(user)) problems.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    problems.push('runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]');
  }
  return problems;
}

const PROFILE = [
  ['type', '""'],
  ['localhostProfile', 'null'],
] as const;
const CONTEXT = [
  [
    'capabilities',
    'null',
    'Capabilities',
    [
      ['add', 'null'],
      ['drop', 'null'],
    ],
  ],
  ['privileged', 'null'],
  ['seLinuxOptions', 'null', 'SELinuxOptions'],
  ['windowsOptions', 'null'],
  ['runAsUser', 'null'],
  ['runAsGroup', 'null'],
  ['runAsNonRoot', 'null'],
  ['readOnlyRootFilesystem', 'null'],
  ['allowPrivilegeEscalation', 'null'],
  ['procMount', 'null'],
  ['seccompProfile', 'null', 'SeccompProfile', PROFILE],
  ['appArmorProfile', 'null', 'AppArmorProfile', PROFILE],
] as const;
const whole = (path: string, sc: JsonObject, text: string): Issue =>
  internalIssue('FieldValueInvalid', 'Invalid value', path, internalText(sc, CONTEXT), text);
/** securityContext of a container. Privileged containers are allowed, as with --allow-privileged. */
export function validateSecurityContext(path: string, v: Json | undefined, hostUsers: boolean): Issue[] {
  if (!has(v)) return [];
  const sc = obj(v);
  const issues = [...id(`${path}.runAsUser`, sc.runAsUser), ...id(`${path}.runAsGroup`, sc.runAsGroup)];
  if (has(sc.procMount)) {
    issues.push(...oneOf(`${path}.procMount`, sc.procMount, ['Default', 'Unmasked'], null));
    if (hostUsers && sc.procMount === 'Unmasked') {
      issues.push(invalid(`${path}.procMount`, sc.procMount, '`hostUsers` must be false to use `Unmasked`'));
    }
  }
  issues.push(...seccomp(`${path}.seccompProfile`, sc.seccompProfile));
  if (sc.allowPrivilegeEscalation === false) {
    if (bool(sc.privileged)) {
      issues.push(whole(path, sc, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
    }
    if (list(obj(sc.capabilities).add).includes('CAP_SYS_ADMIN')) {
      issues.push(
        whole(path, sc, 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'),
      );
    }
  }
  return [
    ...issues,
    ...windows(`${path}.windowsOptions`, sc.windowsOptions),
    ...appArmor(`${path}.appArmorProfile`, sc.appArmorProfile),
  ];
}

const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const SYSCTL_TEXT = '^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';
const MAX_SYSCTL = 253;
const IPC_SYSCTL = /^(kernel\.shm|kernel\.msg|kernel\.sem$|fs\.mqueue\.)/;
function sysctls(path: string, items: JsonObject[], spec: JsonObject): Issue[] {
  const issues: Issue[] = [];
  const seen = new Set<string>();
  for (const [i, s] of items.entries()) {
    const at = `${index(path, i)}.name`;
    const name = str(s.name);
    if (name === '') issues.push(required(at));
    else if (name.length > MAX_SYSCTL || !SYSCTL.test(name)) {
      issues.push(invalid(at, name, `must have at most ${MAX_SYSCTL} characters and match regex ${SYSCTL_TEXT}`));
    } else if (seen.has(name)) issues.push(duplicate(at, name));
    const dotted = normalSysctl(name);
    if (bool(spec.hostNetwork) && dotted.startsWith('net.')) {
      issues.push(invalid(at, name, "may not be specified when 'hostNetwork' is true"));
    } else if (bool(spec.hostIPC) && IPC_SYSCTL.test(dotted)) {
      issues.push(invalid(at, name, "may not be specified when 'hostIPC' is true"));
    }
    seen.add(name);
  }
  return issues;
}
/** Slashes and dots change places when the first separator is a slash. */
function normalSysctl(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  return first === '/' ? name.replace(/[./]/g, (c) => (c === '/' ? '.' : '/')) : name;
}

/** securityContext of a pod. */
export function validatePodSecurityContext(path: string, v: Json | undefined, spec: JsonObject): Issue[] {
  if (!has(v)) return [];
  const sc = obj(v);
  const optional = (member: string, values: readonly string[]) =>
    has(sc[member]) ? oneOf(`${path}.${member}`, sc[member], values, null) : [];
  return [
    ...id(`${path}.fsGroup`, sc.fsGroup),
    ...id(`${path}.runAsUser`, sc.runAsUser),
    ...id(`${path}.runAsGroup`, sc.runAsGroup),
    ...list(sc.supplementalGroups).flatMap((g, i) => id(index(`${path}.supplementalGroups`, i), g)),
    ...sysctls(`${path}.sysctls`, objs(sc.sysctls), spec),
    ...optional('fsGroupChangePolicy', ['Always', 'OnRootMismatch']),
    ...seccomp(`${path}.seccompProfile`, sc.seccompProfile),
    ...windows(`${path}.windowsOptions`, sc.windowsOptions),
    ...appArmor(`${path}.appArmorProfile`, sc.appArmorProfile),
    ...optional('supplementalGroupsPolicy', ['Merge', 'Strict']),
    ...optional('seLinuxChangePolicy', ['MountOption', 'Recursive']),
  ];
}

/** spec.os and what may not be set for it. */
export function validateOS(path: string, spec: JsonObject, containers: readonly [string, JsonObject][]): Issue[] {
  if (!has(spec.os)) return [];
  const os = str(obj(spec.os).name);
  if (os === '') return [required(`${path}.os.name`)];
  if (os !== 'linux' && os !== 'windows') return [notSupported(`${path}.os`, os, ['linux', 'windows'])];
  return os === 'linux' ? linux(path, spec, containers) : windowsPod(path, spec, containers);
}
function linux(path: string, spec: JsonObject, containers: readonly [string, JsonObject][]): Issue[] {
  const text = 'windows options cannot be set for a linux pod';
  const issues: Issue[] = [];
  if (has(obj(spec.securityContext).windowsOptions))
    issues.push(forbidden(`${path}.securityContext.windowsOptions`, text));
  for (const [at, c] of containers) {
    if (has(obj(c.securityContext).windowsOptions))
      issues.push(forbidden(`${at}.securityContext.windowsOptions`, text));
  }
  return issues;
}
const LINUX_POD = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'seLinuxChangePolicy',
];
const LINUX_POD_LATE = ['runAsUser', 'runAsGroup', 'supplementalGroups', 'supplementalGroupsPolicy'];
const LINUX_CONTAINER = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
];
function windowsPod(path: string, spec: JsonObject, containers: readonly [string, JsonObject][]): Issue[] {
  const text = 'cannot be set for a windows pod';
  const issues: Issue[] = [];
  if (spec.hostUsers !== undefined) issues.push(forbidden(`${path}.hostUsers`, text));
  const sc = obj(spec.securityContext);
  const at = `${path}.securityContext`;
  for (const m of LINUX_POD) if (has(sc[m])) issues.push(forbidden(`${at}.${m}`, text));
  if (list(sc.sysctls).length > 0) issues.push(forbidden(`${at}.sysctls`, text));
  if (has(spec.shareProcessNamespace)) issues.push(forbidden(`${path}.shareProcessNamespace`, text));
  for (const m of LINUX_POD_LATE) if (has(sc[m])) issues.push(forbidden(`${at}.${m}`, text));
  for (const m of ['hostPID', 'hostIPC']) if (bool(spec[m])) issues.push(forbidden(`${path}.${m}`, text));
  for (const [c, container] of containers) {
    const csc = obj(container.securityContext);
    for (const m of LINUX_CONTAINER) if (has(csc[m])) issues.push(forbidden(`${c}.securityContext.${m}`, text));
  }
  return issues;
}

/** Host process pods: all containers or none, and on the host's network. */
export function validateHostProcess(
  path: string,
  spec: JsonObject,
  containers: readonly [string, JsonObject][],
): Issue[] {
  const pod = obj(obj(spec.securityContext).windowsOptions).hostProcess;
  const issues: Issue[] = [];
  let count = 0;
  for (const [at, c] of containers) {
    const own = obj(obj(c.securityContext).windowsOptions).hostProcess;
    if (has(pod) && has(own) && pod !== own) {
      issues.push(
        invalid(
          `${at}.securityContext.windowsOptions.hostProcess`,
          own,
          `pod hostProcess value must be identical if both are specified, was ${String(pod)}`,
        ),
      );
    }
    if (own === true || (!has(own) && pod === true)) count++;
  }
  if (count === 0) return issues;
  if (count !== containers.length) {
    issues.push(
      invalid(
        path,
        '',
        'If pod contains any hostProcess containers then all containers must be HostProcess containers',
      ),
    );
  }
  if (!bool(spec.hostNetwork)) {
    issues.push(
      invalid(`${path}.hostNetwork`, false, 'hostNetwork must be true if pod contains any hostProcess containers'),
    );
  }
  return issues;
}
