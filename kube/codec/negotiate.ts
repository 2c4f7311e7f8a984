import type { GroupVersionKind } from '../meta/object.ts';
import { failure, type StatusError } from '../meta/status.ts';
import { type Clause, parseAccept } from './accept.ts';

export const JSON_TYPE = 'application/json';
export const YAML_TYPE = 'application/yaml';
export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

/** In upstream's order: the first answers a wildcard. CBOR is off by default upstream and not offered. */
export const MEDIA_TYPES = [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE] as const;
export type MediaType = (typeof MEDIA_TYPES)[number];

/** What a request's Accept header came to. Frozen and shared between requests. */
export interface Accepted {
  type: MediaType;
  /** The kind to convert the answer to, in a group and version; null when the object itself is asked for. */
  as: GroupVersionKind | null;
  /** `watch` when the clause says stream=watch; '' otherwise. */
  stream: string;
  /** The clause says pretty=1. `?pretty` and browsers are wantsPretty's. */
  pretty: boolean;
  /** `profile` of discovery requests; '' otherwise. */
  profile: string;
}

/** What an endpoint can answer with. Keep one object per kind of endpoint: answers are cached by it. */
export interface Offer {
  /** May the object be sent as this type when no conversion is asked? */
  plain(type: MediaType): boolean;
  /** May it be converted to `as` and sent as this type? */
  convert(type: MediaType, as: GroupVersionKind): boolean;
  /** A conversion anywhere in the header wins over what stands before it: discovery, which upstream negotiates in two rounds. */
  convertFirst?: boolean;
}

const META_VERSIONS = ['v1', 'v1beta1'];

/** Table goes as JSON and YAML only, PartialObjectMetadata and its list as everything: apiserver endpoints/handlers/rest.go. */
function convertObject(type: MediaType, as: GroupVersionKind): boolean {
  if (as.group !== 'meta.k8s.io' || !META_VERSIONS.includes(as.version)) return false;
  if (as.kind === 'Table') return type !== PROTOBUF_TYPE;
  return as.kind === 'PartialObjectMetadata' || as.kind === 'PartialObjectMetadataList';
}

/** Built-in resources. */
export const RESOURCE: Offer = { plain: () => true, convert: convertObject };
/** Custom resources have no protobuf of their own, but their metadata has. */
export const CUSTOM_RESOURCE: Offer = { plain: (type) => type !== PROTOBUF_TYPE, convert: convertObject };
/** Resources that are asked and not stored (reviews): upstream has no table for them. */
export const VIRTUAL: Offer = {
  plain: () => true,
  convert: (type, as) => as.kind !== 'Table' && convertObject(type, as),
};
/** Endpoints that convert nothing: /version, errors, subresources without a table. */
export const PLAIN: Offer = { plain: () => true, convert: () => false };
/** /api and /apis: aggregated discovery where it is asked for, else the plain lists. v2beta1 is gone since 1.35. */
export const DISCOVERY: Offer = {
  convertFirst: true,
  plain: () => true,
  convert: (_type, as) =>
    as.group === 'apidiscovery.k8s.io' && as.kind === 'APIGroupDiscoveryList' && as.version === 'v2',
};

/** Clients repeat themselves: a few dozen Accept headers cover a cluster. A full cache starts anew. */
const CACHE_MAX = 256;
const caches = new WeakMap<Offer, Map<string, Accepted | null>>();

/** Chooses the answer's media type. Throws 406 NotAcceptable when nothing on offer fits. */
export function negotiate(accept: string | null | undefined, offer: Offer): Accepted {
  const chosen = choose(accept ?? '', offer);
  if (chosen === null) throw notAcceptable(MEDIA_TYPES);
  return chosen;
}

/** As negotiate, for a watch: YAML has no stream form. */
export function negotiateWatch(accept: string | null | undefined, offer: Offer): Accepted {
  const chosen = choose(accept ?? '', offer);
  if (chosen === null) throw notAcceptable(MEDIA_TYPES);
  if (chosen.type === YAML_TYPE) throw notAcceptable(STREAM_TYPES);
  return chosen;
}

const STREAM_TYPES = [`${JSON_TYPE};stream=watch`, `${PROTOBUF_TYPE};stream=watch`];

function choose(header: string, offer: Offer): Accepted | null {
  let cache = caches.get(offer);
  if (cache === undefined) {
    cache = new Map();
    caches.set(offer, cache);
  }
  const known = cache.get(header);
  if (known !== undefined) return known;
  const chosen = header === '' ? accepted(JSON_TYPE, new Map(), offer) : bestMatch(header, offer);
  if (cache.size >= CACHE_MAX) cache.clear();
  cache.set(header, chosen);
  return chosen;
}

function bestMatch(header: string, offer: Offer): Accepted | null {
  const converted = offer.convertFirst ? firstMatch(header, { ...offer, plain: () => false }) : null;
  return converted ?? firstMatch(header, offer);
}

