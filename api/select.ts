import { parseJson } from '../kube/codec/json.ts';
import { isObject } from '../kube/meta/json.ts';
import { dns1123Label } from '../kube/meta/names.ts';
import { exactField, parseFieldSelector, parseLabelSelector } from '../kube/meta/selectors.ts';
import { badRequest, failure, type StatusError } from '../kube/meta/status.ts';
import { rangeOf } from '../kube/store/key.ts';
import type { Range, Revision, Selection } from '../kube/store/store.ts';
import { type Call, storeStatus } from './call.ts';
import type { Resource } from './parts.ts';
import type { ListOptions } from './query.ts';
import { isPathSegmentName } from './request.ts';

/** What a list or a watch covers. */
export interface Selected {
  range: Range;
  /** Absent when nothing is selected by labels or fields. */
  select?: Selection;
  namespace: string;
}

/** Selectors and range of a list, watch or deletecollection; 400 for selectors that can't be read or aren't offered. */
export function selectionOf(call: Call, resource: Resource, o: ListOptions): Selected {
  const select: Selection = {};
  if (o.labelSelector) {
    const parsed = parseLabelSelector(o.labelSelector);
    if (!parsed.ok) throw badRequest(parsed.error);
    if (parsed.requirements.length > 0) select.labels = parsed.requirements;
  }
  let name = call.info.name;
  let namespace = resource.kind.scope === 'Namespaced' ? call.info.namespace : '';
  if (o.fieldSelector) {
    const parsed = parseFieldSelector(o.fieldSelector);
    if (!parsed.ok) throw badRequest(parsed.error);
    const requirements = parsed.requirements.map((r) => ({ ...r, field: fieldOf(resource, r.field) }));
    if (requirements.length > 0) select.fields = requirements;
    const named = exactField(requirements, 'metadata.name');
    if (name !== '' && named !== name) throw badRequest("fieldSelector metadata.name doesn't match requested name");
    if (named !== undefined && named !== '' && isPathSegmentName(named)) name = named;
    const within = exactField(requirements, 'metadata.namespace');
    if (namespace === '' && resource.kind.scope === 'Namespaced' && within && dns1123Label(within).length === 0) {
      namespace = within;
    }
  }
  const oneRow = name !== '' && (resource.kind.scope === 'Cluster' || namespace !== '');
  const range = rangeOf(resource.stored.group, resource.kind.plural, namespace, oneRow ? name : '');
  if (name !== '' && !oneRow) {
    select.fields ??= [];
    if (exactField(select.fields, 'metadata.name') === undefined) {
      select.fields = [...select.fields, { field: 'metadata.name', op: '=', value: name }];
    }
  }
  return select.labels || select.fields ? { range, select, namespace } : { range, namespace };
}

/** The selectable field that a selector's label names in the group asked for; 400 when there is none. */
function fieldOf(resource: Resource, field: string): string {
  if (field === 'metadata.name') return field;
  if (field === 'metadata.namespace' && resource.kind.scope === 'Namespaced') return field;
  const { fields: own, fieldLabels } = resource.kind;
  const labels = fieldLabels?.[resource.ref.group];
  if (labels) {
    if (Object.hasOwn(labels, field)) return labels[field] ?? field;
  } else if (own && Object.hasOwn(own, field)) return field;
  throw badRequest(
    own || resource.custom
      ? `field label not supported: ${field}`
      : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}

/** A resourceVersion parameter as a revision; 0 for none. Upstream's lists alone word a bad one as the client's error. */
export function revisionOf(text: string | undefined, single = false): Revision {
  if (!text || text === '0') return 0;
  if (!/^\d+$/.test(text)) throw badRevision(text, 'invalid syntax', single);
  const n = Number(text);
  if (!Number.isSafeInteger(n)) {
    if (BigInt(text) > 18446744073709551615n) throw badRevision(text, 'value out of range', single);
    return Number.MAX_SAFE_INTEGER;
  }
  return n;
}
function badRevision(text: string, why: string, single: boolean): StatusError {
  const quoted = JSON.stringify(text);
  const said = `resourceVersion: Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: ${why}`;
  if (single) return failure('', said, undefined, 500);
  return badRequest(`invalid resource version: ${said}`);
}
/** 504 of a version that hasn't been reached: storage.NewTooLargeResourceVersionError. */
export function tooLargeRevision(asked: Revision, current: Revision): StatusError {
  const error = failure('Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    retryAfterSeconds: 1,
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
  });
  return error;
}
/** What a client is told of the error of a read at a revision. */
export function futureRead(e: unknown, at: Revision): unknown {
  const isFuture = e instanceof Error && e.name === 'StoreError' && (e as Error & { code?: string }).code === 'future';
  if (!isFuture) return storeStatus(e) ?? e;
  const newest = /newest is (\d+)/.exec(e.message)?.[1];
  return tooLargeRevision(at, Number(newest ?? 0));
}

