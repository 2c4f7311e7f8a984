import type { Store } from '../../kube/store/store.ts';
import type { Authorizer, Decision, PolicyView, RequestInfo, User } from '../attributes.ts';
import { GROUPS } from '../authn/users.ts';

/** What a chain answers: allowed, or not and why (each authorizer's reason behind its name, one a line). */
export interface Verdict {
  allow: boolean;
  reason: string;
}
export type Authorize = (user: User, a: RequestInfo, view: PolicyView, store: Store) => Verdict | Promise<Verdict>;

/**
 * Asks one authorizer after the other until one allows; members of system:masters are always allowed. Answers without a promise
 * unless an authorizer needs the store.
 */
export function chain(authorizers: readonly Authorizer[]): Authorize {
  return (user, a, view, store) => {
    if (user.groups.includes(GROUPS.masters)) return { allow: true, reason: '' };
    const reasons: string[] = [];
    for (let i = 0; i < authorizers.length; i++) {
      const authorizer = authorizers[i] as Authorizer;
      const decision = authorizer.authorize(user, a, view, store);
      if (decision instanceof Promise) return rest(authorizers, i, decision, reasons, user, a, view, store);
      if (note(authorizer, decision, reasons)) return decision as Verdict;
    }
    return { allow: false, reason: reasons.join('\n') };
  };
}

async function rest(
  authorizers: readonly Authorizer[],
  from: number,
  first: Promise<Decision>,
  reasons: string[],
  user: User,
  a: RequestInfo,
  view: PolicyView,
  store: Store,
): Promise<Verdict> {
  for (let i = from; i < authorizers.length; i++) {
    const authorizer = authorizers[i] as Authorizer;
    const decision = await (i === from ? first : authorizer.authorize(user, a, view, store));
    if (note(authorizer, decision, reasons)) return decision as Verdict;
  }
  return { allow: false, reason: reasons.join('\n') };
}

/** True when it allows; otherwise keeps the reason, named as upstream's union names it. */
function note(by: Authorizer, d: Decision, reasons: string[]): boolean {
  if (d === 'no-opinion') return false;
  if (d.allow) return true;
  // A chain inside a chain has no name: its reasons are named already.
  if (d.reason !== '') reasons.push(by.name === '' ? d.reason : `${by.name.toLowerCase()}: ${d.reason}`);
  return false;
}
