import { type Call, confirm } from './call.ts';
import { plainText } from './respond.ts';

/** Checks by endpoint; each resolves or throws. Liveness doesn't ask the store: a slow store is no reason to restart. */
const CHECKS: Readonly<
  Record<'healthz' | 'livez' | 'readyz', Readonly<Record<string, (call: Call) => Promise<void>>>>
> = {
  healthz: { ping: async () => {}, etcd: confirm },
  livez: { ping: async () => {} },
  readyz: { ping: async () => {}, etcd: confirm, 'etcd-readiness': confirm },
};

/** `/healthz`, `/livez`, `/readyz` and their single checks: `ok`, or the list with `?verbose` or when one fails. */
export async function health(call: Call, name: keyof typeof CHECKS, check: string): Promise<Response> {
  const all = CHECKS[name];
  if (check !== '') {
    const one = Object.hasOwn(all, check) ? all[check] : undefined;
    if (!one) return plainText(call, 404, '404 page not found\n');
    return (await passes(one, call))
      ? plainText(call, 200, 'ok')
      : plainText(call, 500, `internal server error: ${check} failed\n`);
  }
  const excluded = new Set(call.query.getAll('exclude'));
  let text = '';
  let failed = false;
  for (const id in all) {
    const run = all[id];
    if (excluded.has(id)) text += `[+]${id} excluded: ok\n`;
    else if (run && (await passes(run, call))) text += `[+]${id} ok\n`;
    else {
      failed = true;
      text += `[-]${id} failed: reason withheld\n`;
    }
  }
  if (failed) return plainText(call, 500, `${text}${name} check failed\n`);
  return plainText(call, 200, call.query.has('verbose') ? `${text}${name} check passed\n` : 'ok');
}

async function passes(check: (call: Call) => Promise<void>, call: Call): Promise<boolean> {
  try {
    await check(call);
    return true;
  } catch (e) {
    // A View that is behind is no failure of the store: the outer loop takes it in.
    if (!(e instanceof Error)) throw e;
    return false;
  }
}
