import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Env } from '../../../kube/meta/env.ts';

/** A Service with a health check node port: `port`, and how many ready endpoints of it are on this node. */
export interface HealthCheck {
  port: number;
  endpoints: number;
}

/** Answers load balancers that ask whether this node has endpoints of a Service. */
export interface HealthServers {
  /** By `namespace/name`; all that there are. `healthy`: this node's packet filter is as it should be. */
  sync(checks: ReadonlyMap<string, HealthCheck>, healthy: boolean): void;
  close(): void;
}

/** HTTP servers on all addresses, one per Service: pkg/proxy/healthcheck/service_health.go, v1.37.1. */
export function healthServers(env: Pick<Env, 'log'>): HealthServers {
  const open = new Map<string, { server: Server; check: HealthCheck }>();
  let healthy = false;

  function answer(service: string, response: ServerResponse): void {
    const [namespace, name] = service.split('/');
    const count = open.get(service)?.check.endpoints ?? 0;
    response.writeHead(count > 0 && healthy ? 200 : 503, {
      'Content-Type': 'application/json',
      'X-Content-Type-Options': 'nosniff',
      'X-Load-Balancing-Endpoint-Weight': String(count),
    });
    response.end(
      JSON.stringify({ service: { namespace, name }, localEndpoints: count, serviceProxyHealthy: healthy }, null, '\t'),
    );
  }
  function close(service: string): void {
    open.get(service)?.server.close();
    open.get(service)?.server.closeAllConnections();
    open.delete(service);
  }

  return {
    sync(checks, isHealthy) {
      healthy = isHealthy;
      for (const [service, { check }] of open) if (checks.get(service)?.port !== check.port) close(service);
      for (const [service, check] of checks) {
        const known = open.get(service);
        if (known) {
          known.check = check;
          continue;
        }
        const server = createServer((_request, response) => answer(service, response));
        server.on('error', (error) => {
          env.log('warn', 'healthcheck.failed', { service, port: check.port, error: String(error) });
          open.delete(service); // the next change tries again
        });
        server.listen(check.port);
        open.set(service, { server, check });
      }
    },
    close() {
      for (const service of [...open.keys()]) close(service);
    },
  };
}
