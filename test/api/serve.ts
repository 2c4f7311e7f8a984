import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream as NodeStream } from 'node:stream/web';
import { chain } from '../../api/admission/index.ts';
import type { ClusterContext, User } from '../../api/attributes.ts';
import { createAuthenticator } from '../../api/authn/authenticate.ts';
import { createAuthorizer } from '../../api/authz/index.ts';
import type { Parts } from '../../api/parts.ts';
import { createPolicyView } from '../../api/policy.ts';
import { createApi } from '../../api/server.ts';
import { kindByStorage, kinds } from '../../kube/kinds/index.ts';
import type { Env } from '../../kube/meta/env.ts';
import { parseApiVersion } from '../../kube/meta/object.ts';
import { schemas } from '../../kube/schema/schemas.ts';
import { baseLayer } from '../../kube/store/base/base.ts';
import { resourceOfKey } from '../../kube/store/key.ts';
import { MemoryStore } from '../../kube/store/memory.ts';
import { MAX_OPS, type Op } from '../../kube/store/store.ts';
import type { Target } from './play.ts';

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

/** A cluster in memory with the bootstrap objects of a new cluster. `tokens`: users by the SHA-256 of their tokens. */
export async function memoryCluster(url: string, tokens: Record<string, User> = {}): Promise<ClusterContext> {
  const store = new MemoryStore(env);
  await fill(store);
  const view = createPolicyView();
  return {
    id: 'test',
    env,
    store: () => store,
    view,
    keys: { issuer: 'https://kubernetes.default.svc', signing: [], ca: '', tokens },
    url,
    waitUntil: () => {},
  };
}

/** Rows of the base layer, as many at once as a commit takes. */
async function fill(store: MemoryStore): Promise<void> {
  const { rows } = baseLayer();
  for (let i = 0; i < rows.length; i += MAX_OPS) {
    await store.commit(
      rows.slice(i, i + MAX_OPS).map((r): Op => {
        const gv = parseApiVersion(r.version) ?? { group: '', version: 'v1' };
        const schema = schemas.hash({ ...gv, kind: kindByStorage(resourceOfKey(r.key))?.kind ?? '' });
        return { key: r.key, expect: 0, value: { text: r.text, version: r.version, schema }, facts: r.facts };
      }),
    );
  }
}

/** Serves a cluster on a port (0 = any free one); everybody is `user`, or with null who the request's credential says. */
export async function serve(parts: Parts, cluster: ClusterContext, port: number, user: User | null = ADMIN) {
  const api = createApi(parts);
  const server = createServer((req, res) => {
    void answer(req, res, (r) => (user ? api.handle(r, cluster, { user }) : api(r, cluster)));
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

/** The whole chain. */
export const parts: Parts = {
  kinds,
  schemas,
  authenticators: [createAuthenticator()],
  authorizers: [createAuthorizer()],
  admission: chain,
};

/** A server on a free port with the tokens of an administrator and of the user `alice`, who may do nothing. */
export async function serveTokens(): Promise<{ target: Target; close(): void }> {
  const tokens: Target['tokens'] = { admin: 'peertoken', user: 'usertoken' };
  const hash = (token = '') => createHash('sha256').update(token).digest('hex');
  const cluster = await memoryCluster('http://127.0.0.1', {
    [hash(tokens.admin)]: { name: 'admin', uid: 'admin', groups: ['system:masters'] },
    [hash(tokens.user)]: { name: 'alice', uid: 'alice-uid', groups: ['devs'] },
  });
  const running = await serve(parts, cluster, 0, null);
  return { target: { url: `http://127.0.0.1:${running.port}`, tokens }, close: running.close };
}

if (import.meta.main) {
  const port = Number(process.argv[2] ?? 8001);
  const running = await serve(parts, await memoryCluster(`http://127.0.0.1:${port}`), port);
  console.error(`listening on http://127.0.0.1:${running.port}`);
}
