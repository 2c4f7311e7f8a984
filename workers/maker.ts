import { signNodeToken } from '../api/authn/jwt.ts';
import { base64UrlOf, sha256Hex } from '../api/authn/text.ts';
import type { PutOp } from '../kube/store/store.ts';
import { newAuthority, newSigningKey } from './accounts/authority.ts';
import type { ClusterMaker } from './accounts/clusters.ts';
import type { Bindings } from './bindings.ts';
import {
  clusterContext,
  currentLayer,
  fillView,
  forgetCluster,
  KEYS_RESOURCE,
  type StoredKeys,
  storeStub,
  TOKENS_RESOURCE,
} from './cluster.ts';
import { world } from './env.ts';
import { LOOPS } from './loops/list.ts';

/** A node's credential lives for a year; it is asked anew at each `up` or join. */
const NODE_TOKEN_SECONDS = 365 * 86_400;
const TOKEN_BYTES = 32;
/** All of a UUID but its last group. */
const UID_PREFIX = 24;

/** A row whose deciding part is all of it. */
function row(key: string, uid: string, data: object): PutOp {
  const name = key.slice(key.indexOf('/') + 1);
  return {
    key,
    expect: 0,
    value: { text: JSON.stringify({ metadata: { name } }), version: 'coracle.dev/v1', schema: '' },
    facts: { uid, policy: JSON.stringify(data) },
  };
}

/** How clusters come to be and go. */
export const maker: ClusterMaker = {
  async create(b, id, url) {
    const tenant = storeStub(b, id);
    const now = world.now();
    const token = base64UrlOf(crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)));
    const [authority, signing] = await Promise.all([
      newAuthority(now),
      newSigningKey(),
      tenant.create({ base: currentLayer(), uidPrefix: world.uuid().slice(0, UID_PREFIX), createdMs: now }),
    ]);
    const keys: StoredKeys = { issuer: url, signing: [signing], ca: authority.pem, caKey: authority.key };
    const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };
    const done = await tenant.commit([
      row(`${KEYS_RESOURCE}/main`, world.uuid(), keys),
      row(`${TOKENS_RESOURCE}/${await sha256Hex(token)}`, world.uuid(), admin),
    ]);
    if (!done.ok) throw new Error('the keys of a new cluster could not be written');
    // Each loop reads everything at its first wake-up and registers for what it looks at.
    await Promise.all(Object.keys(LOOPS).map((loop) => wakeLoop(b, id, loop)));
    return { adminToken: token };
  },
  async destroy(b, id) {
    await storeStub(b, id).destroy();
    forgetCluster(id);
  },
  async nodeToken(b, id, url, node) {
    const c = clusterContext(b, { waitUntil: () => undefined }, id, url);
    await fillView(c);
    return { token: await signNodeToken({ name: node, uid: '' }, NODE_TOKEN_SECONDS, c), ca: c.keys.ca };
  },
};

/** Wakes the first replica of a loop. */
export async function wakeLoop(b: Bindings, cluster: string, loop: string, replica = 0): Promise<void> {
  const stub = b.LOOPS.getByName(`${cluster}/${loop}/${replica}`);
  await stub.wake({ cluster, loop, replica });
}
