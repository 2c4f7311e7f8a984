import { onAbort } from '../../kube/meta/env.ts';
import { failure, StatusError } from '../../kube/meta/status.ts';
import type { Batch, Page, PageJoin, ReadOptions, Revision, Store, WatchOptions } from '../../kube/store/store.ts';
import { type Call, confirm, isCorrupt, read, readOn, storeOf, storeStatus } from '../call.ts';
import { batchFrame, type EventEncoder, eventEncoder } from '../encode-events.ts';
import type { Resource } from '../parts.ts';
import { type ListOptions, listOptions } from '../query.ts';
import { respond } from '../respond.ts';
import { revisionOf, type Selected, selectionOf, tooLargeRevision } from '../select.ts';

/** Upstream's bookmark period. */
const BOOKMARK_MS = 60_000;
/** To a watch that wants no bookmarks: between events JSON may have space. In protobuf nothing may stand there. */
const BLANK = new TextEncoder().encode(' ');
/** A bookmark goes out this long before a watch ends, so that the client resumes from there. */
const LAST_BOOKMARK_MS = 2_000;
/** apiserver's --min-request-timeout: watches without a timeout last this long to twice as long. */
const MIN_TIMEOUT_SECONDS = 1800;
/** A client that doesn't read has this much waiting before its watch stops taking batches; the store then drops it. */
const BUFFER_BYTES = 1024 * 1024;

/** GET with watch: a stream of events. What goes wrong after the head is an ERROR event, as upstream. */
export async function watch(call: Call, resource: Resource): Promise<Response> {
  const o = listOptions(call.query, true);
  const selected = selectionOf(call, resource, o);
  const store = storeOf(call, resource, selected.namespace);
  const encode = eventEncoder(call, resource);
  call.watching = true;
  const options: WatchOptions = {};
  if (selected.select) options.select = selected.select;
  if (encode.join) options.join = encode.join;
  const batches = (after: Revision) => store.watch(selected.range, after, options);
  const feed = new Feed(call, resource, encode, o, batches);
  try {
    const asked = revisionOf(o.resourceVersion, true);
    if (o.sendInitialEvents || asked === 0) {
      const join: PageJoin | undefined = encode.added && {
        version: resource.apiVersion,
        schema: resource.hash,
        separator: '\n',
      };
      const next = async (from?: Page) => {
        // To send a page and to read the next are two steps.
        if (from) await call.cluster.turn?.();
        return readPage(call, store, selected, o, join, from);
      };
      const first = await next();
      if (asked > first.revision) throw tooLargeRevision(asked, first.revision);
      feed.start(first.revision, o.sendInitialEvents ? present(first, next) : undefined);
    } else {
      // Confirmed before the head is sent: a store may say only with its first batch that the View is behind.
      await confirm(call);
      feed.start(asked, undefined);
    }
  } catch (e) {
    const status = storeStatus(e) ?? (e instanceof StatusError ? e : undefined);
    if (status?.code !== 410) throw status ?? e;
    feed.fail(status);
  }
  return respond(call, 200, feed.stream, encode.type);
}

/** One page of the present state, or only its revision where the state isn't asked for. */
function readPage(
  call: Call,
  store: Store,
  selected: Selected,
  o: ListOptions,
  join: PageJoin | undefined,
  from: Page | undefined,
): Promise<Page> {
  const options: ReadOptions = o.sendInitialEvents ? {} : { limit: 1, factsOnly: true };
  if (selected.select && o.sendInitialEvents) options.select = selected.select;
  if (join && o.sendInitialEvents) options.join = join;
  if (from?.next !== undefined) Object.assign(options, { after: from.next, at: from.revision });
  return from ? readOn(store, selected.range, options) : read(call, store, selected.range, options);
}

/** The present state page by page, as fast as the client takes it. */
async function* present(first: Page, next: (from: Page) => Promise<Page>): AsyncGenerator<Page> {
  let page = first;
  for (;;) {
    yield page;
    if (page.next === undefined) return;
    page = await next(page);
  }
}

/** The events of a page, every row as ADDED. */
function addedOf(encode: EventEncoder, page: Page): Uint8Array[] {
  if (page.items && encode.added) return encode.added(page.items);
  return page.entries.length === 0 ? [] : [encode.events(page.entries.map((e) => ({ ...e, type: 'ADDED' })))];
}

/** One watch's stream: batches in, frames out, bookmarks and the end by the clock. */
class Feed {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #call: Call;
  readonly #resource: Resource;
  readonly #encode: EventEncoder;
  readonly #options: ListOptions;
  readonly #batches: (after: Revision) => AsyncIterable<Batch>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Bytes since the client was last known to have read all. */
  #unread = 0;
  #taken: (() => void) | undefined;
  #iterator: AsyncIterator<Batch> | undefined;
  /** Everything up to here has been sent. */
  #sent: Revision = 0;
  #timers: (() => void)[] = [];
  #closed = false;

