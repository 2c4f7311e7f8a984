import type { Env } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { formatTime } from '../../kube/meta/time.ts';
import { type Api, ApiError } from '../api.ts';
import type { Pod } from './pod.ts';

/** client-go's recorder: what is said again within this is counted in the Event that said it first. */
const SAME_MS = 600_000;
/** Events that are remembered for that; the oldest goes. */
const REMEMBERED_MAX = 1_000;
/** client-go's spam filter: so many Events of one pod at once, then one in each REFILL_MS. */
const BURST = 25;
const REFILL_MS = 300_000;
/** core/v1 Event.message. */
const MESSAGE_UNITS_MAX = 1024;

/** What an Event is about: core/v1 ObjectReference. */
interface Regarded {
  apiVersion?: string;
  kind: string;
  name: string;
  namespace?: string;
  uid: string;
  resourceVersion?: string;
  fieldPath?: string;
}

interface Said {
  path: string;
  count: number;
  lastMs: number;
  /** The one before has been sent: repetitions are counted one after the other. */
  sent: Promise<unknown>;
}

/** Where a container stands in its pod, as the kubelet writes it: `spec.containers{main}`. */
function fieldPathOf(pod: Pod, container: string): string {
  const lists = ['containers', 'initContainers', 'ephemeralContainers'] as const;
  const list = lists.find((l) => pod.spec[l]?.some((c) => c.name === container));
  return list ? `spec.${list}{${container}}` : `implicitly required container ${container}`;
}

/** Tells Events of pods: best effort, repetitions counted, none of a pod that says too much. */
export class PodEvents {
  readonly #api: Api;
  readonly #env: Env;
  readonly #node: string;
  readonly #said = new Map<string, Said>();
  readonly #tokens = new Map<string, { left: number; atMs: number }>();

  constructor(api: Api, env: Env, node: string) {
    this.#api = api;
    this.#env = env;
    this.#node = node;
  }

  /** `container`: the Event is about that one of the pod. */
  tell(pod: Pod, type: 'Normal' | 'Warning', reason: string, text: string, container?: string): void {
    const { name = '', namespace = '', uid = '', resourceVersion = '' } = pod.metadata;
    const about = { apiVersion: 'v1', kind: 'Pod', name, namespace, uid, resourceVersion };
    const fieldPath = container === undefined ? undefined : fieldPathOf(pod, container);
    this.#tell(fieldPath === undefined ? about : { ...about, fieldPath }, type, reason, text);
  }

  /** An Event of this node: it lies in the namespace `default`, and the node's name stands for its uid, as the kubelet does it. */
  tellNode(type: 'Normal' | 'Warning', reason: string, text: string): void {
    this.#tell({ kind: 'Node', name: this.#node, uid: this.#node }, type, reason, text);
  }

  #tell(object: Regarded, type: string, reason: string, text: string): void {
    const { uid } = object;
    if (!this.#allowed(uid)) return;
    const message = text.slice(0, MESSAGE_UNITS_MAX);
    const key = `${uid}/${object.fieldPath ?? ''}/${type}/${reason}/${message}`;
    const now = this.#env.now();
    const before = this.#said.get(key);
    this.#said.delete(key);
    const again = before && now - before.lastMs < SAME_MS ? before : undefined;
    const said = again
      ? { path: '', count: again.count + 1, lastMs: now, sent: again.sent }
      : { path: '', count: 1, lastMs: now, sent: Promise.resolve() };
    this.#said.set(key, said);
    if (this.#said.size > REMEMBERED_MAX) this.#said.delete(this.#said.keys().next().value ?? '');
    said.sent = said.sent
      .then(() => (again ? this.#repeat(said, again) : this.#first(said, object, type, reason, message)))
      .catch((e: unknown) => this.#env.log('debug', 'event.failed', { reason, error: String(e) }));
  }

  #allowed(uid: string): boolean {
    const now = this.#env.now();
    const t = this.#tokens.get(uid) ?? { left: BURST, atMs: now };
    const left = Math.min(BURST, t.left + (now - t.atMs) / REFILL_MS);
    this.#tokens.delete(uid);
    this.#tokens.set(uid, { left: left < 1 ? left : left - 1, atMs: now });
    if (this.#tokens.size > REMEMBERED_MAX) this.#tokens.delete(this.#tokens.keys().next().value ?? '');
    return left >= 1;
  }

  async #repeat(said: Said, again: Said): Promise<void> {
    said.path = again.path;
    if (said.path === '') return;
    const body = { count: said.count, lastTimestamp: formatTime(said.lastMs) };
    await this.#api.send('PATCH', said.path, body, 'application/merge-patch+json').catch((e: unknown) => {
      // It has expired: the next one begins anew.
      if (e instanceof ApiError && e.code === 404) said.lastMs = Number.NEGATIVE_INFINITY;
      else throw e;
    });
  }

  async #first(said: Said, object: Regarded, type: string, reason: string, message: string): Promise<void> {
    const namespace = object.namespace ?? 'default';
    const random = Math.floor(this.#env.random() * 65536).toString(16);
    const name = `${object.name}.${Math.floor(said.lastMs * 1000).toString(16)}${random}`;
    const body: JsonObject = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: { ...object },
      type,
      reason,
      message,
      source: { component: 'kubelet', host: this.#node },
      reportingComponent: 'kubelet',
      reportingInstance: this.#node,
      firstTimestamp: formatTime(said.lastMs),
      lastTimestamp: formatTime(said.lastMs),
      count: 1,
    };
    await this.#api.send('POST', `/api/v1/namespaces/${namespace}/events`, body);
    said.path = `/api/v1/namespaces/${namespace}/events/${name}`;
  }
}
