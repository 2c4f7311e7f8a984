import type { Key } from './store.ts';

/**
 * What a loop wants to know of: a resource (`configmaps`), or in it the objects of one name in any namespace (`configmaps/` + `*` + `/kube-root-ca.crt`). An
 * interest in one name doesn't wake a loop for each of the others.
 */
export type Interest = string;
export const interestIn = (resource: string, name?: string): Interest =>
  name === undefined ? resource : `${resource}/*/${name}`;
export function parseInterest(interest: Interest): { resource: string; name?: string } {
  const [resource = '', , name] = interest.split('/');
  return name === undefined ? { resource } : { resource, name };
}

/** Finds who is interested in a key: two look-ups at most. */
export class Interests<T> {
  readonly #by = new Map<Interest, Set<T>>();
  /** Resources of which single names are wanted. */
  readonly #named = new Set<string>();

  add(interest: Interest, who: T): void {
    const { resource, name } = parseInterest(interest);
    if (name !== undefined) this.#named.add(resource);
    const known = this.#by.get(interest);
    if (known) known.add(who);
    else this.#by.set(interest, new Set([who]));
  }
  remove(who: T): void {
    for (const all of this.#by.values()) all.delete(who);
  }
  clear(): void {
    this.#by.clear();
    this.#named.clear();
  }
  get size(): number {
    return this.#by.size;
  }
  *of(key: Key): Iterable<T> {
    const resource = key.slice(0, key.indexOf('/'));
    yield* this.#by.get(resource) ?? [];
    if (this.#named.has(resource)) yield* this.#by.get(interestIn(resource, key.slice(key.lastIndexOf('/') + 1))) ?? [];
    yield* this.#by.get('*') ?? [];
  }
}
