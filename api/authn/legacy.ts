import { compactVerify } from 'jose';
import { isObject } from '../../kube/meta/json.ts';
import { keyOf } from '../../kube/store/key.ts';
import type { ClusterContext } from '../attributes.ts';
import { secretText } from './bootstrap.ts';
import { issuerOf, type TokenResult } from './jwt.ts';
import { keySet } from './keys.ts';
import { readNow } from './read.ts';
import { sameSecret, utf8Text } from './text.ts';
import { GROUPS, parseServiceAccountName, serviceAccountGroups } from './users.ts';

/** Issuer of the tokens that the token controller puts into Secrets. */
const LEGACY_ISSUER = 'kubernetes/serviceaccount';
const CLAIM = 'kubernetes.io/serviceaccount/';

/** Tokens kept in Secrets of type kubernetes.io/service-account-token: pkg/serviceaccount/legacy.go. They have no audience and no end but their Secret's. */
export async function authenticateLegacy(token: string, c: ClusterContext): Promise<TokenResult> {
  if (issuerOf(token) !== LEGACY_ISSUER) return null;
  const claims = await verify(token, c);
  if (claims === null) return { error: 'go-jose/go-jose: error in cryptographic primitive' };
  const text = (name: string) => (typeof claims[name] === 'string' ? claims[name] : '');
  const namespace = text(`${CLAIM}namespace`);
  const secretName = text(`${CLAIM}secret.name`);
  const name = text(`${CLAIM}service-account.name`);
  const uid = text(`${CLAIM}service-account.uid`);
  const sub = text('sub');
  if (sub === '') return { error: 'sub claim is missing' };
  if (namespace === '') return { error: 'namespace claim is missing' };
  if (secretName === '') return { error: 'secretName claim is missing' };
  if (name === '') return { error: 'serviceAccountName claim is missing' };
  if (uid === '') return { error: 'serviceAccountUID claim is missing' };
  const subject = parseServiceAccountName(sub);
  if (subject === null || subject.namespace !== namespace || subject.name !== name) {
    return { error: 'sub claim is invalid' };
  }
  const secret = await readNow(c, 'secrets', namespace, secretName);
  if (secret === null || secret.metadata.deletionTimestamp) return { error: 'Token has been invalidated' };
  if (!(await sameSecret(secretText(secret, 'token'), token))) {
    return { error: "Token does not match server's copy" };
  }
  return {
    user: {
      name: sub,
      uid,
      groups: [...serviceAccountGroups(namespace), GROUPS.authenticated],
      bound: [
        { key: keyOf('', 'serviceaccounts', namespace, name), uid },
        { key: keyOf('', 'secrets', namespace, secretName), uid: secret.metadata.uid ?? '' },
      ],
    },
    audiences: [c.keys.issuer],
  };
}

async function verify(token: string, c: ClusterContext): Promise<Record<string, unknown> | null> {
  for (const key of (await keySet(c.keys.signing)).keys) {
    try {
      const { payload } = await compactVerify(token, key.verify, { algorithms: [key.alg] });
      const claims: unknown = JSON.parse(utf8Text(payload) ?? 'null');
      return isObject(claims) ? claims : null;
    } catch {
      // Not signed with this key: the next one may have.
    }
  }
  return null;
}
