import { joinBytes } from '../../kube/codec/framing.ts';
import { ItemCache } from '../../kube/codec/item-cache.ts';
import { printJson } from '../../kube/codec/json.ts';
import { JSON_TYPE, PROTOBUF_TYPE } from '../../kube/codec/negotiate.ts';
import { encodeItem, transcodeItems } from '../../kube/codec/protobuf.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { badRequest } from '../../kube/meta/status.ts';
import type { KnownPage } from '../../kube/store/pagecache.ts';
import { spliceItem } from '../../kube/store/splice.ts';
import type { Entry, Page, ReadOptions, Revision, Store } from '../../kube/store/store.ts';
import { type Call, read, readOn, storeOf, storeStatus } from '../call.ts';
import { encodeList, protoListEnds } from '../encode.ts';
import type { Resource } from '../parts.ts';
import { type ListOptions, listOptions } from '../query.ts';
import { respond } from '../respond.ts';
import { isCurrent, objectOf, spliced } from '../row.ts';
import {
  continueExpired,
  decodeContinue,
  encodeContinue,
  revisionOf,
  type Selected,
  selectionOf,
  tooLargeRevision,
} from '../select.ts';

/** Where a list stands. */
interface Cursor {
  store: Store;
  selected: Selected;
  /** The revision of all pages; undefined until the first is read at the newest. */
  at: Revision | undefined;
  after: string | undefined;
  /** Rows still wanted; 0 = all. */
  left: number;
  continued: boolean;
  /** Bytes of its pages so far. */
  bytes: number;
}

/** GET of a collection: one store call per page; pages of current rows go out as the bytes that the store joined. */
export async function list(call: Call, resource: Resource): Promise<Response> {
  const o = listOptions(call.query, false);
  const selected = selectionOf(call, resource, o);
  const cursor = cursorOf(call, resource, selected, o);
  const plain = call.out.type === JSON_TYPE && call.out.as === null && !call.pretty;
  const form: Form = plain ? 'text' : call.out.type === PROTOBUF_TYPE && call.out.as === null ? 'lines' : 'entries';
  const first = await nextPage(call, resource, cursor, form);
  checkNewEnough(o, first.revision);
  if (form === 'lines')
    return respond(call, 200, await body(await protoParts(call, resource, cursor, first)), PROTOBUF_TYPE);
  if (form === 'entries') return encoded(call, resource, cursor, first);
  return respond(call, 200, await body(textParts(call, resource, cursor, first)), JSON_TYPE);
}

