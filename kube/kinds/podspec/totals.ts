import type { Json, JsonObject } from '../../meta/json.ts';
import { addQuantities, compareQuantities, type Quantity, quantity } from '../../meta/quantity.ts';
import { obj, objs } from '../access.ts';

/** Quantities by resource name. */
export type Resources = Map<string, Quantity>;
/** Whether a pod may state a resource for itself as a whole. */
const isPodLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

/** What a pod asks for in total, from its spec alone. */
export const podRequests = (spec: JsonObject): Resources => total(spec, 'requests');
/** What a pod may use at most, from its spec alone; resources that no container limits are absent. */
export const podLimits = (spec: JsonObject): Resources => total(spec, 'limits');

function total(spec: JsonObject, field: 'requests' | 'limits'): Resources {
  const sum: Resources = new Map();
  for (const c of objs(spec.containers)) add(sum, obj(c.resources)[field]);
  // Init containers run one after the other beside the sidecars started before them: the highest step counts.
  const sidecars: Resources = new Map();
  const highest: Resources = new Map();
  for (const c of objs(spec.initContainers)) {
    const own = obj(c.resources)[field];
    if (c.restartPolicy === 'Always') {
      add(sum, own);
      add(sidecars, own);
      raise(highest, sidecars);
    } else {
      const step: Resources = new Map(sidecars);
      add(step, own);
      raise(highest, step);
    }
  }
  raise(sum, highest);
  const stated = obj(obj(spec.resources)[field]);
  for (const name in stated) if (isPodLevel(name)) sum.set(name, quantity(stated[name]));
  return sum;
}

function add(sum: Resources, list: Json | undefined): void {
  for (const [name, text] of Object.entries(obj(list))) {
    const held = sum.get(name);
    const q = quantity(text);
    sum.set(name, held === undefined ? q : addQuantities(held, q));
  }
}

function raise(to: Resources, by: Resources): void {
  for (const [name, q] of by) {
    const held = to.get(name);
    if (held === undefined || compareQuantities(q, held) > 0) to.set(name, q);
  }
}
