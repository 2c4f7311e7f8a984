import type { JsonObject } from '../../../kube/meta/json.ts';
import type { Key } from '../../../kube/store/store.ts';
import { template } from './deployments.ts';
import type { Given } from './view.ts';
import type { World } from './world.ts';

// What tests of whole rollouts look at.

export const specOf = (o: Given | undefined): JsonObject => (o?.spec ?? {}) as JsonObject;
export const isReady = (p: Given): boolean =>
  ((p.status as { conditions?: { status: string }[] } | undefined)?.conditions ?? []).some((c) => c.status === 'True');
export const isLive = (p: Given): boolean => p.metadata.deletionTimestamp === undefined;
export const image = (p: Given): string =>
  (p.spec as { containers: { image: string }[] } | undefined)?.containers[0]?.image ?? '';
/** The images of all pods, in order. */
export const images = (w: World): string[] => w.list('pods').map(image).sort();
/** Changes what the spec of an object says. */
export const respec = (w: World, key: Key, more: JsonObject): void =>
  w.change(key, (o) => ({ ...o, spec: { ...specOf(o), ...more } }));
/** Gives a workload the template of another version. */
export const revise = (w: World, key: Key, version: string): void => respec(w, key, { template: template(version) });
