import { forbidden, index, invalid } from '../meta/issues.ts';
import type { Json, JsonObject } from '../meta/json.ts';
import { nameIsDnsSubdomain, qualifiedName } from '../meta/names.ts';
import type { KubeObject } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, num, obj, objs, put, str, texts } from './access.ts';
import { immutable } from './objectmeta.ts';
import { validatePodAnnotationUpdate } from './podspec/annotations.ts';
import { each, named } from './podspec/checks.ts';
import { validateLegacyIP } from './podspec/ip.ts';

const spec = (o: KubeObject | JsonObject): JsonObject => obj(o.spec as Json);
const status = (o: KubeObject): JsonObject => obj(o.status);

/** Status members that an old client may not know stay. */
export function keepStatusMembers(next: JsonObject, prev: JsonObject): void {
  for (const m of ['resourceClaimStatuses', 'extendedResourceClaimStatus', 'nodeAllocatableResourceClaimStatuses']) {
    if (next[m] === undefined && prev[m] !== undefined) next[m] = prev[m];
  }
  if (str(next.qosClass) === '') put(next, 'qosClass', prev.qosClass);
  if (num(next.observedGeneration) === 0) put(next, 'observedGeneration', prev.observedGeneration);
  const old = objs(prev.conditions);
  for (const c of objs(next.conditions)) {
    const i = old.findIndex((o) => o.type === c.type);
    const [was] = i < 0 ? [] : old.splice(i, 1);
    if (num(c.observedGeneration) === 0 && num(was?.observedGeneration) !== 0) {
      put(c, 'observedGeneration', was?.observedGeneration);
    }
  }
}
const SYSTEM_CONDITIONS = new Set(['PodScheduled', 'Ready', 'Initialized']);
/** What a status may say, alone and after what it said before. */
export function validatePodStatus(next: KubeObject, prev: KubeObject): Issue[] {
  const s = status(next);
  const issues = validatePodAnnotationUpdate(
    'metadata.annotations',
    texts(next.metadata.annotations),
    texts(prev.metadata.annotations),
    spec(next),
  );
  for (const [i, c] of objs(s.conditions).entries()) {
    const at = index('status.conditions', i);
    if (num(c.observedGeneration) < 0) {
      issues.push(invalid(`${at}.observedGeneration`, num(c.observedGeneration), 'must be a non-negative integer'));
    }
    if (!SYSTEM_CONDITIONS.has(str(c.type)))
      issues.push(...each(`${at}.Type`, str(c.type), qualifiedName(str(c.type))));
  }
  const nominated = str(s.nominatedNodeName);
  if (nominated !== '' && nominated !== str(status(prev).nominatedNodeName)) {
    issues.push(...named('status.nominatedNodeName', nominated, nameIsDnsSubdomain));
    if (str(spec(prev).nodeName) !== '') {
      issues.push(forbidden('status.nominatedNodeName', 'may not be set on pods that are already bound to a node'));
    }
  }
  if (num(s.observedGeneration) < 0) {
    issues.push(invalid('status.observedGeneration', num(s.observedGeneration), 'must be a non-negative integer'));
  }
  issues.push(...immutable('status.qosClass', str(s.qosClass), str(status(prev).qosClass)));
  issues.push(...transitions(next, prev));
  for (const [plural, singular] of [
    ['podIPs', 'podIP'],
    ['hostIPs', 'hostIP'],
  ] as const) {
    issues.push(...addresses(`status.${plural}`, s, plural, singular));
  }
  return issues;
}
function addresses(path: string, s: JsonObject, plural: string, singular: string): Issue[] {
  const ips = objs(s[plural]).map((p) => str(p.ip));
  const issues = ips.flatMap((ip, i) => validateLegacyIP(index(path, i), ip));
  if (ips.length > 1 && (ips.length > 2 || (ips[0] ?? '').includes(':') === (ips[1] ?? '').includes(':'))) {
    issues.push(invalid(path, s[plural], 'may specify no more than one IP for each IP family'));
  }
  const one = str(s[singular]);
  if ((one !== '') !== ips.length > 0) {
    issues.push(invalid(path, s[plural] ?? null, `${singular} and ${plural} must either both be set or both be unset`));
  } else if (ips.length > 0 && ips[0] !== one) {
    issues.push(invalid(`${path}[0].ip`, ips[0], `must be equal to \`${singular}\``));
  }
  return issues;
}
/** A container that ended and is not to restart stays ended. */
function transitions(next: KubeObject, prev: KubeObject): Issue[] {
  const policy = str(spec(prev).restartPolicy);
  const lists: [string, string][] = [
    ['containerStatuses', 'containers'],
    ['initContainerStatuses', 'initContainers'],
    ['ephemeralContainerStatuses', ''],
  ];
  return lists.flatMap(([member, containers]) =>
    objs(status(prev)[member]).flatMap((was, i) => {
      const ended = obj(obj(was.state).terminated);
      if (!has(obj(was.state).terminated)) return [];
      const c = objs(spec(prev)[containers]).find((x) => x.name === was.name);
      const own =
        str(c?.restartPolicy) || (containers === 'initContainers' && policy === 'Always' ? 'OnFailure' : policy);
      const restarts =
        own === 'Always' ||
        (own === 'OnFailure' && num(ended.exitCode) !== 0) ||
        list(c?.restartPolicyRules).length > 0;
      if (containers !== '' && restarts) return [];
      const now = objs(status(next)[member]).find((x) => x.name === was.name);
      if (!now || has(obj(now.state).terminated)) return [];
      return [forbidden(`${index(`status.${member}`, i)}.state`, 'may not be transitioned to non-terminated state')];
    }),
  );
}
