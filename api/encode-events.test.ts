import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch, WatchEvent } from '../kube/store/store.ts';
import type { Call } from './call.ts';
import { batchFrame, type EventEncoder } from './encode-events.ts';
import type { Resource } from './parts.ts';

/** An encoder that counts, of one form; its frames tell which of them made them. */
function encoder(type = 'application/json'): EventEncoder & { times: number } {
  return {
    type,
    times: 0,
    events(events: readonly WatchEvent[]) {
      this.times++;
      return new Uint8Array([this.times, events.length]);
    },
    bookmark: () => new Uint8Array(),
    error: () => new Uint8Array(),
  };
}
const callOf = (as: { kind: string; version: string } | null = null) => ({ out: { as } }) as unknown as Call;
const resource = { apiVersion: 'v1' } as Resource;
const batchOf = (id?: string): Batch => ({ revision: 7, events: [], ...(id === undefined ? {} : { id }) });
const partial = { kind: 'PartialObjectMetadata', version: 'v1' };

test('a batch that several watches of an isolate get is encoded once for each form', () => {
  const [json, again, proto] = [encoder(), encoder(), encoder('application/vnd.kubernetes.protobuf;stream=watch')];
  const batch = batchOf('a/1');
  const first = batchFrame(callOf(), resource, json, batch);
  assert.equal(batchFrame(callOf(), resource, again, batch), first);
  assert.deepEqual([json.times, again.times], [1, 0]);
  assert.notEqual(batchFrame(callOf(), resource, proto, batch), first);
  assert.notEqual(batchFrame(callOf(partial), resource, again, batch), first);
  assert.notEqual(batchFrame(callOf(), { apiVersion: 'v1beta1' } as Resource, again, batch), first);
  assert.deepEqual([proto.times, again.times], [1, 2]);
});

const CASES: [string, Call, Batch][] = [
  ['a batch of one watch alone', callOf(), batchOf()],
  ['a Table, which tells ages and names its columns once', callOf({ kind: 'Table', version: 'v1' }), batchOf('a/1')],
];
for (const [name, call, batch] of CASES) {
  test(`${name} is encoded for each`, () => {
    const encode = encoder();
    batchFrame(call, resource, encode, batch);
    batchFrame(call, resource, encode, batch);
    assert.equal(encode.times, 2);
  });
}

test('what the store joined is sent as it is', () => {
  const encode = encoder();
  const joined = new Uint8Array([1, 2, 3]);
  assert.equal(batchFrame(callOf(), resource, encode, { ...batchOf('a/1'), joined }), joined);
  assert.equal(encode.times, 0);
});
