import { quote } from '../../kube/meta/issues.ts';
import { domainPrefixedPath } from '../../kube/meta/names.ts';
import { badRequest, type StatusError } from '../../kube/meta/status.ts';
import type { RequestInfo, User } from '../attributes.ts';
import type { Verdict } from '../authz/authorize.ts';
import { denied } from '../forbidden.ts';
import { ANONYMOUS, EXTRA, GROUPS, parseNodeUserName, parseServiceAccountName, serviceAccountGroups } from './users.ts';

/** A user as the Impersonate-* headers give it. */
export interface Wanted {
  name: string;
  uid: string;
  groups: string[];
  extra: Record<string, string[]>;
}
type Ask = (user: User, a: RequestInfo) => Verdict | Promise<Verdict>;
const EXTRA_HEADER = 'impersonate-extra-';

/**
 * Who the headers ask to be; null without impersonation, 400 for groups, uid or extra without a user. Headers joins repeated ones with
 * commas, so a group whose name has `, ` in it can't be asked for.
 */
export function impersonationWanted(headers: Headers): Wanted | null {
  const wanted: Wanted = {
    name: headers.get('impersonate-user') ?? '',
    uid: headers.get('impersonate-uid') ?? '',
    groups: split(headers.get('impersonate-group')),
    extra: {},
  };
  headers.forEach((value, header) => {
    if (!header.startsWith(EXTRA_HEADER)) return;
    const key = decodeKey(header.slice(EXTRA_HEADER.length));
    wanted.extra[key] = [...(wanted.extra[key] ?? []), ...split(value)];
  });
  if (wanted.name !== '') return wanted;
  if (wanted.uid === '' && wanted.groups.length === 0 && Object.keys(wanted.extra).length === 0) return null;
  throw badRequest(`requested ${goPrint(wanted)} without impersonating a user name`);
}

/**
 * The impersonated user, when the requestor may be that user for this request: constrained modes first (KEP-5284), then the plain verb
 * `impersonate`. Throws upstream's 403. What the requestor's credential is bound to stays with the new user.
 */
export async function impersonate(wanted: Wanted, requestor: User, a: RequestInfo, ask: Ask): Promise<User> {
  let first: StatusError | null = null;
  for (const mode of MODES) {
    if (!mode.applies(wanted, requestor)) continue;
    const refusal = await tryMode(mode, wanted, requestor, a, ask);
    if (refusal === null) {
      const user = impersonated(mode, wanted);
      return requestor.bound ? { ...user, bound: requestor.bound } : user;
    }
    first ??= refusal;
  }
  throw first as StatusError;
}

interface Mode {
  /** The verb behind `impersonate:`; '' is the legacy mode. */
  name: string;
  applies(w: Wanted, requestor: User): boolean;
}
const onlyName = (w: Wanted) => w.uid === '' && w.groups.length === 0 && Object.keys(w.extra).length === 0;
const MODES: readonly Mode[] = [
  {
    name: 'associated-node',
    applies: (w, r) => {
      const node = onlyName(w) ? parseNodeUserName(w.name) : null;
      const own = r.extra?.[EXTRA.nodeName];
      return node !== null && parseServiceAccountName(r.name) !== null && own?.length === 1 && own[0] === node;
    },
  },
  { name: 'arbitrary-node', applies: (w) => onlyName(w) && parseNodeUserName(w.name) !== null },
  { name: 'serviceaccount', applies: (w) => onlyName(w) && parseServiceAccountName(w.name) !== null },
  {
    name: 'user-info',
    applies: (w) => parseNodeUserName(w.name) === null && parseServiceAccountName(w.name) === null,
  },
  { name: '', applies: () => true },
];
/** From this many checks on, constrained modes first ask for all at once. */
const MANY = 4;

async function tryMode(m: Mode, w: Wanted, requestor: User, a: RequestInfo, ask: Ask): Promise<StatusError | null> {
  // The associated node mode is one right for all nodes, whatever else the token says.
  const asker =
    m.name === 'associated-node'
      ? {
          ...requestor,
          extra: {
            'authentication.kubernetes.io/associated-node-keys': Object.keys(requestor.extra ?? {}).sort(),
          },
        }
      : requestor;
  const may = async (what: RequestInfo): Promise<StatusError | null> => {
    const verdict = await ask(asker, what);
    return verdict.allow ? null : denied(asker, what, verdict.reason);
  };
  if (m.name !== '') {
    const on = await may({ ...a, verb: `impersonate-on:${m.name}:${a.verb}` });
    if (on !== null) return on;
  }
  const on = (resource: string, name: string, more: Partial<RequestInfo> = {}): RequestInfo => ({
    isResource: true,
    path: '',
    verb: m.name === '' ? 'impersonate' : `impersonate:${m.name}`,
    group: 'authentication.k8s.io',
    version: 'v1',
    resource,
    subresource: '',
    namespace: '',
    name,
    rest: [],
    ...more,
  });
  // Users, groups and ServiceAccounts are of the core group in the legacy mode.
  const core = m.name === '' ? { group: '' } : {};
  const checks = [
    () => may(userCheck(m, w, on, core)),
    () => (w.uid === '' ? null : may(on('uids', w.uid))),
    () => mayGroups(m, w, on, core, asker, may),
    () => mayExtra(m, w, on, asker, may),
  ];
  for (const check of checks) {
    const refusal = await check();
    if (refusal !== null) return refusal;
  }
  return null;
}

