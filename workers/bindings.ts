import type { Directory } from './accounts/directory.ts';
import type { LoopName, Poke } from './loops/object.ts';
import type { TenantStore } from './tenant/object.ts';
import type { NodeTunnel } from './tunnel/node.ts';
import type { Relay } from './tunnel/relay.ts';

/** What wrangler.toml binds. */
export interface Bindings {
  DIRECTORY: DurableObjectNamespace<Directory>;
  TENANTS: DurableObjectNamespace<TenantStore>;
  LOOPS: DurableObjectNamespace<
    Rpc.DurableObjectBranded & { wake(name: LoopName, poke?: Poke): Promise<void>; destroy(): Promise<void> }
  >;
  TUNNELS: DurableObjectNamespace<NodeTunnel>;
  RELAYS: DurableObjectNamespace<Relay>;
  /** What machines that join download (cli/node/assets.ts); a server without such files has none. */
  ASSETS?: Fetcher;
  /** Files of texts for `kubectl explain` (texts.ts); absent: there are none. */
  TEXTS?: Fetcher;
  PUBLIC_URL: string;
  OPERATOR_TOKEN_SHA256: string;
  /** MiB of each of the caches in rowcaches.ts; '' = what suits a hosted isolate. */
  ROW_CACHE_MIB: string;
  /** What each cluster may use, as JSON of SomeLimits (tenant/limits.ts); '' = what is there by default. */
  LIMITS: string;
  /** Requests of all clusters that an isolate works on at once while several have some; '' = as many as come. */
  SEATS: string;
  /** Range of the addresses of Services of all clusters of this endpoint, which never changes; '' = 10.96.0.0/16. */
  SERVICE_CIDR: string;
}

/** Calls of other objects at once: the platform's limit of connections of one request is six. */
export const CALLS_AT_ONCE = 6;

/** Name of a node's tunnel object. Neither part may hold a slash. */
export function tunnelName(cluster: string, node: string): string {
  return `${cluster}/${node}`;
}
