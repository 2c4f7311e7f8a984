import { inPlace, joinInPlace } from '../../kube/codec/framing.ts';
import { giveBack } from '../../kube/codec/giveback.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import { badRequest } from '../../kube/meta/status.ts';
import type { KnownPage } from '../../kube/store/pagecache.ts';
import { PAGE_BYTES, type Page, type ReadOptions, type Revision, type Store } from '../../kube/store/store.ts';
import { type Call, read, readOn, storeOf, storeStatus } from '../call.ts';
import { behindComma, type ListForm, listForm, type Pages, sizeOf } from '../list-forms.ts';
import type { Resource } from '../parts.ts';
import { type ListOptions, listOptions } from '../query.ts';
import { respond } from '../respond.ts';
import {
  continueExpired,
  decodeContinue,
  encodeContinue,
  futureRead,
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
  /** Nothing of what follows has changed between this revision and `at`; undefined where the store hasn't said so. */
  since?: Revision;
  /** Rows still wanted; 0 = all. */
  left: number;
  continued: boolean;
  /** Its pages are kept for the next list; undefined until the first has come. */
  kept?: boolean;
  /** What the page that came last is called where it is kept. */
  name?: string | undefined;
}

/** GET of a collection: one store call per page; pages of current rows go out as the bytes that the store joined. */
export async function list(call: Call, resource: Resource): Promise<Response> {
  const o = listOptions(call.query, false);
  const selected = selectionOf(call, resource, o);
  const cursor = cursorOf(call, resource, selected, o);
  const form = listForm(call, resource);
  const first = await nextPage(call, resource, cursor, form);
  checkNewEnough(o, first.revision);
  const spent = new Spent(call.cluster.sends === true);
  const { name } = cursor;
  const parts = form.parts(pagesOf(call, resource, cursor, form, spent, first));
  const whole = (sent: readonly Uint8Array[], all: Uint8Array) => keepInside(call, name, first, sent, all);
  return respond(call, 200, await body(call, parts, { written: () => spent.free(), whole }), form.type);
}

/** A page that was a whole answer is kept as a view of that: sent again with the same head and tail, it needn't be copied. */
function keepInside(
  call: Call,
  name: string | undefined,
  page: Page,
  sent: readonly Uint8Array[],
  all: Uint8Array,
): void {
  const [first, ...rest] = page.items ?? [];
  if (name === undefined || loose.has(page) || !first || first.buffer === all.buffer) return;
  const n = sent.indexOf(first);
  // Nothing but the tail follows; a Table is made of other parts.
  if (n < 0 || n + rest.length + 2 !== sent.length) return;
  const at = sizeOf(sent.slice(0, n));
  call.cluster.pages?.put(name, { ...page, items: [all.subarray(at, at + sizeOf([first, ...rest]))] });
}

/** Pages that aren't kept for another list. */
const loose = new WeakSet<Page>();

/** Pages whose parts have all been asked for; their memory is given back once those have also been written. */
class Spent {
  readonly #sends: boolean;
  readonly #pages: Page[] = [];
  #written = false;

  constructor(sends: boolean) {
    this.#sends = sends;
  }

