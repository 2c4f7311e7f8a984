import { type Env, sleep } from '../../kube/meta/env.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { formatMicroTime } from '../../kube/meta/time.ts';
import { type Api, ApiError } from '../api.ts';
import type { ImageStore, Runtime } from '../runtime/runtime.ts';
import { fingerprint, type Relist, relist } from './actual.ts';
import type { NodeFacts } from './container.ts';
import { dataOf, type References } from './env.ts';
import { createPuller } from './images.ts';
import { capacity } from './node.ts';
import { type Pod, type PodStatus, uidOf } from './pod.ts';
import { followPods, type PodHandler } from './source.ts';
import { type TokenSource, tearDownVolumes } from './volumes.ts';
import { PodWorker } from './worker.ts';

/** kubelet's generic PLEG: how often the runtime is asked what changed. */
const RELIST_MS = 1_000;
/** A ConfigMap or Secret that was read is believed for this long. */
const REFERENCE_MS = 5_000;

export interface KubeletParts {
  api: Api;
  runtime: Runtime;
  images: ImageStore;
  node: NodeFacts;
  name: string;
  root: string;
  hostIPs: readonly string[];
  env: Env;
}

/** The pods of this node: one worker each, woken by the API's watch and by the runtime's changes. */
export class Kubelet implements PodHandler {
  readonly workers = new Map<string, PodWorker>();
  readonly #p: KubeletParts;
  readonly #parts;
  #current: Promise<unknown> | undefined;
  #next: Promise<Relist> | undefined;
  #seen = new Map<string, string>();
  #synced = false;
  #stop = new AbortController();

  constructor(p: KubeletParts) {
    this.#p = p;
    this.#parts = {
      runtime: p.runtime,
      images: createPuller(p.images, () => p.env.now()),
      refs: references(p.api, p.env),
      token: tokens(p.api, p.env),
      node: p.node,
      root: p.root,
      hostIPs: p.hostIPs,
      allocatable: capacity().allocatable,
      services: () => [],
      relist: () => this.#relist(),
      report: (pod: Pod, status: PodStatus) => this.#report(pod, status),
      removeObject: (pod: Pod) => this.#removeObject(pod),
      event: (pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string) =>
        this.#event(pod, type, reason, message),
      env: p.env,
    };
  }

  /** Runs until `stop`: follows the API and the runtime. */
  async run(): Promise<void> {
    await Promise.all([followPods(this.#p.api, this.#p.name, this, this.#p.env, this.#stop.signal), this.#follow()]);
  }

  /** Leaves all pods as they are. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.workers.values()].map((w) => w.leave()));
  }

  /** The worker of a pod by namespace and name. */
  find(namespace: string, name: string): PodWorker | undefined {
    for (const w of this.workers.values())
      if (w.pod.metadata.name === name && w.pod.metadata.namespace === namespace) return w;
    return undefined;
  }

  replace(pods: Pod[]): void {
    const uids = new Set(pods.map(uidOf));
    for (const [uid, w] of this.workers) if (!uids.has(uid)) this.remove(w.pod);
    for (const pod of pods) this.upsert(pod);
    this.#synced = true;
  }
  upsert(pod: Pod): void {
    const worker = this.workers.get(uidOf(pod));
    if (worker) {
      // Our own status may be ahead of what the watch shows: keep it, or it would be sent again and again.
      worker.pod = { ...pod, ...(worker.pod.status ? { status: merged(worker.pod.status, pod.status) } : {}) };
      worker.wake();
      return;
    }
    this.#p.env.log('debug', 'pod.seen', { pod: pod.metadata.name });
    const made = new PodWorker(pod, this.#parts);
    this.workers.set(uidOf(pod), made);
    made.wake();
  }
  remove(pod: Pod): void {
    const worker = this.workers.get(uidOf(pod));
    if (!worker) return;
    worker.gone = true;
    worker.pod = {
      ...worker.pod,
      metadata: {
        ...worker.pod.metadata,
        deletionTimestamp: worker.pod.metadata.deletionTimestamp ?? '',
        deletionGracePeriodSeconds: worker.pod.metadata.deletionGracePeriodSeconds ?? 0,
      },
    };
    worker.wake();
  }
  reachable(): void {}

  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await sleep(this.#p.env, RELIST_MS);
      const list = await this.#relist().catch((e: unknown) => {
        this.#p.env.log('warn', 'relist.failed', { error: String(e) });
        return null;
      });
      if (list === null) continue;
      for (const uid of new Set([...list.sandboxes.keys(), ...list.containers.keys(), ...this.workers.keys()])) {
        const print = fingerprint(list, uid);
        const worker = this.workers.get(uid);
        if (worker?.finished) {
          this.workers.delete(uid);
          this.#seen.delete(uid);
        } else if (!worker && this.#synced) await this.#orphan(uid, list);
        else if (this.#seen.get(uid) !== print) {
          this.#seen.set(uid, print);
          worker?.wake();
        }
      }
    }
  }

  /** What runs here for a pod that the API doesn't know any more. */
  async #orphan(uid: string, list: Relist): Promise<void> {
    this.#p.env.log('info', 'pod.orphan', { uid });
    try {
      for (const s of list.sandboxes.get(uid) ?? []) {
        await this.#p.runtime.stopPodSandbox(s.id);
        await this.#p.runtime.removePodSandbox(s.id);
      }
      await tearDownVolumes(this.#p.root, uid);
    } catch (error) {
      this.#p.env.log('warn', 'pod.orphan.failed', { uid, error: String(error) }); // the next relist tries again
    }
  }

  #relist(): Promise<Relist> {
    // A list that has already begun may miss what the caller just did: callers share the next one instead.
    this.#next ??= (this.#current ?? Promise.resolve()).then(() => {
      this.#next = undefined;
      const list = relist(this.#p.runtime);
      this.#current = list
        .catch(() => undefined)
        .then(() => {
          this.#current = undefined;
        });
      return list;
    });
    return this.#next;
  }

  async #report(pod: Pod, status: PodStatus): Promise<void> {
    const m = pod.metadata;
    const path = `/api/v1/namespaces/${m.namespace}/pods/${m.name}/status`;
    const body = { metadata: { uid: m.uid }, status } as unknown as JsonObject;
    await this.#p.api.send('PATCH', path, body, 'application/merge-patch+json').catch((e: unknown) => {
      // Gone or replaced by another of the same name: nobody is left to tell.
      if (e instanceof ApiError && (e.code === 404 || e.code === 409)) return;
      throw e;
    });
  }

  async #removeObject(pod: Pod): Promise<void> {
    const m = pod.metadata;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 0,
      preconditions: { uid: m.uid ?? '' },
    };
    await this.#p.api.send('DELETE', `/api/v1/namespaces/${m.namespace}/pods/${m.name}`, body).catch((e: unknown) => {
      if (e instanceof ApiError && (e.code === 404 || e.code === 409)) return;
      throw e;
    });
  }

  #event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const m = pod.metadata;
    const now = this.#p.env.now();
    const time = formatMicroTime(now);
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: `${m.name}.${Math.floor(now * 1000).toString(16)}${Math.floor(this.#p.env.random() * 65536).toString(16)}`,
        namespace: m.namespace ?? '',
      },
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        name: m.name ?? '',
        namespace: m.namespace ?? '',
        uid: m.uid ?? '',
        resourceVersion: m.resourceVersion ?? '',
      },
      type,
      reason,
      message: message.slice(0, 1024),
      source: { component: 'kubelet', host: this.#p.name },
      reportingComponent: 'kubelet',
      reportingInstance: this.#p.name,
      firstTimestamp: `${time.slice(0, 19)}Z`,
      lastTimestamp: `${time.slice(0, 19)}Z`,
      count: 1,
    };
    this.#p.api.send('POST', `/api/v1/namespaces/${m.namespace}/events`, body).catch((e: unknown) => {
      this.#p.env.log('debug', 'event.failed', { reason, error: String(e) }); // Events are best effort, as upstream's
    });
  }
}

