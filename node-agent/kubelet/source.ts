import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Api } from '../api.ts';
import { reflect } from '../feed/reflect.ts';
import type { Pod } from './pod.ts';

/** What the pod source tells: the whole set at (re)list, then single changes. */
export interface PodHandler {
  /** All pods of this node as of now; what is missing is gone. */
  replace(pods: Pod[]): void;
  upsert(pod: Pod): void;
  remove(pod: Pod): void;
  /** The API can be reached, or can't. */
  reachable(yes: boolean): void;
}

/** An item of a list carries neither. */
const podOf = (o: JsonObject): Pod => ({ apiVersion: 'v1', kind: 'Pod', ...o }) as unknown as Pod;

/** Follows the pods that are bound to this node until `signal` aborts. */
export function followPods(api: Api, node: string, handler: PodHandler, env: Env, signal: AbortSignal): Promise<void> {
  const resource = { path: '/api/v1/pods', fieldSelector: `spec.nodeName=${node}` };
  const sink = {
    replace: (pods: Map<string, Pod>) => handler.replace([...pods.values()]),
    put: (_key: string, pod: Pod) => handler.upsert(pod),
    remove: (_key: string, pod: Pod | null) => pod && handler.remove(pod),
    reachable: (yes: boolean) => handler.reachable(yes),
  };
  return reflect(api, resource, podOf, sink, env, signal);
}