// Continue tokens: apiserver pkg/storage/continue.go.
const TOKEN_VERSION = 'meta.k8s.io/v1';
/** `rv` -1 goes on at the newest revision. */
export interface Continue {
  revision: Revision;
  /** Relative to the list's range; ends with a NUL to say "after". */
  start: string;
}
export function encodeContinue(revision: Revision, start: string): string {
  const bytes = new TextEncoder().encode(JSON.stringify({ v: TOKEN_VERSION, rv: revision, start: `${start}\0` }));
  let binary = '';
  for (const b of bytes) binary += String.fromCharCode(b);
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
/** A byte as Go quotes the character of that number. */
const goRune = (byte: number): string =>
  byte === 0x7f ? '\\x7f' : byte < 0xa0 || byte === 0xad ? `\\u00${byte.toString(16)}` : String.fromCharCode(byte);
export function decodeContinue(token: string): Continue {
  const bad = (why: string) => badRequest(`invalid continue token: ${why}`);
  let value: unknown;
  try {
    const wrong = token.search(/[^A-Za-z0-9_-]/);
    const at = wrong >= 0 ? wrong : token.length % 4 === 1 ? token.length - 1 : -1;
    if (at >= 0) throw new Error(`illegal base64 data at input byte ${at}`);
    const binary = atob(token.replace(/-/g, '+').replace(/_/g, '/'));
    // Names are ASCII, so the bytes are the text; Go's words for a bad one name its first byte as a character.
    const first = binary.charCodeAt(0);
    if (first > 0x7e) throw new Error(`invalid character '${goRune(first)}' looking for beginning of value`);
    value = parseJson(binary);
  } catch (e) {
    throw bad(`continue key is not valid: ${e instanceof Error ? e.message : String(e)}`);
  }
  if (!isObject(value) || value.v !== TOKEN_VERSION) {
    throw bad(
      `continue key is not valid: server does not recognize this encoded version ${isObject(value) ? String(value.v ?? '') : ''}`,
    );
  }
  const { rv, start } = value;
  if (typeof rv !== 'number' || rv === 0) {
    throw bad('continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  }
  if (typeof start !== 'string' || start === '') {
    throw bad('continue key is not valid: encoded start key empty (version meta.k8s.io/v1)');
  }
  if (start.split('/').some((s) => s === '..' || s === '.' || s === ''))
    throw bad(`continue key is not valid: ${start}`);
  return { revision: rv, start: start.startsWith('/') ? start.slice(1) : start };
}

const CONTINUE_TOO_OLD =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
  'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
  'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted ' +
  'between the time the first chunk was returned and now may show up in the list.';
/** 410 of a continue token whose revision has gone, with the token that goes on inconsistently. */
export function continueExpired(start: string): StatusError {
  const error = failure('Expired', CONTINUE_TOO_OLD);
  error.status.metadata = { continue: encodeContinue(-1, start) };
  return error;
}
