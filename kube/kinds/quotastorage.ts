import type { KubeObject } from '../meta/object.ts';
import { compareQuantities, quantity, quantityOf, wholeValue } from '../meta/quantity.ts';
import { has, obj, objs, str } from './access.ts';
import type { Resources } from './podspec/totals.ts';
import type { Scope } from './quota.ts';
import { selected } from './quotapods.ts';

// Claims and Services, and quotas: kubernetes pkg/quota/v1/evaluator/core/{persistent_volume_claims,services}.go.

export const CLAIM_NAMES: ReadonlySet<string> = new Set(['persistentvolumeclaims', 'requests.storage']);
const BY_CLASS = '.storageclass.storage.k8s.io/';
/** `gold.storageclass.storage.k8s.io/requests.storage`. */
export const storageClassName = (name: string): boolean =>
  [...CLAIM_NAMES].some((resource) => name.endsWith(BY_CLASS + resource));

export function claimUsage(claim: KubeObject, used: Resources): void {
  const spec = obj(claim.spec);
  const of = claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? str(spec.storageClassName);
  const set = (name: string, q: ReturnType<typeof quantity>) => {
    used.set(name, q);
    if (of !== '') used.set(of + BY_CLASS + name, q);
  };
  set('persistentvolumeclaims', quantity('1'));
  const asked = obj(obj(spec.resources).requests).storage;
  if (!has(asked)) return;
  const allocated = quantity(obj(obj(claim.status).allocatedResources).storage);
  const most = compareQuantities(allocated, quantity(asked)) > 0 ? allocated : quantity(asked);
  // Whole bytes: nothing else may stand in a quota's status.
  const whole = quantityOf(wholeValue(most), 0, most.format);
  set('requests.storage', compareQuantities(whole, most) === 0 ? most : whole);
}

/** Only claims of volumes with attributes are in a scope. */
export function claimInScope(s: Scope, claim: KubeObject): boolean {
  if (s.name !== 'VolumeAttributesClass') return false;
  const status = obj(claim.status);
  const names = [
    str(obj(claim.spec).volumeAttributesClassName),
    str(status.currentVolumeAttributesClassName),
    str(obj(status.modifyVolumeStatus).targetVolumeAttributesClassName),
  ];
  return selected(
    s,
    [...new Set(names)].filter((n) => n !== ''),
  );
}

export function serviceUsage(service: KubeObject, used: Resources): void {
  const spec = obj(service.spec);
  const ports = objs(spec.ports);
  const isBalanced = spec.type === 'LoadBalancer';
  const own = ports.filter((p) => Number(p.nodePort ?? 0) !== 0).length;
  const counted = isBalanced && spec.allocateLoadBalancerNodePorts === false ? own : ports.length;
  used.set('services', quantity('1'));
  used.set('services.loadbalancers', quantityOf(isBalanced ? 1 : 0));
  used.set('services.nodeports', quantityOf(isBalanced || spec.type === 'NodePort' ? counted : 0));
}
