import { bool, has, num, obj, objs, str } from '../../kube/kinds/access.ts';
import { APPARMOR, SECCOMP, SECCOMP_POD } from '../../kube/kinds/podspec/annotations.ts';
import { quote } from '../../kube/meta/issues.ts';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import { allContainers } from './pod.ts';

// The checks of pod-security-admission policy/, v0.37.1, one function each; podsecuritychecks.ts says which counts from which version on.

/** What a check finds: reason and detail, in upstream's words; null when the pod is fine. */
export type Finding = readonly [reason: string, detail: string] | null;
export type CheckPod = (spec: JsonObject, annotations: Readonly<Record<string, string>>) => Finding;

const quoted = (items: Iterable<string>): string => {
  const list = [...items];
  return list.length === 0 ? '' : `"${list.join('", "')}"`;
};
const sorted = (items: Iterable<string>): string[] => [...new Set(items)].sort();
const containers = (names: readonly string[]) => `container${names.length === 1 ? '' : 's'} ${quoted(names)}`;
const plural = (one: string, many: string, n: number) => (n === 1 ? one : many);
const security = (o: JsonObject): JsonObject => obj(o.securityContext);
const namesWhere = (spec: JsonObject, bad: (c: JsonObject) => boolean): string[] =>
  allContainers(spec)
    .filter(bad)
    .map((c) => str(c.name));
/** `pod and container "a"`: who set something. */
const setters = (pod: boolean, names: readonly string[]): string =>
  [...(pod ? ['pod'] : []), ...(names.length > 0 ? [containers(names)] : [])].join(' and ');

const isWindows = (spec: JsonObject): boolean => obj(spec.os).name === 'windows';
const hasUserNamespace = (spec: JsonObject): boolean => spec.hostUsers === false;
export const unlessWindows =
  (check: CheckPod): CheckPod =>
  (spec, annotations) =>
    isWindows(spec) ? null : check(spec, annotations);
export const unlessUserNamespace =
  (check: CheckPod): CheckPod =>
  (spec, annotations) =>
    hasUserNamespace(spec) ? null : check(spec, annotations);

export const privilegeEscalation: CheckPod = (spec) => {
  const bad = namesWhere(spec, (c) => security(c).allowPrivilegeEscalation !== false);
  if (bad.length === 0) return null;
  return [
    'allowPrivilegeEscalation != false',
    `${containers(bad)} must set securityContext.allowPrivilegeEscalation=false`,
  ];
};