function cursorOf(call: Call, resource: Resource, selected: Selected, o: ListOptions): Cursor {
  const cursor: Cursor = {
    store: storeOf(call, resource, selected.namespace),
    selected,
    at: undefined,
    after: undefined,
    left: Math.max(0, o.limit ?? 0),
    continued: false,
    bytes: 0,
  };
  if (o.continue) {
    const token = decodeContinue(o.continue);
    if (o.resourceVersion && o.resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    cursor.continued = true;
    if (token.revision > 0) cursor.at = token.revision;
    const key = selected.range.from + token.start;
    if (key.endsWith('\0')) cursor.after = key.slice(0, -1);
    else cursor.selected = { ...selected, range: { from: key, to: selected.range.to } };
    return cursor;
  }
  const asked = revisionOf(o.resourceVersion);
  // Upstream's old rule for lists with a limit; a list of one name is no such list.
  const isOne = selected.range.to === `${selected.range.from}\0`;
  const exact =
    o.resourceVersionMatch === 'Exact' || (!o.resourceVersionMatch && cursor.left > 0 && asked > 0 && !isOne);
  if (exact && asked > 0) cursor.at = asked;
  return cursor;
}

/** How rows are wanted: joined as they go out, joined to be taken apart, or one by one. */
type Form = 'text' | 'lines' | 'entries';

async function nextPage(call: Call, resource: Resource, c: Cursor, form: Form): Promise<Page> {
  const name = pageName(call, resource, c, form);
  const known = name === undefined ? undefined : call.cluster.pages?.get(name);
  const o: ReadOptions = {};
  if (known) o.known = { revision: known.revision, next: known.page.next };
  if (c.at !== undefined) o.at = c.at;
  if (c.after !== undefined) o.after = c.after;
  if (c.left > 0) o.limit = c.left;
  if (c.selected.select) o.select = c.selected.select;
  if (form !== 'entries' && !resource.custom) {
    o.join = { version: resource.apiVersion, schema: resource.hash, separator: form === 'lines' ? '\n' : ',' };
  }
  try {
    const isFirst = !call.confirmed;
    const page = await (isFirst ? read(call, c.store, c.selected.range, o) : readOn(c.store, c.selected.range, o));
    c.at = page.revision;
    if (known && page.same) return again(known, page);
    const ready = form === 'lines' ? protoPage(call, resource, page) : page;
    keepPage(call, c, name, page, ready);
    return ready;
  } catch (e) {
    throw c.continued ? expiredToken(e, c) : futureRead(e, c);
  }
}
/** Where a page is kept that the store joins; undefined where it won't. */
function pageName(call: Call, resource: Resource, c: Cursor, form: Form): string | undefined {
  if (form === 'entries' || resource.custom || c.selected.select || !call.cluster.pages) return undefined;
  const { from, to } = c.selected.range;
  return [call.cluster.id, form, resource.apiVersion, resource.hash, from, to, c.after ?? '', c.left].join('\n');
}
/** The page that the store has confirmed; `left` and with it `remaining` may be others than when it was read. */
function again(known: KnownPage, { revision, remaining }: Page): Page {
  known.revision = revision;
  const { remaining: _, ...page } = known.page;
  return remaining === undefined ? { ...page, revision } : { ...page, revision, remaining };
}
function keepPage(call: Call, c: Cursor, name: string | undefined, read: Page, ready: Page): void {
  const { pages } = call.cluster;
  if (!pages || name === undefined || read.items === undefined) return;
  c.bytes += sizeOf(ready.items ?? []);
  if (c.bytes <= pages.listBytesMax) pages.put(name, ready);
  else pages.drop(name);
}

function expiredToken(e: unknown, c: Cursor): unknown {
  const status = storeStatus(e);
  return status?.reason === 'Expired' ? continueExpired(relative(c, c.after ?? c.selected.range.from)) : (status ?? e);
}
function futureRead(e: unknown, c: Cursor): unknown {
  const isFuture = e instanceof Error && e.name === 'StoreError' && (e as Error & { code?: string }).code === 'future';
  if (!isFuture) return storeStatus(e) ?? e;
  const newest = /newest is (\d+)/.exec((e as Error).message)?.[1];
  return tooLargeRevision(c.at ?? 0, Number(newest ?? 0));
}

function checkNewEnough(o: ListOptions, revision: Revision): void {
  if (o.continue) return;
  const asked = revisionOf(o.resourceVersion);
  if (asked > revision) throw tooLargeRevision(asked, revision);
}

/** No page follows, or the client has what it asked for. Moves the cursor. */
function isDone(c: Cursor, page: Page): boolean {
  c.after = page.next;
  if (c.left > 0) {
    c.left -= page.count;
    if (c.left <= 0) return true;
  }
  return page.next === undefined;
}

/** The list's metadata, known with its last page. */
function metaOf(c: Cursor, last: Page): JsonObject {
  const meta: JsonObject = { resourceVersion: String(c.at ?? last.revision) };
  if (last.next !== undefined) {
    meta.continue = encodeContinue(c.at ?? last.revision, relative(c, last.next));
    if (last.remaining !== undefined && !c.selected.select) meta.remainingItemCount = last.remaining;
  }
  return meta;
}
/** A key without the prefix of the list's range. */
function relative(c: Cursor, key: string): string {
  const { resource, namespace } = prefixOf(c);
  return key.slice(namespace === '' ? resource.length + 1 : resource.length + namespace.length + 2);
}
function prefixOf(c: Cursor): { resource: string; namespace: string } {
  const resource = c.selected.range.from.split('/')[0] ?? '';
  return { resource, namespace: c.selected.namespace };
}

const head = (r: Resource) => `{"kind":"${r.ref.kind}List","apiVersion":"${r.apiVersion}","items":[`;

const utf8 = new TextEncoder();
/** A page's items, without the brackets. */
function itemsOf(resource: Resource, page: Page): Uint8Array[] {
  if (page.items !== undefined) return page.items;
  let text = '';
  for (const e of page.entries) text += (text === '' ? '' : ',') + itemText(resource, e);
  return text === '' ? [] : [utf8.encode(text)];
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

const COMMA = utf8.encode(',');
/** The list in parts, page by page. */
async function* textParts(call: Call, resource: Resource, cursor: Cursor, first: Page): AsyncGenerator<Uint8Array> {
  yield utf8.encode(head(resource));
  let page = first;
  for (let any = false; ; page = await nextPage(call, resource, cursor, 'text')) {
    const items = itemsOf(resource, page);
    // A page of a selector that matches little may be empty.
    if (any && items.length > 0) yield COMMA;
    yield* items;
    any ||= items.length > 0;
    if (isDone(cursor, page)) break;
  }
  yield utf8.encode(`],"metadata":${printJson(metaOf(cursor, page))}}\n`);
}

/** Longer answers go out in parts, so that nobody holds more than a page; shorter ones with their length. */
const WHOLE_BYTES_MAX = 64 * 1024;
async function body(parts: AsyncGenerator<Uint8Array>): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const begun: Uint8Array[] = [];
  for (let size = 0; size <= WHOLE_BYTES_MAX; ) {
    const next = await parts.next();
    if (next.done) return joinBytes(begun);
    begun.push(next.value);
    size += next.value.length;
  }
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = begun.shift() ?? (await parts.next()).value;
      if (next) controller.enqueue(next);
      else controller.close();
    },
    async cancel() {
      await parts.return(undefined);
    },
  });
}

