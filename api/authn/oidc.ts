import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import * as v from 'valibot';
import type { ClusterContext, User } from '../attributes.ts';
import { issuerOf, type TokenResult } from './jwt.ts';
import { GROUPS } from './users.ts';

/** One trusted issuer: kube-apiserver's --oidc-* flags, with the keys given instead of fetched. */
export const OidcIssuer = v.object({
  issuer: v.pipe(v.string(), v.startsWith('https://')),
  audiences: v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1)),
  usernameClaim: v.optional(v.string(), 'sub'),
  /** Absent: `<issuer>#`, but nothing before an email. '-': nothing. */
  usernamePrefix: v.optional(v.string()),
  groupsClaim: v.optional(v.string()),
  groupsPrefix: v.optional(v.string(), ''),
  requiredClaims: v.optional(v.record(v.string(), v.string()), {}),
  signingAlgs: v.optional(v.array(v.string()), ['RS256']),
  jwks: v.object({ keys: v.array(v.looseObject({ kty: v.string() })) }),
});
export type OidcIssuer = v.InferOutput<typeof OidcIssuer>;
type KeyOf = ReturnType<typeof createLocalJWKSet>;
const keysOf = new WeakMap<OidcIssuer, KeyOf>();

/** ID tokens of the trusted issuers; null when none of them issued it. */
export async function authenticateOidc(
  token: string,
  issuers: readonly OidcIssuer[],
  c: ClusterContext,
): Promise<TokenResult> {
  if (issuers.length === 0) return null;
  const iss = issuerOf(token);
  const config = issuers.find((i) => i.issuer === iss);
  if (config === undefined) return null;
  let keys = keysOf.get(config);
  if (keys === undefined) {
    keys = createLocalJWKSet(config.jwks as JSONWebKeySet);
    keysOf.set(config, keys);
  }
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: iss,
      audience: [...config.audiences],
      algorithms: [...config.signingAlgs],
      currentDate: new Date(c.env.now()),
      requiredClaims: ['exp'],
    });
    const user = oidcUser(payload, config);
    return typeof user === 'string' ? { error: `oidc: ${user}` } : { user, audiences: [c.keys.issuer] };
  } catch (e) {
    if (e instanceof errors.JOSEError) return { error: `oidc: verify token: ${e.message}` };
    throw e;
  }
}

/** The user of verified claims, or upstream's words for why there is none. */
function oidcUser(claims: JWTPayload, o: OidcIssuer): User | string {
  const name = claims[o.usernameClaim];
  if (typeof name !== 'string') return `parse username claims "${o.usernameClaim}": claim not present`;
  if (o.usernameClaim === 'email' && 'email_verified' in claims && claims.email_verified !== true) {
    return 'email not verified';
  }
  for (const [claim, want] of Object.entries(o.requiredClaims)) {
    if (claims[claim] === undefined) return `required claim ${claim} not present in ID token`;
    if (claims[claim] !== want)
      return `required claim ${claim} value does not match. Got = ${claims[claim]}, want = ${want}`;
  }
  const groups = o.groupsClaim === undefined ? [] : groupsIn(claims[o.groupsClaim]);
  if (groups === null) return `parse groups claim "${o.groupsClaim}": json: cannot unmarshal`;
  const byDefault = o.usernameClaim === 'email' ? '' : `${o.issuer}#`;
  const prefix = o.usernamePrefix === undefined ? byDefault : o.usernamePrefix === '-' ? '' : o.usernamePrefix;
  return { name: prefix + name, groups: [...groups.map((g) => o.groupsPrefix + g), GROUPS.authenticated] };
}

function groupsIn(v: unknown): string[] | null {
  if (v === undefined) return [];
  if (typeof v === 'string') return [v];
  return Array.isArray(v) && v.every((g) => typeof g === 'string') ? v : null;
}
