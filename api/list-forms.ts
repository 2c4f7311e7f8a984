import { joinBytes } from '../kube/codec/framing.ts';
import { ItemCache } from '../kube/codec/item-cache.ts';
import { parseJson, printJson } from '../kube/codec/json.ts';
import { JSON_TYPE, PROTOBUF_TYPE } from '../kube/codec/negotiate.ts';
import { partialItems } from '../kube/codec/partial-items.ts';
import { encodeItem, type Kept, listEnvelope, transcodeItems } from '../kube/codec/protobuf.ts';
import { toPartial, toTable } from '../kube/codec/table.ts';
import { printYaml, printYamlSteps } from '../kube/codec/yaml.ts';
import type { Json, JsonObject } from '../kube/meta/json.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import type { Struct } from '../kube/schema/schema.ts';
import type { PageCache } from '../kube/store/pagecache.ts';
import { spliceItem } from '../kube/store/splice.ts';
import type { Entry, Page } from '../kube/store/store.ts';
import { type Call, inTurns } from './call.ts';
import { encodeList, inRowOrder, listStruct, META, metaVersion, tableOptions } from './encode.ts';
import type { Resource } from './parts.ts';
import { isCurrent, objectOf, spliced } from './row.ts';

// The forms in which a list goes out, page by page.

/** The pages of a list at one revision. */
export interface Pages {
  /** The next page; undefined after the last. */
  next(): Promise<Page | undefined>;
  /** The list's metadata, known with its last page. */
  metadata(): JsonObject;
  /** The pages that are still to come, to be read a second time. */
  again(): Pages;
  /** All parts of the page have been asked for, and one after them. */
  done(page: Page): void;
  /** Nobody reads the page's bytes any more. */
  skip(page: Page): void;
}

/** How a list is sent. */
export interface ListForm {
  /** Content-Type, as negotiated. */
  type: string;
  /** How the store may join rows, and what their pages are called once they are encoded; absent where rows are wanted one by one. */
  join?: { name: string; separator: ',' | '\n' };
  /** A page's items in the form in which they are kept and sent; absent where pages are kept as the store joined them. */
  encode?(page: Page): Uint8Array[];
  parts(pages: Pages): AsyncGenerator<Uint8Array>;
}

/** The form that the client asked for. */
export function listForm(call: Call, resource: Resource): ListForm {
  const { out, pretty } = call;
  const { as, type } = out;
  const kind = as?.kind;
  if (type === PROTOBUF_TYPE) {
    if (as === null) return protoForm(call, resource, whole(call, resource));
    const partial = kind === 'PartialObjectMetadataList' ? partialInProto(call) : undefined;
    if (partial) return protoForm(call, resource, partial);
  } else if (type === JSON_TYPE && !pretty) {
    if (as === null) return textForm(resource);
    if (kind === 'Table') return tableForm(call, resource);
    if (kind === 'PartialObjectMetadataList') return partialForm(call, resource);
  } else if (type !== JSON_TYPE && as === null) {
    return yamlForm(call, resource);
  }
  return collectedForm(call, resource);
}

const utf8 = new TextEncoder();
const COMMA = utf8.encode(',');

/** Sends pages part by part. Who asks for what follows a page has taken the page before it, whose memory is free once it is written. */
function sender(pages: Pages): (page: Page, parts: readonly Uint8Array[]) => Generator<Uint8Array, void> {
  let before: Page | undefined;
  return function* (page, parts) {
    const isOwn = parts === page.items;
    if (!isOwn) pages.skip(page);
    yield* parts;
    if (before) pages.done(before);
    before = isOwn ? page : undefined;
  };
}

/** A head, the items between brackets with commas between pages, a tail. `none` stands for a list without items. */
async function* jsonParts(
  pages: Pages,
  head: string,
  none: '[]' | 'null',
  tail: () => string,
  items = (page: Page): Uint8Array[] => page.items ?? [],
): AsyncGenerator<Uint8Array> {
  const send = sender(pages);
  let isEmpty = true;
  for (let page = await pages.next(); page; page = await pages.next()) {
    const parts = items(page);
    // A page of a selector that matches little may be empty.
    if (parts.length === 0) continue;
    yield isEmpty ? utf8.encode(`${head}[`) : COMMA;
    yield* send(page, parts);
    isEmpty = false;
  }
  yield utf8.encode((isEmpty ? head + none : ']') + tail());
}
const listTail = (pages: Pages) => `,"metadata":${printJson(pages.metadata())}}\n`;
const joined = (texts: readonly string[]): Uint8Array[] => (texts.length === 0 ? [] : [utf8.encode(texts.join(','))]);