type On = (resource: string, name: string, more?: Partial<RequestInfo>) => RequestInfo;
type May = (what: RequestInfo) => Promise<StatusError | null>;

function userCheck(m: Mode, w: Wanted, on: On, core: Partial<RequestInfo>): RequestInfo {
  const account = parseServiceAccountName(w.name);
  if (account !== null) return on('serviceaccounts', account.name, { ...core, namespace: account.namespace });
  const node = m.name === '' ? null : parseNodeUserName(w.name);
  if (node === null) return on('users', w.name, core);
  return on('nodes', m.name === 'associated-node' ? '*' : node);
}

async function mayGroups(m: Mode, w: Wanted, on: On, core: Partial<RequestInfo>, asker: User, may: May) {
  if (w.groups.length === 0) return null;
  if (m.name !== '') {
    if (w.groups.includes('')) {
      return denied(asker, on('groups', ''), 'impersonating the empty string group is not allowed');
    }
    if (w.groups.includes(GROUPS.masters)) {
      return denied(asker, on('groups', GROUPS.masters), 'impersonating the system:masters group is not allowed');
    }
    if (w.groups.length >= MANY && (await may(on('groups', '*'))) === null) return null;
  }
  for (const g of w.groups) {
    const refusal = await may(on('groups', g, core));
    if (refusal !== null) return refusal;
  }
  return null;
}

async function mayExtra(m: Mode, w: Wanted, on: On, asker: User, may: May) {
  const entries = Object.entries(w.extra);
  if (entries.length === 0) return null;
  if (m.name !== '') {
    const problem = extraProblem(w.extra);
    if (problem !== '') return denied(asker, on('userextras', ''), problem);
    const values = entries.reduce((n, [, list]) => n + list.length, 0);
    if (values >= MANY && (await may(on('userextras', '*', { subresource: '*' }))) === null) return null;
  }
  for (const [subresource, values] of entries) {
    for (const value of values) {
      const refusal = await may(on('userextras', value, { subresource }));
      if (refusal !== null) return refusal;
    }
  }
  return null;
}

function extraProblem(extra: Wanted['extra']): string {
  for (const [key, values] of Object.entries(extra)) {
    if (key === '') return 'impersonating the empty string key in extra is not allowed';
    const [issue] = domainPrefixedPath('extra.key', key);
    if (issue !== undefined) {
      return `impersonating an invalid key in extra is not allowed: ${issue.field}: ${issue.message}`;
    }
    if (key !== key.toLowerCase()) return `impersonating a non-lowercase key in extra is not allowed: ${quote(key)}`;
    if (values.length === 0) return 'impersonating empty values in extra is not allowed';
    if (values.includes('')) return 'impersonating the empty string value in extra is not allowed';
  }
  return '';
}

function impersonated(m: Mode, w: Wanted): User {
  const account = parseServiceAccountName(w.name);
  let groups: readonly string[] = w.groups;
  if (account !== null && groups.length === 0) groups = serviceAccountGroups(account.namespace);
  else if (m.name !== '' && parseNodeUserName(w.name) !== null) groups = [GROUPS.nodes];
  const last = w.name === ANONYMOUS.name ? GROUPS.unauthenticated : GROUPS.authenticated;
  const known = groups.includes(last) || groups.includes(GROUPS.unauthenticated);
  return {
    name: w.name,
    ...(w.uid === '' ? {} : { uid: w.uid }),
    groups: known ? groups : [...groups, last],
    ...(Object.keys(w.extra).length === 0 ? {} : { extra: w.extra }),
  };
}

const split = (value: string | null): string[] => (value === null || value === '' ? [] : value.split(', '));

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    // Upstream takes a malformed key as it stands.
    return key;
  }
}

/** What Go's %#v makes of a user.DefaultInfo. */
function goPrint(w: Wanted): string {
  const list = (l: readonly string[]) => `[]string{${l.map(quote).join(', ')}}`;
  const extra = Object.entries(w.extra).map(([k, l]) => `${quote(k)}:${list(l)}`);
  const groups = w.groups.length === 0 ? '[]string(nil)' : list(w.groups);
  const map = extra.length === 0 ? 'map[string][]string(nil)' : `map[string][]string{${extra.join(', ')}}`;
  return `&user.DefaultInfo{Name:${quote(w.name)}, UID:${quote(w.uid)}, Groups:${groups}, Extra:${map}}`;
}
