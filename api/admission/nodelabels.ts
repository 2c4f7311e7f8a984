import { has, obj } from '../../kube/kinds/access.ts';
import { quote } from '../../kube/meta/issues.ts';
import { equalJson, type Json } from '../../kube/meta/json.ts';
import type { Attributes } from '../attributes.ts';
import { refuse } from './refuse.ts';

/** Labels that a kubelet sets on its own Node: kubelet pkg/apis/well_known_labels.go. */
const KUBELET_LABELS = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);
const KUBELET_NAMESPACES = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
/** Labels by which workloads are kept off nodes: no node may claim one. */
const RESTRICTION = 'node-restriction.kubernetes.io';

/** A node changes only itself, and nothing that would draw pods to it. */
export function admitNode(node: string, a: Attributes): void {
  // The name of a creation is in the object when the path has none.
  const requested = a.name || (a.object?.metadata.name ?? '');
  const n = quote(node);
  if (requested !== node) throw refuse(a, `node ${n} is not allowed to modify node ${quote(requested)}`);
  if (a.object === null) return;
  const spec = obj(a.object.spec);
  const bad = forbiddenLabels(a.object.metadata.labels ?? {}, a.oldObject?.metadata.labels ?? {});
  if (a.operation === 'CREATE') {
    if (has(spec.configSource)) {
      throw refuse(a, `node ${n} is not allowed to create pods with a non-nil configSource`);
    }
    if (bad.length > 0) throw refuse(a, `node ${n} is not allowed to set the following labels: ${bad.join(', ')}`);
  }
  if (a.operation !== 'UPDATE' || a.oldObject === null) return;
  const old = obj(a.oldObject.spec);
  if (has(spec.configSource) && !equalJson(spec.configSource, old.configSource)) {
    throw refuse(a, `node ${n} is not allowed to update configSource to a new non-nil configSource`);
  }
  if (!sameList(spec.taints, old.taints)) throw refuse(a, `node ${n} is not allowed to modify taints`);
  if (!sameList(a.object.metadata.ownerReferences, a.oldObject.metadata.ownerReferences)) {
    throw refuse(a, `node ${n} is not allowed to modify ownerReferences`);
  }
  if (bad.length > 0) throw refuse(a, `is not allowed to modify labels: ${bad.join(', ')}`);
}

/** Equal lists; absent and empty are the same, as in Go's semantic comparison. */
export const sameList = (a: Json | undefined, b: Json | undefined): boolean => equalJson(a ?? [], b ?? []);

function forbiddenLabels(next: Record<string, string>, prev: Record<string, string>): string[] {
  const changed = [...new Set([...Object.keys(next), ...Object.keys(prev)])].filter((k) => next[k] !== prev[k]);
  return changed.filter(isForbidden).sort();
}

function isForbidden(label: string): boolean {
  const slash = label.indexOf('/');
  const domain = slash < 0 ? '' : label.slice(0, slash);
  if (isWithin(domain, RESTRICTION)) return true;
  const ours = isWithin(domain, 'kubernetes.io') || isWithin(domain, 'k8s.io');
  return ours && !KUBELET_LABELS.has(label) && !KUBELET_NAMESPACES.some((d) => isWithin(domain, d));
}
const isWithin = (domain: string, parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);