  add(page: Page): void {
    if (this.#written) this.skip(page);
    else if (this.#isOurs(page)) this.#pages.push(page);
  }

  /** Nobody will ask for a part of it. */
  skip(page: Page): void {
    if (this.#isOurs(page)) giveBack(page.items ?? []);
  }

  #isOurs(page: Page): boolean {
    return this.#sends && loose.has(page);
  }

  /** From now on who asks for a part has written those before it. */
  free(): void {
    this.#written = true;
    for (const page of this.#pages.splice(0)) this.skip(page);
  }
}

/** The pages from where the cursor stands; `first` has been read from there already. */
function pagesOf(call: Call, resource: Resource, cursor: Cursor, form: ListForm, spent: Spent, first?: Page): Pages {
  let read = first;
  let last: Page | undefined;
  let ended = false;
  return {
    async next() {
      if (ended) return undefined;
      // Forms that want all pages before their first byte send nothing that would let others in.
      if (!read) await call.cluster.turn?.();
      last = read ?? (await nextPage(call, resource, cursor, form));
      read = undefined;
      ended = isDone(cursor, last);
      return last;
    },
    metadata: () => metaOf(cursor, last as Page),
    again: () => pagesOf(call, resource, { ...cursor }, form, spent),
    done: (page) => spent.add(page),
    skip: (page) => spent.skip(page),
  };
}

function cursorOf(call: Call, resource: Resource, selected: Selected, o: ListOptions): Cursor {
  const cursor: Cursor = {
    store: storeOf(call, resource, selected.namespace),
    selected,
    at: undefined,
    after: undefined,
    left: Math.max(0, o.limit ?? 0),
    continued: false,
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

async function nextPage(call: Call, resource: Resource, c: Cursor, form: ListForm): Promise<Page> {
  const name = pageName(call, resource, c, form);
  const known = name === undefined ? undefined : call.cluster.pages?.get(name);
  if (known && isConfirmed(c, known.revision)) return again(known, c.at);
  const o: ReadOptions = {};
  if (known) o.known = { revision: known.revision, next: known.page.next, remaining: known.page.remaining };
  if (c.at !== undefined) o.at = c.at;
  if (c.after !== undefined) o.after = c.after;
  if (c.left > 0) o.limit = c.left;
  if (c.selected.select) o.select = c.selected.select;
  if (form.join) o.join = { version: resource.apiVersion, schema: resource.hash, separator: form.join.separator };
  try {
    const isFirst = !call.confirmed;
    const page = await (isFirst ? read(call, c.store, c.selected.range, o) : readOn(c.store, c.selected.range, o));
    c.at = page.revision;
    c.name = name;
    if (known && page.same) {
      if (page.rest) c.since ??= known.revision;
      return again(known, page.revision, page.remaining);
    }
    if (sizeOf(page.items ?? []) > LONG_PAGE_BYTES) await call.cluster.turn?.();
    const ready = form.encode ? { ...page, items: form.encode(page) } : page;
    if (!keepPage(call, c, name, page, ready)) loose.add(ready);
    if (call.cluster.sends && ready.items !== page.items) giveBack(page.items ?? []);
    return ready;
  } catch (e) {
    throw c.continued ? expiredToken(e, c) : futureRead(e, c.at ?? 0);
  }
}
/** Where a page is kept that the store joins; undefined where it won't. */
function pageName(call: Call, resource: Resource, c: Cursor, { join }: ListForm): string | undefined {
  if (!join || c.selected.select || !call.cluster.pages) return undefined;
  const { from, to } = c.selected.range;
  return [call.cluster.id, join.name, resource.apiVersion, resource.hash, from, to, c.after ?? '', c.left].join('\n');
}
/** The store has said it of this page when it confirmed one before it. */
const isConfirmed = (c: Cursor, known: Revision): c is Cursor & { at: Revision } =>
  c.since !== undefined && c.at !== undefined && known >= c.since && known <= c.at;

/** The page that the store has confirmed; `left` and with it `remaining` may be others than when it was read. */
function again(known: KnownPage, revision: Revision, remaining?: number): Page {
  known.revision = revision;
  if (known.page.remaining !== remaining) {
    const { remaining: _, ...page } = known.page;
    known.page = remaining === undefined ? page : { ...page, remaining };
  }
  return { ...known.page, revision };
}
/** Bytes of a page and of the rows behind it, if they are like its own. */
const estimate = (rows: number, remaining: number, bytes: number): number =>
  rows === 0 ? bytes : (bytes / rows) * (rows + remaining);
/** Half of a list is of no use, so a long one isn't kept from its first page on. */
function keepPage(call: Call, c: Cursor, name: string | undefined, read: Page, ready: Page): boolean {
  const { pages } = call.cluster;
  if (!pages || name === undefined || read.items === undefined) return false;
  const bytes = sizeOf(ready.items ?? []);
  c.kept ??= estimate(read.count, read.remaining ?? 0, bytes) <= pages.listBytesMax;
  if (!c.kept) return false;
  const isOneOfMany = c.left === 0 && (c.after !== undefined || ready.next !== undefined);
  if (isOneOfMany && bytes > 0) ready.items = [behindComma(ready.items ?? [])];
  pages.put(name, ready);
  return true;
}

function expiredToken(e: unknown, c: Cursor): unknown {
  const status = storeStatus(e);
  return status?.reason === 'Expired' ? continueExpired(relative(c, c.after ?? c.selected.range.from)) : (status ?? e);
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

/** Longer answers go out in parts, so that nobody holds more than a page; shorter ones with their length. */
const WHOLE_BYTES_MAX = 64 * 1024;
/** The same while nobody else is there: a client's page of 500 objects is one write, without turns. */
const WHOLE_BYTES_ALONE = 1024 * 1024;
/** Reading such a page takes the thread for milliseconds, encoding and sending it as many: others have their turn between. */
const LONG_PAGE_BYTES = 512 * 1024;
/** What is encrypted and written in one step, between two turns: a millisecond of the thread. Smaller parts leave more of the platform's garbage. */
const PART_BYTES = 256 * 1024;
/** The same while nobody else is there whose turn it could be: a page that the store has joined, with what stands between its rows. */
const PART_BYTES_ALONE = PAGE_BYTES + PAGE_BYTES / 4;
/** Shorter parts go out with the one behind them where that costs no copy. */
const SMALL_BYTES = 1024;
/** The pause before a part while somebody else is there: others find the thread free for as long as a part takes it. */
const PART_PAUSE_MS = 1;
/** The first part of some bytes; what follows it is put before `rest`. */
function cut(bytes: Uint8Array, rest: Uint8Array[], size: number): Uint8Array {
  if (bytes.length <= size) return bytes;
  rest.unshift(bytes.subarray(size));
  return bytes.subarray(0, size);
}

/** What becomes of an answer's parts. */
interface Sent {
  /** The first ones are with the client; from now on whoever asks for a part has written those before it. */
  written?(): void;
  /** They go out at once, as `all`. */
  whole?(parts: readonly Uint8Array[], all: Uint8Array): void;
}

/** The next part, of those that wait in front of the others or of these. */
async function following(begun: Uint8Array[], parts: AsyncGenerator<Uint8Array>): Promise<Uint8Array | undefined> {
  const take = async () => begun.shift() ?? ((await parts.next()).value as Uint8Array | undefined);
  const next = await take();
  if (!next || next.length >= SMALL_BYTES) return next;
  const behind = await take();
  if (!behind) return next;
  const both = inPlace([next, behind]);
  if (!both) begun.unshift(behind);
  return both ?? next;
}

/** The body of parts. */
export async function body(
  call: Call,
  parts: AsyncGenerator<Uint8Array>,
  on: Sent = {},
): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const begun: Uint8Array[] = [];
  const most = call.cluster.alone?.() ? WHOLE_BYTES_ALONE : WHOLE_BYTES_MAX;
  for (let size = 0; size <= most; ) {
    const next = await parts.next();
    if (next.done) {
      const all = joinInPlace(begun);
      on.whole?.(begun, all);
      return all;
    }
    begun.push(next.value);
    size += next.value.length;
  }
  let end: () => void = () => undefined;
  call.cluster.streams?.(
    new Promise((resolve) => {
      end = resolve;
    }),
  );
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        // A socket that takes all that it is given would have the whole list of this thread at once.
        const alone = call.cluster.alone?.() === true;
        await call.cluster.turn?.(alone ? 0 : PART_PAUSE_MS);
        if (begun.length === 0) on.written?.();
        const next = await following(begun, parts);
        if (next) return controller.enqueue(cut(next, begun, alone ? PART_BYTES_ALONE : PART_BYTES));
      } catch (e) {
        end();
        throw e;
      }
      end();
      controller.close();
    },
    async cancel() {
      end();
      await parts.return(undefined);
    },
  });
}
