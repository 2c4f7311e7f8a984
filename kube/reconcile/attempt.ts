/** What a function gives, or the error that it throws. */
export function attempt<T>(f: () => T): T | Error {
  try {
    return f();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
