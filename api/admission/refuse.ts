import { forbidden, type StatusCause, type StatusError } from '../../kube/meta/status.ts';
import type { Attributes } from '../attributes.ts';

/** The 403 of an admission plugin, named as apiserver pkg/admission/errors.go names it. Plugins throw it. */
export function refuse(a: Attributes, why: string, causes?: StatusCause[]): StatusError {
  const meta = a.object?.metadata;
  const name = a.name || meta?.name || meta?.generateName || 'Unknown';
  const error = forbidden({ group: a.group, resource: a.resource }, name, why);
  if (causes && error.status.details) error.status.details.causes = causes;
  return error;
}

/** True for the main resource of that group and plural. */
export const isMain = (a: Attributes, resource: string, group = ''): boolean =>
  a.resource === resource && a.group === group && a.subresource === '';
