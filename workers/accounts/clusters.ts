import { Hono } from 'hono';
import * as v from 'valibot';
import { alreadyExists, conflict, failure, StatusError, success } from '../../kube/meta/status.ts';
import { NewNode } from '../../kube/wire/joining.ts';
import type { Bindings } from '../bindings.ts';
import { world } from '../env.ts';
import { SomeLimits } from '../tenant/limits.ts';
import { damage } from '../tenant/sql.ts';
import { unopened } from '../tenant/watch-wire.ts';
import { ID } from './directory.ts';
import { setLimits } from './limits.ts';
import {
  API_VERSION,
  type App,
  CLUSTERS,
  checkOperator,
  clusterObject,
  clusterUrl,
  directoryOf,
  Name,
  RESOURCE,
  readBody,
  refusalOf,
  rowOf,
  TtlSeconds,
} from './tenancy.ts';

/** The tenancy API: clusters as objects of tenancy.coracle.dev/v1, for the endpoint's operator. */
export interface ClusterMaker {
  /** Makes the cluster's store, keys, first objects; the admin's token. */
  create(b: Bindings, id: string, url: string): Promise<{ adminToken: string }>;
  destroy(b: Bindings, id: string): Promise<void>;
  /** A token with which an agent may be that node. */
  nodeToken(b: Bindings, id: string, url: string, node: string): Promise<{ token: string; ca: string }>;
}

/** Rows of one list answer. */
const LIST_LIMIT = 500;
/** With an id: a cluster that is there already gets its name again. */
const NewCluster = v.object({
  metadata: v.object({ name: Name }),
  spec: v.optional(
    v.object({
      id: v.optional(v.pipe(v.string(), v.regex(ID))),
      ttlSeconds: v.optional(TtlSeconds),
      limits: v.optional(SomeLimits),
    }),
  ),
});
/** What can be changed of a cluster: how long it lives, null = for ever. */
const Patch = v.strictObject({
  spec: v.optional(v.strictObject({ ttlSeconds: v.optional(v.nullable(TtlSeconds)) })),
});
const MERGE_PATCH = 'application/merge-patch+json';

/** Routes below the endpoint's root; `parts` are the sub-apps of other files. */
export function tenancy(maker: ClusterMaker, ...parts: Hono<App>[]): Hono<App> {
  const app = new Hono<App>();

  app.onError(async (error, c) => {
    const status = error instanceof StatusError ? error : await internalOf(c.env, error);
    if (!(error instanceof StatusError)) world.log('error', 'tenancy.failed', { error: error.stack ?? error.message });
    return Response.json(status.status, { status: status.code });
  });
  for (const path of [CLUSTERS, `${CLUSTERS}/*`])
    app.use(path, async (c, next) => {
      await checkOperator(c.env, c.req.header('authorization'));
      await next();
    });

  app.post(CLUSTERS, async (c) => {
    const { metadata, spec } = await readBody(c.req.raw, NewCluster);
    const { name } = metadata;
    if (spec?.id !== undefined) await checkLive(c.env, spec.id);
    const row = await directoryOf(c.env).add(name, spec?.id, spec?.ttlSeconds);
    if (row === null) throw alreadyExists(RESOURCE, name);
    const url = clusterUrl(c.req.raw, c.env, row.id);
    try {
      const made = spec?.id === undefined ? await maker.create(c.env, row.id, url) : undefined;
      if (spec?.limits) await setLimits(c.env, row.id, spec.limits);
      return c.json(clusterObject(row, url, made?.adminToken), 201);
    } catch (error) {
      await directoryOf(c.env).remove(name);
      throw error;
    }
  });
  app.get(CLUSTERS, async (c) => {
    const rows = await directoryOf(c.env).list(c.req.query('continue') ?? '', LIST_LIMIT);
    const last = rows.length === LIST_LIMIT ? rows.at(-1)?.name : undefined;
    return c.json({
      kind: 'ClusterList',
      apiVersion: API_VERSION,
      metadata: last === undefined ? {} : { continue: last },
      items: rows.map((r) => clusterObject(r, clusterUrl(c.req.raw, c.env, r.id))),
    });
  });
  app.get(`${CLUSTERS}/:name`, async (c) => {
    const row = await rowOf(c.env, c.req.param('name'));
    return c.json(clusterObject(row, clusterUrl(c.req.raw, c.env, row.id)));
  });
  app.patch(`${CLUSTERS}/:name`, async (c) => {
    const type = c.req.header('content-type')?.split(';')[0] ?? '';
    if (type !== MERGE_PATCH)
      throw failure(
        'UnsupportedMediaType',
        `the body of the request was in an unknown format - accepted media types include: ${MERGE_PATCH}`,
      );
    const { name } = await rowOf(c.env, c.req.param('name'));
    const { spec } = await readBody(c.req.raw, Patch);
    if (spec?.ttlSeconds !== undefined) await directoryOf(c.env).setTtl(name, spec.ttlSeconds);
    const row = await rowOf(c.env, name);
    return c.json(clusterObject(row, clusterUrl(c.req.raw, c.env, row.id)));
  });
  app.delete(`${CLUSTERS}/:name`, async (c) => {
    const name = c.req.param('name');
    await maker.destroy(c.env, (await rowOf(c.env, name)).id);
    await directoryOf(c.env).remove(name);
    return c.json(success({ name, group: RESOURCE.group, kind: RESOURCE.resource }));
  });
  app.post(`${CLUSTERS}/:name/node`, async (c) => {
    const row = await rowOf(c.env, c.req.param('name'));
    const node = (await readBody(c.req.raw, NewNode)).metadata.name;
    const url = clusterUrl(c.req.raw, c.env, row.id);
    return c.json(
      {
        kind: 'NodeCredential',
        apiVersion: API_VERSION,
        metadata: { name: node },
        status: { url, ...(await maker.nodeToken(c.env, row.id, url, node)) },
      },
      201,
    );
  });
  for (const part of parts) app.route('/', part);
  return app;
}

/** Throws NotFound where there is no cluster with this id, Conflict where it has a name. */
async function checkLive(b: Bindings, id: string): Promise<void> {
  const known = await directoryOf(b).nameOf(id);
  if (known !== null) throw conflict(RESOURCE, known, 'the cluster has this name');
  await b.TENANTS.getByName(id)
    .info()
    .catch((error: unknown) => {
      throw refusalOf(error, id);
    });
}

/** What a client is told of an error that is none of ours: of damage, whose it is. */
async function internalOf(b: Bindings, error: Error): Promise<StatusError> {
  const damaged = unopened(error.message) ?? damage(error.message);
  if (damaged === null) return failure('InternalError', 'Internal error occurred');
  const directory = directoryOf(b);
  const isListed = await directory.list('', 1).then(
    () => true,
    () => false,
  );
  const whose = isListed
    ? 'the stored data of this cluster is damaged'
    : `the list of this endpoint's clusters is damaged, they themselves go on (set ${directory.id}.sqlite aside, then give each its name again: coracle cluster adopt NAME ID)`;
  return failure('InternalError', `Internal error occurred: ${whose}: ${damaged.text}`);
}
