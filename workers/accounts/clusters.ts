import { Hono } from 'hono';
import * as v from 'valibot';
import {
  alreadyExists,
  badRequest,
  failure,
  forbidden,
  notFound,
  StatusError,
  success,
  unauthorized,
} from '../../kube/meta/status.ts';
import type { Bindings } from '../bindings.ts';
import { world } from '../env.ts';
import type { ClusterRow } from './directory.ts';

/** The tenancy API: clusters as objects of tenancy.coracle.dev/v1, for the endpoint's operator. */
export interface ClusterMaker {
  /** Makes the cluster's store, keys, first objects; the admin's token. */
  create(b: Bindings, id: string, url: string): Promise<{ adminToken: string }>;
  destroy(b: Bindings, id: string): Promise<void>;
  /** A token with which an agent may be that node. */
  nodeToken(b: Bindings, id: string, url: string, node: string): Promise<{ token: string; ca: string }>;
}

const RESOURCE = { group: 'tenancy.coracle.dev', resource: 'clusters' };
const API_VERSION = 'tenancy.coracle.dev/v1';
/** Rows of one list answer. */
const LIST_LIMIT = 500;
const Name = v.pipe(
  v.string(),
  v.maxLength(63),
  v.regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'",
  ),
);
const NodeName = v.pipe(
  v.string(),
  v.maxLength(253),
  v.regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'a DNS subdomain is needed'),
);
const Body = (name: typeof Name | typeof NodeName) => v.object({ metadata: v.object({ name }) });

type App = { Bindings: Bindings };

/** Routes below the endpoint's root. */
export function tenancy(maker: ClusterMaker): Hono<App> {
  const app = new Hono<App>();
  const path = '/apis/tenancy.coracle.dev/v1/clusters';
  const directory = (b: Bindings) => b.DIRECTORY.getByName('endpoint');

  app.onError((error) => {
    const status = error instanceof StatusError ? error : failure('InternalError', 'Internal error occurred');
    if (!(error instanceof StatusError)) world.log('error', 'tenancy.failed', { error: error.stack ?? error.message });
    return Response.json(status.status, { status: status.code });
  });
  app.use(`${path}/*`, async (c, next) => {
    await checkOperator(c.env, c.req.header('authorization'));
    await next();
  });
  app.use(path, async (c, next) => {
    await checkOperator(c.env, c.req.header('authorization'));
    await next();
  });

  app.post(path, async (c) => {
    const { name } = (await read(c.req.raw, Body(Name))).metadata;
    const row = await directory(c.env).add(name);
    if (row === null) throw alreadyExists(RESOURCE, name);
    const url = clusterUrl(c.req.raw, c.env, row.id);
    try {
      const { adminToken } = await maker.create(c.env, row.id, url);
      return c.json({ ...object(row, url), status: { ...object(row, url).status, adminToken } }, 201);
    } catch (error) {
      await directory(c.env).remove(name);
      throw error;
    }
  });
  app.get(path, async (c) => {
    const rows = await directory(c.env).list(c.req.query('continue') ?? '', LIST_LIMIT);
    const last = rows.length === LIST_LIMIT ? rows.at(-1)?.name : undefined;
    return c.json({
      kind: 'ClusterList',
      apiVersion: API_VERSION,
      metadata: last === undefined ? {} : { continue: last },
      items: rows.map((r) => object(r, clusterUrl(c.req.raw, c.env, r.id))),
    });
  });
  app.get(`${path}/:name`, async (c) => {
    const row = await found(directory(c.env).get(c.req.param('name')), c.req.param('name'));
    return c.json(object(row, clusterUrl(c.req.raw, c.env, row.id)));
  });
  app.delete(`${path}/:name`, async (c) => {
    const name = c.req.param('name');
    const row = await found(directory(c.env).get(name), name);
    await maker.destroy(c.env, row.id);
    await directory(c.env).remove(name);
    return c.json(success({ name, group: RESOURCE.group, kind: RESOURCE.resource }));
  });
  app.post(`${path}/:name/node`, async (c) => {
    const row = await found(directory(c.env).get(c.req.param('name')), c.req.param('name'));
    const node = (await read(c.req.raw, Body(NodeName))).metadata.name;
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
  return app;
}

/** Where clients reach a cluster. */
export function clusterUrl(request: Request, b: Bindings, id: string): string {
  const base = b.PUBLIC_URL === '' ? new URL(request.url).origin : b.PUBLIC_URL;
  return `${base}/clusters/${id}`;
}

function object(row: ClusterRow, url: string) {
  return {
    kind: 'Cluster',
    apiVersion: API_VERSION,
    metadata: { name: row.name, uid: row.id, creationTimestamp: row.created },
    spec: { kubernetes: '1.37' },
    status: { id: row.id, url, phase: 'Ready' },
  };
}

async function found(row: Promise<ClusterRow | null>, name: string): Promise<ClusterRow> {
  const r = await row;
  if (r === null) throw notFound(RESOURCE, name);
  return r;
}

async function read<S extends v.GenericSchema>(request: Request, schema: S): Promise<v.InferOutput<S>> {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), await request.text());
  if (!parsed.success) throw badRequest(v.summarize(parsed.issues));
  return parsed.output as v.InferOutput<S>;
}

async function checkOperator(b: Bindings, header: string | undefined): Promise<void> {
  const token = /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
  if (token === undefined) throw unauthorized();
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)));
  const hex = [...hash].map((x) => x.toString(16).padStart(2, '0')).join('');
  if (b.OPERATOR_TOKEN_SHA256 === '')
    throw forbidden({ group: '', resource: '' }, '', 'this endpoint has no operator token');
  if (hex !== b.OPERATOR_TOKEN_SHA256) throw unauthorized();
}
