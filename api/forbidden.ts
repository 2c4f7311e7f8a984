import { quote } from '../kube/meta/issues.ts';
import { forbidden, type StatusError } from '../kube/meta/status.ts';
import type { RequestInfo, User } from './attributes.ts';

const SANITIZE: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** 403 of an authorizer's no: apiserver pkg/endpoints/handlers/responsewriters/errors.go. */
export function denied(user: User, info: RequestInfo, reason: string): StatusError {
  const text = message(user, info).replace(/[&<>]/g, (c) => SANITIZE[c] ?? c);
  return forbidden(
    { group: info.group, resource: info.resource },
    info.name,
    reason === '' ? text : `${text}: ${reason}`,
  );
}

function message(user: User, info: RequestInfo): string {
  const who = `User ${quote(user.name)} cannot ${info.verb}`;
  if (!info.isResource) return `${who} path ${quote(info.path)}`;
  const resource = info.subresource === '' ? info.resource : `${info.resource}/${info.subresource}`;
  const what = `${who} resource ${quote(resource)} in API group ${quote(info.group)}`;
  return info.namespace === '' ? `${what} at the cluster scope` : `${what} in the namespace ${quote(info.namespace)}`;
}
