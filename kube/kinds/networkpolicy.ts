import { forbidden, index, invalid, notSupported, required } from '../meta/issues.ts';
import type { JsonObject } from '../meta/json.ts';
import { portName, portNumber, validateLabelSelector } from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, make, num, obj, objs, str } from './access.ts';
import type { Behaviour } from './behaviour.ts';
import { each } from './podspec/checks.ts';
import { parseAddress, validateLegacyCIDR } from './podspec/ip.ts';

const TYPES = ['Ingress', 'Egress'];

export const NETWORKPOLICY: Behaviour = {
  counts: ['spec'],
  default(o) {
    const spec = make(o, 'spec');
    for (const side of ['ingress', 'egress']) {
      for (const r of objs(spec[side])) for (const p of objs(r.ports)) if (!has(p.protocol)) p.protocol = 'TCP';
    }
    if (list(spec.policyTypes).length === 0) {
      spec.policyTypes = list(spec.egress).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
    }
  },
  validate(next) {
    const spec = obj(next.spec);
    const issues = validateLabelSelector('spec.podSelector', obj(spec.podSelector));
    for (const [side, peers] of [
      ['ingress', 'from'],
      ['egress', 'to'],
    ] as const) {
      for (const [i, r] of objs(spec[side]).entries()) {
        const at = index(`spec.${side}`, i);
        issues.push(...objs(r.ports).flatMap((p, j) => port(index(`${at}.ports`, j), p)));
        issues.push(...objs(r[peers]).flatMap((p, j) => peer(index(`${at}.${peers}`, j), p)));
      }
    }
    const types = list(spec.policyTypes).map(str);
    if (types.length > TYPES.length) {
      return [...issues, invalid('spec.policyTypes', types, 'may not specify more than two policyTypes')];
    }
    for (const [i, t] of types.entries()) {
      if (!TYPES.includes(t)) issues.push(notSupported(index('spec.policyTypes', i), t, TYPES));
    }
    return issues;
  },
};
function port(path: string, p: JsonObject): Issue[] {
  const issues: Issue[] = [];
  if (has(p.protocol) && !['TCP', 'UDP', 'SCTP'].includes(str(p.protocol))) {
    issues.push(notSupported(`${path}.protocol`, str(p.protocol), ['TCP', 'UDP', 'SCTP']));
  }
  const end = num(p.endPort);
  if (!has(p.port)) {
    if (has(p.endPort)) {
      issues.push(invalid(`${path}.endPort`, end, 'may not be specified when `port` is not specified'));
    }
  } else if (typeof p.port === 'string') {
    if (has(p.endPort)) {
      issues.push(invalid(`${path}.endPort`, end, 'may not be specified when `port` is non-numeric'));
    }
    issues.push(...each(`${path}.port`, p.port, portName(p.port)));
  } else {
    issues.push(...portNumber(num(p.port)).map((t) => invalid(`${path}.port`, num(p.port), t)));
    if (has(p.endPort)) {
      if (end < num(p.port)) {
        issues.push(invalid(`${path}.endPort`, end, 'must be greater than or equal to `port`'));
      }
      issues.push(...portNumber(end).map((t) => invalid(`${path}.endPort`, end, t)));
    }
  }
  return issues;
}
function peer(path: string, p: JsonObject): Issue[] {
  const issues: Issue[] = [];
  let count = 0;
  for (const m of ['podSelector', 'namespaceSelector']) {
    if (!has(p[m])) continue;
    count++;
    issues.push(...validateLabelSelector(`${path}.${m}`, obj(p[m])));
  }
  if (has(p.ipBlock)) {
    count++;
    issues.push(...ipBlock(`${path}.ipBlock`, obj(p.ipBlock)));
  }
  if (count === 0) issues.push(required(path, 'must specify a peer'));
  else if (count > 1 && has(p.ipBlock)) {
    issues.push(forbidden(path, 'may not specify both ipBlock and another peer'));
  }
  return issues;
}
function ipBlock(path: string, b: JsonObject): Issue[] {
  const cidr = str(b.cidr);
  if (cidr === '') return [required(`${path}.cidr`)];
  const issues = validateLegacyCIDR(`${path}.cidr`, cidr);
  for (const [i, e] of list(b.except).map(str).entries()) {
    const at = index(`${path}.except`, i);
    issues.push(...validateLegacyCIDR(at, e));
    if (inside(cidr, e) === false) issues.push(invalid(at, e, 'must be a strict subset of `cidr`'));
  }
  return issues;
}
/** Whether `inner` is a strict part of `outer`; undefined when one can't be read. */
function inside(outer: string, inner: string): boolean | undefined {
  const [a, b] = [outer, inner].map((c) => ({
    ip: parseAddress(c.split('/')[0] ?? ''),
    bits: Number(c.split('/')[1]),
  }));
  if (!a?.ip || !b?.ip || Number.isNaN(a.bits) || Number.isNaN(b.bits)) return undefined;
  if (a.ip.family !== b.ip.family || a.bits >= b.bits) return false;
  for (let i = 0; i < a.bits; i++) {
    const mask = 0x80 >> (i % 8);
    if (((a.ip.bytes[i >> 3] ?? 0) & mask) !== ((b.ip.bytes[i >> 3] ?? 0) & mask)) return false;
  }
  return true;
}
