import { equalJson, type Json, type JsonObject } from '../meta/json.ts';
import type { Steps } from '../meta/steps.ts';
import type { FieldFilter } from './field-filter.ts';
import { difference, EMPTY_SET, eachPath, type FieldSet, intersection, isEmptySet, union } from './fieldset.ts';
import type { PathElement } from './path-element.ts';
import type { Plan } from './plan.ts';
import { type Comparison, compareSteps, compareTyped } from './typed-compare.ts';
import { fieldSetOf, reconcileSet, withNamedFields } from './typed-fieldset.ts';
import { mergeTyped } from './typed-merge.ts';
import { removeItems } from './typed-remove.ts';

// The engine of field ownership: structured-merge-diff's merge.Updater.

/** What one manager owns, at the version it wrote. */
export interface Owned {
  set: FieldSet;
  apiVersion: string;
  applied: boolean;
}
/** Ownership by manager identifier (managed-entries.ts). */
export type Owners = Map<string, Owned>;

/** An object at a version, with the plan of that version. */
export interface Typed {
  apiVersion: string;
  plan: Plan;
  value: Json;
}

/** The object at another version of its kind; null when that version is no longer served (its managers are dropped). */
export type Convert = (from: Typed, apiVersion: string) => Typed | null;

/** A field that another manager owns with another value. */
export interface Conflict {
  manager: string;
  path: readonly PathElement[];
}

/** Thrown by `applyTo` when fields are owned by others and the apply isn't forced. */
export class ConflictError extends Error {
  readonly conflicts: Conflict[];
  constructor(conflicts: Conflict[]) {
    super('conflict');
    this.conflicts = conflicts;
  }
}

export interface Rules {
  convert: Convert;
  /** What a write through this resource or subresource may own; null: everything. */
  filter: FieldFilter | null;
}

/** Ownership after a create, update or patch by `manager`: what changed is now theirs. */
export function* updateOwners(rules: Rules, live: Typed, next: Typed, owners: Owners, manager: string): Steps<Owners> {
  const current = reconcileOwners(rules, live, owners);
  if (current.size > 0) yield;
  const compare = yield* settle(rules, live, next, current, manager, true);
  const had = current.get(manager)?.set ?? EMPTY_SET;
  let set = union(difference(had, compare.removed), compare.modified);
  if (!isEmptySet(set)) yield;
  set = union(set, compare.added);
  if (rules.filter !== null) set = rules.filter(set);
  if (isEmptySet(set)) current.delete(manager);
  else current.set(manager, { set, apiVersion: next.apiVersion, applied: false });
  return current;
}

/** An apply's outcome: the object is null when nothing changed. */
export interface Applied {
  object: Json | null;
  owners: Owners;
}

/** Merges an applied configuration into the live object and settles ownership. Throws a ConflictError. */
export function* applyTo(
  rules: Rules,
  live: Typed,
  config: Typed,
  owners: Owners,
  manager: string,
  force: boolean,
): Steps<Applied> {
  const current = reconcileOwners(rules, live, owners);
  yield;
  const merged: Typed = { ...live, value: mergeTyped(live.plan, live.value, config.value) };
  yield;
  const last = current.get(manager);
  let set = fieldSetOf(config.plan, config.value);
  if (rules.filter !== null) set = rules.filter(set);
  current.set(manager, { set, apiVersion: config.apiVersion, applied: true });
  yield;
  // Who applies at least what they did before leaves nothing to prune.
  const kept = last?.apiVersion === config.apiVersion && isEmptySet(difference(last.set, set));
  const object = kept ? merged : yield* prune(rules, merged, current, config.apiVersion, last);
  yield;
  // Alone, an applier has nobody to take from or to conflict with.
  if (current.size > 1) yield* settle(rules, live, object, current, manager, force);
  else if (isEmptySet(set)) current.clear();
  yield;
  return { object: equalJson(live.value, object.value) ? null : object.value, owners: current };
}

function reconcileOwners(rules: Rules, live: Typed, owners: Owners): Owners {
  const out: Owners = new Map();
  for (const [manager, owned] of owners) {
    const at = convertTo(rules, live, owned.apiVersion);
    if (at === null) continue;
    const set = reconcileSet(at.plan, owned.set);
    out.set(manager, set === owned.set ? owned : { ...owned, set });
  }
  return out;
}

function convertTo(rules: Rules, from: Typed, apiVersion: string): Typed | null {
  return from.apiVersion === apiVersion ? from : rules.convert(from, apiVersion);
}

function filtered(rules: Rules, c: Comparison): Comparison {
  const { filter } = rules;
  if (filter === null) return c;
  return { removed: filter(c.removed), modified: filter(c.modified), added: filter(c.added) };
}

