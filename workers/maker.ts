import type { ClusterContext, User } from '../api/attributes.ts';
import { signNodeToken } from '../api/authn/jwt.ts';
import { base64UrlOf, sha256Hex } from '../api/authn/text.ts';
import { createPolicyView } from '../api/policy.ts';
import type { Api } from '../api/server.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import { type Status, StatusError } from '../kube/meta/status.ts';
import { interestsOf } from '../kube/reconcile/interests.ts';
import type { Op, PutOp } from '../kube/store/store.ts';
import type { ArchiveRow } from '../kube/wire/archive.ts';
import { newAuthority, newSigningKey } from './accounts/authority.ts';
import { type Beginning, beginCluster, recordBeginning } from './accounts/beginning.ts';
import type { ClusterMaker } from './accounts/clusters.ts';
import type { CopyMaker } from './accounts/copying.ts';
import type { Joined } from './accounts/joining.ts';
import { ownRow } from './accounts/ownrow.ts';
import { removeCluster } from './accounts/removal.ts';
import type { Bindings } from './bindings.ts';
import {
  baseLayer,
  clusterContext,
  currentLayer,
  fillView,
  forgetCluster,
  KEYS_RESOURCE,
  type StoredKeys,
  storeStub,
  TOKENS_RESOURCE,
} from './cluster.ts';
import { turn, world } from './env.ts';
import { LOOPS } from './loops/list.ts';
import { identity } from './platform.ts';

/** A node's credential lives for a year; it is asked anew at each `up` or join. */
const NODE_TOKEN_SECONDS = 365 * 86_400;
const TOKEN_BYTES = 32;
/** All of a UUID but its last group. */
const UID_PREFIX = 24;

const archiveRow = ({ key, value, facts }: PutOp): ArchiveRow => ({
  key,
  version: value?.version ?? '',
  schema: '',
  facts: JSON.stringify(facts),
  value: value?.text ?? null,
});

/** The row of a new administrator's token. */
async function adminRow(): Promise<{ op: PutOp; adminToken: string }> {
  const adminToken = base64UrlOf(crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)));
  const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };
  return { op: ownRow(`${TOKENS_RESOURCE}/${await sha256Hex(adminToken)}`, world.uuid(), admin), adminToken };
}

/** The rows of new keys, and an administrator's token. */
async function keyRows(now: number, url: string): Promise<{ ops: PutOp[]; adminToken: string; ca: string }> {
  const [authority, signing, admin] = await Promise.all([newAuthority(now), newSigningKey(), adminRow()]);
  // Certificates are 3 ms of the thread.
  await turn();
  const keys: StoredKeys = { issuer: url, signing: [signing], ca: authority.pem, caKey: authority.key };
  return {
    ops: [ownRow(`${KEYS_RESOURCE}/main`, world.uuid(), keys), admin.op],
    adminToken: admin.adminToken,
    ca: authority.pem,
  };
}

const newUidPrefix = () => world.uuid().slice(0, UID_PREFIX);

/** What copies of clusters are made with. */
export const copyMaker: CopyMaker = {
  async newKeys(url) {
    const { ops, adminToken, ca } = await keyRows(world.now(), url);
    return { rows: ops.map(archiveRow), adminToken, ca };
  },
  async newAdmin() {
    const { op, adminToken } = await adminRow();
    return { rows: [archiveRow(op)], adminToken };
  },
  newUidPrefix,
  hasLayer: (hash) => baseLayer(hash) !== undefined,
  loops: Object.keys(LOOPS),
  forget: forgetCluster,
};

/** How clusters come to be and go. */
export const createMaker = (api: Api): ClusterMaker => ({
  async create(b, id, url) {
    const now = world.now();
    const { ops: keys, adminToken, ca } = await keyRows(now, url);
    const beginning = await beginningOf(api);
    await turn();
    const ops: Op[] = [...keys, ...beginCluster(beginning, { now, ca, uuid: world.uuid })];
    const spec = { base: currentLayer(), uidPrefix: newUidPrefix(), createdMs: now };
    await storeStub(b, id).create(spec, { ops, loops: INTERESTS });
    return { adminToken };
  },
  async destroy(b, id) {
    await removeCluster(b, id);
    forgetCluster(id);
  },
  nodeToken,
});

async function nodeToken(b: Bindings, id: string, url: string, node: string): Promise<{ token: string; ca: string }> {
  const c = clusterContext(b, { waitUntil: () => undefined }, id, url);
  await fillView(c);
  return { token: await signNodeToken({ name: node, uid: '' }, NODE_TOKEN_SECONDS, c), ca: c.keys.ca };
}

/** The endpoint's operator, as clusters see them. */
export const OPERATOR: User = {
  name: 'system:coracle:operator',
  groups: ['system:masters', 'system:authenticated'],
};

/** How machines and people get into clusters. */
export const createJoined = (api: Api): Joined => ({
  nodeToken,
  async ask(b, id, url, method, path, body) {
    const context = clusterContext(b, { waitUntil: () => undefined }, id, url);
    await fillView(context);
    const headers: Record<string, string> = body ? { 'content-type': 'application/json' } : {};
    const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
    const answer = await api.handle(new Request(`https://cluster.invalid${path}`, init), context, { user: OPERATOR });
    if (answer.status === 404) return null;
    const found = (await answer.json()) as JsonObject;
    if (!answer.ok) throw new StatusError(found as unknown as Status);
    return found;
  },
  async adminToken(b, id) {
    const { op, adminToken } = await adminRow();
    const done = await storeStub(b, id).commit([op]);
    if (!done.ok) throw new Error('the token of an administrator could not be written');
    return adminToken;
  },
});

const INTERESTS = Object.fromEntries(Object.entries(LOOPS).map(([loop, c]) => [loop, [...interestsOf(c)]]));

/** Recorded with the isolate's first creation: what loops would write to each new cluster is the same but for uids, time and CA. */
let begun: Beginning | undefined;
async function beginningOf(api: Api): Promise<Beginning> {
  // No promise is shared: who waits for one of another request waits for ever when that one's client goes.
  begun ??= await record(api);
  return begun;
}
function record(api: Api): Promise<Beginning> {
  const layer = baseLayer(currentLayer());
  if (layer === undefined) throw new Error('this release has no base layer');
  return recordBeginning({
    layer,
    controllers: Object.values(LOOPS).flat(),
    env: world,
    async send(store, env) {
      const view = createPolicyView();
      const answer = await store('namespaces', '').confirm({ policy: 0 });
      if (!answer.ok) view.apply(answer);
      const keys = { issuer: '', signing: [], ca: '', tokens: {} };
      const context: ClusterContext = { id: '', url: '', env, view, keys, store, waitUntil: () => undefined };
      return async (controller, request) => {
        await turn();
        return api.handle(request, context, { user: identity(controller) });
      };
    },
  });
}

/** Wakes the first replica of a loop. */
export async function wakeLoop(b: Bindings, cluster: string, loop: string, replica = 0): Promise<void> {
  const stub = b.LOOPS.getByName(`${cluster}/${loop}/${replica}`);
  await stub.wake({ cluster, loop, replica });
}
