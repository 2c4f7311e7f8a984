import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream as NodeStream } from 'node:stream/web';
import type { ClusterContext, User } from '../../api/attributes.ts';
import type { Parts } from '../../api/parts.ts';
import { createPolicyView } from '../../api/policy.ts';
import { createApi } from '../../api/server.ts';
import { kinds } from '../../kube/kinds/index.ts';
import type { Env } from '../../kube/meta/env.ts';
import { schemas } from '../../kube/schema/schemas.ts';
import { MemoryStore } from '../../kube/store/memory.ts';

// An API server on MemoryStore behind node:http, for tests with unmodified clients:
//   node test/api/serve.ts 8001 & kubectl --server http://127.0.0.1:8001 get ns
// kubectl sends no credentials over plain http, so everybody is an administrator.

const ADMIN: User = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };

/** The real world. */
export const env: Env = {
  now: () => Date.now(),
  random: () => Math.random(),
  uuid: () => crypto.randomUUID(),
  after(ms, f) {
    // setTimeout's own limit; longer waits are of no use to a test.
    const timer = setTimeout(f, Math.min(ms, 2 ** 31 - 1));
    timer.unref();
    return () => clearTimeout(timer);
  },
  log: (level, event, fields) => {
    if (level !== 'debug') console.error(level, event, fields ?? '');
  },
};

/** A cluster in memory. */
export function memoryCluster(url: string): ClusterContext {
  const store = new MemoryStore(env);
  const view = createPolicyView();
  return {
    id: 'test',
    env,
    store: () => store,
    view,
    keys: { issuer: 'https://kubernetes.default.svc', signing: [], ca: '', tokens: {} },
    url,
    waitUntil: () => {},
  };
}

/** Serves a cluster on a port (0 = any free one); everybody is `user`. */
export async function serve(parts: Parts, cluster: ClusterContext, port: number, user = ADMIN) {
  const api = createApi(parts);
  const server = createServer((req, res) => {
    void answer(req, res, (r) => api.handle(r, cluster, { user }));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  return { port: typeof address === 'object' && address ? address.port : port, close: () => server.close() };
}

async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  handle: (r: Request) => Promise<Response>,
): Promise<void> {
  const aborted = new AbortController();
  res.on('close', () => aborted.abort());
  const headers = new Headers();
  for (const [name, value] of Object.entries(req.headers)) if (value !== undefined) headers.set(name, String(value));
  const hasBody = req.method !== 'GET' && req.method !== 'HEAD';
  const request = new Request(`http://${req.headers.host}${req.url}`, {
    method: req.method ?? 'GET',
    headers,
    signal: aborted.signal,
    ...(hasBody ? { body: Readable.toWeb(req) as ReadableStream, duplex: 'half' } : {}),
  } as RequestInit);
  const response = await handle(request);
  res.writeHead(response.status, [...response.headers].flat());
  res.flushHeaders();
  if (!response.body) {
    res.end();
    return;
  }
  const body = Readable.fromWeb(response.body as unknown as NodeStream);
  body.on('error', () => res.destroy());
  body.pipe(res);
}

/** Everything without authentication, authorization and admission. */
export const plainParts: Parts = {
  kinds,
  schemas,
  authenticators: [],
  authorizers: [{ name: 'AlwaysAllow', authorize: () => ({ allow: true, reason: '' }) }],
  admission: [],
};

if (import.meta.main) {
  const port = Number(process.argv[2] ?? 8001);
  const cluster = memoryCluster(`http://127.0.0.1:${port}`);
  const running = await serve(plainParts, cluster, port);
  const post = (path: string, body: unknown) =>
    fetch(`http://127.0.0.1:${running.port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
    await post('/api/v1/namespaces', { metadata: { name } });
  }
  console.error(`listening on http://127.0.0.1:${running.port}`);
}
