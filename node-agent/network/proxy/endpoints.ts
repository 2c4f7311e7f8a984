import type { EndpointRow } from '../../feed/rows.ts';

/** Where this node is, as endpoints are chosen for it. */
export interface Place {
  name: string;
  zone: string;
}

/** What a Service port asks for: pkg/proxy/serviceport.go. */
export interface Uses {
  clusterPolicy: boolean;
  localPolicy: boolean;
}

export interface Chosen<T> {
  cluster: T[];
  local: T[];
  /** One is usable somewhere in the cluster. */
  any: boolean;
}

type Choosable = Pick<EndpointRow, 'ready' | 'serving' | 'terminating' | 'node' | 'zoneHints' | 'nodeHints'>;

/**
 * The endpoints that this node sends to, by traffic policy: ready ones, or serving ones that terminate where none is ready;
 * of ready ones, those hinted for this node or zone where every ready one has a hint. As pkg/proxy/topology.go, v1.37.1.
 */
export function choose<T extends Choosable>(endpoints: readonly T[], uses: Uses, place: Place): Chosen<T> {
  const ready = endpoints.filter((e) => e.ready);
  const draining = endpoints.filter((e) => !e.ready && e.serving && e.terminating);
  const here = (e: T) => e.node === place.name;
  let cluster: T[] = [];
  if (uses.clusterPolicy) {
    cluster = near(ready, place);
    if (cluster.length === 0) cluster = draining;
  }
  let local: T[] = [];
  if (uses.localPolicy) {
    local = ready.filter(here);
    if (local.length === 0) local = draining.filter(here);
  }
  const any = cluster.length > 0 || (uses.localPolicy && ready.length + draining.length > 0);
  return { cluster, local, any };
}

/** Those for this node, else for this zone, else all. */
function near<T extends Choosable>(ready: readonly T[], place: Place): T[] {
  const forNode = (e: T) => e.nodeHints.includes(place.name);
  const forZone = (e: T) => e.zoneHints.includes(place.zone);
  if (ready.every((e) => e.nodeHints.length > 0) && ready.some(forNode)) return ready.filter(forNode);
  if (ready.every((e) => e.zoneHints.length > 0) && ready.some(forZone)) return ready.filter(forZone);
  return [...ready];
}
