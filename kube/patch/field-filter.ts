import type { JsonObject } from '../meta/json.ts';
import { EMPTY_SET, type FieldSet, isEmptySet, isMember, LEAF, recursiveDifference, setOfFields } from './fieldset.ts';

/** What of a field set a write may own: upstream's ResetFieldsStrategy and ResetFieldsFilterStrategy. */
export type FieldFilter = (set: FieldSet) => FieldSet;

/** Leaves out these fields and all below them, e.g. `[['status']]` for a main resource, `[['spec'], ...]` for /status. */
export function excludeFields(paths: readonly (readonly string[])[]): FieldFilter {
  const excluded = setOfFields(paths);
  return (set) => recursiveDifference(set, excluded);
}

interface Pattern {
  /** Everything below matches. */
  all: boolean;
  steps: [element: string, below: Pattern][];
}

/** Keeps only these fields and all below them; the step `*` matches any element (pods/resize: `['spec', 'containers', '*', 'resources']`). */
export function includeFields(paths: readonly (readonly string[])[]): FieldFilter {
  const pattern: Pattern = { all: false, steps: [] };
  for (const path of paths) addPath(pattern, path);
  return (set) => keepMatches(set, pattern) ?? EMPTY_SET;
}

function addPath(pattern: Pattern, path: readonly string[]): void {
  const [step, ...rest] = path;
  if (step === undefined) {
    pattern.all = true;
    return;
  }
  const element = step === '*' ? '*' : `f:${step}`;
  let below = pattern.steps.find(([e]) => e === element)?.[1];
  if (below === undefined) {
    below = { all: false, steps: [] };
    pattern.steps.push([element, below]);
    // A wildcard is looked at first, as upstream sorts it.
    pattern.steps.sort(([a], [b]) => (a === '*' ? -1 : b === '*' ? 1 : a < b ? -1 : 1));
  }
  addPath(below, rest);
}

function keepMatches(set: FieldSet, pattern: Pattern): FieldSet | undefined {
  if (pattern.all) return isEmptySet(set) ? undefined : set;
  const out: JsonObject = {};
  let any = false;
  for (const k in set) {
    if (k === '.') continue;
    const below = pattern.steps.find(([e]) => e === '*' || e === k)?.[1];
    if (below === undefined) continue;
    const node = set[k] as FieldSet;
    const kept = isEmptySet(node) ? undefined : keepMatches(node, below);
    const member = isMember(node);
    if (kept === undefined && !member) continue;
    out[k] = kept === undefined ? LEAF : member && kept['.'] === undefined ? { '.': LEAF, ...kept } : kept;
    any = true;
  }
  return any ? out : undefined;
}
