import { index, invalid, notSupported, required, tooLong } from '../meta/issues.ts';
import type { JsonObject } from '../meta/json.ts';
import {
  dns1123Subdomain,
  domainPrefixedPath,
  nameIsDnsLabel,
  nameIsDnsSubdomain,
  pathSegmentName,
  portName,
  portNumber,
  wildcardDns1123Subdomain,
} from '../meta/names.ts';
import type { Issue } from '../meta/status.ts';
import { has, list, num, obj, objs, str, texts } from './access.ts';
import { type Behaviour, statusOf } from './behaviour.ts';
import { immutable, validateObjectMeta } from './objectmeta.ts';
import { each, named } from './podspec/checks.ts';
import { parseAddress, validateLegacyIP } from './podspec/ip.ts';

/** Names a class as `ingressClassName` does. */
export const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const SUFFIXES = ['/..', '/.'];
const MAX_CONTROLLER = 250;
const IS_IP = 'must be a DNS name, not an IP address';

export const INGRESS: Behaviour = {
  counts: ['spec'],
  validate(next, prev) {
    const spec = obj(next.spec);
    const issues: Issue[] = prev ? validateObjectMeta(next.metadata, true, nameIsDnsSubdomain) : [];
    const rules = objs(spec.rules);
    if (rules.length === 0 && !has(spec.defaultBackend)) {
      issues.push(invalid('spec', spec.rules ?? null, 'either `defaultBackend` or `rules` must be specified'));
    }
    if (has(spec.defaultBackend)) issues.push(...backend('spec.defaultBackend', obj(spec.defaultBackend)));
    issues.push(...rules.flatMap((r, i) => rule(index('spec.rules', i), r)));
    issues.push(...objs(spec.tls).flatMap((t, i) => tls(index('spec.tls', i), t)));
    if (has(spec.ingressClassName)) {
      issues.push(...named('spec.ingressClassName', str(spec.ingressClassName), nameIsDnsSubdomain));
    }
    const annotation = texts(next.metadata.annotations)[CLASS_ANNOTATION];
    if (!prev && annotation !== undefined && has(spec.ingressClassName) && annotation !== spec.ingressClassName) {
      issues.push(
        invalid(`annotations.${CLASS_ANNOTATION}`, annotation, 'must match `ingressClassName` when both are specified'),
      );
    }
    return issues;
  },
  warn: (next) =>
    next.metadata.annotations?.[CLASS_ANNOTATION] === undefined
      ? []
      : [`annotation ${JSON.stringify(CLASS_ANNOTATION)} is deprecated, please use 'spec.ingressClassName' instead`],
  subresources: {
    status: statusOf('Namespaced', {
      validate(next, prev) {
        const had = objs(obj(obj(prev.status).loadBalancer).ingress).map((i) => str(i.ip));
        return objs(obj(obj(next.status).loadBalancer).ingress).flatMap((e, i) => {
          const at = index('status.loadBalancer.ingress', i);
          const host = str(e.hostname);
          return [
            ...(str(e.ip) === '' ? [] : validateLegacyIP(`${at}.ip`, str(e.ip), had)),
            ...(host === '' ? [] : each(`${at}.hostname`, host, dns1123Subdomain(host))),
            ...(host !== '' && parseAddress(host) ? [invalid(`${at}.hostname`, host, IS_IP)] : []),
          ];
        });
      },
    }),
  },
};
const host = (path: string, h: string): Issue[] =>
  each(path, h, h.includes('*') ? wildcardDns1123Subdomain(h) : dns1123Subdomain(h));
