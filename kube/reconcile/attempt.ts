/** What a function gives, or the error that it throws. */
export function attempt<T>(f: () => T): T | Error {
  try {
    return f();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Upstream's rate limiter of controllers: 5 ms doubling up to 1,000 s. */
const BACKOFF_MS = 5;
const BACKOFF_MS_MAX = 1_000_000;
/** How long a key waits after so many failures, in milliseconds. */
export const backoff = (failures: number): number => Math.min(BACKOFF_MS * 2 ** failures, BACKOFF_MS_MAX);