  constructor(
    call: Call,
    resource: Resource,
    encode: EventEncoder,
    options: ListOptions,
    batches: (after: Revision) => AsyncIterable<Batch>,
  ) {
    this.#batches = batches;
    this.#call = call;
    this.#resource = resource;
    this.#encode = encode;
    this.#options = options;
    // No pipe: it would copy each frame twice for each watch.
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.#unread = 0;
        this.#taken?.();
      },
      // The client has gone.
      cancel: () => this.#end(),
    });
  }

  bookmark(revision: Revision, initialEventsEnd = false): void {
    // None before the watch knows where it is; the same one again says that it lives.
    if (this.#closed || (revision === 0 && !initialEventsEnd)) return;
    this.#write(this.#encode.bookmark(revision, initialEventsEnd));
  }

  /** The stream is one ERROR event. */
  fail(status: StatusError): void {
    if (this.#closed) return;
    this.#write(this.#encode.error(status.status));
    this.#end();
    this.#close();
  }

  start(from: Revision, present: AsyncIterable<Page> | undefined): void {
    const { env } = this.#call.cluster;
    const seconds = this.#options.timeoutSeconds || MIN_TIMEOUT_SECONDS * (1 + env.random());
    this.#timers.push(env.after(seconds * 1000, () => this.#timeout()));
    this.#everyMinute();
    if (this.#options.allowWatchBookmarks) {
      const last = seconds * 1000 - LAST_BOOKMARK_MS;
      if (last > 0) this.#timers.push(env.after(last, () => this.bookmark(this.#sent)));
    }
    const { signal } = this.#call.request;
    if (signal) this.#timers.push(onAbort(signal, () => this.#timeout()));
    const forget = this.#call.cluster.onDrain?.(() => {
      if (this.#options.allowWatchBookmarks) this.bookmark(this.#sent);
      this.#timeout();
    });
    if (forget) this.#timers.push(forget);
    void this.#pump(from, present);
  }

  /** The platform learns that a client has gone when it writes to it: until then its watch counts among the cluster's. */
  #everyMinute(): void {
    const bookmarks = this.#options.allowWatchBookmarks;
    if (!bookmarks && !this.#encode.type.startsWith('application/json')) return;
    const slot = this.#timers.length;
    const arm = () => {
      this.#timers[slot] = this.#call.cluster.env.after(BOOKMARK_MS, () => {
        if (bookmarks) this.bookmark(this.#sent);
        else this.#write(BLANK);
        arm();
      });
    };
    this.#timers.push(() => {});
    arm();
  }

  async #pump(from: Revision, present: AsyncIterable<Page> | undefined): Promise<void> {
    try {
      for await (const page of present ?? []) {
        for (const frame of addedOf(this.#encode, page)) {
          if (this.#closed) return;
          this.#write(frame);
          await this.#drained();
        }
      }
      if (this.#closed) return;
      this.#sent = from;
      if (present && this.#options.sendInitialEvents && this.#options.allowWatchBookmarks) this.bookmark(from, true);
      // Held here and not in a generator: a generator can't be ended while it waits for the next batch.
      this.#iterator = this.#batches(from)[Symbol.asyncIterator]();
      for (;;) {
        const next = await this.#iterator.next();
        if (next.done || this.#closed) break;
        const batch = next.value;
        const isEmpty = batch.joined ? batch.joined.length === 0 : batch.events.length === 0;
        if (!isEmpty) this.#write(batchFrame(this.#call, this.#resource, this.#encode, batch));
        // Before a slow reader is waited for: a bookmark meanwhile comes after these events.
        this.#sent = batch.revision;
        await this.#drained();
      }
      this.#timeout();
    } catch (e) {
      this.#broken(e);
    }
  }

  #write(frame: Uint8Array): void {
    this.#unread += frame.length;
    this.#controller?.enqueue(frame);
  }

  /** Waits for a reader that is too far behind. */
  async #drained(): Promise<void> {
    if (this.#unread < BUFFER_BYTES || this.#closed) return;
    await new Promise<void>((resolve) => {
      this.#taken = resolve;
    });
  }

  #broken(e: unknown): void {
    const status = storeStatus(e);
    if (status?.code === 410) {
      this.fail(failure('Expired', 'The resourceVersion for the provided watch is too old.'));
      return;
    }
    // What is damaged stays so: a client that only resumed would never learn of it.
    if (status && isCorrupt(e)) {
      this.fail(status);
      return;
    }
    this.#call.cluster.env.log('warn', 'api.watch.broken', { audit: this.#call.auditId, error: String(e) });
    this.#timeout();
  }

  /** A watch ends without a word: the client resumes from what it has seen. */
  #timeout(): void {
    if (this.#closed) return;
    this.#end();
    this.#close();
  }

  #close(): void {
    this.#controller?.close();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#taken?.();
    for (const cancel of this.#timers) cancel();
    void this.#iterator?.return?.();
  }
}
