import { Hono } from 'hono';
import type * as v from 'valibot';
import { bytesOfBase64 } from '../../kube/codec/base64.ts';
import { conditionOf } from '../../kube/meta/condition.ts';
import { isObject, type JsonObject } from '../../kube/meta/json.ts';
import { conflict, forbidden } from '../../kube/meta/status.ts';
import { formatTime, timeToMillis } from '../../kube/meta/time.ts';
import { JOINERS, NewJoinToken, type NewNode, type NodeCredential } from '../../kube/wire/joining.ts';
import type { Bindings } from '../bindings.ts';
import { world } from '../env.ts';
import { API_VERSION, type App, CLUSTERS, clusterUrl, readBody, rowOf } from './tenancy.ts';

/** As long as kubeadm's tokens. */
const TTL_SECONDS = 86_400;
/** Upstream's alphabet and lengths: k8s.io/cluster-bootstrap token/api. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const ID_CHARS = 6;
const SECRET_CHARS = 16;
const NODES = { group: '', resource: 'nodes' };

const SECRETS = '/api/v1/namespaces/kube-system/secrets';
const TOKEN_TYPE = 'bootstrap.kubernetes.io/token';

/** What joining needs of a cluster. */
export interface Joined {
  /** A request to the cluster's API as the endpoint's operator; null where there is no such object, throws any other refusal. */
  ask(b: Bindings, id: string, url: string, method: string, path: string, body?: object): Promise<JsonObject | null>;
  /** A further administrator's token. */
  adminToken(b: Bindings, id: string): Promise<string>;
  /** A token with which an agent may be that node. */
  nodeToken(b: Bindings, id: string, url: string, node: string): Promise<{ token: string; ca: string }>;
}

/** `<name>/jointokens`: POST makes a token with which machines may become nodes for a day (`spec.ttlSeconds`); `<name>/admintokens`: POST makes an administrator's token. */
export function joining(joined: Joined): Hono<App> {
  const app = new Hono<App>();
  app.post(`${CLUSTERS}/:name/jointokens`, async (c) => {
    const { name, id } = await rowOf(c.env, c.req.param('name'));
    const { spec } = await readBody(c.req.raw, NewJoinToken);
    const url = clusterUrl(c.req.raw, c.env, id);
    const [tokenId, secret] = [randomText(ID_CHARS), randomText(SECRET_CHARS)];
    const expirationTimestamp = formatTime(world.now() + (spec?.ttlSeconds ?? TTL_SECONDS) * 1_000);
    const body = tokenSecret(tokenId, secret, expirationTimestamp);
    await removeExpired(joined, c.env, { id, url });
    await joined.ask(c.env, id, url, 'POST', SECRETS, body);
    const status = { url, token: `${tokenId}.${secret}`, expirationTimestamp };
    return c.json({ kind: 'JoinToken', apiVersion: API_VERSION, metadata: { name }, status }, 201);
  });
  app.post(`${CLUSTERS}/:name/admintokens`, async (c) => {
    const { name, id } = await rowOf(c.env, c.req.param('name'));
    const status = { id, url: clusterUrl(c.req.raw, c.env, id), adminToken: await joined.adminToken(c.env, id) };
    return c.json({ kind: 'AdminToken', apiVersion: API_VERSION, metadata: { name }, status }, 201);
  });
  return app;
}

/** Gives the bearer of a join token a node's credential. Throws Forbidden for others, Conflict where a node of that name works. */
export async function joinNode(
  joined: Joined,
  b: Bindings,
  cluster: { id: string; url: string },
  user: { groups: readonly string[] },
  { metadata: { name } }: v.InferOutput<typeof NewNode>,
): Promise<NodeCredential> {
  if (!user.groups.includes(JOINERS)) throw forbidden(NODES, name, 'only join tokens may do this');
  const node = await joined.ask(b, cluster.id, cluster.url, 'GET', `/api/v1/nodes/${name}`);
  // Whoever has a token must not take the place of a node that works.
  if (node !== null && isReady(node)) throw conflict(NODES, name, 'a node of this name is Ready');
  const { token, ca } = await joined.nodeToken(b, cluster.id, cluster.url, name);
  return { metadata: { name }, status: { url: cluster.url, token, ca } };
}

function isReady({ status }: JsonObject): boolean {
  return isObject(status) && conditionOf(status.conditions, 'Ready')?.status === 'True';
}

/** Upstream's token cleaner removes tokens as they expire; here the next one that is made does, and nothing has to wake for it. */
async function removeExpired(joined: Joined, b: Bindings, { id, url }: { id: string; url: string }): Promise<void> {
  const list = await joined.ask(b, id, url, 'GET', `${SECRETS}?fieldSelector=type%3D${encodeURIComponent(TOKEN_TYPE)}`);
  for (const secret of Array.isArray(list?.items) ? list.items : []) {
    if (!isObject(secret) || !isObject(secret.metadata) || !isObject(secret.data)) continue;
    const end = timeToMillis(textOfBase64(String(secret.data.expiration ?? '')));
    if (end <= world.now()) await joined.ask(b, id, url, 'DELETE', `${SECRETS}/${secret.metadata.name}`);
  }
}

/** '' where it is none. */
function textOfBase64(text: string): string {
  const bytes = bytesOfBase64(text);
  return typeof bytes === 'number' ? '' : new TextDecoder().decode(bytes);
}

/** The Secret of a bootstrap token, with which one may authenticate and sign nothing. */
function tokenSecret(id: string, secret: string, expiration: string): object {
  const stringData = {
    description: 'join token of coracle',
    'token-id': id,
    'token-secret': secret,
    expiration,
    'usage-bootstrap-authentication': 'true',
    'auth-extra-groups': JOINERS,
  };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    type: TOKEN_TYPE,
    stringData,
  };
}

/** Each character as likely as any other. */
function randomText(chars: number): string {
  const fair = 256 - (256 % ALPHABET.length);
  let text = '';
  while (text.length < chars)
    for (const byte of crypto.getRandomValues(new Uint8Array(chars)))
      if (byte < fair && text.length < chars) text += ALPHABET[byte % ALPHABET.length];
  return text;
}
