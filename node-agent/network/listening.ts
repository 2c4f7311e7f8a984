import type { Env } from '../../kube/meta/env.ts';

/** How soon an address that was taken is tried again: another agent of this machine may have ended. */
const RETRY_MS = 5_000;

/** Something that listens, until it is closed. */
export interface Listening {
  close(): Promise<void>;
}

/** Opens until it works or `signal` aborts; closes when `signal` aborts. Resolves when that is done. */
export async function keepListening(
  what: string,
  open: () => Promise<Listening>,
  env: Env,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const listening = await open();
      if (!signal.aborted) await new Promise((r) => signal.addEventListener('abort', r, { once: true }));
      await listening.close();
      return;
    } catch (error) {
      if (failures === 0) env.log('warn', 'listen.failed', { what, error: String(error) });
    }
    await pause(RETRY_MS, env, signal);
  }
}

/** Resolves after `ms` milliseconds, or when `signal` aborts. */
export function pause(ms: number, env: Pick<Env, 'after'>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const over = () => {
      cancel();
      signal.removeEventListener('abort', over);
      resolve();
    };
    const cancel = env.after(ms, over);
    signal.addEventListener('abort', over);
  });
}
