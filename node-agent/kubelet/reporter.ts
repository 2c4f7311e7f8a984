import { type Env, sleep } from '../../kube/meta/env.ts';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import { type Api, ApiError } from '../api.ts';
import { isOwn, PASSING_CONDITIONS } from './conditions.ts';
import { type Pod, type PodStatus, uidOf } from './pod.ts';

/** Waits between attempts to send a status: from this, doubling, up to the most. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 10_000;

interface Sending {
  /** Newest status that hasn't been sent. */
  next: { pod: Pod; status: PodStatus } | undefined;
  running: Promise<void> | undefined;
  /** Revision that the last answer had. */
  revision: number;
  /** Conditions of ours that the API may show. */
  shown: Set<string>;
}

/**
 * Sends statuses of pods to the API, the newest of each pod, again and again until it is taken: whoever reports goes on at
 * once, so that a control plane that can't be reached holds up nothing on the machine.
 */
export class StatusReporter {
  readonly #api: Api;
  readonly #env: Env;
  readonly #pods = new Map<string, Sending>();
  #stopped = false;

  constructor(api: Api, env: Env) {
    this.#api = api;
    this.#env = env;
  }

  report(pod: Pod, status: PodStatus): void {
    const uid = uidOf(pod);
    const s = this.#pods.get(uid) ?? { next: undefined, running: undefined, revision: 0, shown: new Set<string>() };
    this.#pods.set(uid, s);
    for (const c of pod.status?.conditions ?? []) if (PASSING_CONDITIONS.has(c.type)) s.shown.add(c.type);
    s.next = { pod, status };
    s.running ??= this.#send(s).finally(() => {
      s.running = undefined;
    });
  }

  /** Resolves once nothing of the pod waits to be sent. */
  async sent(pod: Pod): Promise<void> {
    await this.#pods.get(uidOf(pod))?.running;
  }

  /** True when what the API shows at `resourceVersion` includes all that was reported: a difference is another's doing then. */
  includedIn(uid: string, resourceVersion: string | undefined): boolean {
    const s = this.#pods.get(uid);
    return s === undefined || (s.running === undefined && Number(resourceVersion ?? 0) >= s.revision);
  }

  forget(uid: string): void {
    this.#pods.delete(uid);
  }

  stop(): void {
    this.#stopped = true;
  }

  async #send(s: Sending): Promise<void> {
    for (let failures = 0; s.next !== undefined && !this.#stopped; ) {
      const { pod, status } = s.next;
      s.next = undefined;
      try {
        const answer = await this.#patch(pod, status, s.shown);
        s.shown = new Set((status.conditions ?? []).map((c) => c.type).filter((t) => PASSING_CONDITIONS.has(t)));
        s.revision = Number((answer.metadata as JsonObject | undefined)?.resourceVersion ?? 0);
        failures = 0;
      } catch (error) {
        // Gone or replaced by another of the same name: nobody is left to tell.
        if (error instanceof ApiError && (error.code === 404 || error.code === 409)) continue;
        this.#env.log('warn', 'pod.status.failed', { pod: pod.metadata.name, error: String(error) });
        s.next ??= { pod, status };
        await sleep(this.#env, Math.min(RETRY_MS * 2 ** failures++, RETRY_MS_MAX));
      }
    }
  }

  #patch(pod: Pod, status: PodStatus, shown: ReadonlySet<string>): Promise<JsonObject> {
    const m = pod.metadata;
    const path = `/api/v1/namespaces/${m.namespace}/pods/${m.name}/status`;
    // Lists that a strategic merge would join with what was there are ours as a whole; conditions are joined by type.
    const whole = (list: unknown[] | undefined) => (list ? [{ $patch: 'replace' }, ...list] : undefined);
    const own = (status.conditions ?? []).filter(isOwn);
    const patched = {
      ...status,
      conditions: [
        ...own.map((c) => ({ ...c, reason: c.reason ?? null, message: c.message ?? null })),
        ...[...shown].filter((t) => !own.some((c) => c.type === t)).map((type) => ({ $patch: 'delete', type })),
      ],
      ...(status.podIPs ? { podIPs: whole(status.podIPs) } : {}),
      ...(status.hostIPs ? { hostIPs: whole(status.hostIPs) } : {}),
    };
    const body = { metadata: { uid: m.uid }, status: patched } as unknown as Json;
    return this.#api.send('PATCH', path, body, 'application/strategic-merge-patch+json');
  }
}
