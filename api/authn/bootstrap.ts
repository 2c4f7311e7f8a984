import { isObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { timeToMillis } from '../../kube/meta/time.ts';
import type { Authenticator, User } from '../attributes.ts';
import { readNow } from './read.ts';
import { base64Text, sameSecret } from './text.ts';

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Tokens `id.secret` kept in Secrets kube-system/bootstrap-token-<id>: always read anew, because deleting the Secret must end them. */
export const bootstrapTokens: Authenticator = {
  name: 'bootstrap-token',
  async authenticate(token, c) {
    const [, id, secret] = TOKEN.exec(token) ?? [];
    if (id === undefined || secret === undefined) return null;
    const object = await readNow(c, 'secrets', 'kube-system', `bootstrap-token-${id}`);
    return object && bootstrapUser(object, id, secret, c.env.now());
  },
};

/** The user of a bootstrap token's Secret, or null when the Secret doesn't vouch for it at `now` (milliseconds). */
async function bootstrapUser(s: KubeObject, id: string, secret: string, now: number): Promise<User | null> {
  if (s.metadata.deletionTimestamp !== undefined || s.type !== 'bootstrap.kubernetes.io/token') return null;
  const data = (key: string) => secretText(s, key);
  if (!(await sameSecret(data('token-secret'), secret)) || data('token-id') !== id) return null;
  const expiration = data('expiration');
  // An expiration that can't be read counts as passed.
  if (expiration !== '' && !(timeToMillis(expiration) > now)) return null;
  if (data('usage-bootstrap-authentication') !== 'true') return null;
  const groups = new Set(['system:bootstrappers']);
  const more = data('auth-extra-groups');
  for (const g of more === '' ? [] : more.split(',')) {
    if (!GROUP.test(g)) return null;
    groups.add(g);
  }
  return { name: `system:bootstrap:${id}`, groups: [...groups].sort() };
}

/** One value of a Secret as text; '' when it's absent. */
export function secretText(s: KubeObject, key: string): string {
  const value = isObject(s.data) ? s.data[key] : undefined;
  return typeof value === 'string' ? (base64Text(value) ?? '') : '';
}
