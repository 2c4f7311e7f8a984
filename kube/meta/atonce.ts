/** Runs `f` for each item, no more than `limit` at once; each begins when one before it has ended. Rejects with the first failure, while what is left goes on. */
export async function atOnce<T>(limit: number, items: Iterable<T>, f: (item: T) => Promise<unknown>): Promise<void> {
  // One iterator for all: who is free takes the next.
  const left = items[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = left.next(); !next.done; next = left.next()) await f(next.value);
  };
  await Promise.all(Array.from({ length: limit }, work));
}
