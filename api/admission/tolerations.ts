import { make, num, objs, str } from '../../kube/kinds/access.ts';
import { NOT_READY, UNREACHABLE } from '../../kube/kinds/podspec/fit.ts';
import { equalJson, type JsonObject } from '../../kube/meta/json.ts';
import type { Admission } from '../attributes.ts';
import { isMain } from './refuse.ts';

/** --default-not-ready-toleration-seconds and --default-unreachable-toleration-seconds. */
const TOLERATION_SECONDS = 300;

/** Pods stay five minutes on a node that isn't ready or can't be reached, unless they say otherwise. */
export const defaultTolerationSeconds: Admission = {
  name: 'DefaultTolerationSeconds',
  handles: (a) => isMain(a, 'pods') && (a.operation === 'CREATE' || a.operation === 'UPDATE'),
  mutate(a) {
    if (a.object === null) return;
    const spec = make(a.object, 'spec');
    const list = objs(spec.tolerations);
    const missing = [NOT_READY, UNREACHABLE].filter((key) => !list.some((t) => evicts(t, key)));
    if (missing.length === 0) return;
    const added = missing.map((key) => ({
      key,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: TOLERATION_SECONDS,
    }));
    spec.tolerations = [...list, ...added];
  },
};
const evicts = (t: JsonObject, key: string): boolean =>
  (str(t.key) === key || str(t.key) === '') && (str(t.effect) === 'NoExecute' || str(t.effect) === '');

/** A new node takes no pods until it says that it's ready. */
export const taintNodesByCondition: Admission = {
  name: 'TaintNodesByCondition',
  handles: (a) => isMain(a, 'nodes') && a.operation === 'CREATE',
  mutate(a) {
    if (a.object === null) return;
    const spec = make(a.object, 'spec');
    const taints = objs(spec.taints);
    if (taints.some((t) => str(t.key) === NOT_READY && str(t.effect) === 'NoSchedule')) return;
    spec.taints = [...taints, { key: NOT_READY, effect: 'NoSchedule' }];
  },
};

/** Two lists in one; a toleration that another one covers is dropped: pkg/util/tolerations MergeTolerations. */
export function mergeTolerations(first: readonly JsonObject[], second: readonly JsonObject[]): JsonObject[] {
  const all = [...first, ...second];
  const merged: JsonObject[] = [];
  all.forEach((t, i) => {
    if (merged.some((m) => covers(m, t))) return;
    if (all.slice(i + 1).some((later) => !equalJson(t, later) && covers(later, t))) return;
    merged.push(t);
  });
  return merged;
}

function covers(wide: JsonObject, t: JsonObject): boolean {
  if (equalJson(wide, t)) return true;
  const anyKey = str(wide.key) === '' && wide.operator === 'Exists';
  if (str(t.key) !== str(wide.key) && !anyKey) return false;
  if (str(t.effect) !== str(wide.effect) && str(wide.effect) !== '') return false;
  if (wide.effect === 'NoExecute' && wide.tolerationSeconds !== undefined) {
    if (t.tolerationSeconds === undefined || num(t.tolerationSeconds) > num(wide.tolerationSeconds)) return false;
  }
  if (wide.operator === 'Exists') return true;
  const equal = str(wide.operator) === '' || wide.operator === 'Equal';
  return equal && t.operator === 'Equal' && str(t.value) === str(wide.value);
}
