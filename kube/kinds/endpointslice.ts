import { duplicate, index, invalid, required, tooMany } from '../meta/issues.ts';
import { equalJson, type JsonObject } from '../meta/json.ts';
import { dns1123Subdomain, labelValue, nameIsDnsSubdomain, validateLabels } from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, obj, objs, orElse, str, texts } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { validateObjectMeta } from './objectmeta.ts';
import { each, label, named, oneOf, qualified } from './podspec/checks.ts';
import { parseAddress, validateEndpointIP, validateIP, validateLegacyIP, warnIP } from './podspec/ip.ts';

const MAX_ENDPOINTS = 1000;
const MAX_PORTS = 20000;
const MAX_HINTS = 8;

export const ENDPOINTSLICE: Behaviour = {
  counts: ['addressType', 'endpoints', 'ports', 'metadata.labels'],
  default(o) {
    for (const p of objs(o.ports)) {
      orElse(p, 'name', '');
      orElse(p, 'protocol', 'TCP');
    }
  },
  validate(next, prev) {
    const issues: Issue[] = prev ? validateObjectMeta(next.metadata, true, nameIsDnsSubdomain) : [];
    issues.push(...ports(objs(next.ports)));
    if (prev && equalJson(next.endpoints, prev.endpoints)) return issues;
    return [...issues, ...endpoints(objs(next.endpoints), str(next.addressType))];
  },
  warn: (next) => [
    ...(next.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []),
    ...objs(next.endpoints).flatMap((e, i) =>
      next.addressType === 'FQDN'
        ? []
        : list(e.addresses).flatMap((a, j) => warnIP(index(`${index('endpoints', i)}.addresses`, j), str(a))),
    ),
  ],
};
function endpoints(items: readonly JsonObject[], type: string): Issue[] {
  if (items.length > MAX_ENDPOINTS) return [tooMany('endpoints', items.length, MAX_ENDPOINTS)];
  return items.flatMap((e, i) => {
    const at = index('endpoints', i);
    return [
      ...list(e.addresses).flatMap((a, j) => address(`${at}.addresses`, j, str(a), type)),
      ...(has(e.nodeName) ? named(`${at}.nodeName`, str(e.nodeName), nameIsDnsSubdomain) : []),
      ...validateLabels(`${at}.deprecatedTopology`, texts(e.deprecatedTopology)),
      ...(has(e.hostname) ? label(`${at}.hostname`, str(e.hostname)) : []),
      ...(has(e.hints) ? hints(`${at}.hints`, obj(e.hints)) : []),
    ];
  });
}
/** A domain of at least two segments; a dot at its end is fine. */
function domainName(path: string, name: string): Issue[] {
  if (name === '') return [required(path)];
  const bare = name.replace(/\.$/, '');
  const issues = each(path, bare, dns1123Subdomain(bare));
  if (issues.length > 0 || bare.includes('.')) return issues;
  return [invalid(path, name, 'should be a domain with at least two segments separated by dots')];
}
function address(path: string, i: number, a: string, type: string): Issue[] {
  const at = index(path, i);
  if (type === 'FQDN') return domainName(at, a);
  if (type !== 'IPv4' && type !== 'IPv6') return [];
  const issues = type === 'IPv4' ? validateLegacyIP(at, a) : validateIP(at, a);
  if (issues.length > 0) return issues;
  const family = parseAddress(a)?.family === 4 ? 'IPv4' : 'IPv6';
  return [...(family === type ? [] : [invalid(path, a, `must be an ${type} address`)]), ...validateEndpointIP(at, a)];
}
function ports(items: readonly JsonObject[]): Issue[] {
  if (items.length > MAX_PORTS) return [tooMany('ports', items.length, MAX_PORTS)];
  const seen = new Set<string>();
  return items.flatMap((p, i) => {
    const at = index('ports', i);
    const name = str(p.name);
    const issues = name === '' ? [] : label(`${at}.name`, name);
    if (seen.has(name)) issues.push(duplicate(`${at}.name`, name));
    seen.add(name);
    return [
      ...issues,
      ...oneOf(`${at}.protocol`, p.protocol, ['SCTP', 'TCP', 'UDP'], has(p.protocol) ? null : ''),
      ...(has(p.appProtocol) ? qualified(`${at}.appProtocol`, str(p.appProtocol)) : []),
    ];
  });
}
function hints(path: string, h: JsonObject): Issue[] {
  for (const m of ['forZones', 'forNodes']) {
    const n = list(h[m]).length;
    if (n > MAX_HINTS) return [tooMany(`${path}.${m}`, n, MAX_HINTS)];
  }
  return ['forZones', 'forNodes'].flatMap((m) => {
    const seen = new Set<string>();
    return objs(h[m]).flatMap((z, i) => {
      const at = `${index(`${path}.${m}`, i)}.name`;
      const name = str(z.name);
      const issues = seen.has(name) ? [duplicate(at, name)] : [];
      seen.add(name);
      return [
        ...issues,
        ...(m === 'forZones' ? each(at, name, labelValue(name)) : named(at, name, nameIsDnsSubdomain)),
      ];
    });
  });
}