/** So many bytes of a list in protobuf are kept until its length is known; what goes beyond is read and encoded a second time. */
const KEPT_BYTES = 16 * 1024 * 1024;

/** A list in protobuf has its length in front: all pages are encoded before the first byte goes out. */
async function protoParts(
  call: Call,
  resource: Resource,
  cursor: Cursor,
  first: Page,
): Promise<AsyncGenerator<Uint8Array>> {
  const kept: Uint8Array[] = [];
  let size = 0;
  /** Where the pages begin that weren't kept. */
  let rest: Cursor | undefined;
  let before = { ...cursor };
  let page = first;
  for (;;) {
    const items = page.items ?? [];
    size += sizeOf(items);
    if (size > KEPT_BYTES) rest ??= before;
    if (rest === undefined) for (const i of items) kept.push(i);
    if (isDone(cursor, page)) break;
    before = { ...cursor };
    page = await nextPage(call, resource, cursor, 'lines');
  }
  const [head, tail] = protoListEnds(call, resource, metaOf(cursor, page), size);
  return protoSequence(call, resource, { head, kept, rest, size, tail });
}

async function* protoSequence(
  call: Call,
  resource: Resource,
  o: { head: Uint8Array; kept: Uint8Array[]; rest: Cursor | undefined; size: number; tail: Uint8Array },
): AsyncGenerator<Uint8Array> {
  yield o.head;
  let size = sizeOf(o.kept);
  for (let next = o.kept.shift(); next; next = o.kept.shift()) yield next;
  for (let page: Page | undefined; o.rest && !(page && isDone(o.rest, page)); ) {
    page = await nextPage(call, resource, o.rest, 'lines');
    const items = page.items ?? [];
    size += sizeOf(items);
    yield* items;
  }
  // The same rows at the same revision; anything else would be garbage to the client, so that it is cut off instead.
  if (size !== o.size) throw new Error(`list of ${resource.key}: ${size} bytes, announced as ${o.size}`);
  yield o.tail;
}

/** Rows that lists have encoded; the store, the kind and its version are in the name of a shelf. */
const encodedItems = new ItemCache();
/** The page with its items in protobuf. */
function protoPage(call: Call, resource: Resource, page: Page): Page {
  if (page.items === undefined)
    return { ...page, items: page.entries.map((e) => encodeItem(resource.struct, objectOf(resource, e))) };
  if (page.count === 0) return page;
  const shelf = encodedItems.shelf(`${call.cluster.id} ${resource.key} ${resource.apiVersion}`);
  return { ...page, items: transcodeItems(resource.struct, page.items, { cache: encodedItems, shelf }) };
}
const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((n, p) => n + p.length, 0);

/** Tables, partial objects, YAML: everything is read, then encoded as one. */
async function encoded(call: Call, resource: Resource, cursor: Cursor, first: Page): Promise<Response> {
  const objects: KubeObject[] = [];
  let page = first;
  for (;;) {
    for (const e of page.entries) objects.push(objectOf(resource, e));
    if (isDone(cursor, page)) break;
    page = await nextPage(call, resource, cursor, 'entries');
  }
  const { type, body } = encodeList(call, resource, metaOf(cursor, page), objects);
  return respond(call, 200, body, type);
}
