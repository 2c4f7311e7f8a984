import { type Env, pause } from '../../kube/meta/env.ts';
import { isObject, type JsonObject } from '../../kube/meta/json.ts';
import { type Api, ApiError } from '../api.ts';

/** Waits between attempts to reach the API: from this, doubling, with jitter, up to the most. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 30_000;
/** Objects of one page of a list: client-go's own page, so that a page is neither a long wait nor many requests. */
const PAGE_MAX = 500;
/** A watch that ended sooner than this without a word is a failure: asked again at once, it would be asked without end. */
const WATCH_MS_MIN = 1_000;

/** What is followed. */
export interface Resource {
  /** Of all objects: `/api/v1/services`, `/apis/discovery.k8s.io/v1/endpointslices`, also below one namespace. */
  path: string;
  labelSelector?: string;
  fieldSelector?: string;
}

/** Hears what is there, as `project` made it. Keys are `namespace/name`, or `name` where there is no namespace. */
export interface Sink<T> {
  /** All of it, at first and whenever changes were missed; what is missing here is gone. */
  replace(items: Map<string, T>): void;
  put(key: string, item: T): void;
  /** `last`: as it was when it went; null where `project` makes nothing of that. */
  remove(key: string, last: T | null): void;
  /** The API can be reached, or can't. */
  reachable?(yes: boolean): void;
}

/** What is kept of an object; null: nothing, it isn't one of these. */
export type Project<T> = (object: JsonObject) => T | null;

/**
 * Follows a resource until `signal` aborts: a list in pages, then a watch, resumed by revision, also from bookmarks; a new
 * list after 410. Failures are retried for ever, slower each time.
 */
export async function reflect<T>(
  api: Api,
  resource: Resource,
  project: Project<T>,
  sink: Sink<T>,
  env: Env,
  signal: AbortSignal,
): Promise<void> {
  let revision = '';
  let failures = 0;
  while (!signal.aborted) {
    try {
      if (revision === '') {
        const list = await listAll(api, resource, project);
        if (signal.aborted) return;
        sink.replace(list.items);
        revision = list.revision;
      }
      sink.reachable?.(true);
      const began = env.now();
      let heard = false;
      for await (const event of api.watch(watchPath(resource, revision), signal)) {
        heard = true;
        failures = 0;
        revision = take(event, project, sink) ?? revision;
      }
      if (!heard && env.now() - began < WATCH_MS_MIN) await backOff(++failures, env, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.code === 410) {
        revision = '';
        if (failures++ === 0) continue; // the first time at once: this is how a long absence ends
      } else {
        sink.reachable?.(error instanceof ApiError);
        env.log('warn', 'watch.failed', { path: resource.path, error: String(error) });
        failures++;
      }
      await backOff(failures, env, signal);
    }
  }
}

const keyOf = (object: JsonObject): string => {
  const m = object.metadata as JsonObject;
  return m.namespace === undefined ? String(m.name) : `${String(m.namespace)}/${String(m.name)}`;
};
const revisionOf = (object: JsonObject): string | undefined => {
  const revision = isObject(object.metadata) ? object.metadata.resourceVersion : undefined;
  return typeof revision === 'string' ? revision : undefined;
};

function query(r: Resource, more: Record<string, string>): string {
  const q = new URLSearchParams(more);
  if (r.labelSelector) q.set('labelSelector', r.labelSelector);
  if (r.fieldSelector) q.set('fieldSelector', r.fieldSelector);
  return `${r.path}?${q}`;
}
const watchPath = (r: Resource, revision: string) =>
  query(r, { watch: 'true', allowWatchBookmarks: 'true', resourceVersion: revision });

/** All pages of a list at one revision. Objects are projected page by page, so that no list is in memory whole. */
async function listAll<T>(
  api: Api,
  r: Resource,
  project: Project<T>,
): Promise<{ items: Map<string, T>; revision: string }> {
  const items = new Map<string, T>();
  let token = '';
  for (;;) {
    const page = await api.get(query(r, { limit: String(PAGE_MAX), ...(token ? { continue: token } : {}) }));
    for (const object of (page.items ?? []) as JsonObject[]) {
      const item = project(object);
      if (item !== null) items.set(keyOf(object), item);
    }
    const meta = page.metadata as JsonObject;
    token = String(meta.continue ?? '');
    if (token === '') return { items, revision: String(meta.resourceVersion) };
  }
}

/** Hands one event on; the revision to resume from. Throws what an ERROR event says. */
function take<T>(event: JsonObject, project: Project<T>, sink: Sink<T>): string | undefined {
  const object = event.object;
  if (!isObject(object)) return undefined;
  if (event.type === 'ERROR') throw new ApiError(Number(object.code ?? 500), object as object);
  if (event.type !== 'BOOKMARK') {
    const item = project(object);
    if (event.type === 'DELETED' || item === null) sink.remove(keyOf(object), item);
    else sink.put(keyOf(object), item);
  }
  return revisionOf(object);
}

/** Waits after the n-th failure, but not past an abort. */
function backOff(failures: number, env: Env, signal: AbortSignal): Promise<void> {
  return pause(env, Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX) * (0.5 + env.random() / 2), signal);
}
