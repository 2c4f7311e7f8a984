import { forbidden, index, invalid, notFound, required, tooLong } from '../../meta/issues.ts';
import { isObject, type Json, type JsonObject } from '../../meta/json.ts';
import {
  dns1123Subdomain,
  dns1123SubdomainWithUnderscore,
  nameIsDnsSubdomain,
  validateLabels,
} from '../../meta/names.ts';
import { addQuantities, compareQuantities, type Quantity, quantity } from '../../meta/quantity.ts';
import type { Issue } from '../../meta/status.ts';
import { bool, has, list, make, num, obj, objs, orElse, str, texts } from '../access.ts';
import { each, label, MAX_INT32, named, oneOf, qualified, subdomain } from './checks.ts';
import {
  type Surroundings,
  validateContainers,
  validateEphemeralContainers,
  validateInitContainers,
} from './containers.ts';
import { validateLegacyIP } from './ip.ts';
import { isHugePages, resourceName, resourceQuantity, validateResources } from './resources.ts';
import { validateAffinity, validateSchedulingGates, validateSpread, validateTolerations } from './scheduling.ts';
import { validateHostProcess, validateOS, validatePodSecurityContext } from './security.ts';
import { validateVolumes } from './volumes.ts';

/** Containers of every sort with their paths, init first, then regular, then ephemeral, as upstream visits them. */
export function visitContainers(path: string, spec: JsonObject): [string, JsonObject][] {
  return ['initContainers', 'containers', 'ephemeralContainers'].flatMap((member) =>
    objs(spec[member]).map((c, i): [string, JsonObject] => [index(`${path}.${member}`, i), c]),
  );
}

const RESTART = ['Always', 'OnFailure', 'Never'];
const DNS = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];

