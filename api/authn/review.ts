import { isObject, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { badRequest } from '../../kube/meta/status.ts';
import { parseKey } from '../../kube/store/key.ts';
import type { ClusterContext, User } from '../attributes.ts';
import { authenticateToken } from './authenticate.ts';

/** Answers a TokenReview: fills `status` of a copy. Throws 400 without a token. Bound objects are confirmed with the store. */
export async function reviewToken(review: KubeObject, c: ClusterContext): Promise<KubeObject> {
  const spec = isObject(review.spec) ? review.spec : {};
  if (typeof spec.token !== 'string' || spec.token === '') {
    throw badRequest('token is required for TokenReview in authentication');
  }
  const asked = Array.isArray(spec.audiences) ? spec.audiences.filter((a) => typeof a === 'string') : [];
  const audiences = asked.length === 0 ? [c.keys.issuer] : asked;
  const result = await authenticateToken(spec.token, c, audiences);
  const problem = 'error' in result ? result.error : await boundProblem(result.user, c);
  if ('error' in result || problem !== '') {
    return { ...review, status: { user: {}, ...(problem === '' ? {} : { error: problem }) } };
  }
  return {
    ...review,
    status: { authenticated: true, user: userInfo(result.user), audiences: [...result.audiences] },
  };
}

/** authentication.k8s.io/v1 UserInfo, as TokenReview, SelfSubjectReview and AdmissionReview show it. */
export function userInfo(u: User): JsonObject {
  const extra: JsonObject = {};
  for (const [k, values] of Object.entries(u.extra ?? {})) extra[k] = [...values];
  return {
    username: u.name,
    ...(u.uid ? { uid: u.uid } : {}),
    ...(u.groups.length > 0 ? { groups: [...u.groups] } : {}),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
}

/** Upstream's words for the first bound object that is gone; '' when all are there. */
async function boundProblem(u: User, c: ClusterContext): Promise<string> {
  if (!u.bound || u.bound.length === 0) return '';
  const answer = await c.store('serviceaccounts', '').confirm({ exist: [...u.bound] });
  if (answer.ok || answer.missing.length === 0) return '';
  const missing = u.bound[answer.missing[0] ?? 0];
  if (missing === undefined) return '';
  const { resource, name } = parseKey(missing.key);
  if (resource !== 'serviceaccounts') return 'service account token has been invalidated';
  const found = c.view.get(missing.key);
  if (found && found.uid !== missing.uid) {
    return `service account UID (${found.uid}) does not match claim (${missing.uid})`;
  }
  return `serviceaccounts ${JSON.stringify(name)} not found`;
}
