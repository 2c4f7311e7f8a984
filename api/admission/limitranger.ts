import { make, obj, objs, str } from '../../kube/kinds/access.ts';
import { podLimits, podRequests, type Resources } from '../../kube/kinds/podspec/totals.ts';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { compareQuantities, milliValue, type Quantity, quantity, scaledValue } from '../../kube/meta/quantity.ts';
import type { Admission, Attributes, PolicyView } from '../attributes.ts';
import { aggregate } from '../authz/rbac.ts';
import { refuse } from './refuse.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';

/** Defaults and bounds of LimitRanges for pods, and bounds for claims. */
export const limitRanger: Admission = {
  name: 'LimitRanger',
  handles(a) {
    if (a.group !== '' || a.object === null) return false;
    if (a.resource === 'pods') {
      return a.subresource === '' ? a.operation === 'CREATE' : a.subresource === 'resize' && a.operation === 'UPDATE';
    }
    const writes = a.operation === 'CREATE' || a.operation === 'UPDATE';
    return a.resource === 'persistentvolumeclaims' && a.subresource === '' && writes;
  },
  mutate(a, c) {
    if (a.object === null || a.resource !== 'pods' || a.oldObject?.metadata.deletionTimestamp) return;
    for (const limits of limitsOf(a, c.view)) setDefaults(a.object, limits);
  },
  validate(a, c) {
    if (a.object === null || a.oldObject?.metadata.deletionTimestamp) return undefined;
    for (const limits of limitsOf(a, c.view)) {
      const errors = a.resource === 'pods' ? podErrors(obj(a.object.spec), limits) : claimErrors(a.object, limits);
      if (errors.length > 0) throw refuse(a, aggregate(errors));
    }
    return undefined;
  },
};

/** spec.limits of each LimitRange in the namespace. */
const limitsOf = (a: Attributes, view: PolicyView): JsonObject[][] =>
  Array.from(view.list('limitranges', a.namespace), (r) => objs(obj(r.data.spec).limits));

function setDefaults(pod: KubeObject, limits: JsonObject[]): void {
  const [requests, maxima]: [JsonObject, JsonObject] = [{}, {}];
  for (const l of limits) {
    if (l.type !== 'Container') continue;
    Object.assign(requests, obj(l.defaultRequest));
    Object.assign(maxima, obj(l.default));
  }
  const notes: string[] = [];
  const spec = obj(pod.spec);
  for (const [list, title] of [
    ['containers', 'container'],
    ['initContainers', 'init container'],
  ] as const) {
    for (const c of objs(spec[list])) {
      const set = (field: string, from: JsonObject, word: string) => {
        const absent = Object.keys(from).filter((k) => obj(obj(c.resources)[field])[k] === undefined);
        if (absent.length === 0) return;
        const target = make(make(c, 'resources'), field);
        for (const k of absent) target[k] = from[k];
        notes.push(`${absent.sort().join(', ')} ${word} for ${title} ${str(c.name)}`);
      };
      set('requests', requests, 'request');
      set('limits', maxima, 'limit');
    }
  }
  if (notes.length === 0) return;
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [ANNOTATION]: `LimitRanger plugin set: ${notes.join('; ')}`,
  };
}

function podErrors(spec: JsonObject, limits: JsonObject[]): string[] {
  const errors: string[] = [];
  for (const l of limits) {
    const type = str(l.type);
    if (type === 'Container') {
      for (const c of [...objs(spec.containers), ...objs(spec.initContainers)]) {
        const r = obj(c.resources);
        bounds(errors, l, type, read(r.requests), read(r.limits));
      }
    } else if (type === 'Pod') bounds(errors, l, type, podRequests(spec), podLimits(spec));
  }
  return errors;
}

function bounds(errors: string[], l: JsonObject, type: string, requests: Resources, limits: Resources): void {
  const each = (bound: Json | undefined, check: (name: string, q: Quantity) => string) => {
    for (const [name, q] of read(bound)) {
      const error = check(name, q);
      if (error !== '') errors.push(error);
    }
  };
  each(l.min, (name, q) => belowMin(type, name, q, requests.get(name), limits.get(name)));
  each(l.max, (name, q) => aboveMax(type, name, q, requests.get(name), limits.get(name)));
  each(l.maxLimitRequestRatio, (name, q) => aboveRatio(type, name, q, requests.get(name), limits.get(name)));
}

function claimErrors(claim: KubeObject, limits: JsonObject[]): string[] {
  const requests = read(obj(obj(claim.spec).resources).requests);
  const errors: string[] = [];
  for (const l of limits) {
    if (l.type !== 'PersistentVolumeClaim') continue;
    const type = 'PersistentVolumeClaim';
    for (const [name, q] of read(l.min)) errors.push(belowMin(type, name, q, requests.get(name), undefined));
    for (const [name, q] of read(l.max)) {
      const asked = requests.get(name);
      const head = `maximum ${name} usage per ${type} is ${q.text}`;
      if (asked === undefined) errors.push(`${head}.  No request is specified`);
      else if (compareQuantities(asked, q) > 0) errors.push(`${head}, but request is ${asked.text}`);
    }
  }
  return errors.filter((e) => e !== '');
}

type Maybe = Quantity | undefined;

function belowMin(type: string, name: string, min: Quantity, request: Maybe, limit: Maybe): string {
  const head = `minimum ${name} usage per ${type} is ${min.text}`;
  if (request === undefined) return `${head}.  No request is specified`;
  if (compareQuantities(request, min) < 0) return `${head}, but request is ${request.text}`;
  return limit !== undefined && compareQuantities(limit, min) < 0 ? `${head}, but limit is ${limit.text}` : '';
}

function aboveMax(type: string, name: string, max: Quantity, request: Maybe, limit: Maybe): string {
  const head = `maximum ${name} usage per ${type} is ${max.text}`;
  if (limit === undefined) return `${head}.  No limit is specified`;
  if (compareQuantities(limit, max) > 0) return `${head}, but limit is ${limit.text}`;
  return request !== undefined && compareQuantities(request, max) > 0 ? `${head}, but request is ${request.text}` : '';
}

function aboveRatio(type: string, name: string, max: Quantity, request: Maybe, limit: Maybe): string {
  const head = `${name} max limit to request ratio per ${type} is ${max.text}, but`;
  const isZero = (q: Quantity) => scaledValue(q, -3) === 0n;
  if (request === undefined || isZero(request)) return `${head} no request is specified or request is 0`;
  if (limit === undefined || isZero(limit)) return `${head} no limit is specified or limit is 0`;
  const ratio = milliValue(limit) / milliValue(request);
  return ratio * 1000 > milliValue(max) ? `${head} provided ratio is ${ratio.toFixed(6)}` : '';
}

function read(v: Json | undefined): Resources {
  const map: Resources = new Map();
  for (const [name, text] of Object.entries(obj(v))) map.set(name, quantity(text));
  return map;
}