/** Takes from the other managers what this write changed or removed; conflicts unless forced. Changes `owners`. */
function* settle(
  rules: Rules,
  live: Typed,
  next: Typed,
  owners: Owners,
  manager: string,
  force: boolean,
): Steps<Comparison> {
  const compare = filtered(rules, yield* compareSteps(next.plan, live.value, next.value));
  if (owners.size > 0) yield;
  const versions = new Map<string, Comparison | null>([[next.apiVersion, compare]]);
  const conflicts = new Map<string, FieldSet>();
  const removed = new Map<string, FieldSet>();
  for (const [other, owned] of owners) {
    if (other === manager) continue;
    let at = versions.get(owned.apiVersion);
    if (at === undefined) {
      at = compareAt(rules, live, next, owned.apiVersion);
      versions.set(owned.apiVersion, at);
    }
    if (at === null) {
      owners.delete(other);
      continue;
    }
    const changed = intersection(owned.set, union(at.modified, at.added));
    if (!isEmptySet(changed)) conflicts.set(other, changed);
    if (!isEmptySet(at.removed)) removed.set(other, at.removed);
  }
  if (!force && conflicts.size > 0) throw new ConflictError(listConflicts(conflicts));
  for (const lost of [conflicts, removed]) {
    for (const [other, set] of lost) {
      const owned = owners.get(other);
      if (owned !== undefined) owners.set(other, { ...owned, set: difference(owned.set, set) });
    }
  }
  for (const [name, owned] of owners) if (isEmptySet(owned.set)) owners.delete(name);
  return compare;
}

function compareAt(rules: Rules, live: Typed, next: Typed, apiVersion: string): Comparison | null {
  const before = convertTo(rules, live, apiVersion);
  const after = convertTo(rules, next, apiVersion);
  if (before === null || after === null) return null;
  return filtered(rules, compareTyped(before.plan, before.value, after.value));
}

function listConflicts(sets: Map<string, FieldSet>): Conflict[] {
  const out: Conflict[] = [];
  for (const manager of [...sets.keys()].sort()) {
    eachPath(sets.get(manager) as FieldSet, (path) => out.push({ manager, path }));
  }
  return out;
}

/** Removes what the applier applied last time, doesn't apply now, and nobody else owns. */
function* prune(
  rules: Rules,
  merged: Typed,
  owners: Owners,
  apiVersion: string,
  last: Owned | undefined,
): Steps<Typed> {
  if (last === undefined || isEmptySet(last.set)) return merged;
  const at = convertTo(rules, merged, last.apiVersion);
  if (at === null) return merged;
  let pruned = without(at, withNamedFields(at.plan, last.set));
  yield;
  pruned = addBackOwned(rules, at, pruned, owners);
  yield;
  pruned = addBackDangling(rules, at, pruned, last);
  return convertTo(rules, pruned, apiVersion) ?? pruned;
}

function without(at: Typed, set: FieldSet): Typed {
  return { ...at, value: removeItems(at.plan, at.value, set) ?? {} };
}

/** Puts back what some manager (or the new configuration) owns, the pruned version first. */
function addBackOwned(rules: Rules, merged: Typed, pruned: Typed, owners: Owners): Typed {
  const byVersion = new Map<string, FieldSet>([[pruned.apiVersion, EMPTY_SET]]);
  for (const { apiVersion, set } of owners.values()) {
    byVersion.set(apiVersion, union(byVersion.get(apiVersion) ?? EMPTY_SET, set));
  }
  let from = merged;
  let out = pruned;
  for (const [apiVersion, owned] of byVersion) {
    const all = convertTo(rules, from, apiVersion);
    const left = convertTo(rules, out, apiVersion);
    if (all === null || left === null) continue;
    const plan = all.plan;
    const has = withNamedFields(plan, fieldSetOf(plan, all.value));
    const keep = union(withNamedFields(plan, fieldSetOf(plan, left.value)), withNamedFields(plan, owned));
    from = all;
    out = without(all, difference(has, keep));
  }
  return out;
}

/** Puts back what the applier didn't own last time: it isn't theirs to remove. */
function addBackDangling(rules: Rules, merged: Typed, pruned: Typed, last: Owned): Typed {
  const left = convertTo(rules, pruned, last.apiVersion);
  if (left === null) return merged;
  const { plan } = merged;
  const prunedSet = withNamedFields(plan, fieldSetOf(plan, left.value));
  const mergedSet = withNamedFields(plan, fieldSetOf(plan, merged.value));
  return without(merged, intersection(difference(mergedSet, prunedSet), withNamedFields(plan, last.set)));
}

/** What an applied configuration owns of a live object as it stands: its fields minus those that differ. */
export function unchangedFields(config: Typed, live: Typed): FieldSet {
  const c = compareTyped(config.plan, config.value, live.value);
  const set = fieldSetOf(config.plan, config.value);
  return difference(difference(difference(set, c.modified), c.added), c.removed);
}

/** The sets of conflicts as one set. */
export function conflictSet(conflicts: readonly Conflict[]): FieldSet {
  let set: FieldSet = EMPTY_SET;
  for (const { path } of conflicts) {
    set = union(
      set,
      path.reduceRight<FieldSet>((below, e) => ({ [e]: below }) as JsonObject, EMPTY_SET),
    );
  }
  return set;
}
