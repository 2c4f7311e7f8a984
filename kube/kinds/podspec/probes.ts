import { forbidden, invalid, required } from '../../meta/issues.ts';
import type { Json, JsonObject } from '../../meta/json.ts';
import { httpHeaderName } from '../../meta/names.ts';
import type { Issue } from '../../meta/status.ts';
import { has, list, num, obj, objs, str } from '../access.ts';
import { each, need, notNegative, oneOf, port } from './checks.ts';

type Grace = number | undefined;
const HANDLERS: Readonly<Record<string, (path: string, v: JsonObject, grace: Grace) => Issue[]>> = {
  exec: (path, v) => (list(v.command).length === 0 ? [required(`${path}.command`)] : []),
  httpGet: (path, v) => [
    ...need(`${path}.path`, v.path),
    ...port(`${path}.port`, v.port),
    ...oneOf(`${path}.scheme`, v.scheme, ['HTTP', 'HTTPS'], null),
    ...objs(v.httpHeaders).flatMap((h) => each(`${path}.httpHeaders`, str(h.name), httpHeaderName(str(h.name)))),
  ],
  tcpSocket: (path, v) => port(`${path}.port`, v.port),
  grpc: (path, v) => port(`${path}.port`, v.port),
  sleep: (path, v, grace) =>
    grace !== undefined && (num(v.seconds) < 0 || num(v.seconds) > grace)
      ? [invalid(path, num(v.seconds), `must be non-negative and less than terminationGracePeriodSeconds (${grace})`)]
      : [],
};
const PROBE = ['exec', 'httpGet', 'tcpSocket', 'grpc'];
const LIFECYCLE = ['exec', 'httpGet', 'tcpSocket', 'sleep'];

function handler(path: string, v: JsonObject, members: readonly string[], grace: Grace): Issue[] {
  const issues: Issue[] = [];
  let count = 0;
  for (const m of members) {
    if (!has(v[m])) continue;
    if (count++ > 0) issues.push(forbidden(`${path}.${m}`, 'may not specify more than 1 handler type'));
    else issues.push(...(HANDLERS[m]?.(`${path}.${m}`, obj(v[m]), grace) ?? []));
  }
  if (count === 0) issues.push(required(path, 'must specify a handler type'));
  return issues;
}
const NUMBERS = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'];
function probe(path: string, v: JsonObject, grace: Grace): Issue[] {
  const issues = [...handler(path, v, PROBE, grace), ...NUMBERS.flatMap((m) => notNegative(`${path}.${m}`, v[m]))];
  const own = v.terminationGracePeriodSeconds;
  if (has(own) && num(own) <= 0) {
    issues.push(invalid(`${path}.terminationGracePeriodSeconds`, num(own), 'must be greater than 0'));
  }
  return issues;
}
/** liveness, readiness and startup probe of a container. */
export function validateProbes(path: string, c: JsonObject, grace: Grace): Issue[] {
  const once = (member: string): Issue[] => {
    if (!has(c[member])) return [];
    const p = obj(c[member]);
    const at = `${path}.${member}`;
    const n = num(p.successThreshold);
    return [...probe(at, p, grace), ...(n === 1 ? [] : [invalid(`${at}.successThreshold`, n, 'must be 1')])];
  };
  const ready = obj(c.readinessProbe);
  const readiness: Issue[] = has(c.readinessProbe) ? probe(`${path}.readinessProbe`, ready, grace) : [];
  if (has(ready.terminationGracePeriodSeconds)) {
    readiness.push(
      invalid(
        `${path}.readinessProbe.terminationGracePeriodSeconds`,
        num(ready.terminationGracePeriodSeconds),
        'must not be set for readinessProbes',
      ),
    );
  }
  return [...once('livenessProbe'), ...readiness, ...once('startupProbe')];
}
/** postStart and preStop. */
export function validateLifecycle(path: string, v: Json | undefined, grace: Grace): Issue[] {
  const l = obj(v);
  return ['postStart', 'preStop'].flatMap((m) =>
    has(l[m]) ? handler(`${path}.${m}`, obj(l[m]), LIFECYCLE, grace) : [],
  );
}
