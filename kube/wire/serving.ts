import * as v from 'valibot';

/** Below a cluster's URL: POST NewServing with a node's token gives ServingAnswer, 201. */
export const SERVING_PATH = '/.coracle/v1/serving';

/** A node wants to serve the cluster's API to its pods, with this key. */
export const NewServing = v.object({
  /** SPKI of a P-256 key, base64. */
  publicKey: v.pipe(v.string(), v.maxLength(256), v.base64()),
  /** The cluster's DNS domain. */
  domain: v.pipe(
    v.string(),
    v.maxLength(200),
    v.regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, 'domain: a DNS subdomain is needed'),
  ),
});
/** `certificate`: PEM. */
export const ServingAnswer = v.object({ certificate: v.string() });
