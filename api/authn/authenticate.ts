import { type StatusError, unauthorized } from '../../kube/meta/status.ts';
import type { Authenticator, ClusterContext, User } from '../attributes.ts';
import { bootstrapTokens } from './bootstrap.ts';
import { authenticateJwt, type TokenResult } from './jwt.ts';
import { authenticateLegacy } from './legacy.ts';
import { authenticateOidc } from './oidc.ts';
import { base64UrlBytes, sha256Hex, utf8Text } from './text.ts';
import { ANONYMOUS, authenticated } from './users.ts';

/** Who a request comes from. */
export interface Authenticated {
  user: User;
  /** Sec-WebSocket-Protocol without the token, when the token came in it: what the upgrade may choose from. */
  protocols?: string;
}

const TOKEN_PROTOCOL = 'base64url.bearer.authorization.k8s.io.';

/**
 * The user of a request's headers: a bearer token, or the WebSocket subprotocol that carries one; without a credential system:anonymous.
 * Throws StatusError 401 `Unauthorized` for a credential that is no good. The user's `bound` joins every store call's assume.
 */
export async function authenticateRequest(headers: Headers, c: ClusterContext): Promise<Authenticated> {
  const bearer = bearerToken(headers.get('authorization') ?? '');
  if (bearer !== null) return { user: await userOrRefuse(bearer, c) };
  const socket = socketToken(headers);
  if (socket === null) return { user: ANONYMOUS };
  if (socket === 'bad') throw unauthorized();
  return { user: await userOrRefuse(socket.token, c), protocols: socket.protocols };
}

/** The same answer for every bad credential, so that it teaches nothing. */
export const refusal = (): StatusError => unauthorized();

async function userOrRefuse(token: string, c: ClusterContext): Promise<User> {
  const result = await authenticateToken(token, c);
  if ('error' in result || isOrphan(result.user, c)) throw refusal();
  return result.user;
}

/** True when the View knows that the ServiceAccount or Node behind a credential is gone. Pods and Secrets only the store knows. */
function isOrphan(user: User, c: ClusterContext): boolean {
  if (user.bound === undefined || c.view.revision === 0) return false;
  for (const b of user.bound) {
    if (!b.key.startsWith('serviceaccounts/') && !b.key.startsWith('nodes/')) continue;
    const row = c.view.get(b.key);
    if (row === undefined || (b.uid !== undefined && row.uid !== b.uid)) return true;
  }
  return false;
}

/**
 * A token's user and those of `audiences` (the API server's by default) that it is for, or why not, in upstream's words.
 * Order: static tokens, ServiceAccount and node tokens, bootstrap tokens, OIDC.
 */
export async function authenticateToken(
  token: string,
  c: ClusterContext,
  audiences: readonly string[] = [c.keys.issuer],
): Promise<Exclude<TokenResult, null>> {
  const errors: string[] = [];
  for (const step of STEPS) {
    const result = await step(token, c, audiences);
    if (result === null) continue;
    if ('error' in result) errors.push(result.error);
    else return { user: authenticated(result.user), audiences: result.audiences };
  }
  const [first = 'invalid bearer token'] = errors;
  return { error: errors.length > 1 ? `[${errors.join(', ')}]` : first };
}

/** All of them in one, as composition roots pass it on in Parts.authenticators: throws 401 for a token that none accepts. */
export function createAuthenticator(): Authenticator {
  return { name: 'tokens', authenticate: (token, c) => userOrRefuse(token, c) };
}

type Step = (token: string, c: ClusterContext, audiences: readonly string[]) => Promise<TokenResult>;
const STEPS: readonly Step[] = [
  async (token, c, audiences) => {
    // A JWT is never a static token: its hash needn't be taken.
    if (token.length > STATIC_TOKEN_MAX) return null;
    return agnostic(c.keys.tokens[await hashOf(token)] ?? null, c, audiences);
  },
  // Before the Secret tokens, which take the token apart to see whose it is: this one remembers.
  (token, c, audiences) => authenticateJwt(token, c, audiences),
  (token, c) => authenticateLegacy(token, c),
  async (token, c, audiences) => agnostic(await bootstrapTokens.authenticate(token, c), c, audiences),
  (token, c) => authenticateOidc(token, c.keys.oidc ?? [], c),
];
/** Hashes of short tokens that an isolate remembers: a hash costs ten times the rest of the request's authentication. */
const HASHES_MAX = 1_024;
const hashes = new Map<string, string>();
async function hashOf(token: string): Promise<string> {
  let hash = hashes.get(token);
  if (hash === undefined) {
    hash = await sha256Hex(token);
    if (hashes.size >= HASHES_MAX) for (const oldest of hashes.keys()) if (hashes.delete(oldest)) break;
    hashes.set(token, hash);
  }
  return hash;
}
/** Account keys and admin tokens are well under this; ServiceAccount tokens well over. */
const STATIC_TOKEN_MAX = 256;

/** Credentials without an audience of their own are for the API server. */
function agnostic(user: User | null, c: ClusterContext, audiences: readonly string[]): TokenResult {
  return user !== null && audiences.includes(c.keys.issuer) ? { user, audiences: [c.keys.issuer] } : null;
}

/** The token of an Authorization header; null for none, another scheme, or an empty token. */
export function bearerToken(header: string): string | null {
  const [scheme = '', token = ''] = header.trim().split(' ');
  return scheme.toLowerCase() === 'bearer' && token !== '' ? token : null;
}

/** The token in a WebSocket request's subprotocols; null for none, 'bad' when it's malformed or the only protocol. */
export function socketToken(headers: Headers): { token: string; protocols: string } | null | 'bad' {
  if (headers.get('upgrade')?.toLowerCase() !== 'websocket') return null;
  const offered = (headers.get('sec-websocket-protocol') ?? '').split(',').map((p) => p.trim());
  const tokens = offered.filter((p) => p.startsWith(TOKEN_PROTOCOL));
  const [encoded] = tokens;
  if (encoded === undefined) return null;
  const others = offered.filter((p) => p !== '' && !p.startsWith(TOKEN_PROTOCOL));
  const bytes = base64UrlBytes(encoded.slice(TOKEN_PROTOCOL.length));
  const token = bytes && utf8Text(bytes);
  if (tokens.length > 1 || token === null) return 'bad';
  if (token === '') return null;
  return others.length === 0 ? 'bad' : { token, protocols: others.join(', ') };
}