function firstMatch(header: string, offer: Offer): Accepted | null {
  for (const clause of parseAccept(header)) {
    for (const type of MEDIA_TYPES) {
      const chosen = matches(clause, type) ? accepted(type, clause.params, offer) : null;
      if (chosen !== null) return chosen;
    }
  }
  return null;
}

function matches(c: Clause, type: MediaType): boolean {
  if (c.type === '*' && c.subtype === '*') return true;
  return c.type === 'application' && (c.subtype === '*' || `application/${c.subtype}` === type);
}

/** The answer of one clause; null when the endpoint can't give it. Unknown parameters are ignored. */
function accepted(type: MediaType, params: ReadonlyMap<string, string>, offer: Offer): Accepted | null {
  const stream = params.get('stream') ?? '';
  if (stream !== '' && (stream !== 'watch' || type === YAML_TYPE)) return null;
  const server = params.get('sv') ?? '';
  if (server !== '' && server !== 'v1') return null;
  const [kind, group, version] = [params.get('as'), params.get('g'), params.get('v')];
  const converts = kind !== undefined || group !== undefined || version !== undefined;
  const as = converts ? { kind: kind ?? '', group: group ?? '', version: version ?? '' } : null;
  if (as === null ? !offer.plain(type) : !offer.convert(type, as)) return null;
  const pretty = params.get('pretty') === '1';
  return Object.freeze({ type, as, stream, pretty, profile: params.get('profile') ?? '' });
}

/** The Content-Type of the answer; a protobuf watch names its framing. */
export function contentTypeOf(a: Accepted, watch = false): string {
  return watch && a.type === PROTOBUF_TYPE ? `${PROTOBUF_TYPE};stream=watch` : a.type;
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

/** Should JSON be indented: `?pretty`, the Accept clause, or a client that people read. `query` is the value of ?pretty. */
export function wantsPretty(
  a: Accepted,
  query: string | null | undefined,
  userAgent: string | null | undefined,
): boolean {
  if (a.type !== JSON_TYPE) return false;
  if (a.pretty) return true;
  if (query) return TRUE.has(query);
  return userAgent ? /^(?:curl|Wget|Mozilla\/5\.0)/.test(userAgent) : false;
}

/** The type of a request's body; JSON when the header is absent. Throws 415 UnsupportedMediaType. */
export function contentType(header: string | null | undefined): MediaType {
  if (!header || header === JSON_TYPE) return JSON_TYPE;
  if (header === PROTOBUF_TYPE) return PROTOBUF_TYPE;
  const base = mediaTypeOf(header);
  for (const type of MEDIA_TYPES) if (type === base) return type;
  throw unsupportedMediaType(MEDIA_TYPES);
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const MEDIA = new RegExp(`^\\s*(${TOKEN}/${TOKEN})\\s*((?:;.*)?)$`, 's');
const PARAMETER = new RegExp(`\\s*;\\s*(?:(${TOKEN})\\s*=\\s*(?:${TOKEN}|"(?:[^"\\\\]|\\\\.)*"))?\\s*`, 'y');

/** The bare type of a header with parameters, in lower case; null when it isn't a media type (Go's mime.ParseMediaType). */
function mediaTypeOf(header: string): string | null {
  const m = MEDIA.exec(header);
  if (m === null) return null;
  const rest = m[2] ?? '';
  const seen = new Set<string>();
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < rest.length) {
    const from = PARAMETER.lastIndex;
    const name = PARAMETER.exec(rest)?.[1]?.toLowerCase();
    if (PARAMETER.lastIndex === 0 && from < rest.length) return null;
    if (name === undefined && PARAMETER.lastIndex < rest.length) return null;
    if (name !== undefined && seen.has(name)) return null;
    if (name !== undefined) seen.add(name);
  }
  return m[1]?.toLowerCase() ?? null;
}

export const PATCH_TYPES = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
export type PatchKind = keyof typeof PATCH_TYPES;
const EVERY_PATCH: readonly PatchKind[] = ['json', 'merge', 'strategic', 'apply'];
const CUSTOM_PATCH: readonly PatchKind[] = ['json', 'merge', 'apply'];

/** Which patch a Content-Type names; custom resources have no strategic merge. Throws 415. */
export function patchKind(header: string | null | undefined, custom = false): PatchKind {
  const semicolon = header?.indexOf(';') ?? -1;
  const base = semicolon > 0 ? header?.slice(0, semicolon) : header;
  const kinds = custom ? CUSTOM_PATCH : EVERY_PATCH;
  for (const kind of kinds) if (PATCH_TYPES[kind] === base) return kind;
  throw unsupportedMediaType(kinds.map((k) => PATCH_TYPES[k]));
}

/** 406 in upstream's words. */
function notAcceptable(types: readonly string[]): StatusError {
  return failure('NotAcceptable', `only the following media types are accepted: ${types.join(', ')}`);
}

/** 415 in upstream's words. */
export function unsupportedMediaType(types: readonly string[]): StatusError {
  const why = `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')}`;
  return failure('UnsupportedMediaType', why);
}
