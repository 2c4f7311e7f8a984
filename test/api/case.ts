/** One request. `{ns}` in path, headers and body is the case's own namespace; `{{0.metadata.resourceVersion}}` a value of step 0's answer. */
export interface Step {
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** An object is sent as JSON; a text as it is. */
  body?: unknown;
  /** Who asks: the administrator unless said. `user` may do nothing but what RBAC objects of the case allow; `none` sends no token. */
  as?: 'admin' | 'user' | 'none' | 'bad';
  /** Reads this many lines of a stream, then hangs up. */
  lines?: number;
}
export interface Case {
  /** A sentence: what holds. */
  name: string;
  steps: Step[];
  /** Needs tokens of several users: left out where everybody is an administrator. */
  tokens?: boolean;
}
/** What came back, normalised. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

const JSON_TYPE = { 'content-type': 'application/json' };
export const NS = '/api/v1/namespaces/{ns}';
export const get = (path: string, headers?: Record<string, string>): Step => ({
  method: 'GET',
  path,
  ...(headers ? { headers } : {}),
});
export const post = (path: string, body: unknown, headers?: Record<string, string>): Step => ({
  method: 'POST',
  path,
  body,
  headers: { ...JSON_TYPE, ...headers },
});
export const put = (path: string, body: unknown, headers?: Record<string, string>): Step => ({
  method: 'PUT',
  path,
  body,
  headers: { ...JSON_TYPE, ...headers },
});
export const del = (path: string, body?: unknown): Step => ({
  method: 'DELETE',
  path,
  ...(body === undefined ? {} : { body, headers: JSON_TYPE }),
});
const PATCH_TYPES = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
export const patch = (type: keyof typeof PATCH_TYPES, path: string, body: unknown): Step => ({
  method: 'PATCH',
  path,
  body,
  headers: { 'content-type': PATCH_TYPES[type] },
});
export const as = (who: NonNullable<Step['as']>, step: Step): Step => ({ ...step, as: who });
export const watch = (path: string, lines: number): Step => ({ method: 'GET', path, lines });

export const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
export const PARTIAL = { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' };
export const PARTIAL_LIST = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' };

export const configMap = (name: string, data: Record<string, string> = { a: '1' }, meta: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...meta },
  data,
});
export const pod = (name: string, spec: object = {}, meta: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...meta },
  spec: { containers: [{ name: 'c', image: 'busybox:1' }], automountServiceAccountToken: false, ...spec },
});
export const deployment = (name: string, spec: object = {}, pods: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'nginx' }], ...pods } },
    ...spec,
  },
});
export const service = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ port: 80 }], ...spec },
});
