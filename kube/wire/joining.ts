import * as v from 'valibot';

/** Below a cluster's URL: POST NewNode with a join token gives a NodeCredential, 201. */
export const JOIN_PATH = '/.coracle/v1/node';

/** Join tokens are bootstrap tokens (Secrets kube-system/bootstrap-token-ID) of this group: others may authenticate, but get no node's credential. */
export const JOINERS = 'system:bootstrappers:coracle:nodes';

/** A node's name: a DNS subdomain. */
export const NodeName = v.pipe(
  v.string(),
  v.maxLength(253),
  v.regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'a DNS subdomain is needed'),
);
export const NewNode = v.object({ metadata: v.object({ name: NodeName }) });

/** With what an agent may be the node `metadata.name` of the cluster at `status.url`. */
export const NodeCredential = v.object({
  metadata: v.object({ name: v.string() }),
  status: v.object({ url: v.string(), token: v.string(), ca: v.string() }),
});
export type NodeCredential = v.InferOutput<typeof NodeCredential>;

/** A century: what is longer is no time to live. */
const TTL_SECONDS_MAX = 100 * 366 * 86_400;
/** What a new join token is asked with. */
export const NewJoinToken = v.object({
  spec: v.optional(
    v.object({ ttlSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(TTL_SECONDS_MAX))) }),
  ),
});
