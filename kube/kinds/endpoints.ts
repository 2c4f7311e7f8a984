import { index, invalid, required } from '../meta/issues.ts';
import { equalJson, type JsonObject } from '../meta/json.ts';
import { nameIsDnsSubdomain, portNumber } from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, num, objs, str } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { validateObjectMeta } from './objectmeta.ts';
import { label, named, oneOf, PROTOCOLS, qualified } from './podspec/checks.ts';
import { validateEndpointIP, validateLegacyIP } from './podspec/ip.ts';

export const ENDPOINTS: Behaviour = {
  createOnUpdate: true,
  default(o) {
    for (const s of objs(o.subsets)) for (const p of objs(s.ports)) if (str(p.protocol) === '') p.protocol = 'TCP';
  },
  validate(next, prev) {
    const same = prev !== null && equalJson(next.subsets, prev.subsets);
    const issues = same ? [] : objs(next.subsets).flatMap((s, i) => subset(index('subsets', i), s));
    return prev ? [...validateObjectMeta(next.metadata, true, nameIsDnsSubdomain), ...issues] : issues;
  },
  warn: () => ['v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
};
function subset(path: string, s: JsonObject): Issue[] {
  const issues: Issue[] = [];
  if (list(s.addresses).length + list(s.notReadyAddresses).length === 0) {
    issues.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  }
  for (const m of ['addresses', 'notReadyAddresses']) {
    issues.push(...objs(s[m]).flatMap((a, i) => address(index(`${path}.${m}`, i), a)));
  }
  const ports = objs(s.ports);
  return [...issues, ...ports.flatMap((p, i) => port(index(`${path}.ports`, i), p, ports.length > 1))];
}
function address(path: string, a: JsonObject): Issue[] {
  return [
    ...validateLegacyIP(`${path}.ip`, str(a.ip)),
    ...(str(a.hostname) === '' ? [] : label(`${path}.hostname`, str(a.hostname))),
    ...(has(a.nodeName) ? named(`${path}.nodeName`, str(a.nodeName), nameIsDnsSubdomain) : []),
    ...validateEndpointIP(`${path}.ip`, str(a.ip)),
  ];
}
function port(path: string, p: JsonObject, named: boolean): Issue[] {
  const name = str(p.name);
  return [
    ...(name !== '' ? label(`${path}.name`, name) : named ? [required(`${path}.name`)] : []),
    ...portNumber(num(p.port)).map((t) => invalid(`${path}.port`, num(p.port), t)),
    ...oneOf(`${path}.protocol`, p.protocol, PROTOCOLS),
    ...(has(p.appProtocol) ? qualified(`${path}.appProtocol`, str(p.appProtocol)) : []),
  ];
}
