import { duplicate, forbidden, index, invalid, notFound, notSupported, required, tooMany } from '../../meta/issues.ts';
import type { Json, JsonObject } from '../../meta/json.ts';
import { portName, portNumber } from '../../meta/names.ts';
import type { Issue } from '../../meta/status.ts';
import { bool, has, list, num, obj, objs, str } from '../access.ts';
import { descending, label, MAX_EXIT_CODES, need, oneOf, PROTOCOLS } from './checks.ts';
import { validateEnv, validateEnvFrom } from './env.ts';
import { validateLifecycle, validateProbes } from './probes.ts';
import { validateResources } from './resources.ts';
import { validateSecurityContext } from './security.ts';
import { PULL_POLICIES } from './volumes.ts';

/** What the containers of one spec are judged against. */
export interface Surroundings {
  volumes: ReadonlyMap<string, JsonObject>;
  claims: ReadonlySet<string>;
  grace: number | undefined;
  restartPolicy: string;
  hostUsers: boolean;
}

function ports(path: string, items: JsonObject[]): Issue[] {
  const names = new Set<string>();
  return items.flatMap((p, i) => {
    const at = index(path, i);
    const name = str(p.name);
    const issues: Issue[] = [];
    if (name !== '') {
      const problems = portName(name);
      // Upstream counts on with the loop's own index here, so later texts name later ports.
      if (problems.length > 0) issues.push(...problems.map((t) => invalid(`${at}.name`, name, t)));
      else if (names.has(name)) issues.push(duplicate(`${at}.name`, name));
      else names.add(name);
    }
    const container = num(p.containerPort);
    if (container === 0) issues.push(required(`${at}.containerPort`));
    else issues.push(...portNumber(container).map((t) => invalid(`${at}.containerPort`, container, t)));
    const host = num(p.hostPort);
    if (host !== 0) issues.push(...portNumber(host).map((t) => invalid(`${at}.hostPort`, host, t)));
    return [...issues, ...oneOf(`${at}.protocol`, p.protocol, PROTOCOLS)];
  });
}

