import { has, make, obj, objs, str, texts } from '../../kube/kinds/access.ts';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import { pathSegmentName } from '../../kube/meta/names.ts';
import { compareQuantities, quantity } from '../../kube/meta/quantity.ts';
import { failure } from '../../kube/meta/status.ts';
import type { Admission, Attributes, PolicyView } from '../attributes.ts';
import { isMain, refuse } from './refuse.ts';
import { mergeTolerations } from './tolerations.ts';

/** A pod's RuntimeClass gives it overhead, a node selector and tolerations. */
export const runtimeClass: Admission = {
  name: 'RuntimeClass',
  handles: (a) => isMain(a, 'pods') && a.operation === 'CREATE' && a.object !== null,
  mutate(a, c) {
    if (a.object === null) return;
    const spec = make(a.object, 'spec');
    const found = lookUp(a, spec, c.view);
    if (found === null) return;
    if (has(found.overhead)) {
      const fixed = obj(found.overhead).podFixed;
      if (Object.keys(obj(spec.overhead)).length > 0 && !sameQuantities(fixed, spec.overhead)) throw mismatch(a);
      if (has(fixed)) spec.overhead = structuredClone(obj(fixed));
    }
    if (has(found.scheduling)) schedule(a, spec, obj(found.scheduling));
  },
  validate(a, c) {
    const spec = obj(a.object?.spec);
    const found = lookUp(a, spec, c.view);
    if (found !== null && has(found.overhead)) {
      if (!sameQuantities(obj(found.overhead).podFixed, spec.overhead)) throw mismatch(a);
    } else if (has(spec.overhead)) {
      throw refuse(a, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
    }
    return undefined;
  },
};

function lookUp(a: Attributes, spec: JsonObject, view: PolicyView): JsonObject | null {
  if (!has(spec.runtimeClassName)) return null;
  const name = str(spec.runtimeClassName);
  // Upstream's lister finds none, its client then refuses the empty name.
  if (name === '') throw failure('', 'resource name may not be empty', undefined, 500);
  const [problem] = pathSegmentName(name);
  if (problem !== undefined) {
    throw failure('', `invalid resource name ${JSON.stringify(name)}: [${problem}]`, undefined, 500);
  }
  const row = view.get(`runtimeclasses.node.k8s.io/${name}`);
  if (row === undefined) throw refuse(a, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
  return row.data;
}

const mismatch = (a: Attributes) =>
  refuse(a, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");

function schedule(a: Attributes, spec: JsonObject, scheduling: JsonObject): void {
  const wanted = texts(scheduling.nodeSelector);
  const selector = { ...texts(spec.nodeSelector) };
  for (const [key, value] of Object.entries(wanted)) {
    const own = selector[key];
    if (own !== undefined && own !== value) {
      const text = `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`;
      throw refuse(a, text);
    }
    selector[key] = value;
  }
  if (Object.keys(selector).length > 0) spec.nodeSelector = selector;
  const tolerations = mergeTolerations(objs(spec.tolerations), objs(scheduling.tolerations));
  if (tolerations.length > 0) spec.tolerations = structuredClone(tolerations);
}

function sameQuantities(a: Json | undefined, b: Json | undefined): boolean {
  const [x, y] = [obj(a), obj(b)];
  const keys = Object.keys(x);
  if (keys.length !== Object.keys(y).length) return false;
  return keys.every((k) => y[k] !== undefined && compareQuantities(quantity(x[k]), quantity(y[k])) === 0);
}
