import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { keyOf } from '../../kube/store/key.ts';
import type { User } from '../attributes.ts';
import { EXTRA, GROUPS, nodeUserName, serviceAccountGroups, serviceAccountName } from './users.ts';

/** A name and uid inside the claim `kubernetes.io`. */
export interface Ref {
  name: string;
  uid: string;
}
/** What a token of ours says: pkg/serviceaccount/claims.go. Times are seconds since the epoch. */
export interface Claims {
  iss: string;
  sub: string;
  aud: readonly string[];
  exp: number;
  nbf: number;
  jti: string;
  namespace: string;
  serviceAccount?: Ref;
  pod?: Ref;
  node?: Ref;
  secret?: Ref;
}
/** Clocks differ: go-jose's default leeway, in seconds. */
const LEEWAY_SECONDS = 60;

/** Reads a verified payload; null when it isn't a token of ours. */
export function readClaims(p: JsonObject): Claims | null {
  const k = p['kubernetes.io'];
  if (typeof p.iss !== 'string' || typeof p.sub !== 'string' || !isObject(k)) return null;
  return {
    iss: p.iss,
    sub: p.sub,
    aud: typeof p.aud === 'string' ? [p.aud] : texts(p.aud),
    exp: seconds(p.exp, Number.POSITIVE_INFINITY),
    nbf: seconds(p.nbf, 0),
    jti: typeof p.jti === 'string' ? p.jti : '',
    namespace: typeof k.namespace === 'string' ? k.namespace : '',
    ...refs(k),
  };
}

/** The payload of a new token; `warnAfter` marks a token whose life was extended. */
export function writeClaims(c: Claims & { iat: number; warnAfter?: number }): JsonObject {
  return {
    aud: [...c.aud],
    exp: c.exp,
    iat: c.iat,
    iss: c.iss,
    jti: c.jti,
    'kubernetes.io': {
      ...(c.namespace === '' ? {} : { namespace: c.namespace }),
      ...(c.node ? { node: { ...c.node } } : {}),
      ...(c.pod ? { pod: { ...c.pod } } : {}),
      ...(c.secret ? { secret: { ...c.secret } } : {}),
      ...(c.serviceAccount ? { serviceaccount: { ...c.serviceAccount } } : {}),
      ...(c.warnAfter ? { warnafter: c.warnAfter } : {}),
    },
    nbf: c.nbf,
    sub: c.sub,
  };
}

/** Upstream's text when a token is out of its time; '' when it's good at `now` (milliseconds). */
export function timeProblem(c: { exp: number; nbf: number }, now: number): string {
  const s = now / 1000;
  if (s + LEEWAY_SECONDS < c.nbf) return 'service account token is not valid yet';
  if (s - LEEWAY_SECONDS > c.exp) return 'service account token has expired';
  return '';
}

/** The user that verified claims speak for, with the objects that must still exist; null when the claims don't fit together. */
export function userOf(c: Claims): User | null {
  const sa = c.serviceAccount;
  if (sa === undefined) return nodeUser(c);
  const extra: Record<string, string[]> = {};
  const bound = [{ key: keyOf('', 'serviceaccounts', c.namespace, sa.name), uid: sa.uid }];
  if (c.pod) {
    extra[EXTRA.podName] = [c.pod.name];
    extra[EXTRA.podUid] = [c.pod.uid];
    bound.push({ key: keyOf('', 'pods', c.namespace, c.pod.name), uid: c.pod.uid });
  }
  if (c.jti !== '') extra[EXTRA.credentialId] = [`JTI=${c.jti}`];
  if (c.node) {
    extra[EXTRA.nodeName] = [c.node.name];
    if (c.node.uid !== '') extra[EXTRA.nodeUid] = [c.node.uid];
    // A pod's token only tells its node; a token bound to the node alone ends with it.
    if (!c.pod) bound.push({ key: keyOf('', 'nodes', '', c.node.name), uid: c.node.uid });
  }
  if (c.secret) bound.push({ key: keyOf('', 'secrets', c.namespace, c.secret.name), uid: c.secret.uid });
  return {
    name: serviceAccountName(c.namespace, sa.name),
    uid: sa.uid,
    groups: [...serviceAccountGroups(c.namespace), GROUPS.authenticated],
    extra,
    bound,
  };
}

/** A kubelet's token. One without a uid (given at join, before the Node exists) is bound to nothing. */
function nodeUser(c: Claims): User | null {
  if (!c.node || c.sub !== nodeUserName(c.node.name)) return null;
  return {
    name: c.sub,
    groups: [GROUPS.nodes, GROUPS.authenticated],
    extra: c.jti === '' ? {} : { [EXTRA.credentialId]: [`JTI=${c.jti}`] },
    ...(c.node.uid === '' ? {} : { bound: [{ key: keyOf('', 'nodes', '', c.node.name), uid: c.node.uid }] }),
  };
}

function refs(k: JsonObject): Pick<Claims, 'serviceAccount' | 'pod' | 'node' | 'secret'> {
  const [serviceAccount, pod, node, secret] = [ref(k.serviceaccount), ref(k.pod), ref(k.node), ref(k.secret)];
  return {
    ...(serviceAccount ? { serviceAccount } : {}),
    ...(pod ? { pod } : {}),
    ...(node ? { node } : {}),
    ...(secret ? { secret } : {}),
  };
}

function ref(v: Json | undefined): Ref | null {
  if (!isObject(v) || typeof v.name !== 'string') return null;
  return { name: v.name, uid: typeof v.uid === 'string' ? v.uid : '' };
}
const texts = (v: Json | undefined): string[] => (Array.isArray(v) ? v.filter((t) => typeof t === 'string') : []);
const seconds = (v: Json | undefined, absent: number): number => (typeof v === 'number' ? v : absent);
