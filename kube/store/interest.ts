import type { Facts } from '../meta/facts.ts';
import { equalJson, type Json } from '../meta/json.ts';
import { type FieldRequirement, matchesFields } from '../meta/selectors.ts';
import { parseKey, resourceOfKey } from './key.ts';
import type { Key } from './store.ts';

/** Which rows of a resource a loop looks at, told from their facts alone: no body is read to find out that nobody wants it. */
export interface Where {
  /** All must hold. */
  fields?: readonly FieldRequirement[];
  /** With an owner (true), or without one (false). */
  owned?: boolean;
  /** Being deleted (true), or not (false). */
  terminating?: boolean;
  /**
   * A row that matches before and after a change is told of only where one of these facts moved: `labels`, `generation`, `standing`, `terminating`, or a field.
   * Absent: with each change.
   */
  of?: readonly string[];
  /** What doesn't wake the loop: `end`: all but a row that goes or no longer matches; `never`: everything. It is told when the loop looks next. */
  wakes?: 'end' | 'never';
}

/** What a loop wants to know of: rows of a resource ('*': of all), perhaps in some namespaces or of one name. */
export interface Interest extends Where {
  resource: string;
  namespaces?: readonly string[];
  name?: string;
}

/** An interest as loops of the release before wrote it: `pods`, `configmaps/` + `*` + `/kube-root-ca.crt`. */
export function parseInterest(interest: Interest | string): Interest {
  if (typeof interest !== 'string') return interest;
  const [resource = '', , name] = interest.split('/');
  return name === undefined ? { resource } : { resource, name };
}
/** What the release before makes of an interest: more, never less. */
export const coarse = ({ resource, name }: Interest): string =>
  name === undefined ? resource : `${resource}/*/${name}`;

/** Whether a row is of interest as it is. */
export function matches(i: Interest, key: Key, facts: Facts): boolean {
  if (i.name !== undefined && key.slice(key.lastIndexOf('/') + 1) !== i.name) return false;
  if (i.namespaces !== undefined && !i.namespaces.includes(parseKey(key).namespace)) return false;
  if (i.owned !== undefined && i.owned !== (facts.owners !== undefined && facts.owners.length > 0)) return false;
  if (i.terminating !== undefined && i.terminating !== (facts.terminating === true)) return false;
  return i.fields === undefined || matchesFields(i.fields, facts.fields ?? {});
}

/** What a change is for whoever has this interest: nothing, news for the next look, or a reason to wake. `null`: no row. */
export function newsOf(i: Interest, key: Key, prev: Facts | null, next: Facts | null): 'none' | 'quiet' | 'wake' {
  const was = prev !== null && matches(i, key, prev);
  const is = next !== null && matches(i, key, next);
  if (!was && !is) return 'none';
  if (was && is && i.of && !i.of.some((fact) => moved(fact, prev, next))) return 'none';
  return i.wakes === undefined || (i.wakes === 'end' && !is) ? 'wake' : 'quiet';
}
function moved(fact: string, a: Facts, b: Facts): boolean {
  if (fact === 'labels') return !equalJson((a.labels ?? {}) as Json, (b.labels ?? {}) as Json);
  if (fact === 'generation' || fact === 'standing' || fact === 'terminating') return a[fact] !== b[fact];
  return a.fields?.[fact] !== b.fields?.[fact];
}

/** Finds who is interested in a change, by its resource. */
export class Interests<T> {
  readonly #by = new Map<string, { interest: Interest; who: T }[]>();

  constructor(all: Iterable<readonly [Interest | string, T]> = []) {
    for (const [interest, who] of all) this.add(interest, who);
  }
  add(interest: Interest | string, who: T): void {
    const parsed = parseInterest(interest);
    const known = this.#by.get(parsed.resource);
    if (known) known.push({ interest: parsed, who });
    else this.#by.set(parsed.resource, [{ interest: parsed, who }]);
  }
  remove(who: T): void {
    for (const [resource, all] of this.#by) {
      const left = all.filter((x) => x.who !== who);
      if (left.length > 0) this.#by.set(resource, left);
      else this.#by.delete(resource);
    }
  }
  clear(): void {
    this.#by.clear();
  }
  get size(): number {
    return this.#by.size;
  }
  /** Whether anybody could want a row of this key's resource. */
  mayWant(key: Key): boolean {
    return this.#by.has(resourceOfKey(key)) || this.#by.has('*');
  }
  /** Whether anybody wants the row as it is. */
  wants(key: Key, facts: Facts): boolean {
    for (const { interest } of this.#of(key)) if (matches(interest, key, facts)) return true;
    return false;
  }
  /** Whether a change is news for anybody. `before` is asked for what the row was (undefined: not known) only where that decides. */
  tells(key: Key, next: Facts | null, before: () => Facts | null | undefined): boolean {
    let prev: Facts | null | undefined;
    let asked = false;
    for (const { interest } of this.#of(key)) {
      if (next !== null && interest.of === undefined && matches(interest, key, next)) return true;
      if (!asked) prev = before();
      asked = true;
      if (prev === undefined || newsOf(interest, key, prev, next) !== 'none') return true;
    }
    return false;
  }
  /** Calls `tell` for each interest that a change is news for. */
  news(key: Key, prev: Facts | null, next: Facts | null, tell: (who: T, wakes: boolean) => void): void {
    for (const { interest, who } of this.#of(key)) {
      const news = newsOf(interest, key, prev, next);
      if (news !== 'none') tell(who, news === 'wake');
    }
  }
  *#of(key: Key): Iterable<{ interest: Interest; who: T }> {
    yield* this.#by.get(resourceOfKey(key)) ?? [];
    yield* this.#by.get('*') ?? [];
  }
}
