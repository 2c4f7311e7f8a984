import type { ClientRequest } from 'node:http';
import { type Agent, request } from 'node:https';
import type { Json } from '../../kube/meta/json.ts';
import type { Random } from '../fuzz/random.ts';
import type { Caller } from './client.ts';
import type { Kind, Scope, Seen, WatchLog } from './history.ts';
import { collectionPath, listOf, seenOf, statusOf } from './shape.ts';

/** Where a watcher connects. */
export interface Endpoint {
  agent: Agent;
  port: number;
  /** Path of the cluster. */
  path: string;
  token: string;
  call: Caller;
}

export interface WatcherOptions {
  id: string;
  cluster: number;
  kind: Kind;
  scope: Scope;
  /** How often it starts anew from the state that a watch sends first (sendInitialEvents). */
  streams?: number;
  /** How long it stays away between two watches. */
  awayMs?: () => Promise<void>;
  random: Random;
  tick(): number;
  ready(): Promise<void>;
  over(): boolean;
}

/** A watch may last this long; bookmarks come 2 s before its end. */
const SECONDS_MIN = 3;
const SECONDS_MORE = 10;
/** Nothing at all for so long after its end: the connection is dead. */
const LATE_MS = 8_000;
const RETRY_MS = 80;

interface Line {
  type?: string;
  object?: Json;
}

/** A watch that goes on by the last revision whenever it ends, until the run is over. `done` resolves when the last one has ended. */
export function startWatcher(
  e: Endpoint,
  o: WatcherOptions,
): { log: WatchLog; begun: Promise<void>; done: Promise<void> } {
  const log: WatchLog = { id: o.id, cluster: o.cluster, kind: o.kind, scope: o.scope, entries: [] };
  let begin: () => void = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  return { log, begun, done: new Watcher(e, o, log, begin).run() };
}

class Watcher {
  readonly #e: Endpoint;
  readonly #o: WatcherOptions;
  readonly #log: WatchLog;
  readonly #begun: () => void;
  /** Everything up to here was shown; undefined: a list is needed. */
  #reached: number | undefined;

  constructor(e: Endpoint, o: WatcherOptions, log: WatchLog, begun: () => void) {
    this.#e = e;
    this.#o = o;
    this.#log = log;
    this.#begun = begun;
  }

  async run(): Promise<void> {
    const { random, over, ready, streams = 0 } = this.#o;
    while (!over()) {
      await ready();
      const streamed = random.chance(streams);
      if (this.#reached === undefined && !streamed && !(await this.#list())) {
        await sleep(RETRY_MS);
        continue;
      }
      await this.#watch(streamed);
      await sleep(RETRY_MS * random.next());
      if (!over()) await this.#o.awayMs?.();
    }
  }

