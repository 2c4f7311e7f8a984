import type { Json, JsonObject } from '../../kube/meta/json.ts';
import type { Struct, Type } from '../../kube/schema/schema.ts';
import type { Random } from './random.ts';

// Values from the schema: mostly valid-looking, sometimes at a boundary, of a wrong type, null or empty.

/** Texts that pass as names, and texts that don't. */
const NAMES = ['a', 'b', 'app', 'my-name', 'data'];
const BAD_TEXTS = ['', 'A', 'a_b', '-a', 'a b', 'a/b', 'x'.repeat(64), 'x'.repeat(254), '..', '1.2.3.4', 'ü'];
const INTEGERS = [0, 1, 2, 80, 443, -1, 65535, 65536, 2147483647];
const QUANTITIES = ['1', '100m', '64Mi', '1Gi', '0', '-1', '1.5', 'x'];
/** Closed lists that the schema doesn't say, by field name. */
const KNOWN: Readonly<Record<string, readonly Json[]>> = {
  restartPolicy: ['Always', 'Never', 'OnFailure'],
  imagePullPolicy: ['Always', 'IfNotPresent', 'Never'],
  image: ['busybox', 'nginx:1', 'i:latest'],
  protocol: ['TCP', 'UDP', 'SCTP'],
  type: ['ClusterIP', 'NodePort', 'RollingUpdate', 'Recreate'],
  dnsPolicy: ['ClusterFirst', 'Default', 'None'],
  operator: ['In', 'NotIn', 'Exists', 'Equal'],
  effect: ['NoSchedule', 'NoExecute'],
  scheme: ['HTTP', 'HTTPS'],
  clusterIP: ['None', '10.96.200.200'],
  mountPath: ['/a', '/b'],
  path: ['/x', 'x', '/'],
  apiVersion: ['v1'],
  kind: ['Pod'],
  fieldPath: ['metadata.name', 'status.podIP'],
};
/** Fields that a client doesn't set, or that differ from run to run. */
const LEFT_OUT = new Set([
  'status',
  'managedFields',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'namespace',
  'generateName',
  'ownerReferences',
  'nodePort',
  'healthCheckNodePort',
]);
/** Deep enough for a probe's header in a pod template. */
const MAX_DEPTH = 9;

export function generate(r: Random, struct: Struct, density: number, depth = 0): JsonObject {
  const out: JsonObject = {};
  for (const field of struct.fields.values()) {
    if (LEFT_OUT.has(field.name) || depth > MAX_DEPTH) continue;
    const wanted =
      field.required === true ||
      ['spec', 'containers', 'template', 'name', 'image', 'selector', 'ports', 'port'].includes(field.name);
    if (!r.chance(wanted ? 0.9 : density)) continue;
    out[field.name] = value(r, field.name, field.type, density, depth);
  }
  return out;
}
function value(r: Random, name: string, type: Type, density: number, depth: number): Json {
  const known = KNOWN[name];
  if (known && type.is === 'string' && r.chance(0.85)) return r.pick(known);
  switch (type.is) {
    case 'string':
      return text(r, name, type);
    case 'integer':
      return r.pick(INTEGERS);
    case 'number':
      return r.pick([0, 1, 0.5]);
    case 'boolean':
      return r.chance(0.5);
    case 'struct':
      return generate(r, type.struct(), density * 0.8, depth + 1);
    case 'list':
      return Array.from({ length: r.pick([1, 1, 1, 2, 0]) }, () => value(r, name, type.items, density, depth + 1));
    case 'map': {
      const quantities = type.values.is === 'string' && type.values.format === 'quantity';
      const keys = quantities ? ['cpu', 'memory', 'ephemeral-storage'] : NAMES;
      const out: JsonObject = {};
      for (let i = r.below(3); i > 0; i--) out[r.pick(keys)] = value(r, name, type.values, density, depth + 1);
      return out;
    }
    case 'any':
      return {};
  }
}
function text(r: Random, name: string, type: Extract<Type, { is: 'string' }>): Json {
  switch (type.format) {
    case 'quantity':
      return r.pick(QUANTITIES);
    case 'int-or-string':
      return r.pick<Json>([80, 0, 1, 'http', '25%', '101%']);
    case 'time':
    case 'micro-time':
      return '2026-01-01T00:00:00Z';
    case 'byte':
      return r.pick(['YQ==', '', 'YWJj']);
    default:
      if (type.enum && r.chance(0.9)) return r.pick(type.enum);
      return name === 'name' || r.chance(0.8) ? r.pick(NAMES) : r.pick(BAD_TEXTS);
  }
}

/** One change at a random place: a value of another type, null, nothing, an unknown field, a bad text. */
export function mutate(r: Random, o: JsonObject): void {
  const places: { at: JsonObject | Json[]; key: string | number }[] = [];
  const walk = (v: Json | undefined) => {
    if (Array.isArray(v)) {
      for (const [i, x] of v.entries()) {
        places.push({ at: v, key: i });
        walk(x);
      }
    } else if (typeof v === 'object' && v !== null) {
      for (const k of Object.keys(v)) {
        places.push({ at: v, key: k });
        walk(v[k]);
      }
    }
  };
  walk(o.spec ?? o.data ?? o);
  if (places.length === 0) return;
  const { at, key } = r.pick(places);
  const target = at as Record<string | number, Json | undefined>;
  const how = r.below(7);
  if (how === 0) target[key] = null;
  else if (how === 1) {
    if (Array.isArray(at)) at.splice(Number(key), 1);
    else delete target[key];
  } else if (how === 2) target[key] = r.pick<Json>([{}, [], '', 0, true, 'text', -1, 1.5]);
  else if (how === 3 && !Array.isArray(at)) at[`unknown${r.below(3)}`] = r.pick<Json>([1, 'x', {}]);
  else if (how === 4 && typeof target[key] === 'string') target[key] = r.pick(BAD_TEXTS);
  else if (how === 5 && Array.isArray(target[key])) {
    const list = target[key] as Json[];
    if (list[0] !== undefined) list.push(structuredClone(list[0]));
  } else if (typeof target[key] === 'number') target[key] = r.pick(INTEGERS);
}
