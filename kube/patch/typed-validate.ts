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
  const c: Check = { problems: [], allowDuplicates, path: [] };
  check(c, plan, v);
  const { problems } = c;
  if (problems.length === 0) return null;
  return problems.length === 1 ? (problems[0] as string) : ['errors:', ...problems.map((p) => `  ${p}`)].join('\n');
}

/** Where the check is: keys of objects, indices and elements of lists, printed only for a finding. */
type Step = { key: string } | { index: number } | { element: PathElement };
interface Check {
  problems: string[];
  allowDuplicates: boolean;
  path: Step[];
}

function printStep(step: Step): string {
  if ('key' in step) return `.${step.key}`;
  return 'index' in step ? `[${step.index}]` : printElement(step.element);
}

function report(c: Check, message: string): void {
  const path = c.path.map(printStep).join('');
  c.problems.push(path === '' ? message : `${path}: ${message}`);
}

function check(c: Check, plan: Plan, v: Json): void {
  const atom = atomOf(plan, v);
  if (atom.map !== undefined) checkMap(c, atom.map, v);
  else if (atom.scalar !== undefined) checkScalar(c, atom.scalar, v);
  else if (atom.list !== undefined) checkList(c, atom.list, v);
}

function checkScalar(c: Check, scalar: Scalar, v: Json): void {
  if (v === null) return;
  const is = typeof v;
  const numeric = is === 'number' || is === 'bigint';
  if (scalar === 'numeric' && !numeric) report(c, `expected numeric (int or float), got ${goTypeName(v)}`);
  if (scalar === 'string' && is !== 'string') {
    report(c, `expected string, got &value.valueUnstructured{Value:${goSyntax(v)}}`);
  }
  if (scalar === 'boolean' && is !== 'boolean') report(c, `expected boolean, got &{${printGo(v)}}`);
  if (scalar === 'untyped' && is === 'object') report(c, `expected any scalar, got &{${printGo(v)}}`);
}

function checkMap(c: Check, plan: MapPlan, v: Json): void {
  if (v === null) return;
  if (!isObject(v)) {
    report(c, `expected map, got &{${printGo(v)}}`);
    return;
  }
  for (const key of Object.keys(v)) {
    const sub = plan.fields.get(key)?.plan ?? plan.element;
    c.path.push({ key });
    if (sub === null) report(c, 'field not declared in schema');
    else check(c, sub(), v[key] as Json);
    c.path.pop();
    // Upstream stops at the first undeclared field of an object.
    if (sub === null) return;
  }
}

function checkList(c: Check, plan: ListPlan, v: Json): void {
  if (v === null) return;
  if (!Array.isArray(v)) {
    report(c, `expected list, got &{${printGo(v)}}`);
    return;
  }
  const seen = new Set<PathElement>();
  const items = plan.items();
  for (let i = 0; i < v.length; i++) {
    const item = v[i] as Json;
    const element = plan.atomic ? null : elementOf(c, plan, item, i);
    if (element === null && !plan.atomic) return;
    if (element !== null) {
      if (seen.has(element) && !c.allowDuplicates) report(c, `duplicate entries for key ${printElement(element)}`);
      seen.add(element);
    }
    c.path.push(element === null ? { index: i } : { element });
    check(c, items, item);
    c.path.pop();
  }
}

function elementOf(c: Check, plan: ListPlan, item: Json, i: number): PathElement | null {
  try {
    return itemElement(plan, item);
  } catch (e) {
    if (!(e instanceof TypedError)) throw e;
    report(c, `element ${i}: ${e.message}`);
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
