import { type Accepted, JSON_TYPE } from '../kube/codec/negotiate.ts';
import { failure, internal, type Status, StatusError } from '../kube/meta/status.ts';
import type { Schemas } from '../kube/schema/schema.ts';
import { type Call, storeStatus } from './call.ts';
import { encodeStatus } from './encode.ts';

// Where StatusErrors become responses, and the only place.

const encoder = new TextEncoder();
/** Headers of every answer: apiserver's WithCacheControl and WithAuditID filters. */
export function baseHeaders(auditId: string, type: string): Record<string, string> {
  return { 'audit-id': auditId, 'cache-control': 'no-cache, private', 'content-type': type };
}

/** RFC 7234 warn-text as k8s.io/apimachinery/pkg/util/net NewWarningHeader prints it: code 299, agent `-`. */
export function warningHeader(text: string): string {
  return `299 - "${headerText(text).replace(/[\\"]/g, '\\$&')}"`;
}
/** Header values are bytes: text outside ASCII goes as the bytes of its UTF-8, control characters not at all. */
function headerText(text: string): string {
  let out = '';
  for (const b of encoder.encode(text)) if (b >= 32 && b !== 127) out += String.fromCharCode(b);
  return out;
}
/** Upstream cuts all warnings of a request at this many bytes. */
const WARNINGS_MAX_BYTES = 4 * 1024;

/** An answer with the headers that each carries. */
export function respond(call: Call, code: number, body: BodyInit | Uint8Array | null, type: string): Response {
  const init = { status: code, headers: baseHeaders(call.auditId, type) };
  const response = new Response(body as BodyInit | null, init);
  if (call.warnings.length > 0) addWarnings(call, response.headers);
  return response;
}
function addWarnings(call: Call, headers: Headers): void {
  let left = WARNINGS_MAX_BYTES;
  for (const w of call.warnings) {
    const header = warningHeader(w);
    left -= header.length;
    if (left < 0) return;
    headers.append('warning', header);
  }
}
/** JSON bytes made elsewhere. */
export const respondJson = (call: Call, code: number, text: string): Response => respond(call, code, text, JSON_TYPE);

/** A failure as the response that the client can read. Errors that are no Status say nothing of their cause. */
export function respondError(
  e: unknown,
  at: { call: Call | undefined; auditId: string; out: Accepted | undefined; log: Log; schemas: Schemas },
): Response {
  const known = e instanceof StatusError ? e : storeStatus(e, at.call);
  if (!known) {
    at.log('error', 'api.failed', {
      audit: at.auditId,
      error: e instanceof Error ? (e.stack ?? e.message) : String(e),
    });
  }
  const status: Status = (known ?? internal('the server has failed; its log has the Audit-ID of this request')).status;
  // Go leaves an empty name out.
  if (status.details?.name === '') delete status.details.name;
  if (status.details?.kind === '') delete status.details.kind;
  const { type, body } = encodeStatus(status, at.out, at.schemas);
  const response = new Response(body as BodyInit, { status: status.code, headers: baseHeaders(at.auditId, type) });
  const after = status.details?.retryAfterSeconds;
  if (after !== undefined && after > 0) response.headers.set('retry-after', String(after));
  if (e instanceof NotAllowed) response.headers.set('allow', e.allow);
  if (status.code === 401) response.headers.set('www-authenticate', 'Bearer');
  if (at.call && at.call.warnings.length > 0) addWarnings(at.call, response.headers);
  return response;
}
type Log = (level: 'error', event: string, fields: Record<string, unknown>) => void;
/** Text that is no Status: `ok`, `404 page not found`. */
export const plainText = (call: Call, code: number, text: string): Response =>
  respond(call, code, text, 'text/plain; charset=utf-8');
/** 405 with the methods that would do. */
class NotAllowed extends StatusError {
  readonly allow: string;
  constructor(allow: string) {
    const text = 'the server does not allow this method on the requested resource';
    super(failure('MethodNotAllowed', text, {}).status);
    this.allow = allow;
  }
}
const METHODS: Readonly<Record<string, string>> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  update: 'PUT',
  patch: 'PATCH',
  create: 'POST',
  delete: 'DELETE',
  deletecollection: 'DELETE',
};
const ON_COLLECTION: readonly string[] = ['list', 'watch', 'create', 'deletecollection'];
/** apiserver's 405 of a path that exists: `verbs` are those of the resource, on the collection or on one object of it. */
export function methodNotAllowed(verbs: readonly string[], collection: boolean | undefined): StatusError {
  const own = verbs.filter((v) => collection === undefined || ON_COLLECTION.includes(v) === collection);
  return new NotAllowed([...new Set(own.map((v) => METHODS[v] ?? ''))].filter((m) => m !== '').join(', '));
}

/** apiserver's 404 for a path below a served version that names nothing. */
export const unknownResource = (): StatusError =>
  failure('NotFound', 'the server could not find the requested resource', {});
