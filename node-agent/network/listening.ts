import { type Env, pause } from '../../kube/meta/env.ts';

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
    await pause(env, RETRY_MS, signal);
  }
}
