import { parseJson, printJson } from '../../kube/codec/json.ts';
import { kindByGVK, kindByStorage } from '../../kube/kinds/index.ts';
import type { Kind } from '../../kube/kinds/kind.ts';
import type { Env } from '../../kube/meta/env.ts';
import type { Json, JsonObject } from '../../kube/meta/json.ts';
import { apiVersionOf, type KubeObject, parseApiVersion } from '../../kube/meta/object.ts';
import type { Status } from '../../kube/meta/status.ts';
import { formatMicroTime, formatTime } from '../../kube/meta/time.ts';
import type { Effect, EffectResult, Note, Row, Write } from '../../kube/reconcile/controller.ts';
import type { Client, WriteResult } from '../../kube/reconcile/runner.ts';
import { parseKey, resourceOfKey } from '../../kube/store/key.ts';
import { placement } from '../../kube/store/placement.ts';
import type { Key } from '../../kube/store/store.ts';

/** Sends a request through the API's whole chain as one of the loop's identities, under its fence. */
export type Send = (controller: string, request: Request) => Promise<Response>;
export type EffectFunction = (input: JsonObject, ask: (request: Request) => Promise<Response>) => Promise<JsonObject>;

/** Never resolved by anyone: the chain reads path and query only. */
const HOST = 'https://loop.invalid';
const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
/** Who Events are from, where that isn't the identity: the scheduler's profile, and a name that upstream spells in two ways. */
const COMPONENTS: Readonly<Record<string, string>> = {
  'kube-scheduler': 'default-scheduler',
  'daemon-set-controller': 'daemonset-controller',
  'disruption-controller': 'controllermanager',
};
/** client-go's recorder: what is said again within this is counted in the Event that said it first. */
const SAME_MS = 600_000;
/** Events that are remembered for that; the oldest goes. */
const REMEMBERED_MAX = 1_000;
/** Upstream's limit of an Event's note. */
const NOTE_BYTES_MAX = 1024;

/** An Event that this loop has recorded. */
interface Told {
  path: string;
  count: number;
  lastMs: number;
  /** Settled once it is recorded, as often as it was said so far. */
  sent: Promise<unknown>;
}

