import { index, invalid, notSupported, required } from '../../meta/issues.ts';
import type { JsonObject } from '../../meta/json.ts';
import { configMapKey, nameIsDnsSubdomain, qualifiedName, relaxedEnvVarName } from '../../meta/names.ts';
import { quantity } from '../../meta/quantity.ts';
import type { Issue } from '../../meta/status.ts';
import { has, obj, str } from '../access.ts';
import { each, label, named, noBacksteps } from './checks.ts';

const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
/** Fields that a downward API volume may show. */
export const VOLUME_FIELDS = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
/** Labels that the downward API converts at all. */
const CONVERTIBLE = new Set([
  ...ENV_FIELDS,
  ...VOLUME_FIELDS,
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
]);
const RESOURCES = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const SUBSCRIPT = /^(.*)\['(.*)'\]$/s;

/** fieldRef of an env var or a downward API file. */
export function fieldRef(path: string, f: JsonObject, fields: readonly string[]): Issue[] {
  if (str(f.apiVersion) === '') return [required(`${path}.apiVersion`)];
  const field = str(f.fieldPath);
  if (field === '') return [required(`${path}.fieldPath`)];
  const wrong = (why: string) => [invalid(`${path}.fieldPath`, field, `error converting fieldPath: ${why}`)];
  if (f.apiVersion !== 'v1') return wrong(`unsupported pod version: ${str(f.apiVersion)}`);
  const m = SUBSCRIPT.exec(field);
  if (m) {
    const [, of = '', subscript = ''] = m;
    if (of === 'metadata.annotations')
      return each(path, subscript.toLowerCase(), qualifiedName(subscript.toLowerCase()));
    if (of === 'metadata.labels') return each(path, subscript, qualifiedName(subscript));
    return wrong(`field label does not support subscript: ${field}`);
  }
  const internal = field === 'spec.host' ? 'spec.nodeName' : field;
  if (!CONVERTIBLE.has(internal)) return wrong(`field label not supported: ${field}`);
  return fields.includes(internal) ? [] : [notSupported(`${path}.fieldPath`, internal, [...fields].sort())];
}

const SIZES = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];
const isHuge = (r: string) => r.startsWith('limits.hugepages-') || r.startsWith('requests.hugepages-');
/** resourceFieldRef; a volume's must name the container. */
export function resourceFieldRef(path: string, f: JsonObject, volume: boolean): Issue[] {
  const resource = str(f.resource);
  const issues: Issue[] = [];
  if (volume && str(f.containerName) === '') issues.push(required(`${path}.containerName`));
  else if (resource === '') issues.push(required(`${path}.resource`));
  else if (!RESOURCES.includes(resource) && !isHuge(resource)) {
    issues.push(notSupported(`${path}.resource`, resource, RESOURCES));
  }
  return [...issues, ...divisor(`${path}.divisor`, resource, f.divisor)];
}
function divisor(path: string, resource: string, v: JsonObject[string]): Issue[] {
  const q = quantity(v);
  if (q.unscaled === 0n) return [];
  const wrong = (values: string, what: string) => [
    invalid(path, resource, `only divisor's values ${values} are supported with the ${what} resource`),
  ];
  if (resource.endsWith('.cpu')) return ['1m', '1'].includes(q.text) ? [] : wrong('1m and 1', 'cpu');
  const what = resource.endsWith('.memory')
    ? 'memory'
    : resource.endsWith('.ephemeral-storage')
      ? 'local ephemeral storage'
      : isHuge(resource)
        ? 'hugepages'
        : '';
  return what === '' || SIZES.includes(q.text) ? [] : wrong(SIZES.join(', '), what);
}

function keyRef(path: string, r: JsonObject): Issue[] {
  const key = str(r.key);
  return [
    ...named(`${path}.name`, str(r.name), nameIsDnsSubdomain),
    ...(key === '' ? [required(`${path}.key`)] : each(`${path}.key`, key, configMapKey(key))),
  ];
}
function fileKeyRef(path: string, r: JsonObject): Issue[] {
  const key = str(r.key);
  const volume = str(r.volumeName);
  return [
    ...(key === '' ? [required(`${path}.key`)] : each(`${path}.key`, key, relaxedEnvVarName(key))),
    ...(volume === '' ? [required(`${path}.volumeName`)] : label(`${path}.volumeName`, volume)),
    ...(str(r.path) === '' ? [required(`${path}.path`)] : noBacksteps(`${path}.path`, str(r.path))),
  ];
}
const SOURCES: Readonly<Record<string, (path: string, v: JsonObject) => Issue[]>> = {
  fieldRef: (path, v) => fieldRef(path, v, ENV_FIELDS),
  resourceFieldRef: (path, v) => resourceFieldRef(path, v, false),
  configMapKeyRef: keyRef,
  secretKeyRef: keyRef,
  fileKeyRef,
};
function valueFrom(path: string, e: JsonObject): Issue[] {
  if (!has(e.valueFrom)) return [];
  const from = obj(e.valueFrom);
  const issues: Issue[] = [];
  let count = 0;
  for (const member in SOURCES) {
    if (!has(from[member])) continue;
    count++;
    issues.push(...(SOURCES[member]?.(`${path}.${member}`, obj(from[member])) ?? []));
  }
  if (count === 0) {
    issues.push(
      invalid(
        path,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  } else if (str(e.value) !== '') issues.push(invalid(path, '', 'may not be specified when `value` is not empty'));
  else if (count > 1) issues.push(invalid(path, '', 'may not have more than one field specified at a time'));
  return issues;
}

/** env of a container. */
export function validateEnv(path: string, vars: readonly JsonObject[]): Issue[] {
  return vars.flatMap((e, i) => {
    const at = index(path, i);
    const name = str(e.name);
    return [
      ...(name === '' ? [required(`${at}.name`)] : each(`${at}.name`, name, relaxedEnvVarName(name))),
      ...valueFrom(`${at}.valueFrom`, e),
    ];
  });
}
/** envFrom of a container. */
export function validateEnvFrom(path: string, vars: readonly JsonObject[]): Issue[] {
  return vars.flatMap((e, i) => {
    const at = index(path, i);
    const prefix = str(e.prefix);
    const issues = prefix === '' ? [] : each(`${at}.prefix`, prefix, relaxedEnvVarName(prefix));
    let count = 0;
    for (const member of ['configMapRef', 'secretRef']) {
      if (!has(e[member])) continue;
      count++;
      const name = str(obj(e[member]).name);
      const field = `${at}.${member}.name`;
      issues.push(...(name === '' ? [required(field)] : named(field, name, nameIsDnsSubdomain, true)));
    }
    if (count === 0) issues.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
    else if (count > 1) issues.push(invalid(path, '', 'may not have more than one field specified at a time'));
    return issues;
  });
}
