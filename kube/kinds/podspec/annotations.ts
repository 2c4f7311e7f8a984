import { forbidden, invalid, key } from '../../meta/issues.ts';
import type { JsonObject } from '../../meta/json.ts';
import type { Issue } from '../../meta/status.ts';
import { has, obj, str } from '../access.ts';
import { MIRROR } from '../podfacts.ts';
import { descending, MAX_INT32 } from './checks.ts';
import { visitContainers } from './spec.ts';

const COST = 'controller.kubernetes.io/pod-deletion-cost';
/** Annotations of before there were fields; the last two are followed by a container's name. */
export const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
export const SECCOMP = 'container.seccomp.security.alpha.kubernetes.io/';
export const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/';

/** Annotations that mean something for a pod. */
export function validatePodAnnotations(path: string, a: Record<string, string>, spec: JsonObject): Issue[] {
  const issues: Issue[] = [];
  const mirror = a[MIRROR];
  if (mirror !== undefined && str(spec.nodeName) === '') {
    issues.push(invalid(key(path, MIRROR), mirror, 'must set spec.nodeName if mirror pod annotation is set'));
  }
  const cost = a[COST];
  if (cost !== undefined && !isCost(cost)) issues.push(invalid(key(path, COST), cost, 'must be a 32bit integer'));
  if (a[SECCOMP_POD] !== undefined) issues.push(...seccomp(`${path}.${SECCOMP_POD}`, a[SECCOMP_POD]));
  const names = new Set(visitContainers('spec', spec).map(([, c]) => str(c.name)));
  for (const k of Object.keys(a).sort()) {
    const value = a[k] ?? '';
    if (k.startsWith(SECCOMP)) issues.push(...seccomp(`${path}.${k}`, value));
    if (!k.startsWith(APPARMOR)) continue;
    const container = k.slice(APPARMOR.length);
    if (!names.has(container)) issues.push(invalid(key(path, k), container, 'container not found'));
    if (!['', 'runtime/default', 'unconfined'].includes(value) && !value.startsWith('localhost/')) {
      issues.push(invalid(key(path, k), value, `invalid AppArmor profile name: ${JSON.stringify(value)}`));
    }
  }
  return issues;
}
/** Upstream takes no leading plus or zeros. */
const isCost = (v: string) => /^(0|-?[1-9][0-9]*)$/.test(v) && Number(v) <= MAX_INT32 && Number(v) >= -MAX_INT32 - 1;
function seccomp(path: string, profile: string): Issue[] {
  if (['runtime/default', 'docker/default', 'unconfined'].includes(profile)) return [];
  if (profile.startsWith('localhost/')) return descending(path, profile.slice('localhost/'.length));
  return [invalid(path, profile, 'must be a valid seccomp profile')];
}

/** On update, AppArmor and mirror annotations stay as they are. */
export function validatePodAnnotationUpdate(
  path: string,
  next: Record<string, string>,
  prev: Record<string, string>,
  spec: JsonObject,
): Issue[] {
  const issues: Issue[] = [];
  for (const k of Object.keys(prev).sort()) {
    if (next[k] === prev[k]) continue;
    if (k.startsWith(APPARMOR)) issues.push(forbidden(key(path, k), 'may not remove or update AppArmor annotations'));
    if (k === MIRROR) issues.push(forbidden(key(path, k), 'may not remove or update mirror pod annotation'));
  }
  for (const k of Object.keys(next).sort()) {
    if (prev[k] !== undefined) continue;
    if (k.startsWith(APPARMOR)) issues.push(forbidden(key(path, k), 'may not add AppArmor annotations'));
    if (k === MIRROR) issues.push(forbidden(key(path, k), 'may not add mirror pod annotation'));
  }
  return [...issues, ...validatePodAnnotations(path, next, spec)];
}

/** A profile given as annotation and as field must be the same. */
export function validateProfilesMatch(path: string, annotations: Record<string, string>, spec: JsonObject): Issue[] {
  const issues: Issue[] = [];
  const podContext = obj(spec.securityContext);
  const pod = annotations[SECCOMP_POD];
  if (has(podContext.seccompProfile) && pod !== undefined) {
    issues.push(...match(`${path}.securityContext.seccompProfile`, pod, obj(podContext.seccompProfile), 'seccomp'));
  }
  const visited = visitContainers(path, spec);
  for (const [at, c] of visited) {
    const profile = obj(c.securityContext).seccompProfile;
    const a = annotations[SECCOMP + str(c.name)];
    if (has(profile) && a !== undefined) {
      issues.push(...match(`${at}.securityContext.seccompProfile`, a, obj(profile), 'seccomp'));
    }
  }
  if (obj(spec.os).name === 'windows') return issues;
  for (const [at, c] of visited) {
    const profile = obj(c.securityContext).appArmorProfile ?? podContext.appArmorProfile;
    const a = annotations[APPARMOR + str(c.name)];
    if (has(profile) && a !== undefined) {
      issues.push(...match(`${at}.securityContext.appArmorProfile`, a, obj(profile), 'apparmor'));
    }
  }
  return issues;
}
function match(path: string, annotation: string, profile: JsonObject, what: 'seccomp' | 'apparmor'): Issue[] {
  const differs = [forbidden(`${path}.type`, `${what} type in annotation and field must match`)];
  if (profile.type === 'Unconfined') return annotation === 'unconfined' ? [] : differs;
  if (profile.type === 'RuntimeDefault') {
    const fine = annotation === 'runtime/default' || (what === 'seccomp' && annotation === 'docker/default');
    return fine ? [] : differs;
  }
  if (profile.type !== 'Localhost') return [];
  if (!annotation.startsWith('localhost/')) return differs;
  return annotation.slice('localhost/'.length) === profile.localhostProfile
    ? []
    : [forbidden(`${path}.localhostProfile`, `${what} profile in annotation and field must match`)];
}
