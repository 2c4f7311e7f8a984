import { isDeepStrictEqual } from 'node:util';
import type { Env } from '../../kube/meta/env.ts';
import type { Api } from '../api.ts';
import { type Project, type Resource, reflect, type Sink } from './reflect.ts';

/** The objects of a resource as they are now, projected. Keys are `namespace/name`, or `name` where there is no namespace. */
export interface Feed<T> {
  readonly items: ReadonlyMap<string, T>;
  /** True once all of it has been heard; nothing is known before. */
  readonly synced: boolean;
  /** Resolves when `synced` becomes true. */
  readonly ready: Promise<void>;
  /** Those of one group (`FeedOptions.group`), in no order. */
  of(group: string): readonly T[];
  /**
   * Calls `f` with the keys that came, changed or went since the last call: once for all that arrived together, and not
   * where the projection is as it was. The first list counts as a change, also when it's empty. The result ends it.
   */
  listen(f: (changed: ReadonlySet<string>) => void): () => void;
}

/** A feed that somebody fills. */
export interface FilledFeed<T> extends Feed<T>, Sink<T> {}

/** `group`: what `Feed.of` finds an item by (the Service of a slice). */
export interface FeedOptions<T> {
  group?: (item: T) => string;
}

/** A feed that is filled by its `Sink` half: by `followFeed`, or by a test. */
export function createFeed<T>(env: Pick<Env, 'after'>, o: FeedOptions<T> = {}): FilledFeed<T> {
  const items = new Map<string, T>();
  const groups = new Map<string, Map<string, T>>();
  const listeners = new Set<(changed: ReadonlySet<string>) => void>();
  let changed = new Set<string>();
  let told = false;
  let synced = false;
  let nowReady: () => void = () => undefined;
  const ready = new Promise<void>((r) => (nowReady = r));

  function tell(): void {
    if (told) return;
    told = true;
    env.after(0, () => {
      const keys = changed;
      changed = new Set();
      told = false;
      for (const f of [...listeners]) f(keys);
    });
  }
  function regroup(key: string, before: T | undefined, now: T | undefined): void {
    if (!o.group) return;
    if (before !== undefined) {
      const group = groups.get(o.group(before));
      group?.delete(key);
      if (group?.size === 0) groups.delete(o.group(before));
    }
    if (now === undefined) return;
    const name = o.group(now);
    const group = groups.get(name) ?? new Map<string, T>();
    groups.set(name, group.set(key, now));
  }
  function put(key: string, item: T): void {
    const before = items.get(key);
    if (before !== undefined && isDeepStrictEqual(before, item)) return;
    items.set(key, item);
    regroup(key, before, item);
    changed.add(key);
    tell();
  }
  function remove(key: string): void {
    const before = items.get(key);
    if (before === undefined) return;
    items.delete(key);
    regroup(key, before, undefined);
    changed.add(key);
    tell();
  }

  return {
    items,
    ready,
    get synced() {
      return synced;
    },
    of: (group) => [...(groups.get(group)?.values() ?? [])],
    listen(f) {
      listeners.add(f);
      return () => listeners.delete(f);
    },
    replace(all) {
      for (const key of [...items.keys()]) if (!all.has(key)) remove(key);
      for (const [key, item] of all) put(key, item);
      if (synced) return;
      synced = true;
      nowReady();
      tell();
    },
    put,
    remove,
  };
}

/** Fills `feed` from the API until `signal` aborts. */
export function followFeed<T>(
  api: Api,
  resource: Resource,
  project: Project<T>,
  feed: FilledFeed<T>,
  env: Env,
  signal: AbortSignal,
): Promise<void> {
  return reflect(api, resource, project, feed, env, signal);
}
