import type { EndpointRow } from '../../feed/rows.ts';

/** Where this node is, as endpoints are chosen for it. */
export interface Place {
  name: string;
  zone: string;
  /** Nodes whose pods don't answer from here: theirs are taken only when there are no others. */
  away?: ReadonlySet<string>;
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
  const ready = reached(
    endpoints.filter((e) => e.ready),
    place,
  );
  const draining = reached(
    endpoints.filter((e) => !e.ready && e.serving && e.terminating),
    place,
  );
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

/** Those that answer from here; where there are none all of them, for nobody can be sure. Not upstream's: there every node reaches every pod. */
function reached<T extends Choosable>(endpoints: readonly T[], { away }: Place): T[] {
  if (!away || away.size === 0) return [...endpoints];
  const near = endpoints.filter((e) => !away.has(e.node));
  return near.length > 0 ? near : [...endpoints];
}

/** Those for this node, else for this zone, else all. */
function near<T extends Choosable>(ready: readonly T[], place: Place): T[] {
  const forNode = (e: T) => e.nodeHints.includes(place.name);
  const forZone = (e: T) => e.zoneHints.includes(place.zone);
  if (ready.every((e) => e.nodeHints.length > 0) && ready.some(forNode)) return ready.filter(forNode);
  if (ready.every((e) => e.zoneHints.length > 0) && ready.some(forZone)) return ready.filter(forZone);
  return [...ready];
}
