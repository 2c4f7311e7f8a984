import * as v from 'valibot';
import { hexOf } from '../../kube/codec/hex.ts';
import { badRequest, expired, forbidden, internal, notFound, tooMany, unauthorized } from '../../kube/meta/status.ts';
import { formatTime } from '../../kube/meta/time.ts';
import { readLimited } from '../../kube/wire/body.ts';
import type { Bindings } from '../bindings.ts';
import { storeErrorOf } from '../tenant/remote.ts';
import { checked } from './checked.ts';
import type { ClusterRow } from './directory.ts';

// What the parts of the tenancy API (tenancy.coracle.dev/v1) have in common.

/** Where its clusters are. */
export const CLUSTERS = '/apis/tenancy.coracle.dev/v1/clusters';
export const API_VERSION = 'tenancy.coracle.dev/v1';
/** How its errors name them. */
export const RESOURCE = { group: 'tenancy.coracle.dev', resource: 'clusters' };

/** What a sub-app of the tenancy API is given. */
export type App = { Bindings: Bindings };

/** A cluster's name: a DNS label. */
export const Name = v.pipe(
  v.string(),
  v.maxLength(63, 'must be no more than 63 characters'),
  v.regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'",
  ),
);
/** A century: what is longer is no time to live. */
const TTL_SECONDS_MAX = 100 * 366 * 86_400;
/** How long a cluster lives, from its creation on. */
export const TtlSeconds = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(TTL_SECONDS_MAX));

/** The endpoint's list of clusters. */
export const directoryOf = (b: Bindings) => b.DIRECTORY.getByName('endpoint');

/** The row of a name; throws NotFound. */
export async function rowOf(b: Bindings, name: string): Promise<ClusterRow> {
  const row = await directoryOf(b).get(name);
  if (row === null) throw notFound(RESOURCE, name);
  return row;
}

/** What a client is told of a store's error about the cluster of this name; any other error as it is. */
export function refusalOf(error: unknown, name: string): unknown {
  const known = storeErrorOf(error);
  switch (known?.code) {
    case 'compacted':
      return expired(known.text);
    case 'future':
      return badRequest(known.text);
    case 'overloaded':
      return tooMany(known.text, known.retryAfterSeconds);
    case 'no-cluster':
      return notFound(RESOURCE, name);
    case 'corrupt':
      return internal(known.text);
    default:
      return error;
  }
}

/** Where clients reach a cluster. */
export function clusterUrl(request: Request, b: Bindings, id: string): string {
  const base = b.PUBLIC_URL === '' ? new URL(request.url).origin : b.PUBLIC_URL;
  return `${base}/clusters/${id}`;
}

/** A cluster as the API shows it. */
export function clusterObject(row: ClusterRow, url: string, adminToken?: string) {
  const { ttlSeconds, expiresMs } = row;
  return {
    kind: 'Cluster',
    apiVersion: API_VERSION,
    metadata: { name: row.name, uid: row.id, creationTimestamp: row.created },
    spec: { kubernetes: '1.37', ...(ttlSeconds === undefined ? {} : { ttlSeconds }) },
    status: {
      id: row.id,
      url,
      phase: 'Ready',
      ...(expiresMs === undefined ? {} : { expirationTimestamp: formatTime(expiresMs) }),
      ...(adminToken === undefined ? {} : { adminToken }),
    },
  };
}

/** The body of a request as this schema has it; throws BadRequest, or 413. */
export async function readBody<S extends v.GenericSchema>(request: Request, schema: S): Promise<v.InferOutput<S>> {
  return checked(v.pipe(v.string(), v.parseJson(), schema), new TextDecoder().decode(await readLimited(request.body)));
}

/** Throws Unauthorized for everybody but the endpoint's operator. */
export async function checkOperator(b: Bindings, header: string | undefined): Promise<void> {
  const token = /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
  if (token === undefined) throw unauthorized();
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)));
  if (b.OPERATOR_TOKEN_SHA256 === '')
    throw forbidden({ group: '', resource: '' }, '', 'this endpoint has no operator token');
  if (hexOf(hash) !== b.OPERATOR_TOKEN_SHA256) throw unauthorized();
}
