import { has, make, num, obj, str } from '../../kube/kinds/access.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { Admission, Attributes, PolicyView } from '../attributes.ts';
import { isMain, refuse } from './refuse.ts';

const CLASSES = 'priorityclasses.scheduling.k8s.io';
interface Class {
  name: string;
  value: number;
  preemptionPolicy: string;
}
/** Without a default class: priority 0. */
const NO_DEFAULT: Class = { name: '', value: 0, preemptionPolicy: 'PreemptLowerPriority' };

/** Resolves priorityClassName into priority and preemptionPolicy; one PriorityClass at most is the default. */
export const priority: Admission = {
  name: 'Priority',
  handles: (a) =>
    (a.operation === 'CREATE' || a.operation === 'UPDATE') &&
    (isMain(a, 'pods') ||
      isMain(a, 'priorityclasses', 'scheduling.k8s.io') ||
      isMain(a, 'podgroups', 'scheduling.k8s.io')),
  mutate(a, c) {
    if (a.object === null || a.resource === 'priorityclasses') return;
    const spec = make(a.object, 'spec');
    if (a.operation === 'UPDATE') {
      if (a.resource === 'pods') keep(spec, obj(a.oldObject?.spec));
      return;
    }
    const found = resolve(a, str(spec.priorityClassName), c.view);
    if (a.resource === 'pods') setPod(a, spec, found);
    else setGroup(a, spec, found);
  },
  validate(a, c) {
    if (a.resource !== 'priorityclasses' || a.object?.globalDefault !== true) return undefined;
    const other = defaultClass(c.view);
    if (other === null || (a.operation === 'UPDATE' && other.name === a.object.metadata.name)) return undefined;
    throw refuse(a, `PriorityClass ${other.name} is already marked as default. Only one default can exist`);
  },
};

/** Clients that don't know the fields drop them; they can't be changed anyway. */
function keep(spec: JsonObject, old: JsonObject): void {
  for (const field of ['priority', 'preemptionPolicy']) {
    if (!has(spec[field]) && has(old[field])) spec[field] = old[field];
  }
}

function setPod(a: Attributes, spec: JsonObject, c: Class): void {
  if (c.name !== '') spec.priorityClassName = c.name;
  if (has(spec.priority) && num(spec.priority) !== c.value) {
    const given = num(spec.priority);
    const text = `the integer value of priority (${given}) must not be provided in pod spec; priority admission controller computed ${c.value} from the given PriorityClass name`;
    throw refuse(a, text);
  }
  spec.priority = c.value;
  if (c.preemptionPolicy === '') return;
  if (has(spec.preemptionPolicy) && spec.preemptionPolicy !== c.preemptionPolicy) {
    const given = str(spec.preemptionPolicy);
    const text = `the string value of PreemptionPolicy (${given}) must not be provided in pod spec; priority admission controller computed ${c.preemptionPolicy} from the given PriorityClass name`;
    throw refuse(a, text);
  }
  spec.preemptionPolicy = c.preemptionPolicy;
}

function setGroup(a: Attributes, spec: JsonObject, c: Class): void {
  if (has(spec.priority) && num(spec.priority) !== c.value) {
    const given = num(spec.priority);
    const text = `priority set in the pod group (${given}) must match the priority computed (${c.value}) based on the priority class set in the spec`;
    throw refuse(a, text);
  }
  spec.priority = c.value;
  if (c.name !== '') spec.priorityClassName = c.name;
}

function resolve(a: Attributes, name: string, view: PolicyView): Class {
  if (name === '') return defaultClass(view) ?? NO_DEFAULT;
  const row = view.get(`${CLASSES}/${name}`);
  if (row === undefined) throw refuse(a, `no PriorityClass with name ${name} was found`);
  return read(name, row.data);
}

/** Of several defaults (a race) the one with the lowest value. */
function defaultClass(view: PolicyView): Class | null {
  return view.compiled('priority', (v) => {
    let best: Class | null = null;
    for (const row of v.list(CLASSES)) {
      const c = read(parseKey(row.key).name, row.data);
      if (row.data.globalDefault === true && (best === null || best.value > c.value)) best = c;
    }
    return best;
  });
}

const read = (name: string, data: JsonObject): Class => ({
  name,
  value: num(data.value),
  preemptionPolicy: str(data.preemptionPolicy),
});
