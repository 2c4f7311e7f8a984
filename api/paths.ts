import { Hono } from 'hono';
import type { Call } from './call.ts';
import type { Parts } from './parts.ts';
import { plainText } from './respond.ts';

/** Answers what isn't a resource: discovery, OpenAPI, health, version. */
export function paths(parts: Parts): (call: Call) => Promise<Response> {
  void parts;
  const app = new Hono<{ Bindings: { call: Call } }>();
  app.notFound((c) => plainText(c.env.call, 404, '404 page not found\n'));
  app.get('/healthz', (c) => plainText(c.env.call, 200, 'ok'));
  return async (call) => app.fetch(call.request, { call });
}
