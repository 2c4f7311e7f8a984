import { type Env, sleep } from '../../kube/meta/env.ts';
import { isObject, type JsonObject } from '../../kube/meta/json.ts';
import { type Api, ApiError } from '../api.ts';
import { dataOf, type References } from './env.ts';
import type { CertificateRequests } from './volumes/podcertificate.ts';
import type { TrustBundles } from './volumes/trustbundle.ts';

type Data = Record<string, Uint8Array>;
type What = 'configmaps' | 'secrets';

/** A ConfigMap or Secret that was read for environment variables is believed for this long. */
const BELIEVED_MS = 5_000;
/** Waits between attempts to follow an object: from this, doubling, with jitter, up to the most. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 30_000;

/** Reads each time, but the same object only once within BELIEVED_MS. */
export function readReferences(api: Api, env: Env): References {
  const cache = new Map<string, { at: number; data: Promise<Data | null> }>();
  const read = (what: What, namespace: string, name: string) => {
    const path = `/api/v1/namespaces/${namespace}/${what}/${name}`;
    const known = cache.get(path);
    if (known && env.now() - known.at < BELIEVED_MS) return known.data;
    for (const [other, k] of cache) if (env.now() - k.at >= BELIEVED_MS) cache.delete(other);
    const data = api.get(path).then(
      (o) => dataOf({ ...o, kind: kindOf(what) }),
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
const kindOf = (what: What) => (what === 'secrets' ? 'Secret' : 'ConfigMap');

/** A selection of objects that is followed, for all pods that use it. */
interface Followed {
  users: Map<string, () => void>;
  objects: Promise<readonly JsonObject[]>;
  stop: AbortController;
}
/** What a list and its watch are of: `path` of the resource, `field` = a field selector. */
interface Selection {
  path: string;
  field: string;
}

/**
 * Objects that volumes are made of, each selection of them (most of one name) followed by a watch from its first read until the last pod that
 * read it is gone: nothing is asked again while nothing changes. What is immutable is read once.
 */
export class FollowedReferences {
  readonly #api: Api;
  readonly #env: Env;
  readonly #node: string;
  readonly #followed = new Map<string, Followed>();

  constructor(api: Api, env: Env, node: string) {
    this.#api = api;
    this.#node = node;
    this.#env = env;
  }

  /** What a pod reads through; `changed` is called each time when something that it has read is another. */
  of(uid: string, changed: () => void): References & TrustBundles & CertificateRequests {
    const read = (what: What) => async (namespace: string, name: string) => {
      const path = `/api/v1/namespaces/${namespace}/${what}`;
      const [found] = await this.#read({ path, field: `metadata.name=${name}` }, uid, changed);
      return found ? dataOf({ ...found, kind: kindOf(what) }) : null;
    };
    const trustBundles = (field: string) =>
      this.#read({ path: '/apis/certificates.k8s.io/v1/clustertrustbundles', field }, uid, changed);
    const certificateRequests = () =>
      this.#read({ path: PCR_PATH, field: `spec.nodeName=${this.#node}` }, uid, changed);
    return { configMap: read('configmaps'), secret: read('secrets'), trustBundles, certificateRequests };
  }

  /** Nothing that only this pod has read is followed any more. */
  release(uid: string): void {
    for (const [key, f] of this.#followed) {
      if (!f.users.delete(uid) || f.users.size > 0) continue;
      f.stop.abort();
      this.#followed.delete(key);
    }
  }

  /** How many selections are followed. */
  get size(): number {
    return this.#followed.size;
  }

  stop(): void {
    for (const f of this.#followed.values()) f.stop.abort();
    this.#followed.clear();
  }

  #read(of: Selection, uid: string, changed: () => void): Promise<readonly JsonObject[]> {
    const key = queryOf(of);
    const known = this.#followed.get(key);
    if (known) {
      known.users.set(uid, changed);
      return known.objects;
    }
    const first = this.#list(of);
    const f: Followed = {
      users: new Map([[uid, changed]]),
      objects: first.then((l) => l.objects),
      stop: new AbortController(),
    };
    this.#followed.set(key, f);
    first.then(
      (l) => this.#follow(f, of, l),
      // Whoever waits for it hears why, and asks again.
      () => this.#followed.get(key) === f && this.#followed.delete(key),
    );
    return f.objects;
  }

  async #list(of: Selection): Promise<Listed> {
    const list = await this.#api.get(queryOf(of));
    const revision = String((list.metadata as JsonObject).resourceVersion);
    return { objects: (list.items ?? []) as JsonObject[], revision };
  }

  async #follow(f: Followed, of: Selection, from: Listed): Promise<void> {
    const { signal } = f.stop;
    let { revision, objects } = from;
    let failures = 0;
    const take = (now: readonly JsonObject[]) => {
      objects = now;
      f.objects = Promise.resolve(now);
      for (const tell of f.users.values()) tell();
    };
    while (!signal.aborted && !isFixed(objects)) {
      try {
        if (revision === '') {
          const again = await this.#list(of);
          revision = again.revision;
          if (!signal.aborted) take(again.objects);
        }
        const path = `${queryOf(of)}&watch=true&allowWatchBookmarks=true&resourceVersion=${revision}`;
        for await (const event of this.#api.watch(path, signal)) {
          failures = 0;
          const object = event.object;
          if (!isObject(object)) continue;
          if (event.type === 'ERROR') throw new ApiError(Number(object.code ?? 500), object as object);
          revision = String((object.metadata as JsonObject).resourceVersion);
          if (event.type === 'BOOKMARK') continue;
          const others = objects.filter((o) => nameOf(o) !== nameOf(object));
          take(event.type === 'DELETED' ? others : [...others, object]);
          if (isFixed(objects)) break;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.code === 410) revision = '';
        else this.#env.log('info', 'reference.watch.failed', { ...of, error: String(error) });
        failures++;
      }
      // A watch that ends by itself has failed without an error.
      if (!signal.aborted && !isFixed(objects) && failures > 0)
        await sleep(this.#env, Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX) * (0.5 + this.#env.random() / 2));
    }
  }
}

interface Listed {
  objects: readonly JsonObject[];
  revision: string;
}
const queryOf = (of: Selection) => `${of.path}?fieldSelector=${encodeURIComponent(of.field)}`;
/** A node may ask for those of its pods, not for one alone. */
const PCR_PATH = '/apis/certificates.k8s.io/v1/podcertificaterequests';
function nameOf(o: JsonObject): string {
  const m = o.metadata as JsonObject | undefined;
  return `${m?.namespace ?? ''}/${m?.name}`;
}
/** It never changes: nothing is followed. */
const isFixed = (objects: readonly JsonObject[]) => objects.length === 1 && objects[0]?.immutable === true;
