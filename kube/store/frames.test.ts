import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lengthReader, newlineReader } from '../codec/framing.ts';
import { decodeEnvelope, decodeProto, decodeWatchEvent } from '../codec/protobuf.ts';
import { schemas } from '../schema/schemas.ts';
import { decodeBatch, decodeJoined, encodeBatch, encodeJoined } from './frames.ts';
import type { Batch, EventJoin, WatchEvent } from './store.ts';

const join: EventJoin = { kind: 'ConfigMap', apiVersion: 'v1', schema: 's' };
const event = (type: WatchEvent['type'], revision: number, value: string): WatchEvent => ({
  type,
  key: `configmaps/a/${revision}`,
  revision,
  value,
  version: 'v1',
  schema: 's',
});
const batch: Batch = {
  revision: 9,
  events: [
    event('ADDED', 7, '{"metadata":{"name":"a","namespace":"n"},"data":{"k":"é\\n"}}'),
    event('MODIFIED', 8, '{"metadata":{"name":"b"},"data":{"z":"1","a":"2"},"binaryData":{"x":"AP8="}}'),
    event('DELETED', 9, '{"metadata":{"name":"a"}}'),
  ],
};
const utf8 = new TextDecoder();

/** What a client reads: `[type, object]`. */
function inJson(frame: Uint8Array): unknown[] {
  const lines = newlineReader().push(frame);
  return lines.map((l) => JSON.parse(utf8.decode(l))).map((e) => [e.type, e.object]);
}
function inProtobuf(frame: Uint8Array): unknown[] {
  const struct = schemas.kind({ group: '', version: 'v1', kind: 'ConfigMap' });
  assert.ok(struct);
  const reader = lengthReader();
  const frames = reader.push(frame);
  reader.end();
  return frames.map(decodeWatchEvent).map(({ type, object }) => {
    const { kind, apiVersion, raw } = decodeEnvelope(object);
    const { metadata, ...rest } = decodeProto(struct, raw);
    const given = Object.entries(metadata as object).filter(([, v]) => v !== '' && v !== 0);
    return [type, { kind, apiVersion, metadata: Object.fromEntries(given), ...rest }];
  });
}

test('a batch comes through a frame as it was, with odd bodies', () => {
  assert.deepEqual(decodeBatch(encodeBatch({ ...batch, id: 'x/1' })), { ...batch, id: 'x/1' });
});

test('a joined batch is the same in JSON and in protobuf', () => {
  const [json, proto] = [encodeJoined(batch, join), encodeJoined(batch, { ...join, as: 'protobuf' })];
  assert.ok(json && proto);
  const [a, b] = [decodeJoined(json), decodeJoined(proto)];
  assert.deepEqual([a.revision, b.revision], [9, 9]);
  const events = inJson(a.joined ?? new Uint8Array());
  assert.deepEqual(events[1], [
    'MODIFIED',
    {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { resourceVersion: '8', name: 'b' },
      data: { z: '1', a: '2' },
      binaryData: { x: 'AP8=' },
    },
  ]);
  assert.deepEqual(inProtobuf(b.joined ?? new Uint8Array()), events);
});

test('a batch without events joins to nothing but its revision', () => {
  for (const as of [undefined, 'protobuf'] as const) {
    const frame = encodeJoined({ revision: 12, events: [] }, as ? { ...join, as } : join);
    assert.deepEqual(frame && decodeJoined(frame), { revision: 12, events: [], joined: new Uint8Array() });
  }
});

const NOT_JOINED: [string, Partial<WatchEvent>, Partial<EventJoin>][] = [
  ['another version', { version: 'v2' }, {}],
  ['another schema', { schema: 't' }, {}],
  ['an encrypted row', { enc: 'k' }, {}],
  ['a kind without protobuf', {}, { kind: 'Widget', as: 'protobuf' }],
  ['a body that is cut', { value: '{"metadata":{"name":"a"' }, { as: 'protobuf' }],
  ['a body that does not fit', { value: '{"metadata":{"name":"a"},"data":[]}' }, { as: 'protobuf' }],
];
test('what cannot be joined goes as entries', () => {
  for (const [name, changed, asked] of NOT_JOINED) {
    const events = [
      event('ADDED', 7, '{"metadata":{"name":"a"}}'),
      { ...event('ADDED', 8, '{"metadata":{"name":"b"}}'), ...changed },
    ];
    assert.equal(encodeJoined({ revision: 8, events }, { ...join, ...asked }), null, name);
  }
});
