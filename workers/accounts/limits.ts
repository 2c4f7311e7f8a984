import { Hono } from 'hono';
import * as v from 'valibot';
import type { Bindings } from '../bindings.ts';
import { world } from '../env.ts';
import { LIMITS_KEY, SomeLimits } from '../tenant/limits.ts';
import { ownRow } from './ownrow.ts';
import { API_VERSION, type App, CLUSTERS, readBody, rowOf } from './tenancy.ts';

const Body = v.object({ spec: SomeLimits });

/** `<name>/limits`: GET shows what a cluster may use and uses (like a ResourceQuota: its own limits in spec, all in status.hard), PUT sets what differs from the endpoint's limits. */
export function clusterLimits(): Hono<App> {
  const app = new Hono<App>();
  const path = `${CLUSTERS}/:name/limits`;
  app.get(path, async (c) => {
    const { id } = await rowOf(c.env, c.req.param('name'));
    return c.json(await limitsObject(c.env, c.req.param('name'), id));
  });
  app.put(path, async (c) => {
    const { id } = await rowOf(c.env, c.req.param('name'));
    await setLimits(c.env, id, (await readBody(c.req.raw, Body)).spec);
    return c.json(await limitsObject(c.env, c.req.param('name'), id));
  });
  return app;
}

/** Gives a cluster limits of its own; they hold with the next request. */
export async function setLimits(b: Bindings, id: string, limits: SomeLimits): Promise<void> {
  // In place of what it had.
  const row = { ...ownRow(LIMITS_KEY, world.uuid(), limits), expect: undefined };
  const done = await b.TENANTS.getByName(id).commit([row]);
  if (!done.ok) throw new Error('the limits of a cluster could not be written');
}

async function limitsObject(b: Bindings, name: string, id: string) {
  const { limits: hard, own, ...used } = await b.TENANTS.getByName(id).usage();
  return { kind: 'ClusterLimits', apiVersion: API_VERSION, metadata: { name }, spec: own, status: { hard, used } };
}
