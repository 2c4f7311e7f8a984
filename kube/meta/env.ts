/**
 * The world as pure code may see it. Only composition roots (workers/main.ts, object classes, node-agent/main.ts, cli/)
 * make one from Date.now, crypto and timers; tests and test/sim make one from a virtual clock and a seed.
 */
export interface Env {
  /** Milliseconds since the epoch, UTC. */
  now(): number;
  /** A uniform number in [0, 1). */
  random(): number;
  /** A random UUID (RFC 9562, version 4), lower case. */
  uuid(): string;
  /** Runs `f` after `ms` milliseconds; the result cancels it. */
  after(ms: number, f: () => void): () => void;
  /** One structured line. `event` is a stable dotted name. Never pass a Secret's value. */
  log(level: 'debug' | 'info' | 'warn' | 'error', event: string, fields?: Record<string, unknown>): void;
}

/** Resolves after `ms` milliseconds of `env`'s clock. */
export function sleep(env: Pick<Env, 'after'>, ms: number): Promise<void> {
  return new Promise((resolve) => env.after(ms, resolve));
}

/** Resolves after `ms` milliseconds of `env`'s clock, or when `signal` aborts; leaves neither timer nor listener. */
export function pause(env: Pick<Env, 'after'>, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const over = () => {
      cancel();
      leave();
      resolve();
    };
    const cancel = env.after(ms, over);
    const leave = onAbort(signal, over);
  });
}

/**
 * Calls `f` when `signal` aborts, not if it has; the result takes that back. In workerd a listener that is left keeps its request, and all that it can reach itself,
 * until the whole heap is collected.
 */
export function onAbort(signal: AbortSignal, f: () => void): () => void {
  signal.addEventListener('abort', f);
  return () => signal.removeEventListener('abort', f);
}

/** Milliseconds since then. The clock may have been set back: then it is over, or a limit would hold for as long as the clock went back. */
export const passed = (now: number, thenMs: number): number => (now < thenMs ? Number.POSITIVE_INFINITY : now - thenMs);
