import { Hono } from 'hono';
import * as v from 'valibot';
import { badRequest } from '../../kube/meta/status.ts';
import { ARCHIVE_TYPE } from '../../kube/wire/archive.ts';
import type { RestoreTarget } from '../tenant/travel.ts';
import { checked } from './checked.ts';
import { backupCluster, type CopyMaker, forkCluster, restoreArchive, type Wanted } from './copying.ts';
import { type App, CLUSTERS, clusterObject, clusterUrl, Name, readBody, rowOf, TtlSeconds } from './tenancy.ts';

const NewFork = v.object({
  metadata: v.object({ name: Name }),
  spec: v.optional(v.object({ at: v.optional(v.union([v.number(), v.string()])), ttlSeconds: v.optional(TtlSeconds) })),
});

/**
 * Copies of clusters: `POST <name>/fork` makes another one with the same objects, `GET <name>/backup` streams its archive (`?at=` a revision or time),
 * `PUT <name>/backup` makes the cluster of an archive (`?fork=true`: another one of the same objects; `?ttlSeconds=`).
 */
export function archives(maker: CopyMaker): Hono<App> {
  const app = new Hono<App>();
  const wanted = (request: Request, b: App['Bindings'], name: string, ttlSeconds: number | undefined): Wanted => ({
    name,
    ttlSeconds,
    urlOf: (id) => clusterUrl(request, b, id),
  });

  app.post(`${CLUSTERS}/:name/fork`, async (c) => {
    const from = await rowOf(c.env, c.req.param('name'));
    const { metadata, spec } = await readBody(c.req.raw, NewFork);
    const want = wanted(c.req.raw, c.env, metadata.name, spec?.ttlSeconds);
    const { row, adminToken } = await forkCluster(c.env, maker, from, want, targetOf(spec?.at));
    return c.json(clusterObject(row, want.urlOf(row.id), adminToken), 201);
  });

  app.get(`${CLUSTERS}/:name/backup`, async (c) => {
    const from = await rowOf(c.env, c.req.param('name'));
    const archive = await backupCluster(c.env, from, targetOf(c.req.query('at')));
    return new Response(streamOf(archive), { headers: { 'content-type': ARCHIVE_TYPE, 'cache-control': 'no-store' } });
  });

  app.put(`${CLUSTERS}/:name/backup`, async (c) => {
    const name = checked(Name, c.req.param('name'), 'metadata.name');
    const asked = c.req.query('ttlSeconds');
    const ttl = asked === undefined ? undefined : checked(TtlSeconds, Number(asked), 'ttlSeconds');
    const want = wanted(c.req.raw, c.env, name, ttl);
    const { body } = c.req.raw;
    if (body === null) throw badRequest('an archive is needed');
    const asFork = c.req.query('fork') === 'true';
    const { row, adminToken } = await restoreArchive(c.env, maker, body, want, asFork);
    return c.json(clusterObject(row, want.urlOf(row.id), adminToken), 201);
  });
  return app;
}

/** A revision (digits) or a time (RFC 3339); undefined is the present. Throws BadRequest. */
export function targetOf(at: number | string | undefined): RestoreTarget | undefined {
  if (at === undefined) return undefined;
  if (/^\d+$/.test(String(at))) return { revision: Number(at) };
  const timeMs = Date.parse(String(at));
  if (Number.isNaN(timeMs)) throw badRequest(`${JSON.stringify(at)} is neither a revision nor a time (RFC 3339)`);
  return { timeMs };
}

/** Chunks as whoever takes them asks for them: no more than one waits. */
function streamOf(chunks: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await chunks.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await chunks.return(undefined);
      },
    },
    { highWaterMark: 1 },
  );
}
