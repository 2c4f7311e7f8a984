import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Env, sleep } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Api } from '../api.ts';

/** Until the cluster can be reached. */
const RETRY_MS = 500;

/**
 * The range of the cluster's Service addresses, of which the API and DNS have theirs: that of its ServiceCIDR `kubernetes`. It never changes, and is kept at `file`
 * for starts without a control plane.
 */
export async function serviceRange(
  api: Pick<Api, 'get'>,
  file: string,
  env: Pick<Env, 'after' | 'log'>,
): Promise<string> {
  const kept = await readFile(file, 'utf8').catch(() => null); // the first start here
  if (kept !== null) return kept;
  for (;;) {
    try {
      const list = await api.get('/apis/networking.k8s.io/v1/servicecidrs?fieldSelector=metadata.name%3Dkubernetes');
      const [cidr] = (list.items as JsonObject[]).flatMap(
        (c) => (c.spec as { cidrs?: string[] } | undefined)?.cidrs ?? [],
      );
      if (cidr !== undefined) {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(`${file}.new`, cidr);
        await rename(`${file}.new`, file);
        return cidr;
      }
      env.log('warn', 'service.range.missing');
    } catch (error) {
      env.log('warn', 'service.range.failed', { error: String(error) });
    }
    await sleep(env as Env, RETRY_MS);
  }
}
