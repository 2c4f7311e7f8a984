import { isObject, type Json, type JsonObject } from '../kube/meta/json.ts';

/** A field that differs between two versions of an object: without `from` it came, without `to` it went. */
export interface FieldChange {
  /** `.spec.containers[name=web].image`, `.metadata.labels["app.kubernetes.io/name"]`, `.spec.args[2]`. */
  path: string;
  from?: Json;
  to?: Json;
}

/** What lists of objects tell their items by, in Kubernetes' own types; the first that all items have, each another, is taken. */
const ITEM_KEYS = ['name', 'type', 'uid', 'mountPath', 'containerPort', 'port', 'ip', 'key', 'topologyKey'] as const;
/** Fields told of one change; what is more is one line that says so. */
const CHANGES_MAX = 200;

/** What differs, in the order of the fields: leaves, and whole values where one side has none. At most CHANGES_MAX. */
export function fieldChanges(from: JsonObject, to: JsonObject): FieldChange[] {
  const out: FieldChange[] = [];
  members('', from, to, out);
  return out.length <= CHANGES_MAX
    ? out
    : [...out.slice(0, CHANGES_MAX), { path: `... and ${out.length - CHANGES_MAX} more` }];
}

function compare(path: string, from: Json | undefined, to: Json | undefined, out: FieldChange[]): void {
  if (isObject(from) && isObject(to)) members(path, from, to, out);
  else if (Array.isArray(from) && Array.isArray(to)) items(path, from, to, out);
  else if (from !== to)
    out.push({ path, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) });
}

function members(path: string, from: JsonObject, to: JsonObject, out: FieldChange[]): void {
  for (const name in from) {
    const [was, is] = [from[name], Object.hasOwn(to, name) ? to[name] : undefined];
    if (was !== is) compare(path + member(name), was, is, out);
  }
  for (const name in to) if (!Object.hasOwn(from, name)) compare(path + member(name), undefined, to[name], out);
}
const member = (name: string): string => (/^[A-Za-z_][\w-]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`);

function items(path: string, from: readonly Json[], to: readonly Json[], out: FieldChange[]): void {
  const key = ITEM_KEYS.find((k) => isKeyed(from, k) && isKeyed(to, k));
  if (key === undefined) {
    for (let i = 0; i < Math.max(from.length, to.length); i++) compare(`${path}[${i}]`, from[i], to[i], out);
    return;
  }
  const of = (list: readonly Json[]) => new Map(list.map((item) => [(item as JsonObject)[key], item]));
  const [before, after] = [of(from), of(to)];
  for (const [k, item] of before) compare(`${path}[${key}=${k}]`, item, after.get(k), out);
  for (const [k, item] of after) if (!before.has(k)) compare(`${path}[${key}=${k}]`, undefined, item, out);
}

/** Every item is an object with another value of this field. */
function isKeyed(list: readonly Json[], key: string): boolean {
  const seen = new Set<Json>();
  for (const item of list) {
    const value = isObject(item) ? item[key] : undefined;
    if (typeof value !== 'string' && typeof value !== 'number') return false;
    seen.add(value);
  }
  return seen.size === list.length;
}
