import { obj, objs, str } from '../../kube/kinds/access.ts';
import { quote } from '../../kube/meta/issues.ts';
import { equalJson, isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { groupResource, type KubeObject } from '../../kube/meta/object.ts';
import { invalid } from '../../kube/meta/status.ts';
import { rangeOf } from '../../kube/store/key.ts';
import type { Admission, AdmissionContext, Attributes } from '../attributes.ts';
import { checksOf } from './podsecuritychecks.ts';
import {
  compareLevels,
  type LevelVersion,
  POD_SECURITY,
  type Policy,
  policyOfLabels,
  print,
} from './podsecuritypolicy.ts';
import type { Finding } from './podsecurityrules.ts';
import { refuse } from './refuse.ts';

/** Pods of a namespace that are looked at when its level rises: upstream's number. */
const NAMESPACE_PODS_MAX = 3_000;
/** Subresources of pods that don't change the spec. */
const IGNORED = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status']);
/** Where the pod template of a controller is. */
const TEMPLATES: Readonly<Record<string, (o: KubeObject) => Json | undefined>> = {
  podtemplates: (o) => o.template,
  replicationcontrollers: (o) => obj(o.spec).template,
  'replicasets.apps': (o) => obj(o.spec).template,
  'deployments.apps': (o) => obj(o.spec).template,
  'statefulsets.apps': (o) => obj(o.spec).template,
  'daemonsets.apps': (o) => obj(o.spec).template,
  'jobs.batch': (o) => obj(o.spec).template,
  'cronjobs.batch': (o) => obj(obj(obj(o.spec).jobTemplate).spec).template,
};

/** Pod Security Standards by namespace labels: pods are refused, controllers only warned about. */
export const podSecurity: Admission = {
  name: 'PodSecurity',
  handles(a) {
    if (a.object === null || (a.operation !== 'CREATE' && a.operation !== 'UPDATE')) return false;
    if (a.resource === 'pods' && a.group === '') return !IGNORED.has(a.subresource);
    if (a.subresource !== '') return false;
    return (a.resource === 'namespaces' && a.group === '') || groupResource(a.group, a.resource) in TEMPLATES;
  },
  async validate(a, c) {
    if (a.object === null) return undefined;
    if (a.resource === 'namespaces') await namespace(a, a.object, c);
    else checkPod(a, a.object, c);
    return undefined;
  },
};

function checkPod(a: Attributes, object: KubeObject, c: AdmissionContext): void {
  const isPod = a.resource === 'pods';
  const policy = policyOf(a.namespace, c);
  const quiet = policy.warn.level === 'privileged' && policy.audit.level === 'privileged';
  if (policy.issues.length === 0 && quiet && (!isPod || policy.enforce.level === 'privileged')) {
    if (isPod) a.annotate(`${POD_SECURITY}enforce-policy`, 'privileged:latest');
    return;
  }
  if (isPod && a.oldObject !== null && !changesImages(object, a.oldObject)) return;
  const template = isPod ? object : TEMPLATES[groupResource(a.group, a.resource)]?.(object);
  if (!isObject(template)) return;
  if (policy.issues.length > 0) {
    const all = policy.issues.map((i) => `${i.field}: ${i.message}`);
    const text = all.length === 1 ? all[0] : `[${all.join(', ')}]`;
    a.annotate(`${POD_SECURITY}error`, `Failed to parse policy: ${text}`);
  }
  const found = evaluator(template);
  if (isPod) a.annotate(`${POD_SECURITY}enforce-policy`, print(policy.enforce));
  const [enforced, audited] = [isPod ? found(policy.enforce) : '', found(policy.audit)];
  const would = (l: LevelVersion, detail: string) => `would violate PodSecurity ${quote(print(l))}: ${detail}`;
  if (audited !== '') a.annotate(`${POD_SECURITY}audit-violations`, would(policy.audit, audited));
  if (enforced !== '') throw refuse(a, `violates PodSecurity ${quote(print(policy.enforce))}: ${enforced}`);
  const warned = found(policy.warn);
  if (warned !== '') a.warn(would(policy.warn, warned));
}

/** Findings at a level, as one text; evaluated once per level. */
function evaluator(template: JsonObject): (l: LevelVersion) => string {
  const known = new Map<string, string>();
  return (l) => {
    const key = print(l);
    const text = known.get(key) ?? detail(evaluate(template, l));
    known.set(key, text);
    return text;
  };
}

function evaluate(template: JsonObject, l: LevelVersion): Exclude<Finding, null>[] {
  const annotations = obj(obj(template.metadata).annotations) as Record<string, string>;
  const spec = obj(template.spec);
  return checksOf(l)
    .map((check) => check(spec, annotations))
    .filter((f) => f !== null);
}
const detail = (findings: readonly Exclude<Finding, null>[]): string =>
  findings.map(([reason, more]) => (more === '' ? reason : `${reason} (${more})`)).join(', ');

/** The policy of a namespace, read from its labels once per policy revision. */
function policyOf(name: string, c: AdmissionContext): Policy {
  const policies = c.view.compiled('podsecurity', (v) => {
    v.list('namespaces');
    return new Map<string, Policy>();
  });
  let policy = policies.get(name);
  if (policy === undefined) {
    policy = policyOfLabels(obj(c.view.get(`namespaces/${name}`)?.data.labels) as Record<string, string>);
    policies.set(name, policy);
  }
  return policy;
}

function changesImages(next: KubeObject, prev: KubeObject): boolean {
  const images = (o: KubeObject, list: string) => objs(obj(o.spec)[list]).map((c) => str(c.image));
  if (!equalJson(images(next, 'containers'), images(prev, 'containers'))) return true;
  if (!equalJson(images(next, 'initContainers'), images(prev, 'initContainers'))) return true;
  const before = new Map(objs(obj(prev.spec).ephemeralContainers).map((c) => [str(c.name), str(c.image)]));
  return objs(obj(next.spec).ephemeralContainers).some((c) => before.get(str(c.name)) !== str(c.image));
}

/** A namespace's labels must be readable, and a stricter level tells which pods would not pass. */
async function namespace(a: Attributes, object: KubeObject, c: AdmissionContext): Promise<void> {
  const next = policyOfLabels(object.metadata.labels ?? {});
  const prev = a.oldObject === null ? null : policyOfLabels(a.oldObject.metadata.labels ?? {});
  const name = object.metadata.name ?? a.name;
  if (next.issues.length > 0 && JSON.stringify(next.issues) !== JSON.stringify(prev?.issues)) {
    throw invalid({ group: '', kind: 'Namespace' }, name, next.issues);
  }
  if (prev === null || next.enforce.level === 'privileged') return;
  const sameVersion = next.enforce.minor === prev.enforce.minor;
  if (sameVersion && compareLevels(next.enforce.level, prev.enforce.level) <= 0) return;
  for (const text of await violations(name, next.enforce, c)) a.warn(text);
}

async function violations(name: string, l: LevelVersion, c: AdmissionContext): Promise<string[]> {
  const { pods, total } = await podsOf(name, c);
  const byReason = new Map<string, string[]>();
  for (const pod of pods) {
    const reason = evaluate(pod, l)
      .map(([r]) => r)
      .join(', ');
    if (reason !== '') byReason.set(reason, [...(byReason.get(reason) ?? []), pod.metadata.name ?? '']);
  }
  const warnings: string[] = [];
  if (pods.length < total) {
    const count = `${pods.length} of ${total}`;
    warnings.push(`new PodSecurity enforce level only checked against the first ${count} existing pods`);
  }
  if (byReason.size === 0) return warnings;
  const which = `violate the new PodSecurity enforce level ${quote(print(l))}`;
  warnings.push(`existing pods in namespace ${quote(name)} ${which}`);
  return [...warnings, ...[...byReason].map(([reason, names]) => named(reason, names)).sort()];
}

function named(reason: string, names: string[]): string {
  const [first = ''] = names.sort();
  const more = names.length - 1;
  if (more === 0) return `${first}: ${reason}`;
  return `${first} (and ${more} other pod${more === 1 ? '' : 's'}): ${reason}`;
}

async function podsOf(name: string, c: AdmissionContext): Promise<{ pods: KubeObject[]; total: number }> {
  const store = c.cluster.store('pods', name);
  const pods: KubeObject[] = [];
  let after: string | undefined;
  do {
    const page = await store.read(rangeOf('', 'pods', name), after === undefined ? {} : { after });
    if (!page.ok) break;
    for (const e of page.entries) pods.push(JSON.parse(e.value) as KubeObject);
    after = page.next;
    if (pods.length >= NAMESPACE_PODS_MAX) {
      return { pods: pods.slice(0, NAMESPACE_PODS_MAX), total: pods.length + (page.remaining ?? 0) };
    }
  } while (after !== undefined);
  return { pods, total: pods.length };
}
