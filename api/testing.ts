import { kinds } from '../kube/kinds/index.ts';
import type { Env } from '../kube/meta/env.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import { schemas } from '../kube/schema/schemas.ts';
import { MemoryStore } from '../kube/store/memory.ts';
import type { ClusterContext, User } from './attributes.ts';
import type { Parts } from './parts.ts';
import { createPolicyView } from './policy.ts';
import { type Api, createApi } from './server.ts';

// A cluster in memory on a virtual clock, for tests of the whole chain.

/** Everything but authentication, authorization and admission. */
export const PLAIN_PARTS: Parts = {
  kinds,
  schemas,
  authenticators: [],
  authorizers: [{ name: 'AlwaysAllow', authorize: () => ({ allow: true, reason: '' }) }],
  admission: [],
};
export const ADMIN: User = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };

/** A virtual world: time stands still until `pass`. */
export interface World extends Env {
  pass(ms: number): void;
}
export function world(start = Date.UTC(2026, 10, 21, 12)): World {
  let now = start;
  let count = 0;
  let seed = 1;
  let timers: { at: number; f: () => void }[] = [];
  return {
    now: () => now,
    random: () => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed / 0x80000000;
    },
    uuid: () => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`,
    after(ms, f) {
      const timer = { at: now + ms, f };
      timers.push(timer);
      return () => {
        timers = timers.filter((t) => t !== timer);
      };
    },
    log: () => {},
    pass(ms) {
      const until = now + ms;
      for (;;) {
        const [first] = timers.filter((t) => t.at <= until).sort((a, b) => a.at - b.at);
        if (!first) break;
        now = first.at;
        timers = timers.filter((t) => t !== first);
        first.f();
      }
      now = until;
    },
  };
}

/** What a request answered. */
export interface Answer {
  code: number;
  /** The body as JSON; undefined when it isn't. */
  body: JsonObject & { metadata: JsonObject };
  text: string;
  headers: Headers;
}
export interface Bench {
  api: Api;
  cluster: ClusterContext;
  store: MemoryStore;
  world: World;
  /** One request as the administrator; `body` is sent as JSON unless it's a text. */
  ask(method: string, path: string, body?: JsonObject | string, headers?: Record<string, string>): Promise<Answer>;
  /** The response itself, for streams. */
  open(method: string, path: string, headers?: Record<string, string>): Promise<Response>;
}

/** A server and a cluster with the namespaces `default` and `other`. */
export async function bench(parts: Partial<Parts> = {}): Promise<Bench> {
  const env = world();
  const store = new MemoryStore(env);
  const cluster: ClusterContext = {
    id: 'test',
    env,
    store: () => store,
    view: createPolicyView(),
    keys: { issuer: 'https://kubernetes.default.svc', signing: [], ca: '', tokens: {} },
    url: 'https://test.example',
    waitUntil: () => {},
  };
  const api = createApi({ ...PLAIN_PARTS, ...parts });
  const send = (
    method: string,
    path: string,
    body: JsonObject | string | undefined,
    headers: Record<string, string>,
  ) => {
    const type = headers['content-type'] ?? 'application/json';
    const init: RequestInit = { method, headers: { ...headers, 'content-type': type } };
    if (body !== undefined) init.body = typeof body === 'string' ? body : JSON.stringify(body);
    return api.handle(new Request(`https://test.example${path}`, init), cluster, { user: ADMIN });
  };
  const b: Bench = {
    api,
    cluster,
    store,
    world: env,
    async ask(method, path, body, headers = {}) {
      const r = await send(method, path, body, headers);
      const text = await r.text();
      let json: unknown;
      try {
        json = JSON.parse(text);
      } catch {
        json = undefined;
      }
      return { code: r.status, body: json as Answer['body'], text, headers: r.headers };
    },
    open: (method, path, headers = {}) => send(method, path, undefined, headers),
  };
  for (const name of ['default', 'other']) await b.ask('POST', '/api/v1/namespaces', { metadata: { name } });
  return b;
}

/** Reads a JSON watch until `count` events have come. */
export async function events(response: Response, count: number): Promise<{ type: string; object: Answer['body'] }[]> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  const out: { type: string; object: Answer['body'] }[] = [];
  let text = '';
  while (out.length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) if (line !== '') out.push(JSON.parse(line));
  }
  await reader.cancel();
  return out;
}