/** The Client of a loop: plans become requests to the API server in the same process. `deposed`: whether a write met a newer epoch. */
export function createClient(
  send: Send,
  effects: Readonly<Record<string, EffectFunction>>,
  env: Env,
  deposed: () => boolean = () => false,
): Client {
  async function write(controller: string, w: Write): Promise<WriteResult> {
    const { request, main } = requestOf(w);
    const response = await send(controller, request);
    const body = parseJson(await response.text()) as JsonObject;
    if (response.status >= 400) {
      // Gone already is what a deletion wants.
      if (w.do === 'delete' && response.status === 404) return { ok: true, revision: 0, gone: true };
      return { ok: false, status: body as unknown as Status, deposed: deposed() };
    }
    const revision = Number((body.metadata as JsonObject | undefined)?.resourceVersion ?? 0);
    // A deletion's answer shows the object as it was; other stores count revisions of their own.
    return { ok: true, revision: main && w.do !== 'delete' && Number.isFinite(revision) ? revision : 0 };
  }

  const told = new Map<string, Told>();

  /** Counts what was said before in the Event that said it; false: that is long ago, or that Event is gone. */
  async function toldAgain(controller: string, t: Told, n: Note): Promise<boolean> {
    const now = env.now();
    if (now - t.lastMs >= SAME_MS) return false;
    t.count++;
    t.lastMs = now;
    await t.sent;
    const patch = n.action
      ? { series: { count: t.count, lastObservedTime: formatMicroTime(now) } }
      : { count: t.count, lastTimestamp: formatTime(now) };
    const sent = send(controller, json('PATCH', t.path, patch, PATCH_TYPES.merge));
    t.sent = sent.catch(() => undefined);
    const response = await sent;
    await response.body?.cancel();
    return response.status < 400;
  }

  async function note(controller: string, n: Note, row: Row | undefined): Promise<void> {
    const { namespace, name } = parseKey(n.on);
    const kind = kindByStorage(resourceOfKey(n.on));
    const same = [controller, n.on, row?.uid, n.type, n.reason, n.message].join(' ');
    const before = told.get(same);
    told.delete(same);
    if (before) told.set(same, before);
    if (before && (await toldAgain(controller, before, n))) return;
    const now = env.now();
    const where = namespace === '' ? 'default' : namespace;
    const regarding = {
      ...head(kind),
      name,
      ...(namespace === '' ? {} : { namespace }),
      ...(row ? { uid: row.uid, resourceVersion: String(row.revision) } : {}),
    };
    const time = formatTime(now);
    const component = COMPONENTS[controller] ?? controller;
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${Math.floor(now * 1e3 + env.random() * 1e3).toString(16)}`, namespace: where },
      involvedObject: regarding,
      type: n.type,
      reason: n.reason,
      message: n.message.slice(0, NOTE_BYTES_MAX),
      // Upstream's newer recorder names an action and no source.
      ...(n.action
        ? { action: n.action, eventTime: formatMicroTime(now), source: {} }
        : { firstTimestamp: time, lastTimestamp: time, count: 1, source: { component } }),
      reportingComponent: component,
      reportingInstance: n.action ? `${component}-coracle` : component,
    };
    const events = `/api/v1/namespaces/${where}/events`;
    const sent = send(controller, json('POST', events, event));
    const path = `${events}/${event.metadata.name}`;
    told.set(same, { path, count: 1, lastMs: now, sent: sent.catch(() => undefined) });
    if (told.size > REMEMBERED_MAX) told.delete(told.keys().next().value ?? '');
    const response = await sent;
    // Events are best effort: a namespace that is going away takes none.
    if (response.status >= 400) env.log('debug', 'loop.event.refused', { controller, status: response.status });
    await response.body?.cancel();
  }

  async function effect(controller: string, e: Effect): Promise<EffectResult> {
    const run = effects[e.name];
    if (!run) return { ok: false, error: `no effect ${e.name}` };
    try {
      return { ok: true, value: await run(e.input, (request) => send(controller, request)) };
    } catch (error) {
      return { ok: false, error: error instanceof Error ? error.message : String(error) };
    }
  }
  return { write, note, effect };
}

const head = (kind: Kind | undefined) => {
  const ref = kind?.served[0];
  return ref ? { apiVersion: apiVersionOf(ref), kind: ref.kind } : {};
};

export function json(method: string, path: string, body: Json, type = 'application/json'): Request {
  return new Request(HOST + path, {
    method,
    body: printJson(body),
    headers: { 'content-type': type, accept: 'application/json' },
  });
}

/** `/api/v1/namespaces/a/pods/b` or `/apis/apps/v1/...`. */
export function pathOf(kind: Kind, namespace: string, name: string, subresource = ''): string {
  const ref = kind.served[0];
  if (!ref) throw new Error(`${kind.kind} is not served`);
  const base = ref.group === '' ? `/api/${ref.version}` : `/apis/${ref.group}/${ref.version}`;
  const where = namespace === '' ? '' : `/namespaces/${namespace}`;
  return `${base}${where}/${kind.plural}${name === '' ? '' : `/${name}`}${subresource === '' ? '' : `/${subresource}`}`;
}

function requestOf(w: Write): { request: Request; main: boolean } {
  if (w.do === 'create' || w.do === 'update')
    return objectRequest(w.do, w.object, w.do === 'update' ? (w.subresource ?? '') : '');
  const { kind, namespace, name, main } = target(w.key);
  if (w.do === 'patch')
    return {
      main,
      request: json(
        'PATCH',
        pathOf(kind, namespace, name, w.subresource ?? ''),
        w.patch,
        PATCH_TYPES[w.type ?? 'merge'],
      ),
    };
  if (w.do === 'post') return { main, request: json('POST', pathOf(kind, namespace, name, w.subresource), w.body) };
  const preconditions = {
    ...(w.uid ? { uid: w.uid } : {}),
    ...(w.revision ? { resourceVersion: String(w.revision) } : {}),
  };
  const options = {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    ...(Object.keys(preconditions).length > 0 ? { preconditions } : {}),
    ...(w.graceSeconds === undefined ? {} : { gracePeriodSeconds: w.graceSeconds }),
    ...(w.propagation ? { propagationPolicy: w.propagation } : {}),
  };
  return { main, request: json('DELETE', pathOf(kind, namespace, name), options) };
}

function objectRequest(
  verb: 'create' | 'update',
  object: KubeObject,
  subresource: string,
): { request: Request; main: boolean } {
  const gv = parseApiVersion(object.apiVersion ?? '');
  const kind = gv && kindByGVK({ ...gv, kind: object.kind ?? '' });
  if (!kind) throw new Error(`no kind ${object.apiVersion} ${object.kind}`);
  const { name = '', namespace = '' } = object.metadata;
  const path = pathOf(kind, namespace, verb === 'create' ? '' : name, subresource);
  const main = placement(resourceName(kind), namespace) === 'main';
  return { main, request: json(verb === 'create' ? 'POST' : 'PUT', path, object) };
}

function target(key: Key): { kind: Kind; namespace: string; name: string; main: boolean } {
  const { resource, namespace, name } = parseKey(key);
  const kind = kindByStorage(resource);
  if (!kind) throw new Error(`no kind is stored as ${resource}`);
  return { kind, namespace, name, main: placement(resource, namespace) === 'main' };
}
function resourceName(kind: Kind): string {
  const group = kind.served[0]?.group ?? '';
  return group === '' ? kind.plural : `${kind.plural}.${group}`;
}
