/**
 * Work that is cut into steps, each of them short; who drives it gives others the thread between two. Steps are cut by counts, never by time, so that tests can
 * hold them.
 */
export type Steps<T> = Generator<void, T, void>;

/** All steps without a break. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
