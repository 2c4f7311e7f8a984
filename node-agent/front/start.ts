import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Env } from '../../kube/meta/env.ts';
import { API_ENDPOINT, type At } from '../../kube/wire/clusteraddresses.ts';
import type { Api } from '../api.ts';
import type { Held } from '../network/held.ts';
import { keepListening, type Listening } from '../network/listening.ts';
import { type Identity, keepIdentity } from './certificate.ts';
import { createForwarding, type Target, targetOf } from './forward.ts';
import { upgradeTo } from './upgrade.ts';

/** Streams of one HTTP/2 connection: kube-apiserver's --http2-max-streams-per-connection default. */
const STREAMS_MAX = 250;
/** A connection that has said nothing for this long between requests is closed; clients keep theirs for 90 s. */
const IDLE_MS_MAX = 120_000;

/** A server of the cluster's API for the programs on this node: HTTP/1.1 and h2. */
export function createFront(target: Target, env: Env, identity: Identity): Http2SecureServer {
  const server = createSecureServer({
    allowHTTP1: true,
    ...identity,
    minVersion: 'TLSv1.2',
    settings: { maxConcurrentStreams: STREAMS_MAX },
    keepAliveTimeout: IDLE_MS_MAX,
  } as Parameters<typeof createSecureServer>[0]);
  server.on('request', createForwarding(target, env) as (q: Http2ServerRequest, s: Http2ServerResponse) => void);
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => upgradeTo(target, req, socket, head));
  server.on('sessionError', (error) => env.log('debug', 'front.session.failed', { error: String(error) }));
  server.on('tlsClientError', (error) => env.log('debug', 'front.tls.failed', { error: String(error) }));
  return server;
}

export interface FrontOptions {
  api: Api;
  /** The cluster's DNS domain. */
  domain: string;
  /** The Service. */
  service: At;
  /** Where key and certificate are kept. */
  file: string;
  held: Held;
  env: Env;
  signal: AbortSignal;
}

/** Serves the cluster's API to this node at the address of the Service and at that of its endpoint, until `signal` aborts. */
export async function runFront(o: FrontOptions): Promise<void> {
  const { env, signal } = o;
  const { url } = o.api.connection;
  const target = targetOf(url, o.api.ca());
  const open = new Set<Http2SecureServer>();
  let identity: Identity | undefined;
  let known: (i: Identity) => void = () => undefined;
  const first = new Promise<Identity>((r) => (known = r));
  const kept = keepIdentity(o, (next) => {
    identity = next;
    known(next);
    for (const server of open) server.setSecureContext(next);
  });
  await Promise.race([first, kept]);
  const listen = async ({ address, port }: { address: string; port: number }): Promise<Listening> => {
    await o.held.hold(address);
    const server = createFront(target, env, identity ?? (await first));
    server.listen(port, address);
    await once(server, 'listening');
    open.add(server);
    env.log('info', 'front.listening', { address, port });
    return {
      async close() {
        open.delete(server);
        server.close();
      },
    };
  };
  const all = [API_ENDPOINT, o.service].map((at) =>
    signal.aborted ? undefined : keepListening('front', () => listen(at), env, signal),
  );
  await Promise.all([kept, ...all]);
}
