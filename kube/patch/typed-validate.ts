import { quote } from '../meta/issues.ts';
import { isObject, type Json } from '../meta/json.ts';
import { printFloat, printGo } from './go-print.ts';
import { type PathElement, printElement } from './path-element.ts';
import type { ListPlan, MapPlan, Plan, Scalar } from './plan.ts';
import { atomOf, itemElement, TypedError } from './typed-view.ts';

/**
 * What keeps a value from being of its type, in upstream's words (`typed.AsTyped`); null when nothing does. Several findings are joined as
 * upstream joins them. `allowDuplicates` is for live objects, which may have list items of the same key.
 */
export function typedProblem(plan: Plan, v: Json, allowDuplicates = false): string | null {
  const problems: string[] = [];
  check({ problems, allowDuplicates }, plan, v, '');
  if (problems.length === 0) return null;
  return problems.length === 1 ? (problems[0] as string) : ['errors:', ...problems.map((p) => `  ${p}`)].join('\n');
}

interface Check {
  problems: string[];
  allowDuplicates: boolean;
}

function report(c: Check, path: string, message: string): void {
  c.problems.push(path === '' ? message : `${path}: ${message}`);
}

function check(c: Check, plan: Plan, v: Json, path: string): void {
  const atom = atomOf(plan, v);
  if (atom.map !== undefined) checkMap(c, atom.map, v, path);
  else if (atom.scalar !== undefined) checkScalar(c, atom.scalar, v, path);
  else if (atom.list !== undefined) checkList(c, atom.list, v, path);
}

function checkScalar(c: Check, scalar: Scalar, v: Json, path: string): void {
  if (v === null) return;
  const is = typeof v;
  const numeric = is === 'number' || is === 'bigint';
  if (scalar === 'numeric' && !numeric) report(c, path, `expected numeric (int or float), got ${goTypeName(v)}`);
  if (scalar === 'string' && is !== 'string')
    report(c, path, `expected string, got &value.valueUnstructured{Value:${goSyntax(v)}}`);
  if (scalar === 'boolean' && is !== 'boolean') report(c, path, `expected boolean, got &{${printGo(v)}}`);
  if (scalar === 'untyped' && is === 'object') report(c, path, `expected any scalar, got &{${printGo(v)}}`);
}

function checkMap(c: Check, plan: MapPlan, v: Json, path: string): void {
  if (v === null) return;
  if (!isObject(v)) {
    report(c, path, `expected map, got &{${printGo(v)}}`);
    return;
  }
  for (const key of Object.keys(v)) {
    const sub = plan.fields.get(key)?.plan ?? plan.element;
    // Upstream stops at the first undeclared field of an object.
    if (sub === null) {
      report(c, `${path}.${key}`, 'field not declared in schema');
      return;
    }
    check(c, sub(), v[key] as Json, `${path}.${key}`);
  }
}

function checkList(c: Check, plan: ListPlan, v: Json, path: string): void {
  if (v === null) return;
  if (!Array.isArray(v)) {
    report(c, path, `expected list, got &{${printGo(v)}}`);
    return;
  }
  const seen = new Set<PathElement>();
  const items = plan.items();
  for (let i = 0; i < v.length; i++) {
    const item = v[i] as Json;
    let printed = `[${i}]`;
    if (!plan.atomic) {
      const e = elementOf(c, plan, item, path, i);
      if (e === null) return;
      printed = printElement(e);
      if (seen.has(e) && !c.allowDuplicates) report(c, path, `duplicate entries for key ${printed}`);
      seen.add(e);
    }
    check(c, items, item, `${path}${printed}`);
  }
}

function elementOf(c: Check, plan: ListPlan, item: Json, path: string, i: number): PathElement | null {
  try {
    return itemElement(plan, item);
  } catch (e) {
    if (!(e instanceof TypedError)) throw e;
    report(c, path, `element ${i}: ${e.message}`);
    return null;
  }
}

function goTypeName(v: Json): string {
  if (Array.isArray(v)) return '[]interface {}';
  if (isObject(v)) return 'map[string]interface {}';
  return typeof v === 'boolean' ? 'bool' : 'string';
}

/** Go's `%#v`. */
function goSyntax(v: Json): string {
  if (v === null) return 'interface {}(nil)';
  if (typeof v === 'string') return quote(v);
  if (Array.isArray(v)) return `[]interface {}{${v.map(goSyntax).join(', ')}}`;
  if (isObject(v)) {
    const pairs = Object.keys(v).sort();
    return `map[string]interface {}{${pairs.map((k) => `${quote(k)}:${goSyntax(v[k] as Json)}`).join(', ')}}`;
  }
  return typeof v === 'number' ? printFloat(v) : String(v);
}
