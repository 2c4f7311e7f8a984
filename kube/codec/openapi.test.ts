import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../meta/json.ts';
import { finish } from '../meta/steps.ts';
import { bytesOfBase64 } from './base64.ts';
import { openApiVectors } from './generated/openapi-vectors.ts';
import { encodeOpenApi } from './openapi.ts';

const encode = (document: JsonObject): Uint8Array => finish(encodeOpenApi(document));
const text = (bytes: Uint8Array): string => Array.from(bytes, (b) => String.fromCharCode(b)).join('');

for (const { name, document, bytes } of openApiVectors) {
  test(`the bytes of ${name} are gnostic's`, () => {
    assert.equal(text(encode(JSON.parse(document) as JsonObject)), text(bytesOfBase64(bytes) as Uint8Array));
  });
}

const WHOLE = {
  swagger: '2.0',
  paths: { '/a': { get: { responses: {} } } },
  definitions: { A: { type: 'object' } },
  security: [{ T: [] }],
};
/** The fields of a message, as number and value; all of them must be messages or texts. */
function fieldsOf(bytes: Uint8Array): [number, string][] {
  const out: [number, string][] = [];
  for (let at = 0; at < bytes.length; ) {
    const number = (bytes[at] ?? 0) >> 3;
    const size = bytes[at + 1] ?? 0;
    assert.ok((bytes[at] ?? 0) % 8 === 2 && size < 128, 'a short field');
    out.push([number, text(bytes.subarray(at + 2, at + 2 + size))]);
    at += 2 + size;
  }
  return out;
}

test('a part of a document is nothing but its paths and definitions, so that it can stand behind a document', () => {
  const whole = fieldsOf(encode(WHOLE));
  assert.deepEqual(
    whole.map(([number]) => number),
    [1, 8, 9, 12],
  );
  const part = encode({ paths: WHOLE.paths, definitions: WHOLE.definitions });
  assert.deepEqual(
    fieldsOf(part),
    whole.filter(([number]) => number === 8 || number === 9),
  );
  assert.equal(encode({}).length, 0);
});

test('a large document is encoded in steps of a few paths or definitions, to the same bytes', () => {
  const many = (n: number, value: JsonObject) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [`/${String(i).padStart(4, '0')}`, value]));
  const steps = encodeOpenApi({ paths: many(100, {}), definitions: many(120, {}) });
  let n = 0;
  let last = steps.next();
  for (; !last.done; last = steps.next()) n++;
  // Paths, definitions, and before they are put together.
  assert.equal(n, 25 + 10 + 1);
  // Name, value and what surrounds them: 2 + 2 + 5 + 2 bytes each.
  assert.equal(last.value.length, 3 + 100 * 11 + 3 + 120 * 11);
});