/** Pages that are kept as the store joins them. */
const AS_JOINED = { name: 'json', separator: ',' } as const;

/** Stored texts as they are. */
function textForm(resource: Resource): ListForm {
  const head = `{"kind":"${resource.ref.kind}List","apiVersion":"${resource.apiVersion}","items":`;
  return {
    type: JSON_TYPE,
    // Items of a custom kind name their kind and version.
    ...(resource.custom ? {} : { join: AS_JOINED }),
    encode: (page) => page.items ?? joined(page.entries.map((e) => itemText(resource, e))),
    parts: (pages) => jsonParts(pages, head, '[]', () => listTail(pages)),
  };
}
function itemText(resource: Resource, e: Entry): string {
  if (isCurrent(resource, e)) {
    return resource.custom ? spliced(resource, e) : spliceItem(e.value, e.revision);
  }
  const object = objectOf(resource, e);
  if (resource.custom) return printJson(object as JsonObject);
  const { kind: _k, apiVersion: _a, ...item } = object;
  return printJson(item as JsonObject);
}

/** Metadata cut out of the stored texts. */
function partialForm(call: Call, resource: Resource): ListForm {
  const version = metaVersion(call);
  const head = `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${version}","items":`;
  return {
    type: JSON_TYPE,
    join: { name: `partial ${version}`, separator: '\n' },
    encode: (page) =>
      page.items
        ? partialItems(page.items, version)
        : joined(page.entries.map((e) => printJson(toPartial(objectOf(resource, e), version)))),
    // Upstream's slice of none stays nil.
    parts: (pages) => jsonParts(pages, head, 'null', () => listTail(pages)),
  };
}

/** A page's objects. */
function objectsOf(resource: Resource, page: Page): KubeObject[] {
  if (page.items === undefined) return page.entries.map((e) => objectOf(resource, e));
  const text = page.items.map((part) => fromUtf8.decode(part, { stream: true })).join('') + fromUtf8.decode();
  const bodies = parseJson(`[${text}]`) as unknown as KubeObject[];
  const { kind } = resource.ref;
  return bodies.map((body) => ({ ...body, kind, apiVersion: resource.apiVersion }));
}
const fromUtf8 = new TextDecoder();

function tableForm(call: Call, resource: Resource): ListForm {
  const { columns } = resource.kind;
  const options = tableOptions(call);
  const { kind, apiVersion, columnDefinitions } = toTable(columns, [], options);
  const head = { kind, apiVersion, columnDefinitions } as JsonObject;
  const items = (page: Page) => {
    const { rows } = toTable(columns, inRowOrder(resource.kind, objectsOf(resource, page)), options) as {
      rows: Json[];
    };
    return joined(rows.map(printJson));
  };
  return {
    type: JSON_TYPE,
    join: AS_JOINED,
    parts: (pages) => {
      const tail = () => {
        const { metadata } = toTable(columns, [], { ...options, list: pages.metadata() });
        return `,"metadata":${printJson(metadata ?? {})}}\n`;
      };
      return jsonParts(pages, `${printJson(head).slice(0, -1)},"rows":`, '[]', tail, items);
    },
  };
}

/** Members in the order of their names, as sigs.k8s.io/yaml sorts them: apiVersion, items, kind, metadata. */
function yamlForm(call: Call, resource: Resource): ListForm {
  const ITEMS = 'items:\n';
  return {
    type: call.out.type,
    join: AS_JOINED,
    async *parts(pages) {
      yield utf8.encode(printYaml({ apiVersion: resource.apiVersion }));
      const send = sender(pages);
      let isEmpty = true;
      for (let page = await pages.next(); page; page = await pages.next()) {
        const items = objectsOf(resource, page).map(({ kind, apiVersion, ...item }) =>
          resource.custom ? { kind, apiVersion, ...item } : item,
        );
        if (items.length === 0) continue;
        const text = (await inTurns(call, printYamlSteps({ items: items as unknown as Json[] }))).slice(
          isEmpty ? 0 : ITEMS.length,
        );
        yield* send(page, [utf8.encode(text)]);
        isEmpty = false;
      }
      const tail = { kind: `${resource.ref.kind}List`, metadata: pages.metadata() };
      yield utf8.encode((isEmpty ? 'items: []\n' : '') + printYaml(tail));
    },
  };
}

