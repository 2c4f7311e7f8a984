import { joinBytes, lengthFrame } from '../kube/codec/framing.ts';
import { printJson } from '../kube/codec/json.ts';
import { wrapLines } from '../kube/codec/json-lines.ts';
import { contentTypeOf, PROTOBUF_TYPE } from '../kube/codec/negotiate.ts';
import {
  encodeWatchEvent,
  encodeObject as protoObject,
  transcodeAdded,
  transcodeEvents,
} from '../kube/codec/protobuf.ts';
import { INITIAL_EVENTS_END, toPartial, toTable } from '../kube/codec/table.ts';
import type { JsonObject } from '../kube/meta/json.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import type { Status } from '../kube/meta/status.ts';
import type { Struct } from '../kube/schema/schema.ts';
import { spliceItem } from '../kube/store/splice.ts';
import type { Batch, EventJoin, Revision, WatchEvent } from '../kube/store/store.ts';
import type { Call } from './call.ts';
import { META, tableOptions } from './encode.ts';
import type { Resource } from './parts.ts';
import { isCurrent, objectOf, spliced } from './row.ts';

/** Frames of a watch stream in the form that the client asked for. */
export interface EventEncoder {
  /** Content-Type of the stream. */
  type: string;
  /** What the store may join by itself; undefined where events have to be looked at. */
  join?: EventJoin;
  /** ADDED events of a page whose rows the store joined with newlines; there is one where there is a `join`. */
  added?(items: readonly Uint8Array[]): Uint8Array[];
  events(events: readonly WatchEvent[]): Uint8Array;
  bookmark(revision: Revision, initialEventsEnd: boolean): Uint8Array;
  error(status: Status): Uint8Array;
}

const utf8 = new TextEncoder();
const END = utf8.encode('}\n');

/** The encoder that a watch needs. */
export function eventEncoder(call: Call, resource: Resource): EventEncoder {
  const { out } = call;
  const transform = transformer(call, resource);
  return out.type === PROTOBUF_TYPE ? protoEvents(call, resource, transform) : jsonEvents(resource, transform);
}

/** By batch its frames, by form: watches that get the same batch share the object (workers/tenant/sharedframes.ts). */
const shared = new WeakMap<Batch, Map<string, Uint8Array>>();

/** A batch's frame; made once in an isolate for all watches of one form. Tables tell ages and name their columns once: each is its own. */
export function batchFrame(call: Call, resource: Resource, encode: EventEncoder, batch: Batch): Uint8Array {
  if (batch.joined) return batch.joined;
  const { as } = call.out;
  if (batch.id === undefined || as?.kind === 'Table') return encode.events(batch.events);
  let frames = shared.get(batch);
  if (frames === undefined) {
    frames = new Map();
    shared.set(batch, frames);
  }
  const key = `${resource.apiVersion} ${encode.type} ${as ? `${as.kind} ${as.version}` : ''}`;
  const known = frames.get(key);
  if (known) return known;
  const frame = encode.events(batch.events);
  frames.set(key, frame);
  return frame;
}

/** What becomes of an event's object; undefined = it is sent as it is. */
type Transform = ((object: KubeObject) => JsonObject) | undefined;

function transformer(call: Call, resource: Resource): Transform {
  const { as } = call.out;
  if (as === null) return undefined;
  const version = as.version === 'v1beta1' ? 'v1beta1' : 'v1';
  if (as.kind !== 'Table') return (o) => toPartial(o, version);
  const options = tableOptions(call);
  let noHeaders = call.query.get('noHeaders') === 'true';
  return (o) => {
    const { resourceVersion } = o.metadata;
    const table = toTable(resource.kind.columns, [o], {
      ...options,
      now: call.cluster.env.now(),
      noHeaders,
      list: resourceVersion === undefined ? {} : { resourceVersion },
    });
    // Only the first event of a stream names the columns.
    noHeaders = true;
    return table;
  };
}

function jsonEvents(resource: Resource, transform: Transform): EventEncoder {
  const frame = (type: string, object: JsonObject) => `{"type":"${type}","object":${printJson(object)}}\n`;
  const { apiVersion, hash: schema } = resource;
  const { kind } = resource.ref;
  // A joined row begins with the bracket of its object.
  const added = (items: readonly Uint8Array[]) =>
    wrapLines(items, 1, utf8.encode(`{"type":"ADDED","object":{"kind":"${kind}","apiVersion":"${apiVersion}",`), END);
  return {
    type: 'application/json',
    ...(transform ? {} : { join: { kind, apiVersion, schema }, added }),
    events(events) {
      let text = '';
      for (const e of events) {
        if (transform) text += frame(e.type, transform(objectOf(resource, e)));
        else text += `{"type":"${e.type}","object":${objectText(resource, e)}}\n`;
      }
      return utf8.encode(text);
    },
    bookmark(revision, end) {
      const object = bookmarkObject(resource, revision, end);
      return utf8.encode(frame('BOOKMARK', transform ? transform(object) : object));
    },
    error: (status) => utf8.encode(frame('ERROR', status)),
  };
}
function objectText(resource: Resource, e: WatchEvent): string {
  return isCurrent(resource, e) ? spliced(resource, e) : printJson(objectOf(resource, e));
}

function protoEvents(call: Call, resource: Resource, transform: Transform): EventEncoder {
  const { schemas } = call.parts;
  const { apiVersion, hash: schema } = resource;
  const { kind } = resource.ref;
  const added = (items: readonly Uint8Array[]) => transcodeAdded(resource.struct, apiVersion, kind, items);
  const partial = transform && schemas.struct(`${META}.PartialObjectMetadata`);
  const status = schemas.struct(`${META}.Status`);
  const frame = (type: string, struct: Struct, object: JsonObject) =>
    lengthFrame(encodeWatchEvent(type, protoObject(struct, object)));
  const one = (type: string, object: KubeObject) =>
    transform && partial ? frame(type, partial, transform(object)) : frame(type, resource.struct, object);
  return {
    type: contentTypeOf(call.out, true),
    ...(transform ? {} : { join: { kind, apiVersion, schema, as: 'protobuf' as const }, added }),
    events: (events) =>
      transform || !events.every((e) => isCurrent(resource, e))
        ? joinBytes(events.map((e) => one(e.type, objectOf(resource, e))))
        : transcodeEvents(
            resource.struct,
            apiVersion,
            kind,
            events.map((e) => ({ type: e.type, text: spliceItem(e.value, e.revision) })),
          ),
    bookmark: (revision, end) => one('BOOKMARK', bookmarkObject(resource, revision, end)),
    error: (s) => (status ? frame('ERROR', status, s) : new Uint8Array()),
  };
}

/** A bookmark's object: nothing but its version. */
function bookmarkObject(resource: Resource, revision: Revision, initialEventsEnd: boolean): KubeObject {
  const metadata: KubeObject['metadata'] = { resourceVersion: String(revision) };
  if (initialEventsEnd) metadata.annotations = { [INITIAL_EVENTS_END]: 'true' };
  return { kind: resource.ref.kind, apiVersion: resource.apiVersion, metadata };
}
