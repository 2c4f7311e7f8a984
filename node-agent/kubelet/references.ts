import { type Env, sleep } from '../../kube/meta/env.ts';
import { isObject, type JsonObject } from '../../kube/meta/json.ts';
import { type Api, ApiError } from '../api.ts';
import { dataOf, type References } from './env.ts';

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

/** One object that is followed, for all pods that use it. */
interface Followed {
  users: Map<string, () => void>;
  data: Promise<Data | null>;
  stop: AbortController;
}

/**
 * ConfigMaps and Secrets that volumes are made of, each followed by a watch of its own name from its first read until the last pod that
 * read it is gone: nothing is asked again while nothing changes. An immutable one is read once.
 */
export class FollowedReferences {
  readonly #api: Api;
  readonly #env: Env;
  readonly #followed = new Map<string, Followed>();

  constructor(api: Api, env: Env) {
    this.#api = api;
    this.#env = env;
  }

  /** What a pod reads through; `changed` is called each time when something that it has read is another. */
  of(uid: string, changed: () => void): References {
    const read = (what: What) => (namespace: string, name: string) => this.#read(what, namespace, name, uid, changed);
    return { configMap: read('configmaps'), secret: read('secrets') };
  }

  /** Nothing that only this pod has read is followed any more. */
  release(uid: string): void {
    for (const [key, f] of this.#followed) {
      if (!f.users.delete(uid) || f.users.size > 0) continue;
      f.stop.abort();
      this.#followed.delete(key);
    }
  }

  /** How many objects are followed. */
  get size(): number {
    return this.#followed.size;
  }

  stop(): void {
    for (const f of this.#followed.values()) f.stop.abort();
    this.#followed.clear();
  }

  #read(what: What, namespace: string, name: string, uid: string, changed: () => void): Promise<Data | null> {
    const key = `${namespace}/${what}/${name}`;
    const known = this.#followed.get(key);
    if (known) {
      known.users.set(uid, changed);
      return known.data;
    }
    const f: Followed = { users: new Map([[uid, changed]]), data: Promise.resolve(null), stop: new AbortController() };
    this.#followed.set(key, f);
    const first = this.#list(what, namespace, name);
    f.data = first.then((l) => l.data);
    first.then(
      (l) => this.#follow(f, what, namespace, name, l),
      // Whoever waits for it hears why, and asks again.
      () => this.#followed.get(key) === f && this.#followed.delete(key),
    );
    return f.data;
  }

  async #list(what: What, namespace: string, name: string): Promise<Listed> {
    const list = await this.#api.get(`/api/v1/namespaces/${namespace}/${what}?${selector(name)}`);
    const found = (list.items as JsonObject[] | undefined)?.[0];
    const revision = String((list.metadata as JsonObject).resourceVersion);
    return {
      data: found ? dataOf({ ...found, kind: kindOf(what) }) : null,
      fixed: found?.immutable === true,
      revision,
    };
  }

  async #follow(f: Followed, what: What, namespace: string, name: string, from: Listed): Promise<void> {
    const { signal } = f.stop;
    let { revision, fixed } = from;
    let failures = 0;
    const take = (data: Data | null) => {
      f.data = Promise.resolve(data);
      for (const tell of f.users.values()) tell();
    };
    while (!signal.aborted && !fixed) {
      try {
        if (revision === '') {
          const again = await this.#list(what, namespace, name);
          ({ revision, fixed } = again);
          if (!signal.aborted) take(again.data);
        }
        const path = `/api/v1/namespaces/${namespace}/${what}?watch=true&allowWatchBookmarks=true&${selector(name)}`;
        for await (const event of this.#api.watch(`${path}&resourceVersion=${revision}`, signal)) {
          failures = 0;
          const object = event.object;
          if (!isObject(object)) continue;
          if (event.type === 'ERROR') throw new ApiError(Number(object.code ?? 500), object as object);
          revision = String((object.metadata as JsonObject).resourceVersion);
          if (event.type === 'DELETED') take(null);
          if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue;
          fixed = object.immutable === true;
          take(dataOf({ ...object, kind: kindOf(what) }));
          if (fixed) break;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.code === 410) revision = '';
        else this.#env.log('info', 'reference.watch.failed', { what, namespace, name, error: String(error) });
        failures++;
      }
      // A watch that ends by itself has failed without an error.
      if (!signal.aborted && !fixed && failures > 0)
        await sleep(this.#env, Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX) * (0.5 + this.#env.random() / 2));
    }
  }
}

interface Listed {
  data: Data | null;
  /** It never changes: nothing is followed. */
  fixed: boolean;
  revision: string;
}
const selector = (name: string) => `fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`;
