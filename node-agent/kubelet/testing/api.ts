import { isObject, type JsonObject } from '../../../kube/meta/json.ts';
import { type Api, ApiError } from '../../api.ts';
import type { Condition, Pod, PodStatus } from '../pod.ts';

const notFound = (path: string) => new ApiError(404, { message: `${path} not found` });

/** What an agent needs of an API server, in memory: pods of one node with watch, whatever objects a test puts, events, tokens. */
export class FakeApi implements Api {
  readonly connection = { url: 'https://api.test', tokenFile: '' };
  /** By path. What is put or deleted here is told to those who watch that name. */
  readonly objects: Map<string, JsonObject> = new WatchedMap((path, type, object) =>
    this.#tellNamed(path, type, object),
  );
  readonly pods = new Map<string, Pod>();
  readonly events: { type: string; reason: string; message: string; pod: string; about: string }[] = [];
  /** Bodies of status patches, in order. */
  readonly patches: { pod: string; status: PodStatus }[] = [];
  readonly tokensAsked: JsonObject[] = [];
  /** Paths of all reads, in order. */
  readonly asked: string[] = [];
  /** False: every request fails as it does without a network. */
  reachable = true;
  #revision = 0;
  #watchers = new Set<(event: JsonObject | Error) => void>();
  #named = new Map<string, Set<(event: JsonObject | Error) => void>>();

  token(): string {
    return '';
  }
  ca(): string | undefined {
    return undefined;
  }

