import { compactVerify, decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { isObject, type JsonObject } from '../../kube/meta/json.ts';
import type { ClusterContext, ClusterKeys, User } from '../attributes.ts';
import { type Claims, type Ref, readClaims, timeProblem, userOf, writeClaims } from './claims.ts';
import { type KeySet, keySet } from './keys.ts';
import { utf8Text } from './text.ts';
import { nodeUserName, serviceAccountName } from './users.ts';

/** What a token is worth; `error` only for TokenReview, a client just gets 401. Null: not a token of this kind. */
export type TokenResult = { user: User; audiences: readonly string[] } | { error: string } | null;

/** Verified tokens that an isolate remembers: about 2 KiB each. */
const VERIFIED_MAX = 4_096;
interface Verified {
  claims: Claims;
  user: User;
  kid: string;
}
const verified = new Map<string, Verified>();

/** Issuer in the payload without verification; '' when it isn't a JWT. */
export function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? '';
  } catch {
    return '';
  }
}

/**
 * ServiceAccount and node tokens of this cluster. A signature is verified once per isolate; that the objects behind it exist is left to
 * User.bound. `audiences` are those that the token must have one of (the issuer by default).
 */
export async function authenticateJwt(
  token: string,
  c: ClusterContext,
  audiences: readonly string[] = [c.keys.issuer],
): Promise<TokenResult> {
  const id = `${c.id} ${token}`;
  const known = verified.get(id);
  // Every signer that was dropped drops its tokens: the key set is looked up on each use.
  const keys = await keySet(c.keys.signing);
  const found = known && known.claims.iss === c.keys.issuer && keys.byId.has(known.kid) ? known : null;
  const entry = found ?? (await verify(token, c.keys, keys));
  if (entry === null || 'error' in entry) return entry;
  const late = timeProblem(entry.claims, c.env.now());
  if (late !== '') {
    verified.delete(id);
    return { error: late };
  }
  if (found === null) remember(id, entry);
  const both = entry.claims.aud.filter((a) => audiences.includes(a));
  if (both.length === 0) {
    const list = (l: readonly string[]) => `[${l.map((a) => JSON.stringify(a)).join(' ')}]`;
    return {
      error: `token audiences ${list(entry.claims.aud)} is invalid for the target audiences ${list(audiences)}`,
    };
  }
  return { user: entry.user, audiences: both };
}

async function verify(token: string, k: ClusterKeys, keys: KeySet): Promise<Verified | { error: string } | null> {
  if (issuerOf(token) !== k.issuer) return null;
  let kid: string | undefined;
  try {
    kid = decodeProtectedHeader(token).kid;
  } catch {
    return null;
  }
  const candidates = kid === undefined ? keys.keys : [keys.byId.get(kid)];
  for (const key of candidates) {
    if (key === undefined) return { error: 'invalid signature, no keys found' };
    const payload = await payloadOf(token, key.verify, key.alg);
    if (payload === null) continue;
    const claims = readClaims(payload);
    const user = claims && userOf(claims);
    if (claims === null || user === null) return { error: 'service account token claims could not be validated' };
    return { claims, user, kid: key.kid };
  }
  return { error: 'go-jose/go-jose: error in cryptographic primitive' };
}

async function payloadOf(token: string, key: CryptoKey, alg: string): Promise<JsonObject | null> {
  try {
    const { payload } = await compactVerify(token, key, { algorithms: [alg] });
    const value: unknown = JSON.parse(utf8Text(payload) ?? 'null');
    return isObject(value) ? value : null;
  } catch {
    // A wrong signature is an expected outcome; the caller tries the next key or says so.
    return null;
  }
}

function remember(id: string, entry: Verified): void {
  if (verified.size >= VERIFIED_MAX) for (const oldest of verified.keys()) if (verified.delete(oldest)) break;
  verified.set(id, entry);
}

/** What a new ServiceAccount token says. Times in seconds. */
export interface TokenRequest {
  namespace: string;
  serviceAccount: Ref;
  audiences: readonly string[];
  expirationSeconds: number;
  /** Seconds from now after which the token counts as stale (extended tokens). */
  warnAfterSeconds?: number;
  pod?: Ref;
  node?: Ref;
  secret?: Ref;
}

/** Signs a ServiceAccount's token with the cluster's first key. */
export function signServiceAccountToken(r: TokenRequest, c: ClusterContext): Promise<{ token: string; jti: string }> {
  const { expirationSeconds, warnAfterSeconds, audiences, ...refs } = r;
  const sub = serviceAccountName(r.namespace, r.serviceAccount.name);
  return sign({ sub, aud: audiences, ...refs }, expirationSeconds, warnAfterSeconds ?? 0, c);
}

/** Signs a kubelet's token (user system:node:<name>). With a uid it ends with that Node; without, it may register it. */
export async function signNodeToken(node: Ref, expirationSeconds: number, c: ClusterContext): Promise<string> {
  const claims = { sub: nodeUserName(node.name), aud: [c.keys.issuer], namespace: '', node };
  return (await sign(claims, expirationSeconds, 0, c)).token;
}

async function sign(
  claims: Omit<Claims, 'iss' | 'exp' | 'nbf' | 'jti'>,
  expirationSeconds: number,
  warnAfterSeconds: number,
  c: ClusterContext,
): Promise<{ token: string; jti: string }> {
  const [key] = (await keySet(c.keys.signing)).keys;
  if (key === undefined) throw new Error('the cluster has no signing key');
  const now = Math.floor(c.env.now() / 1000);
  const jti = c.env.uuid();
  const payload = writeClaims({
    ...claims,
    iss: c.keys.issuer,
    iat: now,
    nbf: now,
    exp: now + expirationSeconds,
    jti,
    ...(warnAfterSeconds > 0 ? { warnAfter: now + warnAfterSeconds } : {}),
  });
  const token = await new SignJWT(payload).setProtectedHeader({ alg: key.alg, kid: key.kid }).sign(key.sign);
  return { token, jti };
}

/** `/openid/v1/jwks`: the public keys. Media type application/jwk-set+json, max-age DISCOVERY_MAX_AGE_SECONDS. */
export async function jwksDocument(keys: ClusterKeys): Promise<JsonObject> {
  const set = await keySet(keys.signing);
  return { keys: set.keys.map((k) => ({ ...k.jwk }) as JsonObject) };
}

/** `/.well-known/openid-configuration` of the cluster's issuer; the keys are at `<url>/openid/v1/jwks`. */
export async function openIdConfiguration(keys: ClusterKeys, url: string): Promise<JsonObject> {
  const set = await keySet(keys.signing);
  return {
    issuer: keys.issuer,
    jwks_uri: `${url}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(set.keys.map((k) => k.alg))].sort(),
  };
}
/** Upstream's Cache-Control max-age of both documents. */
export const DISCOVERY_MAX_AGE_SECONDS = 3_600;
