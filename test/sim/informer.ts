import { ADMIN, type Isolate, type SimCluster } from './cluster.ts';

interface Item {
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string };
}

/** Lists and watches as client-go's reflector does, through the API; is cut off, and comes back with the last version that it saw. */
export class Informer {
  readonly #c: SimCluster;
  readonly #at: Isolate;
  readonly path: string;
  readonly #query: string;
  /** By namespace/name what it was told. */
  readonly items = new Map<string, Item>();
  readonly wrong: string[] = [];
  #version = '';
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  lists = 0;
  events = 0;

  constructor(c: SimCluster, at: Isolate, path: string, query = '') {
    this.#c = c;
    this.#at = at;
    this.path = path;
    this.#query = query;
    void this.#run();
  }

  /** The connection breaks. */
  async cut(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.cancel().catch(() => {});
  }
  /** What a list gives now. */
  async listed(): Promise<Map<string, string> | undefined> {
    const items = await this.#list();
    return items && new Map(items.list.map((i) => [keyOf(i), i.metadata.resourceVersion]));
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#version === '' && !(await this.#relist())) await this.#c.clock.sleep(1_000);
      else await this.#watch();
      await this.#c.clock.sleep(100);
    }
  }
  async #list(): Promise<{ list: Item[]; version: string } | undefined> {
    const { code, body } = await this.#c.ask(this.#at, ADMIN, 'GET', `${this.path}?${this.#query}`);
    if (code !== 200) return undefined;
    return { list: body.items as unknown as Item[], version: String(body.metadata.resourceVersion) };
  }
  async #relist(): Promise<boolean> {
    const now = await this.#list();
    if (!now) return false;
    this.lists++;
    this.items.clear();
    for (const i of now.list) this.items.set(keyOf(i), i);
    this.#version = now.version;
    return true;
  }

  async #watch(): Promise<void> {
    const url = `https://sim.invalid${this.path}?watch=1&allowWatchBookmarks=true&resourceVersion=${this.#version}&${this.#query}`;
    const response = await this.#c.api.handle(new Request(url), this.#at.context, { user: ADMIN });
    if (response.status !== 200 || !response.body) {
      await response.body?.cancel();
      if (response.status === 410) this.#version = '';
      return;
    }
    const reader = response.body.getReader();
    this.#reader = reader;
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
      if (done || this.#reader !== reader) return;
      this.#c.clock.activity++;
      text += decoder.decode(value, { stream: true });
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) if (line !== '') this.#take(JSON.parse(line) as { type: string; object: Item });
    }
  }

  #take({ type, object }: { type: string; object: Item }): void {
    if (type === 'ERROR') {
      this.#version = '';
      return;
    }
    const { resourceVersion } = object.metadata;
    if (Number(resourceVersion) < Number(this.#version))
      this.wrong.push(`${this.path}: ${type} at ${resourceVersion} came after ${this.#version}`);
    this.#version = resourceVersion;
    if (type === 'BOOKMARK') return;
    this.events++;
    const key = keyOf(object);
    if ((type === 'ADDED') === this.items.has(key))
      this.wrong.push(`${this.path}: ${type} ${key} at ${resourceVersion}`);
    if (type === 'DELETED') this.items.delete(key);
    else this.items.set(key, object);
  }
}
const keyOf = (i: Item): string => `${i.metadata.namespace ?? ''}/${i.metadata.name}`;