function tls(path: string, t: JsonObject): Issue[] {
  const secret = str(t.secretName);
  return [
    ...list(t.hosts).flatMap((h, i) => host(index(`${path}.hosts`, i), str(h))),
    ...(secret === '' ? [] : named(`${path}.secretName`, secret, nameIsDnsSubdomain)),
  ];
}
function rule(path: string, r: JsonObject): Issue[] {
  const h = str(r.host);
  const issues: Issue[] = [];
  if (h !== '') {
    if (parseAddress(h)) issues.push(invalid(`${path}.host`, h, IS_IP));
    issues.push(...host(`${path}.host`, h));
  }
  if (!has(r.http)) return issues;
  const paths = objs(obj(r.http).paths);
  if (paths.length === 0) issues.push(required(`${path}.http.paths`));
  return [...issues, ...paths.flatMap((p, i) => httpPath(index(`${path}.http.paths`, i), p))];
}
function httpPath(at: string, p: JsonObject): Issue[] {
  if (!has(p.pathType)) return [required(`${at}.pathType`, 'pathType must be specified')];
  const path = str(p.path);
  const issues: Issue[] = [];
  const relative = invalid(`${at}.path`, path, 'must be an absolute path');
  if (p.pathType === 'Exact' || p.pathType === 'Prefix') {
    if (!path.startsWith('/')) issues.push(relative);
    for (const s of SEQUENCES)
      if (path.includes(s)) issues.push(invalid(`${at}.path`, path, `must not contain '${s}'`));
    for (const s of SUFFIXES) if (path.endsWith(s)) issues.push(invalid(`${at}.path`, path, `cannot end with '${s}'`));
  } else if (p.pathType === 'ImplementationSpecific') {
    if (path !== '' && !path.startsWith('/')) issues.push(relative);
  } else issues.push(notSupported(`${at}.pathType`, str(p.pathType), ['Exact', 'ImplementationSpecific', 'Prefix']));
  return [...issues, ...backend(`${at}.backend`, obj(p.backend))];
}
function backend(path: string, b: JsonObject): Issue[] {
  if (has(b.resource) && has(b.service)) return [invalid(path, '', 'cannot set both resource and service backends')];
  if (has(b.resource)) return typed(`${path}.resource`, obj(b.resource));
  if (!has(b.service)) return [invalid(path, '', 'resource or service backend is required')];
  const s = obj(b.service);
  const name = str(s.name);
  const issues: Issue[] =
    name === '' ? [required(`${path}.service.name`)] : named(`${path}.service.name`, name, nameIsDnsLabel);
  const { name: port, number } = obj(s.port);
  if (str(port) !== '' && num(number) !== 0) issues.push(invalid(path, '', 'cannot set both port name & port number'));
  else if (str(port) !== '') issues.push(...each(`${path}.service.port.name`, str(port), portName(str(port))));
  else if (num(number) !== 0) {
    issues.push(...portNumber(num(number)).map((t) => invalid(`${path}.service.port.number`, num(number), t)));
  } else issues.push(required(path, 'port name or number is required'));
  return issues;
}
function typed(path: string, r: JsonObject): Issue[] {
  const issues: Issue[] = [];
  const group = str(r.apiGroup);
  if (has(r.apiGroup)) issues.push(...each(`${path}.apiGroup`, group, dns1123Subdomain(group)));
  for (const m of ['kind', 'name']) {
    const v = str(r[m]);
    if (v === '') issues.push(required(`${path}.${m}`));
    else issues.push(...each(`${path}.${m}`, v, pathSegmentName(v)));
  }
  return issues;
}

export const INGRESSCLASS: Behaviour = {
  counts: ['spec'],
  default(o) {
    const p = obj(obj(o.spec).parameters);
    if (has(obj(o.spec).parameters) && !has(p.scope)) p.scope = 'Cluster';
  },
  validate(next, prev) {
    const spec = obj(next.spec);
    const controller = str(spec.controller);
    const issues: Issue[] = [];
    if (prev) {
      issues.push(
        ...immutable('spec.controller', spec.controller, obj(prev.spec).controller),
        ...validateObjectMeta(next.metadata, false, nameIsDnsSubdomain),
      );
    }
    if (controller.length > MAX_CONTROLLER) issues.push(tooLong('spec.controller', MAX_CONTROLLER));
    issues.push(...domainPrefixedPath('spec.controller', controller));
    if (has(spec.parameters)) {
      const p = obj(spec.parameters);
      const at = 'spec.parameters';
      issues.push(...typed(at, p));
      if (p.scope !== 'Cluster' && p.scope !== 'Namespace') {
        issues.push(notSupported(`${at}.scope`, str(p.scope), ['Cluster', 'Namespace']));
      }
      if (p.scope === 'Namespace' && str(p.namespace) === '') {
        issues.push(required(`${at}.namespace`, "`parameters.scope` is set to 'Namespace'"));
      }
      if (p.scope === 'Cluster' && has(p.namespace)) {
        issues.push({
          type: 'FieldValueForbidden',
          field: `${at}.namespace`,
          message: "Forbidden: `parameters.scope` is set to 'Cluster'",
        });
      }
    }
    return issues;
  },
};
