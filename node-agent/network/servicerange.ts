import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Env, sleep } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Api } from '../api.ts';

/** Until the cluster can be reached. */
const RETRY_MS = 500;

interface Kept {
  url: string;
  cidr: string;
}

/**
 * The range of the cluster's Service addresses, of which the API and DNS have theirs: that of its ServiceCIDR `kubernetes`. It never changes, and is kept at `file`
 * for starts without a control plane.
 */
export async function serviceRange(
  api: { get: Api['get']; connection: { url: string } },
  file: string,
  env: Pick<Env, 'after' | 'log'>,
): Promise<string> {
  const { url } = api.connection;
  const text = await readFile(file, 'utf8').catch(() => null); // the first start here
  const kept = text === null ? null : (JSON.parse(text) as Kept);
  if (kept?.url === url) return kept.cidr;
  for (;;) {
    const cidr = await rangeOf(api, env);
    if (cidr !== undefined) {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(`${file}.new`, JSON.stringify({ url, cidr } satisfies Kept));
      await rename(`${file}.new`, file);
      return cidr;
    }
    await sleep(env as Env, RETRY_MS);
  }
}

async function rangeOf(api: Pick<Api, 'get'>, env: Pick<Env, 'log'>): Promise<string | undefined> {
  try {
    const list = await api.get('/apis/networking.k8s.io/v1/servicecidrs?fieldSelector=metadata.name%3Dkubernetes');
    const cidrs = (list.items as JsonObject[]).flatMap(
      (c) => (c.spec as { cidrs?: string[] } | undefined)?.cidrs ?? [],
    );
    if (cidrs[0] === undefined) env.log('warn', 'service.range.missing');
    return cidrs[0];
  } catch (error) {
    env.log('warn', 'service.range.failed', { error: String(error) });
    return undefined;
  }
}