/** A pod's spec, or a template's (`podName` '' and `isPod` false): ValidatePodSpec of kubernetes pkg/apis/core/validation. */
export function validatePodSpec(path: string, spec: JsonObject, podName: string, isPod: boolean): Issue[] {
  const containers = objs(spec.containers);
  const inits = objs(spec.initContainers);
  const volumes = validateVolumes(`${path}.volumes`, objs(spec.volumes), podName);
  const claims = objs(spec.resourceClaims);
  const around: Surroundings = {
    volumes: volumes.known,
    claims: new Set(claims.map((c) => str(c.name)).filter((n) => n !== '')),
    grace: has(spec.terminationGracePeriodSeconds) ? num(spec.terminationGracePeriodSeconds) : undefined,
    restartPolicy: str(spec.restartPolicy),
    hostUsers: spec.hostUsers !== false,
  };
  const visited = visitContainers(path, spec);
  return [
    ...(around.grace === undefined ? [required(`${path}.terminationGracePeriodSeconds`)] : []),
    ...volumes.issues,
    ...resourceClaims(`${path}.resourceClaims`, claims),
    ...validateContainers(`${path}.containers`, containers, around),
    ...validateInitContainers(`${path}.initContainers`, inits, containers, around),
    ...validateEphemeralContainers(
      `${path}.ephemeralContainers`,
      objs(spec.ephemeralContainers),
      [...containers, ...inits],
      around,
    ),
    ...podResources(`${path}.resources`, spec, around.claims),
    ...hostPorts(path, spec, isPod),
    ...oneOf(`${path}.restartPolicy`, spec.restartPolicy, RESTART),
    ...oneOf(`${path}.dnsPolicy`, spec.dnsPolicy, DNS),
    ...validateLabels(`${path}.nodeSelector`, texts(spec.nodeSelector)),
    ...validatePodSecurityContext(`${path}.securityContext`, spec.securityContext, spec),
    ...(bool(spec.shareProcessNamespace) && bool(spec.hostPID)
      ? [invalid(`${path}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled')]
      : []),
    ...validateAffinity(`${path}.affinity`, spec.affinity),
    ...dnsConfig(`${path}.dnsConfig`, spec),
    ...objs(spec.readinessGates).flatMap((g, i) =>
      qualified(`${index(`${path}.readinessGates`, i)}.conditionType`, str(g.conditionType)),
    ),
    ...validateSchedulingGates(`${path}.schedulingGates`, objs(spec.schedulingGates)),
    ...validateSpread(`${path}.topologySpreadConstraints`, objs(spec.topologySpreadConstraints)),
    ...validateHostProcess(path, spec, visited),
    ...userNamespace(path, spec, visited),
    ...hostnameOverride(`${path}.hostnameOverride`, spec),
    ...scalars(path, spec),
    ...validateOS(path, spec, visited),
    ...fileKeyVolumes(spec, visited),
  ];
}

/** The plain members at the end of ValidatePodSpec. */
function scalars(path: string, spec: JsonObject): Issue[] {
  const issues: Issue[] = [];
  const account = str(spec.serviceAccountName);
  const deprecated = str(spec.serviceAccount);
  if (account !== '') issues.push(...named(`${path}.serviceAccountName`, account, nameIsDnsSubdomain));
  if (deprecated !== account) {
    issues.push(
      invalid(
        `${path}.deprecatedServiceAccount`,
        deprecated,
        `must be the same as serviceAccountName: ${JSON.stringify(account)}`,
      ),
    );
  }
  if (str(spec.nodeName) !== '') issues.push(...named(`${path}.nodeName`, str(spec.nodeName), nameIsDnsSubdomain));
  const deadline = num(spec.activeDeadlineSeconds);
  if (has(spec.activeDeadlineSeconds) && (deadline < 1 || deadline > MAX_INT32)) {
    issues.push(invalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${MAX_INT32}, inclusive`));
  }
  for (const m of ['hostname', 'subdomain']) {
    if (str(spec[m]) !== '') issues.push(...label(`${path}.${m}`, str(spec[m])));
  }
  issues.push(
    ...validateTolerations(`${path}.tolerations`, objs(spec.tolerations)),
    ...objs(spec.hostAliases).flatMap((a, i) => {
      const at = index(`${path}.hostAliases`, i);
      return [
        ...validateLegacyIP(`${at}.ip`, str(a.ip)),
        ...list(a.hostnames).flatMap((h, j) => subdomain(index(`${at}.hostnames`, j), str(h))),
      ];
    }),
  );
  if (str(spec.priorityClassName) !== '') {
    issues.push(...named(`${path}.priorityClassName`, str(spec.priorityClassName), nameIsDnsSubdomain));
  }
  if (has(spec.runtimeClassName)) {
    issues.push(...named(`${path}.runtimeClassName`, str(spec.runtimeClassName), nameIsDnsSubdomain));
  }
  if (has(spec.preemptionPolicy)) {
    issues.push(...oneOf(`${path}.preemptionPolicy`, spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']));
  }
  if (has(spec.overhead)) issues.push(...overhead(`${path}.overhead`, texts(spec.overhead)));
  return issues;
}
function overhead(path: string, values: Record<string, string>): Issue[] {
  return Object.keys(values)
    .sort()
    .flatMap((r) => {
      const at = `${path}.limits[${r}]`;
      return [...resourceName(at, r), ...resourceQuantity(at, r, values[r])];
    });
}
function resourceClaims(path: string, claims: readonly JsonObject[]): Issue[] {
  const seen = new Set<string>();
  return claims.flatMap((c, i) => {
    const at = index(path, i);
    const name = str(c.name);
    const issues: Issue[] = [];
    if (name === '') issues.push(required(`${at}.name`));
    else if (seen.has(name))
      issues.push({
        type: 'FieldValueDuplicate',
        field: `${at}.name`,
        message: `Duplicate value: ${JSON.stringify(name)}`,
      });
    else {
      issues.push(...label(`${at}.name`, name));
      seen.add(name);
    }
    // Go names the members of its internal struct.
    const shown = {
      Name: name,
      ResourceClaimName: c.resourceClaimName ?? null,
      ResourceClaimTemplateName: c.resourceClaimTemplateName ?? null,
    };
    const sources = ['resourceClaimName', 'resourceClaimTemplateName'].filter((m) => has(c[m]));
    if (sources.length > 1) {
      issues.push(
        invalid(at, shown, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'),
      );
    }
    if (sources.length === 0) {
      issues.push(invalid(at, shown, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'));
    }
    for (const m of sources) issues.push(...each(`${at}.${m}`, str(c[m]), dns1123Subdomain(str(c[m]))));
    return issues;
  });
}
/** Sum of the containers' requests of a resource, sidecars and the largest init container considered. */
function aggregate(spec: JsonObject, member: 'requests' | 'limits'): Map<string, Quantity> {
  const total = new Map<string, Quantity>();
  const add = (into: Map<string, Quantity>, r: Record<string, string>) => {
    for (const k in r) into.set(k, addQuantities(into.get(k) ?? quantity('0'), quantity(r[k])));
  };
  const of = (c: JsonObject) => texts(obj(c.resources)[member]);
  for (const c of objs(spec.containers)) add(total, of(c));
  const sidecars = new Map<string, Quantity>();
  const peak = new Map<string, Quantity>();
  for (const c of objs(spec.initContainers)) {
    const now = new Map(sidecars);
    add(now, of(c));
    if (c.restartPolicy === 'Always') {
      add(total, of(c));
      add(sidecars, of(c));
    }
    for (const [k, q] of now) if (compareQuantities(q, peak.get(k) ?? quantity('0')) > 0) peak.set(k, q);
  }
  for (const [k, q] of peak) if (compareQuantities(q, total.get(k) ?? quantity('0')) > 0) total.set(k, q);
  return total;
}
/** Pod-level requests and limits that follow from the containers' and from each other: DefaultPodLevelResources. */
export function defaultPodResources(spec: JsonObject): void {
  const r = spec.resources;
  if (!isObject(r) || Object.keys(obj(r.requests)).length + Object.keys(obj(r.limits)).length === 0) return;
  const fill = (member: 'requests' | 'limits', name: string, q: Quantity) => orElse(make(r, member), name, q.text);
  const level = (name: string) => name === 'cpu' || name === 'memory' || isHugePages(name);
  for (const [name, q] of aggregate(spec, 'limits')) {
    if (isHugePages(name) && !has(obj(r.requests)[name])) fill('limits', name, q);
  }
  for (const [name, q] of aggregate(spec, 'requests')) if (level(name) && !isHugePages(name)) fill('requests', name, q);
  for (const [name, v] of Object.entries(texts(r.limits))) if (level(name)) fill('requests', name, quantity(v));
}
function podResources(path: string, spec: JsonObject, claims: ReadonlySet<string>): Issue[] {
  if (!has(spec.resources)) return [];
  if (obj(spec.os).name === 'windows') return [forbidden(path, 'may not be set for a windows pod')];
  const r = obj(spec.resources);
  const issues: Issue[] = [];
  if (has(r.claims)) issues.push(forbidden(`${path}.claims`, 'claims may not be set for Resources at pod-level'));
  issues.push(...validateResources(path, r, claims, 'pod'));
  const requests = texts(r.requests);
  for (const [name, sum] of aggregate(spec, 'requests')) {
    const own = requests[name];
    if (own !== undefined && compareQuantities(sum, quantity(own)) > 0) {
      issues.push(
        invalid(
          `${path}.requests[${name}]`,
          quantity(own).text,
          `must be greater than or equal to aggregate container requests of ${sum.text}`,
        ),
      );
    }
  }
  const limits = texts(r.limits);
  for (const [i, c] of objs(spec.containers).entries()) {
    const own = texts(obj(c.resources).limits);
    for (const name of Object.keys(own).sort()) {
      const pod = limits[name];
      if (pod === undefined || compareQuantities(quantity(own[name]), quantity(pod)) <= 0) continue;
      issues.push(
        invalid(
          `${index(`${path}.containers`, i)}[${name}].limits`,
          quantity(own[name]).text,
          `must be less than or equal to pod limits of ${quantity(pod).text}`,
        ),
      );
    }
  }
  return issues;
}
function hostPorts(path: string, spec: JsonObject, isPod: boolean): Issue[] {
  if (!bool(spec.hostNetwork)) return [];
  return objs(spec.containers).flatMap((c, i) =>
    objs(c.ports).flatMap((p, j) => {
      const host = num(p.hostPort);
      if ((!isPod && host === 0) || host === num(p.containerPort)) return [];
      const at = `${index(`${index(`${path}.containers`, i)}.ports`, j)}.hostPort`;
      return [invalid(at, host, 'must match `containerPort` when `hostNetwork` is true')];
    }),
  );
}
const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;
function dnsConfig(path: string, spec: JsonObject): Issue[] {
  const config = obj(spec.dnsConfig);
  const servers = list(config.nameservers);
  if (spec.dnsPolicy === 'None') {
    if (!has(spec.dnsConfig)) return [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')];
    if (servers.length === 0) {
      return [required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')];
    }
  }
  const issues: Issue[] = [];
  const searches = list(config.searches).map(str);
  if (servers.length > MAX_NAMESERVERS) {
    issues.push(
      invalid(`${path}.nameservers`, config.nameservers, `must not have more than ${MAX_NAMESERVERS} nameservers`),
    );
  }
  issues.push(...servers.flatMap((s, i) => validateLegacyIP(index(`${path}.nameservers`, i), str(s))));
  if (searches.length > MAX_SEARCHES) {
    issues.push(invalid(`${path}.searches`, searches, `must not have more than ${MAX_SEARCHES} search paths`));
  }
  if (searches.join(' ').length > MAX_SEARCH_CHARACTERS) {
    issues.push(
      invalid(
        `${path}.searches`,
        searches,
        `must not have more than ${MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list`,
      ),
    );
  }
  for (const [i, s] of searches.entries()) {
    const bare = s.endsWith('.') ? s.slice(0, -1) : s;
    if (s !== '.') issues.push(...each(index(`${path}.searches`, i), bare, dns1123SubdomainWithUnderscore(bare)));
  }
  for (const [i, o] of objs(config.options).entries()) {
    if (str(o.name) === '') issues.push(required(index(`${path}.options`, i), 'must not be empty'));
  }
  return issues;
}
function userNamespace(path: string, spec: JsonObject, visited: readonly [string, JsonObject][]): Issue[] {
  if (spec.hostUsers !== false) return [];
  const text = 'when `hostUsers` is false';
  const issues: Issue[] = [];
  if (bool(spec.hostNetwork)) issues.push(forbidden(`${path}.hostNetwork`, text));
  if (bool(spec.hostPID)) issues.push(forbidden(`${path}.HostPID`, text));
  if (bool(spec.hostIPC)) issues.push(forbidden(`${path}.HostIPC`, text));
  for (const [at, c] of visited) {
    if (list(c.volumeDevices).length > 0) issues.push(forbidden(`${at}.volumeDevices`, text));
  }
  return issues;
}
/** Linux' limit of a host name. */
const MAX_HOSTNAME = 64;
function hostnameOverride(path: string, spec: JsonObject): Issue[] {
  if (!has(spec.hostnameOverride)) return [];
  const name = str(spec.hostnameOverride);
  const issues: Issue[] = [];
  if (bool(spec.setHostnameAsFQDN)) issues.push(forbidden(path, 'may not be specified when setHostnameAsFQDN is true'));
  if (bool(spec.hostNetwork)) issues.push(forbidden(path, 'may not be specified when hostNetwork is true'));
  if (name.length > MAX_HOSTNAME) issues.push(tooLong(path, MAX_HOSTNAME));
  return [...issues, ...subdomain(path, name)];
}
function fileKeyVolumes(spec: JsonObject, visited: readonly [string, JsonObject][]): Issue[] {
  const volumes = new Map(objs(spec.volumes).map((v) => [str(v.name), v]));
  return visited.flatMap(([at, c]) =>
    objs(c.env).flatMap((e, i): Issue[] => {
      const ref = obj(e.valueFrom).fileKeyRef;
      if (!has(ref)) return [];
      const name = str(obj(ref as Json).volumeName);
      const path = `${index(`${at}.env`, i)}.valueFrom.fileKeyRef.volumeName`;
      const volume = volumes.get(name);
      if (!volume) return [notFound(path, name)];
      return has(volume.emptyDir) ? [] : [invalid(path, name, 'referenced volume must be of type emptyDir')];
    }),
  );
}
