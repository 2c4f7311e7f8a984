import { dns1123Label, dns1123Subdomain } from '../../kube/meta/names.ts';
import type { User } from '../attributes.ts';

/** Names of apiserver pkg/authentication/user, v0.37.1. */
export const GROUPS = {
  masters: 'system:masters',
  nodes: 'system:nodes',
  authenticated: 'system:authenticated',
  unauthenticated: 'system:unauthenticated',
  serviceAccounts: 'system:serviceaccounts',
} as const;

/** Keys of User.extra that credentials set: apiserver pkg/authentication/serviceaccount/util.go. */
export const EXTRA = {
  credentialId: 'authentication.kubernetes.io/credential-id',
  podName: 'authentication.kubernetes.io/pod-name',
  podUid: 'authentication.kubernetes.io/pod-uid',
  nodeName: 'authentication.kubernetes.io/node-name',
  nodeUid: 'authentication.kubernetes.io/node-uid',
} as const;

export const ANONYMOUS: User = Object.freeze({
  name: 'system:anonymous',
  groups: Object.freeze([GROUPS.unauthenticated]),
});

const SERVICE_ACCOUNT_PREFIX = 'system:serviceaccount:';
const NODE_PREFIX = 'system:node:';

export const serviceAccountName = (namespace: string, name: string) => `${SERVICE_ACCOUNT_PREFIX}${namespace}:${name}`;
/** Without system:authenticated, which authentication adds. */
export const serviceAccountGroups = (namespace: string): string[] => [
  GROUPS.serviceAccounts,
  `${GROUPS.serviceAccounts}:${namespace}`,
];

/** Namespace and name of a ServiceAccount's user name; null for any other user. */
export function parseServiceAccountName(user: string): { namespace: string; name: string } | null {
  if (!user.startsWith(SERVICE_ACCOUNT_PREFIX)) return null;
  const parts = user.slice(SERVICE_ACCOUNT_PREFIX.length).split(':');
  const [namespace = '', name = ''] = parts;
  if (parts.length !== 2 || dns1123Label(namespace).length > 0 || dns1123Subdomain(name).length > 0) return null;
  return { namespace, name };
}

/** The node of a kubelet's user (`system:node:<name>` in group system:nodes); null for anybody else. */
export function nodeOf(user: User): string | null {
  if (!user.name.startsWith(NODE_PREFIX) || !user.groups.includes(GROUPS.nodes)) return null;
  return user.name.slice(NODE_PREFIX.length);
}

export const nodeUserName = (node: string) => `${NODE_PREFIX}${node}`;

/** The node name in a user name of the form `system:node:<name>`, whatever the groups; null when it isn't one. */
export function parseNodeUserName(user: string): string | null {
  if (!user.startsWith(NODE_PREFIX)) return null;
  const name = user.slice(NODE_PREFIX.length);
  return dns1123Subdomain(name).length > 0 ? null : name;
}

/** Adds system:authenticated as the last group: upstream's group adder leaves anonymous users and doubles alone. */
export function authenticated(user: User): User {
  if (user.name === ANONYMOUS.name) return user;
  if (user.groups.includes(GROUPS.authenticated) || user.groups.includes(GROUPS.unauthenticated)) return user;
  return { ...user, groups: [...user.groups, GROUPS.authenticated] };
}