function mounts(path: string, c: JsonObject, volumes: ReadonlyMap<string, JsonObject>): Issue[] {
  const devices = objs(c.volumeDevices);
  const privileged = bool(obj(c.securityContext).privileged);
  const paths = new Set<string>();
  return objs(c.volumeMounts).flatMap((m, i) => {
    const at = index(path, i);
    const name = str(m.name);
    const mountPath = str(m.mountPath);
    const issues = need(`${at}.name`, name);
    if (!volumes.has(name)) issues.push(notFound(`${at}.name`, name));
    issues.push(...need(`${at}.mountPath`, mountPath));
    if (paths.has(mountPath)) issues.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
    if (devices.some((d) => str(d.name) === name)) {
      issues.push(invalid(`${at}.name`, name, 'must not already exist in volumeDevices'));
    }
    if (devices.some((d) => str(d.devicePath) === mountPath)) {
      issues.push(invalid(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices'));
    }
    if (str(m.subPath) !== '') issues.push(...descending(`${path}.subPath`, str(m.subPath)));
    if (str(m.subPathExpr) !== '') {
      if (str(m.subPath) !== '') {
        issues.push(invalid(`${at}.subPathExpr`, str(m.subPathExpr), 'subPathExpr and subPath are mutually exclusive'));
      }
      issues.push(...descending(`${path}.subPathExpr`, str(m.subPathExpr)));
    }
    if (has(m.mountPropagation)) {
      const field = `${path}.mountPropagation`;
      issues.push(...oneOf(field, m.mountPropagation, ['Bidirectional', 'HostToContainer', 'None'], null));
      if (m.mountPropagation === 'Bidirectional' && !privileged) {
        issues.push(forbidden(field, 'Bidirectional mount propagation is available only to privileged containers'));
      }
    }
    return [...issues, ...recursiveReadOnly(`${path}.recursiveReadOnly`, m)];
  });
}
function recursiveReadOnly(path: string, m: JsonObject): Issue[] {
  const v = m.recursiveReadOnly;
  if (!has(v) || v === 'Disabled') return [];
  if (v !== 'Enabled' && v !== 'IfPossible') return [notSupported(path, v, ['Disabled', 'Enabled', 'IfPossible'])];
  const issues: Issue[] = [];
  if (!bool(m.readOnly)) issues.push(forbidden(path, 'may only be specified when readOnly is true'));
  if (has(m.mountPropagation) && m.mountPropagation !== 'None') {
    issues.push(forbidden(path, 'may only be specified when mountPropagation is None or not specified'));
  }
  return issues;
}
function devices(path: string, c: JsonObject, volumes: ReadonlyMap<string, JsonObject>): Issue[] {
  const names = new Set<string>();
  const paths = new Set<string>();
  const mounted = objs(c.volumeMounts);
  return objs(c.volumeDevices).flatMap((d, i) => {
    const at = index(path, i);
    const name = str(d.name);
    const devicePath = str(d.devicePath);
    const volume = volumes.get(name);
    const issues = need(`${at}.name`, name);
    if (names.has(name)) issues.push(invalid(`${at}.name`, name, 'must be unique'));
    if (volume && !has(volume.persistentVolumeClaim) && !has(volume.ephemeral)) {
      issues.push(
        invalid(
          `${at}.name`,
          name,
          'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
        ),
      );
    }
    if (!volume) issues.push(notFound(`${at}.name`, name));
    issues.push(...need(`${at}.devicePath`, devicePath));
    if (paths.has(devicePath)) issues.push(invalid(`${at}.devicePath`, devicePath, 'must be unique'));
    if (devicePath.split('/').includes('..')) {
      issues.push(invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    } else paths.add(devicePath);
    if (mounted.some((m) => str(m.name) === name)) {
      issues.push(invalid(`${at}.name`, name, 'must not already exist in volumeMounts'));
    }
    if (mounted.some((m) => str(m.mountPath) === devicePath)) {
      issues.push(invalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts'));
    }
    if (name !== '') names.add(name);
    return issues;
  });
}
function resizePolicy(path: string, items: JsonObject[], podPolicy: string): Issue[] {
  const seen = new Set<string>();
  return items.flatMap((p, i) => {
    const resource = str(p.resourceName);
    const issues = seen.has(resource) ? [duplicate(index(path, i), resource)] : [];
    seen.add(resource);
    issues.push(
      ...oneOf(path, resource, ['cpu', 'memory']),
      ...oneOf(path, p.restartPolicy, ['NotRequired', 'RestartContainer']),
    );
    if (podPolicy === 'Never' && p.restartPolicy !== 'NotRequired') {
      issues.push(invalid(path, str(p.restartPolicy), "must be 'NotRequired' when pod `restartPolicy` is 'Never'"));
    }
    return issues;
  });
}

/** What every container is judged by, init and ephemeral ones too. */
function common(path: string, c: JsonObject, s: Surroundings): Issue[] {
  const name = str(c.name);
  return [
    ...(name === '' ? [required(`${path}.name`)] : label(`${path}.name`, name)),
    ...need(`${path}.image`, c.image),
    ...oneOf(`${path}.terminationMessagePolicy`, c.terminationMessagePolicy, ['File', 'FallbackToLogsOnError']),
    ...ports(`${path}.ports`, objs(c.ports)),
    ...validateEnv(`${path}.env`, objs(c.env)),
    ...validateEnvFrom(`${path}.envFrom`, objs(c.envFrom)),
    ...mounts(`${path}.volumeMounts`, c, s.volumes),
    ...devices(`${path}.volumeDevices`, c, s.volumes),
    ...oneOf(`${path}.imagePullPolicy`, c.imagePullPolicy, PULL_POLICIES),
    ...validateResources(`${path}.resources`, obj(c.resources), s.claims),
    ...resizePolicy(`${path}.resizePolicy`, objs(c.resizePolicy), s.restartPolicy),
    ...validateSecurityContext(`${path}.securityContext`, c.securityContext, s.hostUsers),
  ];
}
const MAX_RULES = 20;
function restartPolicy(path: string, c: JsonObject): Issue[] {
  const rules = objs(c.restartPolicyRules);
  const issues: Issue[] = [];
  if (!has(c.restartPolicy)) {
    if (rules.length === 0) return [];
    issues.push(required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used'));
  } else issues.push(...oneOf(`${path}.restartPolicy`, c.restartPolicy, ['Always', 'Never', 'OnFailure'], null));
  if (rules.length > MAX_RULES) issues.push(tooMany(`${path}.restartPolicyRules`, rules.length, MAX_RULES));
  for (const [i, r] of rules.entries()) {
    const at = index(`${path}.restartPolicyRules`, i);
    issues.push(...oneOf(`${at}.action`, r.action, ['Restart', 'RestartAllContainers'], null));
    if (!has(r.exitCodes)) {
      issues.push(required(`${at}.exitCodes`, 'must be specified'));
      continue;
    }
    const codes = obj(r.exitCodes);
    const n = list(codes.values).length;
    issues.push(...oneOf(`${at}.exitCodes.operator`, codes.operator, ['In', 'NotIn'], null));
    if (n > MAX_EXIT_CODES) issues.push(tooMany(`${at}.exitCodes.values`, n, MAX_EXIT_CODES));
  }
  return issues;
}
function hostPortConflicts(path: string, containers: readonly JsonObject[]): Issue[] {
  const seen = new Set<string>();
  return containers.flatMap((c, i) =>
    objs(c.ports).flatMap((p, j) => {
      if (num(p.hostPort) === 0) return [];
      const key = `${str(p.protocol)}/${str(p.hostIP)}/${num(p.hostPort)}`;
      if (seen.has(key)) return [duplicate(`${index(`${index(path, i)}.ports`, j)}.hostPort`, key)];
      seen.add(key);
      return [];
    }),
  );
}

export function validateContainers(path: string, containers: readonly JsonObject[], s: Surroundings): Issue[] {
  if (containers.length === 0) return [required(path)];
  const names = new Set<string>();
  const issues = containers.flatMap((c, i) => {
    const at = index(path, i);
    const name = str(c.name);
    const own = common(at, c, s);
    if (names.has(name)) own.push(duplicate(`${at}.name`, name));
    names.add(name);
    return [
      ...own,
      ...validateLifecycle(`${at}.lifecycle`, c.lifecycle, s.grace),
      ...validateProbes(at, c, s.grace),
      ...restartPolicy(at, c),
    ];
  });
  return [...issues, ...hostPortConflicts(path, containers)];
}

const NOT_IN_INIT = 'may not be set for init containers without restartPolicy=Always';
export function validateInitContainers(
  path: string,
  containers: readonly JsonObject[],
  regular: readonly JsonObject[],
  s: Surroundings,
): Issue[] {
  const names = new Set(regular.map((c) => str(c.name)));
  return containers.flatMap((c, i) => {
    const at = index(path, i);
    const name = str(c.name);
    const always = c.restartPolicy === 'Always';
    // Rules of an init container without a policy are not looked at.
    const issues = [...common(at, c, s), ...restartPolicy(at, c).slice(0, has(c.restartPolicy) ? undefined : 1)];
    if (names.has(name)) issues.push(duplicate(`${at}.name`, name));
    else if (name !== '') names.add(name);
    issues.push(...hostPortConflicts(path, [c]));
    if (always) {
      issues.push(...validateLifecycle(`${at}.lifecycle`, c.lifecycle, s.grace), ...validateProbes(at, c, s.grace));
    } else {
      for (const m of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe']) {
        if (has(c[m])) issues.push(forbidden(`${at}.${m}`, NOT_IN_INIT));
      }
      for (const [j, p] of objs(c.resizePolicy).entries()) {
        if (p.restartPolicy !== 'RestartContainer') continue;
        issues.push(
          invalid(
            `${index(`${at}.resizePolicy`, j)}.restartPolicy`,
            'RestartContainer',
            "must not be set to 'RestartContainer' for non-sidecar initContainers",
          ),
        );
      }
    }
    return issues;
  });
}

/** EphemeralContainerCommon's fields that may be set. */
const EPHEMERAL_FIELDS = new Set([
  'name',
  'image',
  'command',
  'args',
  'workingDir',
  'envFrom',
  'env',
  'volumeMounts',
  'volumeDevices',
  'terminationMessagePath',
  'terminationMessagePolicy',
  'imagePullPolicy',
  'securityContext',
  'stdin',
  'stdinOnce',
  'tty',
  'targetContainerName',
]);
const NOT_EPHEMERAL = 'cannot be set for an Ephemeral Container';
export function validateEphemeralContainers(
  path: string,
  containers: readonly JsonObject[],
  others: readonly JsonObject[],
  s: Surroundings,
): Issue[] {
  const targets = new Set(others.map((c) => str(c.name)));
  const names = new Set(targets);
  return containers.flatMap((c, i) => {
    const at = index(path, i);
    const name = str(c.name);
    const target = str(c.targetContainerName);
    const issues = [...common(at, c, s), ...paddedImage(at, c)];
    if (names.has(name)) issues.push(duplicate(`${at}.name`, name));
    names.add(name);
    if (target !== '' && !targets.has(target)) issues.push(notFound(`${at}.targetContainerName`, target));
    for (const m in c) {
      if (!EPHEMERAL_FIELDS.has(m) && notEmpty(c[m])) issues.push(forbidden(`${at}.${m}`, NOT_EPHEMERAL));
    }
    for (const [j, m] of objs(c.volumeMounts).entries()) {
      for (const sub of ['subPath', 'subPathExpr']) {
        if (str(m[sub]) !== '') issues.push(forbidden(`${index(`${at}.volumeMounts`, j)}.${sub}`, NOT_EPHEMERAL));
      }
    }
    return issues;
  });
}
const notEmpty = (v: Json | undefined): boolean =>
  has(v) && !(typeof v === 'object' && Object.keys(v as JsonObject).length === 0);

/** Pods, not templates: an image without spaces around it. */
export const paddedImage = (path: string, c: JsonObject): Issue[] => {
  const image = str(c.image);
  return image.trim() === image
    ? []
    : [invalid(`${path}.image`, image, 'must not have leading or trailing whitespace')];
};
/** An update of containers: the same number, with images. */
export function validateContainerUpdates(
  path: string,
  next: readonly JsonObject[],
  prev: readonly JsonObject[],
): { issues: Issue[]; stop: boolean } {
  if (next.length !== prev.length) {
    return { issues: [forbidden(path, 'pod updates may not add or remove containers')], stop: true };
  }
  const issues = next.flatMap((c, i) => [
    ...need(`${index(path, i)}.image`, c.image),
    ...paddedImage(index(path, i), c),
  ]);
  return { issues, stop: false };
}
