import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Env, sleep } from '../../../kube/meta/env.ts';
import { at, type KubeObject } from '../../../kube/meta/object.ts';

/** Until the cluster has given this node a range, or can be reached. */
const RETRY_MS = 500;

/**
 * This node's pod ranges where its settings have none: those that the cluster gives the Node (workers/controllers/nodeipam.ts). `node` reads it, or makes it.
 * They never change, and are kept at `file` for starts without a control plane.
 */
export async function clusterRanges(
  node: () => Promise<KubeObject>,
  file: string,
  env: Pick<Env, 'after' | 'log'>,
): Promise<string[]> {
  const kept = await readFile(file, 'utf8').catch(() => null); // the first start here
  if (kept !== null) return JSON.parse(kept) as string[];
  for (;;) {
    const ranges = await node().then(
      (n) => (at(n, 'spec.podCIDRs') ?? []) as string[],
      (error: unknown) => {
        env.log('warn', 'node.range.failed', { error: String(error) });
        return [];
      },
    );
    if (ranges.length > 0) {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(`${file}.new`, JSON.stringify(ranges));
      await rename(`${file}.new`, file);
      return ranges;
    }
    await sleep(env as Env, RETRY_MS);
  }
}
