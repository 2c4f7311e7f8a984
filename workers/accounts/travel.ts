import { Hono } from 'hono';
import * as v from 'valibot';
import { conflict, notFound } from '../../kube/meta/status.ts';
import { formatMicroTime } from '../../kube/meta/time.ts';
import type { Bindings } from '../bindings.ts';
import type { Restore } from '../tenant/restores.ts';
import type { RestoreTarget } from '../tenant/travel.ts';
import { targetOf } from './archive.ts';
import { API_VERSION, type App, CLUSTERS, RESOURCE, readBody, refusalOf, rowOf } from './tenancy.ts';

/** Who writes what comes back. */
const RESTORER = 'system:coracle:restore';

const NewRestore = v.object({ spec: v.object({ to: v.union([v.number(), v.string()]) }) });

/** A cluster back in time: POST begins (202) what `spec.to` says, a revision or a time as RFC 3339 has it; GET tells of the last one. */
export function restores(): Hono<App> {
  const app = new Hono<App>();
  const path = `${CLUSTERS}/:name/restore`;
  app.post(path, async (c) => {
    const name = c.req.param('name');
    const { to } = (await readBody(c.req.raw, NewRestore)).spec;
    const target = targetOf(to) as RestoreTarget;
    const tenant = await tenantOf(c.env, name);
    const begun = await tenant.restore(target, RESTORER).catch((e: unknown) => {
      throw refusalOf(e, name);
    });
    if (begun === null) throw conflict(RESOURCE, name, 'a restore is under way');
    return c.json(restoreObject(name, begun), 202);
  });
  app.get(path, async (c) => {
    const name = c.req.param('name');
    const last = await (await tenantOf(c.env, name)).restored();
    if (last === null) throw notFound({ ...RESOURCE, resource: 'restores' }, name);
    return c.json(restoreObject(name, last));
  });
  return app;
}

const tenantOf = async (b: Bindings, name: string) => b.TENANTS.getByName((await rowOf(b, name)).id);

function restoreObject(name: string, r: Restore) {
  const done = r.phase === 'done';
  return {
    kind: 'ClusterRestore',
    apiVersion: API_VERSION,
    metadata: { name, creationTimestamp: formatMicroTime(r.atMs) },
    spec: { to: r.to },
    status: {
      phase: done ? 'Completed' : 'Running',
      /** A restore to this one undoes it. */
      revisionBefore: r.before,
      ...(done ? { revisionAfter: r.after } : {}),
      objects: r.changed,
      /** Secrets that were deleted so long ago that their bodies have left history. */
      lostObjects: r.lostCount,
      lost: r.lost,
    },
  };
}