  #query(more: Record<string, string>): string {
    const { ns, name, colour } = this.#o.scope;
    const query = new URLSearchParams(more);
    if (name !== undefined) query.set('fieldSelector', `metadata.name=${name}`);
    if (colour !== undefined) query.set('labelSelector', `colour=${colour}`);
    return `${collectionPath(this.#o.kind, ns)}?${query}`;
  }

  async #list(): Promise<boolean> {
    const start = this.#o.tick();
    const reply = await this.#e.call({ method: 'GET', path: this.#query({}) });
    if ('lost' in reply || reply.status !== 200) return false;
    const list = listOf(this.#o.kind, reply.body);
    const at = this.#o.tick();
    if (typeof list === 'string') {
      this.#log.entries.push({ is: 'wrong', at, why: list });
      return false;
    }
    this.#log.entries.push({ is: 'list', at, start, rev: list.rev, items: list.items });
    this.#reached = list.rev;
    this.#begun();
    return true;
  }

  /** One watch from its request to its end, whatever that is. */
  #watch(streamed: boolean): Promise<void> {
    const seconds = SECONDS_MIN + this.#o.random.below(SECONDS_MORE);
    const query: Record<string, string> = { watch: '1', allowWatchBookmarks: 'true', timeoutSeconds: String(seconds) };
    const start = this.#o.tick();
    if (streamed) Object.assign(query, { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' });
    else {
      query.resourceVersion = String(this.#reached);
      this.#log.entries.push({ is: 'open', at: start, after: this.#reached ?? 0 });
    }
    const session: Session = { initial: streamed ? [] : null, start, ended: false };
    return new Promise((resolve) => {
      let req: ClientRequest;
      const end = () => {
        // What still comes of this watch belongs to nobody.
        session.ended = true;
        clearTimeout(late);
        req.destroy();
        resolve();
      };
      const late = setTimeout(end, seconds * 1000 + LATE_MS);
      const headers = { authorization: `Bearer ${this.#e.token}`, accept: 'application/json' };
      const to = { host: '127.0.0.1', port: this.#e.port, path: this.#e.path + this.#query(query), headers };
      req = request({ ...to, agent: this.#e.agent }, (res) => {
        let rest = '';
        res.setEncoding('utf8');
        res.on('data', (text: string) => {
          const lines = (rest + text).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) if (line !== '' && !session.ended) this.#line(session, res.statusCode ?? 0, line);
        });
        res.on('end', () => {
          // An answer that is no stream: a Status without a line break.
          if (rest !== '' && res.complete && res.statusCode !== 200 && !session.ended)
            this.#line(session, res.statusCode ?? 0, rest);
          end();
        });
        res.on('error', end);
        res.on('close', end);
      });
      req.on('error', end);
      req.end();
    });
  }

  #line(session: Session, status: number, text: string): void {
    const at = this.#o.tick();
    const line = parse(text);
    if (line === null) return; // cut in the middle
    if (status !== 200) this.#refused(at, status, line as Json);
    else if (line.type === 'ERROR')
      this.#refused(at, Number((line.object as { code?: number })?.code), line.object ?? null);
    else if (line.type === 'BOOKMARK') this.#bookmark(session, at, line.object as BookmarkObject);
    else this.#event(session, at, line);
  }

  #refused(at: number, status: number, body: Json): void {
    const { message, reason } = statusOf(body);
    if (status === 410) {
      this.#log.entries.push({ is: 'expired', at, after: this.#reached ?? 0 });
      this.#reached = undefined;
    } else if ((status >= 400 && status < 500 && status !== 429) || message.includes('Too large resource version'))
      this.#log.entries.push({ is: 'wrong', at, why: `${status} ${reason} ${message}` });
  }

  #bookmark(session: Session, at: number, object: BookmarkObject): void {
    const rev = Number(object?.metadata?.resourceVersion);
    if (session.initial && object?.metadata?.annotations?.['k8s.io/initial-events-end'] === 'true') {
      this.#log.entries.push({ is: 'list', at, start: session.start, rev, items: session.initial, streamed: true });
      session.initial = null;
      this.#begun();
    } else this.#log.entries.push({ is: 'bookmark', at, rev });
    this.#reached = rev;
  }

  #event(session: Session, at: number, line: Line): void {
    const shown = seenOf(this.#o.kind, line.object);
    if (shown === null) {
      // Somebody else's object: its revision counts all the same.
      const rev = Number((line.object as BookmarkObject)?.metadata?.resourceVersion);
      if (!session.initial && rev > 0) this.#reached = rev;
      if (!session.initial && rev > 0) this.#log.entries.push({ is: 'bookmark', at, rev });
      return;
    }
    if (typeof shown === 'string') {
      this.#log.entries.push({ is: 'wrong', at, why: shown });
      return;
    }
    const [key, seen] = shown;
    if (session.initial) {
      session.initial.push([key, seen]);
      return;
    }
    const type = line.type === 'ADDED' || line.type === 'DELETED' ? line.type : 'MODIFIED';
    this.#log.entries.push({ is: 'event', at, type, rev: seen.rev, key, seen });
    this.#reached = seen.rev;
  }
}

interface Session {
  /** What came before the end of the initial events; null after it, or when none were asked for. */
  initial: [string, Seen][] | null;
  start: number;
  ended: boolean;
}
type BookmarkObject = { metadata?: { resourceVersion?: string; annotations?: Record<string, string> } } | undefined;

function parse(text: string): Line | null {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}
const sleep = (ms: number) => new Promise((next) => setTimeout(next, ms));
