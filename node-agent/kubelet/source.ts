import { type Env, sleep } from '../../kube/meta/env.ts';
import { isObject, type JsonObject } from '../../kube/meta/json.ts';
import { type Api, ApiError } from '../api.ts';
import type { Pod } from './pod.ts';

/** Waits between attempts to reach the API: from this, doubling, with jitter, up to the most. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 30_000;

/** What the pod source tells: the whole set at (re)list, then single changes. */
export interface PodHandler {
  /** All pods of this node as of now; what is missing is gone. */
  replace(pods: Pod[]): void;
  upsert(pod: Pod): void;
  remove(pod: Pod): void;
  /** The API can be reached, or can't. */
  reachable(yes: boolean): void;
}

/** Follows the pods that are bound to this node until `signal` aborts: list, then watch, resumed by revision; relists after 410. */
export async function followPods(
  api: Api,
  node: string,
  handler: PodHandler,
  env: Env,
  signal: AbortSignal,
): Promise<void> {
  const selector = `fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}`;
  let revision = '';
  let failures = 0;
  while (!signal.aborted) {
    try {
      if (revision === '') {
        const list = await api.get(`/api/v1/pods?${selector}`);
        handler.replace(
          (list.items as JsonObject[]).map((p) => ({ apiVersion: 'v1', kind: 'Pod', ...p }) as unknown as Pod),
        );
        revision = String((list.metadata as JsonObject).resourceVersion);
      }
      handler.reachable(true);
      for await (const event of api.watch(
        `/api/v1/pods?watch=true&allowWatchBookmarks=true&${selector}&resourceVersion=${revision}`,
        signal,
      )) {
        failures = 0;
        revision = take(event, handler) ?? revision;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.code === 410) {
        revision = '';
        continue;
      }
      handler.reachable(error instanceof ApiError);
      env.log('warn', 'pods.watch.failed', { error: String(error) });
      failures++;
      await sleep(env, Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX) * (0.5 + env.random() / 2));
    }
  }
}

/** Hands one event on; the revision to resume from. Throws what an ERROR event says. */
function take(event: JsonObject, handler: PodHandler): string | undefined {
  const object = event.object;
  if (!isObject(object)) return undefined;
  if (event.type === 'ERROR') throw new ApiError(Number(object.code ?? 500), object as object);
  const pod = object as unknown as Pod;
  if (event.type === 'ADDED' || event.type === 'MODIFIED') handler.upsert(pod);
  if (event.type === 'DELETED') handler.remove(pod);
  return pod.metadata.resourceVersion;
}
