import { exactField, parseFieldSelector } from '../kube/meta/selectors.ts';
import { badRequest } from '../kube/meta/status.ts';
import type { RequestInfo } from './attributes.ts';

// RequestInfo as apiserver pkg/endpoints/request/requestinfo.go, v0.37.1, makes it of a path and a method.

const NAMESPACE_SUBRESOURCES: readonly string[] = ['status', 'finalize'];
/** Verbs that may be allowed for what a field selector leaves. */
const SELECTS: readonly string[] = ['list', 'watch', 'deletecollection'];
const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** RequestInfo with the unread part: whether the verb came from a `/watch/` path. */
export interface ParsedRequest extends RequestInfo {
  viaPath: boolean;
}

/** Where the path begins in an absolute URL. Not by `new URL`: that costs more than parseRequest(). */
export const pathStart = (url: string): number => url.indexOf('/', url.indexOf('://') + '://'.length);

/** Path and query of a URL from `at` on, where the cluster's own path begins. */
export function splitUrl(url: string, at = pathStart(url)): { path: string; query: URLSearchParams } {
  const mark = url.indexOf('?', at);
  if (mark < 0) return { path: url.slice(at) || '/', query: NO_QUERY };
  return { path: url.slice(at, mark) || '/', query: new URLSearchParams(url.slice(mark + 1)) };
}
const NO_QUERY = new URLSearchParams();

/**
 * What a request asks for. `path` is the decoded URL path relative to the cluster; `query` its parameters.
 * A path that isn't a resource's has isResource false and the lower-case method as its verb.
 */
export function parseRequest(method: string, path: string, query: URLSearchParams): ParsedRequest {
  const info: ParsedRequest = {
    isResource: false,
    path,
    verb: method.toLowerCase(),
    group: '',
    version: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    rest: [],
    viaPath: false,
  };
  const all = splitPath(path);
  const prefix = all[0];
  // `/api/v1/pods` has three parts, `/apis/apps/v1/deployments` four.
  if (prefix === 'api' ? all.length < 3 : prefix !== 'apis' || all.length < 4) return info;
  let next = 1;
  if (prefix === 'apis') info.group = all[next++] ?? '';
  info.isResource = true;
  info.version = all[next++] ?? '';
  let parts = all.slice(next);
  if (parts[0] === 'watch' || parts[0] === 'proxy') {
    if (parts.length < 2) throw badRequest(`unable to determine kind and namespace from url, ${path}`);
    info.verb = parts[0];
    info.viaPath = true;
    parts = parts.slice(1);
  } else info.verb = VERBS[method] ?? '';

  if (parts[0] === 'namespaces') {
    if (parts.length > 1) {
      info.namespace = parts[1] ?? '';
      if (parts.length > 2 && !NAMESPACE_SUBRESOURCES.includes(parts[2] ?? '')) parts = parts.slice(2);
    }
  }
  info.resource = parts[0] ?? '';
  info.name = parts[1] ?? '';
  if (info.verb !== 'proxy') {
    info.subresource = parts[2] ?? '';
    if (parts.length > 3) info.rest = parts.slice(3);
  } else info.rest = parts.slice(2);
  if (info.name === '') nameless(info, query);
  if (!info.viaPath && SELECTS.includes(info.verb)) {
    const selector = query.get('fieldSelector');
    const parsed = selector ? parseFieldSelector(selector) : null;
    if (parsed?.ok && parsed.requirements.length > 0) info.fields = parsed.requirements;
  }
  return info;
}

/** A get without a name is a list or a watch, a delete without a name a deletecollection; `metadata.name=x` names the object for authorization. */
function nameless(info: ParsedRequest, query: URLSearchParams): void {
  if (info.verb === 'get') {
    const watch = query.get('watch');
    info.verb = watch !== null && watch !== '0' && watch.toLowerCase() !== 'false' ? 'watch' : 'list';
    const selector = query.get('fieldSelector');
    if (selector) {
      const parsed = parseFieldSelector(selector);
      const name = parsed.ok ? exactField(parsed.requirements, 'metadata.name') : undefined;
      if (name !== undefined && isPathSegmentName(name)) info.name = name;
    }
  } else if (info.verb === 'delete') info.verb = 'deletecollection';
}

/** True when a name can be one segment of a path: apimachinery pkg/api/validate/content IsPathSegmentName. */
export function isPathSegmentName(name: string): boolean {
  return name !== '.' && name !== '..' && !name.includes('/') && !name.includes('%');
}

function splitPath(path: string): string[] {
  let from = 0;
  let to = path.length;
  while (from < to && path.charCodeAt(from) === 47) from++;
  while (to > from && path.charCodeAt(to - 1) === 47) to--;
  return from === to ? [] : path.slice(from, to).split('/');
}