  /** Makes the API unreachable and cuts what is connected, or lets it be reached again. */
  setReachable(yes: boolean): void {
    this.reachable = yes;
    if (yes) return;
    for (const tell of [...this.#watchers, ...[...this.#named.values()].flatMap((w) => [...w])])
      tell(new Error('read ECONNRESET'));
  }

  /** Paths of single objects that somebody watches now. */
  get watched(): string[] {
    return [...this.#named].filter(([, w]) => w.size > 0).map(([path]) => path);
  }
  #tellNamed(path: string, type: string, object: JsonObject): void {
    const metadata = { ...(object.metadata as JsonObject), resourceVersion: String(++this.#revision) };
    for (const tell of this.#named.get(path) ?? []) tell({ type, object: { ...object, metadata } });
  }

  /** Stores a pod as the API would have it and tells the watchers. */
  put(pod: Pod): Pod {
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    const type = this.pods.has(key) ? 'MODIFIED' : 'ADDED';
    const stored = { ...pod, metadata: { ...pod.metadata, resourceVersion: String(++this.#revision) } };
    this.pods.set(key, stored);
    this.#tell(type, stored);
    return stored;
  }
  remove(key: string): void {
    const pod = this.pods.get(key);
    this.pods.delete(key);
    if (pod) this.#tell('DELETED', pod);
  }
  #tell(type: string, pod: Pod): void {
    const event = { type, object: structuredClone(pod) } as unknown as JsonObject;
    for (const tell of this.#watchers) tell(event);
  }

  async get(path: string): Promise<JsonObject> {
    this.asked.push(path);
    if (!this.reachable) throw new Error('connect ECONNREFUSED');
    if (path.startsWith('/api/v1/pods?')) {
      const items = structuredClone([...this.pods.values()]);
      return { items, metadata: { resourceVersion: String(this.#revision) } } as unknown as JsonObject;
    }
    const named = namedPath(path);
    const found = this.objects.get(named ?? path);
    if (named !== null)
      return { items: found ? [structuredClone(found)] : [], metadata: { resourceVersion: String(this.#revision) } };
    if (!found) throw notFound(path);
    return structuredClone(found);
  }

  async send(method: string, path: string, body: unknown): Promise<JsonObject> {
    if (!this.reachable) throw new Error('connect ECONNREFUSED');
    const b = body as JsonObject;
    if (path.endsWith('/events')) return this.#event(b);
    if (path.includes('/events/')) return {};
    if (path.endsWith('/token')) {
      this.tokensAsked.push(b);
      return { status: { token: `token-${this.tokensAsked.length}` } };
    }
    if (method === 'POST' && path.endsWith('/pods')) return this.#create(b as unknown as Pod);
    const [, namespace = '', name = '', sub] = /namespaces\/([^/]+)\/pods\/([^/]+)(\/status)?$/.exec(path) ?? [];
    const key = `${namespace}/${name}`;
    const pod = this.pods.get(key);
    if (!pod) throw notFound(path);
    if (method === 'DELETE') {
      this.remove(key);
      return {};
    }
    if (method !== 'PATCH' || !sub) throw new Error(`${method} ${path} is not served`);
    const status = merge(pod.status, b.status as unknown as PodStatus);
    this.patches.push({ pod: name, status });
    return this.put({ ...pod, status }) as unknown as JsonObject;
  }

  #create(pod: Pod): JsonObject {
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    if (this.pods.has(key)) throw new ApiError(409, { message: `${key} already exists` });
    const uid = `made-${++this.#revision}`;
    return structuredClone(this.put({ ...pod, metadata: { ...pod.metadata, uid } })) as unknown as JsonObject;
  }

  #event(b: JsonObject): JsonObject {
    const { name, fieldPath } = b.involvedObject as JsonObject;
    const [pod, about] = [String(name), String(fieldPath ?? '')];
    this.events.push({ type: String(b.type), reason: String(b.reason), message: String(b.message), pod, about });
    return b;
  }

  async *watch(path: string, signal: AbortSignal): AsyncIterable<JsonObject> {
    if (!this.reachable) throw new Error('connect ECONNREFUSED');
    const named = namedPath(path);
    const watchers = named === null ? this.#watchers : (this.#named.get(named) ?? new Set());
    if (named !== null) this.#named.set(named, watchers);
    const queue: (JsonObject | Error)[] = [];
    let wake: () => void = () => undefined;
    const tell = (event: JsonObject | Error) => {
      queue.push(event);
      wake();
    };
    watchers.add(tell);
    signal.addEventListener('abort', () => wake());
    try {
      while (!signal.aborted) {
        const event = queue.shift();
        if (event instanceof Error) throw event;
        if (event) yield event;
        else await new Promise<void>((r) => (wake = r));
      }
    } finally {
      watchers.delete(tell);
    }
  }
}

/** A map that tells of what changes in it. */
class WatchedMap extends Map<string, JsonObject> {
  readonly #tell: (path: string, type: string, object: JsonObject) => void;
  constructor(tell: (path: string, type: string, object: JsonObject) => void) {
    super();
    this.#tell = tell;
  }
  override set(path: string, object: JsonObject): this {
    const type = this.has(path) ? 'MODIFIED' : 'ADDED';
    super.set(path, object);
    this.#tell(path, type, object);
    return this;
  }
  override delete(path: string): boolean {
    const object = this.get(path);
    if (object) this.#tell(path, 'DELETED', object);
    return super.delete(path);
  }
}

/** The path of the one object that a list or a watch with `metadata.name` asks for; null for any other. */
function namedPath(path: string): string | null {
  const [base = '', query = ''] = path.split('?');
  const name = /^metadata\.name=(.+)$/.exec(new URLSearchParams(query).get('fieldSelector') ?? '')?.[1];
  return name === undefined ? null : `${base}/${name}`;
}

/** Null takes a field away; only lastProbeTime is null in what is stored. */
function without(value: null, c: Condition): Condition {
  const kept = Object.entries(c).filter(([k, v]) => v !== value || k === 'lastProbeTime');
  return Object.fromEntries(kept) as unknown as Condition;
}

/** The strategic merge of a pod's status, as far as an agent uses it. */
function merge(old: PodStatus | undefined, patch: PodStatus): PodStatus {
  const replaced = (list: unknown[] | undefined) =>
    list?.filter((x) => !(isObject(x) && x.$patch !== undefined)) as { ip: string }[] | undefined;
  const conditions = new Map<string, Condition>((old?.conditions ?? []).map((c) => [c.type, c]));
  for (const c of patch.conditions ?? [])
    if ((c as Condition & { $patch?: string }).$patch === 'delete') conditions.delete(c.type);
    else conditions.set(c.type, without(null, { ...conditions.get(c.type), ...c }));
  const { podIPs, hostIPs } = patch;
  return {
    ...old,
    ...patch,
    conditions: [...conditions.values()],
    ...(podIPs ? { podIPs: replaced(podIPs) ?? [] } : {}),
    ...(hostIPs ? { hostIPs: replaced(hostIPs) ?? [] } : {}),
  };
}
