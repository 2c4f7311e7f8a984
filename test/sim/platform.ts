import { registerHooks } from 'node:module';
import type { User } from '../../api/attributes.ts';
import type { Env } from '../../kube/meta/env.ts';
import type { Controller } from '../../kube/reconcile/controller.ts';
import type { Client } from '../../kube/reconcile/runner.ts';
import type { Fence } from '../../kube/store/store.ts';
import type { BaseLayer } from '../../workers/tenant/base.ts';

// The platform's classes in Node: what they take of Cloudflare's is a base class.

const STUB = 'export class DurableObject { constructor(ctx, env) { this.ctx = ctx; this.env = env; } }';
registerHooks({
  resolve: (name, context, next) =>
    name === 'cloudflare:workers'
      ? { url: `data:text/javascript,${encodeURIComponent(STUB)}`, shortCircuit: true }
      : next(name, context),
});

export interface LoopName {
  cluster: string;
  loop: string;
  replica: number;
}
export interface Poke {
  controller: string;
  key: string;
}
/** workers/loops/object.ts, as far as it is used here: its own types need Cloudflare's. */
export interface LoopObject {
  wake(name: LoopName, poke?: Poke): Promise<void>;
  alarm(): Promise<void>;
}
export interface LoopPlatform {
  env: Env;
  loops: Readonly<Record<string, readonly Controller[]>>;
  store(cluster: string): unknown;
  client(cluster: string, fence: Fence, holder: string): Promise<Client>;
}
type MakeLoop = (platform: () => LoopPlatform) => new (ctx: unknown, env: unknown) => LoopObject;

/** Not named in an import: the type checker of Node's part knows nothing of Cloudflare's classes. */
const load = (path: string): Promise<Record<string, unknown>> => import(new URL(path, import.meta.url).href);
const [object, cluster, platform, list] = await Promise.all(
  ['object.ts', '../cluster.ts', '../platform.ts', 'list.ts'].map((f) => load(`../../workers/loops/${f}`)),
);

export const makeLoop = object?.makeLoop as MakeLoop;
export const baseLayer = cluster?.baseLayer as (hash: string) => BaseLayer | undefined;
export const currentLayer = cluster?.currentLayer as () => string;
export const identity = platform?.identity as (controller: string) => User;
export const snapshotOf = platform?.snapshotOf as (store: unknown, interest: unknown, env: unknown) => Promise<unknown>;
export const LOOPS = list?.LOOPS as Readonly<Record<string, readonly Controller[]>>;
