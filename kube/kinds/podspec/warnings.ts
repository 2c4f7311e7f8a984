import { index, quote } from '../../meta/issues.ts';
import type { JsonObject } from '../../meta/json.ts';
import { milliValue, quantity } from '../../meta/quantity.ts';
import { has, list, num, obj, objs, str, texts } from '../access.ts';
import { warnIP } from './ip.ts';
import { visitContainers } from './spec.ts';

const OLD_LABELS: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
};
const SINCE: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/os': 'v1.14',
  'beta.kubernetes.io/arch': 'v1.14',
};
const oldLabel = (k: string): string | undefined =>
  OLD_LABELS[k] === undefined
    ? undefined
    : `deprecated since ${SINCE[k] ?? 'v1.17'}; use ${quote(OLD_LABELS[k] ?? '')} instead`;

const OLD_VOLUMES: Readonly<Record<string, string>> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};
const SPELLED: Readonly<Record<string, string>> = { storageos: 'storageOS' };

/** Warnings for a pod (`path` '') or a template (`spec.template`): pkg/api/pod/warnings.go. */
export function podWarnings(path: string, spec: JsonObject, meta: JsonObject): string[] {
  const root = path === '' ? '' : `${path}.`;
  const s = `${root}spec`;
  const out: string[] = [];
  for (const k of Object.keys(texts(spec.nodeSelector)).sort()) {
    const text = oldLabel(k);
    if (text) out.push(`${s}.nodeSelector[${k}]: ${text}`);
  }
  for (const [i, t] of objs(spec.topologySpreadConstraints).entries()) {
    const at = index(`${s}.topologySpreadConstraints`, i);
    const text = oldLabel(str(t.topologyKey));
    if (text) out.push(`${at}.topologyKey: ${str(t.topologyKey)} is ${text}`);
    if (!has(t.labelSelector)) out.push(`${at}.labelSelector: a null labelSelector results in matching no pod`);
  }
  const annotations = texts(meta.annotations);
  if (annotations['scheduler.alpha.kubernetes.io/critical-pod'] !== undefined) {
    out.push(
      `${root}metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead`,
    );
  }
  for (const [i, v] of objs(spec.volumes).entries()) {
    for (const t in OLD_VOLUMES) {
      if (has(v[t])) out.push(`${index(`${s}.volumes`, i)}.${SPELLED[t] ?? t}: ${OLD_VOLUMES[t]}`);
    }
  }
  out.push(...twice(`${s}.hostAliases`, objs(spec.hostAliases), 'ip'));
  out.push(...twice(`${s}.imagePullSecrets`, objs(spec.imagePullSecrets), 'name'));
  for (const [i, p] of objs(spec.imagePullSecrets).entries()) {
    if (str(p.name) === '') out.push(`${index(`${s}.imagePullSecrets`, i)}.name: invalid empty name ""`);
  }
  const visited = visitContainers(s, spec);
  for (const [at, c] of visited) out.push(...containerWarnings(at, c));
  out.push(...portWarnings(visited), ...portNameWarnings(visited));
  if (has(spec.terminationGracePeriodSeconds) && num(spec.terminationGracePeriodSeconds) < 0) {
    out.push(`${s}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`);
  }
  for (const [i, n] of list(obj(spec.dnsConfig).nameservers).entries()) {
    out.push(...warnIP(index(`${s}.dnsConfig.nameservers`, i), str(n)));
  }
  for (const [i, a] of objs(spec.hostAliases).entries()) {
    out.push(...warnIP(`${index(`${s}.hostAliases`, i)}.ip`, str(a.ip)));
  }
  return out;
}
function twice(path: string, items: readonly JsonObject[], field: string): string[] {
  const seen = new Set<string>();
  return items.flatMap((item, i) => {
    const v = str(item[field]);
    if (seen.has(v)) return [`${index(path, i)}.${field}: duplicate ${field} ${quote(v)}`];
    seen.add(v);
    return [];
  });
}
function containerWarnings(path: string, c: JsonObject): string[] {
  const out: string[] = [];
  for (const [resource, member] of [
    ['memory', 'limits'],
    ['memory', 'requests'],
    ['ephemeral-storage', 'limits'],
    ['ephemeral-storage', 'requests'],
  ] as const) {
    const value = texts(obj(c.resources)[member])[resource];
    if (value !== undefined && milliValue(quantity(value)) % 1000 !== 0) {
      out.push(
        `${path}.resources.${member}[${resource}]: fractional byte value ${quote(quantity(value).text)} is invalid, must be an integer`,
      );
    }
  }
  const seen = new Set<string>();
  for (const [i, e] of objs(c.env).entries()) {
    const name = str(e.name);
    if (seen.has(name) && hides(e, name)) {
      out.push(
        `${index(`${path}.env`, i)}: hides previous definition of ${quote(name)}, which may be dropped when using apply`,
      );
    }
    seen.add(name);
  }
  return out;
}
/** The variable doesn't go on from an earlier one of its name. */
function hides(e: JsonObject, name: string): boolean {
  const ref = `$(${name})`;
  return has(e.valueFrom) || str(e.value) === ref || !str(e.value).includes(ref);
}
function portWarnings(visited: readonly [string, JsonObject][]): string[] {
  const out: string[] = [];
  const all = new Map<string, { at: string; port: JsonObject }[]>();
  for (const [path, c] of visited) {
    for (const [i, port] of objs(c.ports).entries()) {
      const at = index(`${path}.ports`, i);
      const key = `${num(port.containerPort)}/${str(port.protocol)}`;
      const others = all.get(key) ?? [];
      for (const other of others) {
        const host = num(port.hostPort);
        const otherHost = num(other.port.hostPort);
        const ip = str(port.hostIP);
        const otherIp = str(other.port.hostIP);
        if (ip === otherIp && host === otherHost) out.push(`${at}: duplicate port definition with ${other.at}`);
        else if (host === 0 || otherHost === 0) out.push(`${at}: overlapping port definition with ${other.at}`);
        else if (host === otherHost && (ip === '') !== (otherIp === '')) {
          out.push(`${at}: dangerously ambiguous port definition with ${other.at}`);
        }
      }
      all.set(key, [...others, { at, port }]);
    }
  }
  return out;
}
function portNameWarnings(visited: readonly [string, JsonObject][]): string[] {
  const first = new Map<string, string>();
  return visited.flatMap(([path, c]) =>
    objs(c.ports).flatMap((p, i) => {
      const name = str(p.name);
      const at = index(`${path}.ports`, i);
      const other = first.get(name);
      if (name === '') return [];
      if (other === undefined) {
        first.set(name, at);
        return [];
      }
      return [
        `${at}: duplicate port name ${quote(name)} with ${other}, services and probes that select ports by name will use ${other}`,
      ];
    }),
  );
}
