import { Hono } from 'hono';
import { notFound } from '../kube/meta/status.ts';
import type { App } from './accounts/tenancy.ts';

/** What machines that join download: the script and what it fetches (cli/node/assets.ts makes them). Public: there are no secrets in them. */
export function installFiles(): Hono<App> {
  const app = new Hono<App>();
  for (const path of ['/install.sh', '/install/:file{[a-z0-9][a-z0-9._-]*}'])
    app.get(path, async (c) => {
      const found = await c.env.ASSETS?.fetch(c.req.raw);
      if (found?.ok) return found;
      return Response.json(notFound({ group: '', resource: 'files' }, c.req.path).status, { status: 404 });
    });
  return app;
}
