import { type Accepted, JSON_TYPE, MEDIA_TYPES, PROTOBUF_TYPE } from '../kube/codec/negotiate.ts';
import { failure, internal, type Status, StatusError } from '../kube/meta/status.ts';
import type { Schemas } from '../kube/schema/schema.ts';
import { type Call, isCorrupt, storeStatus } from './call.ts';
import { encodeStatus } from './encode.ts';

// Where StatusErrors become responses, and the only place.

const encoder = new TextEncoder();
/** Headers of every answer: apiserver's WithCacheControl and WithAuditID filters. */
function baseHeaders(auditId: string, type: string): Record<string, string> {
  return { 'audit-id': auditId, 'cache-control': 'no-cache, private', 'content-type': type };
}

/** RFC 7234 warn-text as k8s.io/apimachinery/pkg/util/net NewWarningHeader prints it: code 299, agent `-`. */
function warningHeader(text: string): string {
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
  // Its client is told what is damaged; so is whoever looks after the cluster.
  if (isCorrupt(e))
    at.log('error', 'store.corrupt', { audit: at.auditId, cluster: at.call?.cluster.id, error: String(e) });
  const status: Status = (known ?? internal('the server has failed; its log has the Audit-ID of this request')).status;
  // Go leaves an empty name out.
  if (status.details?.name === '') delete status.details.name;
  if (status.details?.kind === '') delete status.details.kind;
  const { type, body } = encodeStatus(status, at.out, at.schemas);
  const response = new Response(body as BodyInit, { status: status.code, headers: baseHeaders(at.auditId, type) });
  const after = status.details?.retryAfterSeconds;
  if (after !== undefined && after > 0) response.headers.set('retry-after', String(after));
  if (status.code === 401) response.headers.set('www-authenticate', 'Bearer');
  if (at.call && at.call.warnings.length > 0) addWarnings(at.call, response.headers);
  return response;
}
type Log = (level: 'error', event: string, fields: Record<string, unknown>) => void;
/** 204, without a body or its type. */
export function nothing(call: Call): Response {
  const response = respond(call, 204, null, '');
  response.headers.delete('content-type');
  return response;
}
/** Text that is no Status: `ok`, `404 page not found`. */
export const plainText = (call: Call, code: number, text: string): Response =>
  respond(call, code, text, 'text/plain; charset=utf-8');
/** apiserver's 405 of a path that exists; without an Allow header, as upstream's router sends it. */
export const methodNotAllowed = (): StatusError =>
  failure('MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

const STREAMS = [`${JSON_TYPE};stream=watch`, `${PROTOBUF_TYPE};stream=watch`];
/** 406 of upstream's router, which looks at bare media types; undefined when it would have let the header pass. */
export function notRepresentable(accept: string, streams: boolean): StatusError | undefined {
  const ranges = accept.split(',').map((r) => (r.split(';')[0] ?? '').trim());
  if (ranges.some((r) => r === '*/*' || (MEDIA_TYPES as readonly string[]).includes(r))) return undefined;
  const all = streams ? [...MEDIA_TYPES, ...STREAMS] : MEDIA_TYPES;
  return failure('NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${all.join(', ')}`, {});
}

/** apiserver's 404 for a path below a served version that names nothing. */
export const unknownResource = (): StatusError =>
  failure('NotFound', 'the server could not find the requested resource', {});