export const appArmor: CheckPod = (spec, annotations) => {
  const badType = (o: JsonObject): boolean => {
    const p = security(o).appArmorProfile;
    return has(p) && !['RuntimeDefault', 'Localhost'].includes(str(obj(p).type));
  };
  const names = namesWhere(spec, badType);
  const types = [spec, ...allContainers(spec)].filter(badType).map((o) => str(obj(security(o).appArmorProfile).type));
  const notes = Object.entries(annotations)
    .filter(([k, v]) => k.startsWith(APPARMOR) && v !== '' && v !== 'runtime/default' && !v.startsWith('localhost/'))
    .map(([k, v]) => `${k}=${quote(v)}`)
    .sort();
  const who = setters(badType(spec), names);
  if (who === '' && notes.length === 0) return null;
  const values = [...sorted(types), ...notes];
  const all = [
    ...(who === '' ? [] : [who]),
    ...(notes.length > 0 ? [plural('annotation', 'annotations', notes.length)] : []),
  ];
  return [
    plural('forbidden AppArmor profile', 'forbidden AppArmor profiles', values.length),
    `${all.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  ];
};

const DEFAULT_CAPABILITIES = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);
const strings = (v: Json | undefined): string[] => (Array.isArray(v) ? v.map(str) : []);
const added = (c: JsonObject): string[] => strings(obj(security(c).capabilities).add);

export const capabilitiesBaseline: CheckPod = (spec) => {
  const odd = (c: JsonObject) => added(c).filter((x) => !DEFAULT_CAPABILITIES.has(x));
  const bad = namesWhere(spec, (c) => odd(c).length > 0);
  if (bad.length === 0) return null;
  const list = quoted(sorted(allContainers(spec).flatMap(odd)));
  return [
    'non-default capabilities',
    `${containers(bad)} must not include ${list} in securityContext.capabilities.add`,
  ];
};

export const capabilitiesRestricted: CheckPod = (spec) => {
  const odd = (c: JsonObject) => added(c).filter((x) => x !== 'NET_BIND_SERVICE');
  const missing = namesWhere(spec, (c) => !strings(obj(security(c).capabilities).drop).includes('ALL'));
  const adding = namesWhere(spec, (c) => odd(c).length > 0);
  const details: string[] = [];
  if (missing.length > 0) details.push(`${containers(missing)} must set securityContext.capabilities.drop=["ALL"]`);
  if (adding.length > 0) {
    const list = quoted(sorted(allContainers(spec).flatMap(odd)));
    details.push(`${containers(adding)} must not include ${list} in securityContext.capabilities.add`);
  }
  return details.length === 0 ? null : ['unrestricted capabilities', details.join('; ')];
};

export const hostNamespaces: CheckPod = (spec) => {
  const set = ['hostNetwork', 'hostPID', 'hostIPC'].filter((f) => bool(spec[f]));
  return set.length === 0 ? null : ['host namespaces', set.map((f) => `${f}=true`).join(', ')];
};

export const hostPathVolumes: CheckPod = (spec) => {
  const bad = objs(spec.volumes).filter((v) => has(v.hostPath));
  if (bad.length === 0) return null;
  return ['hostPath volumes', `${plural('volume', 'volumes', bad.length)} ${quoted(bad.map((v) => str(v.name)))}`];
};

export const hostPorts: CheckPod = (spec) => {
  const ports = (c: JsonObject) =>
    objs(c.ports)
      .map((p) => num(p.hostPort))
      .filter((p) => p !== 0);
  const bad = namesWhere(spec, (c) => ports(c).length > 0);
  if (bad.length === 0) return null;
  const list = sorted(allContainers(spec).flatMap(ports).map(String));
  const uses = `${plural('uses', 'use', bad.length)} ${plural('hostPort', 'hostPorts', list.length)}`;
  return ['hostPort', `${containers(bad)} ${uses} ${list.join(', ')}`];
};

export const hostProbes: CheckPod = (spec) => {
  const hosts = (c: JsonObject): string[] => {
    const life = obj(c.lifecycle);
    return [c.livenessProbe, c.readinessProbe, c.startupProbe, life.postStart, life.preStop]
      .flatMap((h) => [str(obj(obj(h).httpGet).host), str(obj(obj(h).tcpSocket).host)])
      .filter((h) => h !== '');
  };
  const bad = sorted(namesWhere(spec, (c) => hosts(c).length > 0));
  if (bad.length === 0) return null;
  const list = sorted(allContainers(spec).flatMap(hosts));
  const uses = `${plural('uses', 'use', bad.length)} ${plural('probe or lifecycle host', 'probe or lifecycle hosts', list.length)}`;
  return ['probe or lifecycle host', `${containers(bad)} ${uses} ${quoted(list)}`];
};

export const privileged: CheckPod = (spec) => {
  const bad = namesWhere(spec, (c) => security(c).privileged === true);
  return bad.length === 0 ? null : ['privileged', `${containers(bad)} must not set securityContext.privileged=true`];
};

export const procMount: CheckPod = (spec) => {
  const odd = (c: JsonObject) => has(security(c).procMount) && security(c).procMount !== 'Default';
  const bad = namesWhere(spec, odd);
  if (bad.length === 0) return null;
  const list = quoted(
    sorted(
      allContainers(spec)
        .filter(odd)
        .map((c) => str(security(c).procMount)),
    ),
  );
  return ['procMount', `${containers(bad)} must not set securityContext.procMount to ${list}`];
};

const ALLOWED_VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const RESTRICTED_VOLUMES = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'gitRepo',
  'nfs',
  'iscsi',
  'glusterfs',
  'rbd',
  'flexVolume',
  'cinder',
  'cephfs',
  'flocker',
  'fc',
  'azureFile',
  'vsphereVolume',
  'quobyte',
  'azureDisk',
  'photonPersistentDisk',
  'portworxVolume',
  'scaleIO',
  'storageos',
];
export const restrictedVolumes: CheckPod = (spec) => {
  const bad = objs(spec.volumes).filter((v) => !ALLOWED_VOLUMES.some((t) => has(v[t])));
  if (bad.length === 0) return null;
  const types = sorted(bad.map((v) => RESTRICTED_VOLUMES.find((t) => has(v[t])) ?? 'unknown'));
  const volumes = `${plural('volume', 'volumes', bad.length)} ${quoted(bad.map((v) => str(v.name)))}`;
  const uses = `${plural('uses', 'use', bad.length)} ${plural('restricted volume type', 'restricted volume types', types.length)}`;
  return ['restricted volume types', `${volumes} ${uses} ${quoted(types)}`];
};

export const runAsNonRoot: CheckPod = (spec) => {
  const said = (o: JsonObject) => security(o).runAsNonRoot;
  const who = setters(
    said(spec) === false,
    namesWhere(spec, (c) => said(c) === false),
  );
  if (who !== '') return ['runAsNonRoot != true', `${who} must not set securityContext.runAsNonRoot=false`];
  const silent = said(spec) === true ? [] : namesWhere(spec, (c) => !has(said(c)));
  if (silent.length === 0) return null;
  return ['runAsNonRoot != true', `pod or ${containers(silent)} must set securityContext.runAsNonRoot=true`];
};

export const runAsUser: CheckPod = (spec) => {
  const isRoot = (o: JsonObject) => security(o).runAsUser === 0;
  const who = setters(isRoot(spec), namesWhere(spec, isRoot));
  return who === '' ? null : ['runAsUser=0', `${who} must not set runAsUser=0`];
};

export const seLinux =
  (...types: string[]): CheckPod =>
  (spec) => {
    const options = (o: JsonObject) => obj(security(o).seLinuxOptions);
    const badType = (o: JsonObject) => ![...types, ''].includes(str(options(o).type));
    const bad = (o: JsonObject) => badType(o) || str(options(o).user) !== '' || str(options(o).role) !== '';
    const who = setters(bad(spec), namesWhere(spec, bad));
    if (who === '') return null;
    const all = [spec, ...allContainers(spec)];
    const odd = sorted(all.filter(badType).map((o) => str(options(o).type)));
    const data = [
      ...(odd.length > 0 ? [`${plural('type', 'types', odd.length)} ${quoted(odd)}`] : []),
      ...(all.some((o) => str(options(o).user) !== '') ? ['user may not be set'] : []),
      ...(all.some((o) => str(options(o).role) !== '') ? ['role may not be set'] : []),
    ];
    return ['seLinuxOptions', `${who} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`];
  };

export const seccompAnnotations: CheckPod = (spec, annotations) => {
  const keys = [SECCOMP_POD, ...allContainers(spec).map((c) => SECCOMP + str(c.name))];
  const fine = (v: string) => v === 'runtime/default' || v === 'docker/default' || v.startsWith('localhost/');
  const bad = sorted(
    keys.flatMap((k) => {
      const v = annotations[k];
      return v === undefined || fine(v) ? [] : [`${k}=${quote(v)}`];
    }),
  );
  if (bad.length === 0) return null;
  return ['seccompProfile', `forbidden ${plural('annotation', 'annotations', bad.length)} ${bad.join(', ')}`];
};

const seccompOf = (o: JsonObject) => security(o).seccompProfile;
const isBadSeccomp = (o: JsonObject): boolean =>
  has(seccompOf(o)) && !['RuntimeDefault', 'Localhost'].includes(str(obj(seccompOf(o)).type));
export const seccompBaseline: CheckPod = (spec) => {
  const who = setters(isBadSeccomp(spec), namesWhere(spec, isBadSeccomp));
  if (who === '') return null;
  const types = [spec, ...allContainers(spec)].filter(isBadSeccomp).map((o) => str(obj(seccompOf(o)).type));
  return ['seccompProfile', `${who} must not set securityContext.seccompProfile.type to ${quoted(sorted(types))}`];
};
export const seccompRestricted: CheckPod = (spec, annotations) => {
  const bad = seccompBaseline(spec, annotations);
  if (bad !== null) return bad;
  const silent = has(seccompOf(spec)) ? [] : namesWhere(spec, (c) => !has(seccompOf(c)));
  if (silent.length === 0) return null;
  const must = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
  return ['seccompProfile', `pod or ${containers(silent)} ${must}`];
};

export const SYSCTLS = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
];
export const SYSCTLS_27 = [...SYSCTLS, 'net.ipv4.ip_local_reserved_ports'];
export const SYSCTLS_29 = [
  ...SYSCTLS_27,
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];
export const SYSCTLS_32 = [...SYSCTLS_29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];
export const SYSCTLS_37 = [...SYSCTLS_32, 'net.ipv4.tcp_slow_start_after_idle', 'net.ipv4.tcp_notsent_lowat'];
export const sysctls =
  (allowed: readonly string[]): CheckPod =>
  (spec) => {
    const bad = objs(security(spec).sysctls)
      .map((s) => str(s.name))
      .filter((s) => !allowed.includes(s));
    return bad.length === 0 ? null : ['forbidden sysctls', bad.join(', ')];
  };

export const windowsHostProcess: CheckPod = (spec) => {
  const isSet = (o: JsonObject) => obj(security(o).windowsOptions).hostProcess === true;
  const who = setters(isSet(spec), namesWhere(spec, isSet));
  return who === '' ? null : ['hostProcess', `${who} must not set securityContext.windowsOptions.hostProcess=true`];
};
