import { badRequest, failure } from '../kube/meta/status.ts';
import type { RequestInfo, User } from './attributes.ts';
import { GROUPS, parseServiceAccountName, serviceAccountGroups } from './authn/users.ts';
import { authorize, type Call } from './call.ts';
import { denied } from './forbidden.ts';

// Impersonation: apiserver pkg/endpoints/filters/impersonation. Each part of the identity is a permission of its own.

const EXTRA = 'impersonate-extra-';

/** The user that the request wants to act as, once the real one may; the real one when the request doesn't ask. */
export async function impersonated(call: Call): Promise<User> {
  const { headers } = call.request;
  const name = headers.get('impersonate-user') ?? '';
  const groups = listed(headers.get('impersonate-group'));
  const uid = headers.get('impersonate-uid') ?? '';
  const extra = extraOf(headers);
  if (name === '') {
    if (groups.length > 0 || uid !== '' || extra.size > 0) {
      throw failure(
        'InternalError',
        'Internal error occurred: requested groups, uid or extra without impersonating a user',
      );
    }
    return call.user;
  }
  const account = parseServiceAccountName(name);
  if (account) await need(call, '', 'serviceaccounts', account.name, account.namespace);
  else await need(call, '', 'users', name);
  for (const g of groups) await need(call, '', 'groups', g);
  for (const [key, values] of extra)
    for (const v of values) await need(call, 'authentication.k8s.io', 'userextras', v, '', key);
  if (uid !== '') await need(call, 'authentication.k8s.io', 'uids', uid);
  const own = account && groups.length === 0 ? serviceAccountGroups(account.namespace) : groups;
  return {
    name,
    groups: withBasis(name, own),
    ...(uid === '' ? {} : { uid }),
    ...(extra.size === 0 ? {} : { extra: Object.fromEntries(extra) }),
    // The real credential must go on counting.
    ...(call.user.bound ? { bound: call.user.bound } : {}),
  };
}

/** Everybody is authenticated, but for the anonymous. */
function withBasis(name: string, groups: readonly string[]): readonly string[] {
  if (groups.includes(GROUPS.authenticated) || groups.includes(GROUPS.unauthenticated)) return groups;
  return [...groups, name === 'system:anonymous' ? GROUPS.unauthenticated : GROUPS.authenticated];
}

async function need(
  call: Call,
  group: string,
  resource: string,
  name: string,
  namespace = '',
  subresource = '',
): Promise<void> {
  const info: RequestInfo = {
    isResource: true,
    path: call.info.path,
    verb: 'impersonate',
    group,
    version: 'v1',
    resource,
    subresource,
    namespace,
    name,
    rest: [],
  };
  const verdict = await authorize(call, call.user, info);
  if (!verdict.allow) throw denied(call.user, info, verdict.reason);
}

const listed = (header: string | null): string[] =>
  header === null
    ? []
    : header
        .split(',')
        .map((g) => g.trim())
        .filter((g) => g !== '');

function extraOf(headers: Headers): Map<string, string[]> {
  const out = new Map<string, string[]>();
  headers.forEach((value, header) => {
    if (!header.startsWith(EXTRA)) return;
    try {
      out.set(decodeURIComponent(header.slice(EXTRA.length)), listed(value));
    } catch {
      throw badRequest(`invalid header ${JSON.stringify(header)}`);
    }
  });
  return out;
}
