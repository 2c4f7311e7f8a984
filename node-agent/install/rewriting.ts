import { readFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { type Endpoint, type Hosts, rewritten } from './registries.ts';

/** Sockets to one mirror: containerd fetches three layers of an image at once, and four images are pulled. */
const SOCKETS_MAX = 16;

/** Hosts without rewrites, and whose credentials containerd needs for which address of this machine. */
export interface Routed {
  hosts: Hosts;
  aliases: Record<string, string>;
}

/**
 * containerd can't ask a mirror for a repository by another name; k3s's own build can. Each endpoint with rewrites gets a listener on loopback that asks in its place, until this
 * process ends. Credentials pass through: containerd has them for the listener's address.
 */
export async function routeRewrites(hosts: Hosts): Promise<Routed> {
  const routed: Routed = { hosts: {}, aliases: {} };
  for (const [host, { endpoints, fallback }] of Object.entries(hosts)) {
    const own: Endpoint[] = [];
    for (const e of endpoints) {
      if (e.rewrite.length === 0) {
        own.push(e);
        continue;
      }
      const address = await listen(e);
      routed.aliases[address] = e.registry;
      // Its TLS stays: containerd itself asks the mirror's token server.
      own.push({ ...e, url: `http://${address}/v2`, overridePath: false, rewrite: [] });
    }
    routed.hosts[host] = { endpoints: own, fallback };
  }
  return routed;
}

async function listen(e: Endpoint): Promise<string> {
  const { tls } = e;
  const agent = new Agent({
    keepAlive: true,
    maxSockets: SOCKETS_MAX,
    ...(tls?.ca_file ? { ca: readFileSync(tls.ca_file) } : {}),
    ...(tls?.cert_file ? { cert: readFileSync(tls.cert_file), key: readFileSync(tls.key_file ?? '') } : {}),
    ...(tls?.insecure_skip_verify ? { rejectUnauthorized: false } : {}),
  });
  const server = createServer((req, res) => forward(e, agent, req, res));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  server.unref();
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The mirror's URL for a path of the registry API (distribution-spec), with the repository's name there. */
export function targetOf(e: Endpoint, url: string): string {
  const [, path = '', query = ''] = /^\/v2([^?]*)(\?.*)?$/.exec(url) ?? [];
  const [, repository, rest] = /^\/(.+)(\/(?:manifests|blobs|tags|referrers)\/.+)$/.exec(path) ?? [];
  const there = repository === undefined ? path : `/${rewritten(repository, e.rewrite)}${rest}`;
  return `${e.url}${there}${query}`;
}

/** What belongs to one connection: RFC 9110 7.6.1. */
const HOP = new Set(['host', 'connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer']);
const endToEnd = (headers: IncomingMessage['headers']) =>
  Object.fromEntries(Object.entries(headers).filter(([k, x]) => x !== undefined && !HOP.has(k)));

function forward(e: Endpoint, agent: Agent, req: IncomingMessage, res: ServerResponse): void {
  const target = targetOf(e, req.url ?? '');
  const headers = endToEnd(req.headers);
  const out = target.startsWith('https:')
    ? httpsRequest(target, { method: req.method, headers, agent })
    : httpRequest(target, { method: req.method, headers });
  out.on('response', (answer) => {
    const { location } = answer.headers;
    const moved = location === undefined ? {} : { location: new URL(location, target).href };
    res.writeHead(answer.statusCode ?? 502, { ...endToEnd(answer.headers), ...moved });
    pipeline(answer, res, () => undefined); // who of both is gone ends the other
  });
  out.on('error', (error) => {
    if (res.headersSent) return void res.destroy();
    res.writeHead(502, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ errors: [{ code: 'UNAVAILABLE', message: `${e.url}: ${error.message}` }] }));
  });
  res.on('close', () => out.destroy());
  pipeline(req, out, () => undefined);
}
