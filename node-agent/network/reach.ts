/** Nodes whose pods don't answer from here: routes find it out, the packet filter heeds it. */
export class Reach {
  #away: ReadonlySet<string> = new Set();
  readonly #listeners = new Set<() => void>();

  /** Their names. */
  get away(): ReadonlySet<string> {
    return this.#away;
  }
  set(names: Iterable<string>): void {
    const next = new Set(names);
    if (next.size === this.#away.size && [...next].every((n) => this.#away.has(n))) return;
    this.#away = next;
    for (const f of this.#listeners) f();
  }
  /** Calls `f` after each change; gives what ends that. */
  listen(f: () => void): () => void {
    this.#listeners.add(f);
    return () => this.#listeners.delete(f);
  }
}
