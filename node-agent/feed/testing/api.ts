import type { JsonObject } from '../../../kube/meta/json.ts';
import { type Api, ApiError } from '../../api.ts';

interface Change {
  revision: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  path: string;
  object: JsonObject;
}

/** Lists and watches of whatever objects a test puts, with revisions, pages, bookmarks, compaction and broken connections. */
export class FakeLists implements Api {
  readonly connection = { url: 'https://api.test', tokenFile: '' };
  /** Every request: `LIST path?query` or `WATCH path?query`. */
  readonly asked: string[] = [];
  /** The next requests fail with these, first to last. */
  readonly failures: Error[] = [];
  /** Objects of one page, whatever limit was asked. */
  page = 2;
  revision = 1;
  #log: Change[] = [];
  #kept = 0;
  #objects = new Map<string, { path: string; object: JsonObject }>();
  #open = new Set<{ path: string; tell: (line: JsonObject | Error | null) => void }>();

  token(): string {
    return '';
  }
  ca(): undefined {
    return undefined;
  }
  async send(): Promise<JsonObject> {
    throw new Error('only lists are served');
  }

  /** Stores an object below the resource at `path`. */
  put(path: string, object: JsonObject): void {
    const key = this.#key(path, object);
    const type = this.#objects.has(key) ? 'MODIFIED' : 'ADDED';
    this.#change(type, path, key, object);
  }
  remove(path: string, namespace: string, name: string): void {
    const key = `${path}|${namespace}/${name}`;
    const old = this.#objects.get(key);
    if (old) this.#change('DELETED', path, key, old.object);
  }
  /** A progress notice: the revision rises, nothing of the resource changes. */
  bookmark(path: string): void {
    const object = { metadata: { resourceVersion: String(++this.revision) } };
    for (const o of this.#open) if (o.path === path) o.tell({ type: 'BOOKMARK', object });
  }
  /** Forgets what happened so far: a watch from before gets 410. */
  compact(): void {
    this.#kept = this.revision;
  }
  /** Ends every watch: with an error, or cleanly. */
  cut(error: Error | null = new Error('read ECONNRESET')): void {
    for (const o of [...this.#open]) o.tell(error);
  }

  #key = (path: string, o: JsonObject) => {
    const m = o.metadata as JsonObject;
    return `${path}|${m.namespace ?? ''}/${m.name}`;
  };
  #change(type: Change['type'], path: string, key: string, from: JsonObject): void {
    const revision = ++this.revision;
    const object = { ...from, metadata: { ...(from.metadata as JsonObject), resourceVersion: String(revision) } };
    if (type === 'DELETED') this.#objects.delete(key);
    else this.#objects.set(key, { path, object });
    this.#log.push({ revision, type, path, object });
    for (const o of this.#open) if (o.path === path) o.tell({ type, object });
  }

  async get(url: string): Promise<JsonObject> {
    this.asked.push(`LIST ${url}`);
    const failure = this.failures.shift();
    if (failure) throw failure;
    const [path, query] = url.split('?') as [string, string | undefined];
    const [revision = this.revision, from = 0] = (new URLSearchParams(query).get('continue') ?? '')
      .split('/')
      .filter(Boolean)
      .map(Number);
    const all = [...this.#objects.values()].filter((o) => o.path === path).map((o) => o.object);
    const more = from + this.page < all.length ? { continue: `${revision}/${from + this.page}` } : {};
    return { items: all.slice(from, from + this.page), metadata: { resourceVersion: String(revision), ...more } };
  }

  async *watch(url: string, signal: AbortSignal): AsyncIterable<JsonObject> {
    this.asked.push(`WATCH ${url}`);
    const failure = this.failures.shift();
    if (failure) throw failure;
    const [path, query] = url.split('?') as [string, string];
    const after = Number(new URLSearchParams(query).get('resourceVersion'));
    if (after < this.#kept) throw new ApiError(410, { message: 'too old resource version' });
    const lines: (JsonObject | Error | null)[] = this.#log
      .filter((c) => c.path === path && c.revision > after)
      .map(({ type, object }) => ({ type, object }));
    let wake: () => void = () => undefined;
    const tell = (line: JsonObject | Error | null) => {
      lines.push(line);
      wake();
    };
    const open = { path, tell };
    this.#open.add(open);
    signal.addEventListener('abort', () => tell(null));
    try {
      for (;;) {
        const line = lines.shift();
        if (line === null) return;
        if (line instanceof Error) throw line;
        if (line) yield line;
        else await new Promise<void>((r) => (wake = r));
      }
    } finally {
      this.#open.delete(open);
    }
  }
}