/** All objects first: what a person reads (`?pretty`), and refusals. */
function collectedForm(call: Call, resource: Resource): ListForm {
  return {
    type: call.out.type,
    async *parts(pages) {
      const objects: KubeObject[] = [];
      for (let page = await pages.next(); page; page = await pages.next()) {
        for (const e of page.entries) objects.push(objectOf(resource, e));
      }
      const { body } = encodeList(call, resource, pages.metadata(), objects);
      yield typeof body === 'string' ? utf8.encode(body) : body;
    },
  };
}

/** What a list in protobuf is made of. */
interface ProtoList {
  kind: string;
  apiVersion: string;
  list: Struct;
  item: Struct;
  object(o: KubeObject): JsonObject;
}

function whole(call: Call, resource: Resource): ProtoList {
  return {
    kind: `${resource.ref.kind}List`,
    apiVersion: resource.apiVersion,
    list: listStruct(resource, call.parts.schemas),
    item: resource.struct,
    object: (o) => o,
  };
}

function partialInProto(call: Call): ProtoList | undefined {
  const version = metaVersion(call);
  const list = call.parts.schemas.struct(`${META}.PartialObjectMetadataList`);
  const item = call.parts.schemas.struct(`${META}.PartialObjectMetadata`);
  if (!list || !item) return undefined;
  const object = (o: KubeObject) => toPartial(o, version);
  return { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${version}`, list, item, object };
}

/** So many bytes of a list in protobuf are kept until its length is known; what goes beyond is read and encoded a second time. */
const KEPT_BYTES = 16 * 1024 * 1024;
/** Rows that lists have encoded, for pages of which some rows change; beside the pages, because they are of the same stores. */
const encoded = new WeakMap<PageCache, ItemCache>();
/** The shelf of a cluster's rows; store, kind, version and form are in its name. */
function shelfOf(call: Call, name: string): Kept | undefined {
  const { pages, id } = call.cluster;
  if (!pages) return undefined;
  let cache = encoded.get(pages);
  if (!cache) {
    cache = new ItemCache();
    encoded.set(pages, cache);
  }
  return { cache, shelf: cache.shelf(`${id} ${name}`) };
}

/** A list in protobuf has its length in front: all pages are encoded before the first byte goes out. */
function protoForm(call: Call, resource: Resource, form: ProtoList): ListForm {
  const { kind, apiVersion } = form;
  return {
    type: PROTOBUF_TYPE,
    join: { name: `protobuf ${kind} ${apiVersion}`, separator: '\n' },
    encode(page) {
      if (page.items === undefined) {
        return page.entries.map((e) => encodeItem(form.item, form.object(objectOf(resource, e))));
      }
      if (page.count === 0) return [];
      const kept = shelfOf(call, `${resource.key} ${resource.apiVersion} ${kind}`);
      return transcodeItems(form.item, page.items, kept);
    },
    async *parts(pages) {
      const kept: Page[] = [];
      let keptSize = 0;
      let size = 0;
      /** The pages that weren't kept. */
      let rest: Pages | undefined;
      for (;;) {
        const here = rest ? undefined : pages.again();
        const page = await pages.next();
        if (!page) break;
        const parts = page.items ?? [];
        size += sizeOf(parts);
        if (size > KEPT_BYTES) rest ??= here;
        if (rest) {
          pages.skip(page);
          continue;
        }
        kept.push(page);
        keptSize = size;
      }
      const [head, tail] = listEnvelope(form.list, { kind, apiVersion, metadata: pages.metadata() }, size);
      yield head;
      const send = sender(pages);
      for (let page = kept.shift(); page; page = kept.shift()) yield* send(page, page.items ?? []);
      for (let page = await rest?.next(); page; page = await rest?.next()) {
        const parts = page.items ?? [];
        keptSize += sizeOf(parts);
        yield* send(page, parts);
      }
      // The same rows at the same revision; anything else would be garbage to the client, so that it is cut off instead.
      if (keptSize !== size) throw new Error(`list of ${resource.key}: ${keptSize} bytes, announced as ${size}`);
      yield tail;
    },
  };
}

/**
 * A page that others precede, as one part behind a comma: its sender finds the comma there. Each part of an answer costs the platform as much as 50 KB of it.
 */
export function behindComma(items: readonly Uint8Array[]): Uint8Array {
  const all = joinBytes([COMMA, ...items]);
  return all.subarray(COMMA.length);
}

/** Bytes in all. */
export const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((n, p) => n + p.length, 0);