/** Our status, with conditions that others own as the API has them. */
function merged(own: PodStatus, api: PodStatus | undefined): PodStatus {
  const mine = new Set(['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady']);
  return {
    ...own,
    conditions: [
      ...(own.conditions ?? []).filter((c) => mine.has(c.type)),
      ...(api?.conditions ?? []).filter((c) => !mine.has(c.type)),
    ],
  };
}

function references(api: Api, env: Env): References {
  const cache = new Map<string, { at: number; data: Promise<Record<string, Uint8Array> | null> }>();
  const read = (what: string, namespace: string, name: string) => {
    const path = `/api/v1/namespaces/${namespace}/${what}/${name}`;
    const known = cache.get(path);
    if (known && env.now() - known.at < REFERENCE_MS) return known.data;
    const kind = what === 'secrets' ? 'Secret' : 'ConfigMap';
    const data = api.get(path).then(
      (o) => dataOf({ ...o, kind }),
      (e: unknown) => {
        cache.delete(path);
        if (e instanceof ApiError && e.code === 404) return null;
        throw e;
      },
    );
    cache.set(path, { at: env.now(), data });
    return data;
  };
  return { configMap: (ns, n) => read('configmaps', ns, n), secret: (ns, n) => read('secrets', ns, n) };
}

/** Tokens bound to their pod, asked anew when 80 % of their life is over: kubelet's token manager. */
function tokens(api: Api, env: Env): TokenSource {
  const cache = new Map<string, { token: string; renewMs: number }>();
  return async (pod, audience, expirationSeconds) => {
    const m = pod.metadata;
    const key = `${m.uid}/${audience ?? ''}/${expirationSeconds}`;
    const known = cache.get(key);
    if (known && known.renewMs > env.now()) return known.token;
    const spec = {
      ...(audience ? { audiences: [audience] } : {}),
      expirationSeconds,
      boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: m.name ?? '', uid: m.uid ?? '' },
    };
    const path = `/api/v1/namespaces/${m.namespace}/serviceaccounts/${pod.spec.serviceAccountName ?? 'default'}/token`;
    const answer = await api.send('POST', path, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec });
    const token = String((answer.status as JsonObject).token);
    cache.set(key, { token, renewMs: env.now() + expirationSeconds * 800 });
    return token;
  };
}
