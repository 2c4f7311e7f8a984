import type { Env } from '../../kube/meta/env.ts';
import type { Api } from '../api.ts';
import { createFeed, type Feed, followFeed } from './feed.ts';
import { type NodeRow, nodeRow, type ServiceRow, type SliceRow, serviceRow, sliceRow } from './rows.ts';

/** What the whole agent knows of the cluster's network: followed once, read by packet filter, DNS, routes, environments. */
export interface NetworkFeeds {
  services: Feed<ServiceRow>;
  /** `slices.of('namespace/name')`: the slices of a Service. */
  slices: Feed<SliceRow>;
  nodes: Feed<NodeRow>;
  /** By name, for what there is of each. */
  namespaces: Feed<true>;
}

/** The feeds, and what fills them until `signal` aborts. */
export function followNetwork(
  api: Api,
  env: Env,
  signal: AbortSignal,
): { feeds: NetworkFeeds; done: Promise<unknown> } {
  const services = createFeed<ServiceRow>(env);
  const slices = createFeed<SliceRow>(env, { group: (s) => s.service });
  const nodes = createFeed<NodeRow>(env);
  const namespaces = createFeed<true>(env);
  const done = Promise.all([
    followFeed(api, { path: '/api/v1/services' }, serviceRow, services, env, signal),
    followFeed(api, { path: '/apis/discovery.k8s.io/v1/endpointslices' }, sliceRow, slices, env, signal),
    followFeed(api, { path: '/api/v1/nodes' }, nodeRow, nodes, env, signal),
    followFeed(api, { path: '/api/v1/namespaces' }, () => true as const, namespaces, env, signal),
  ]);
  return { feeds: { services, slices, nodes, namespaces }, done };
}
