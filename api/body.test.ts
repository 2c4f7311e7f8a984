import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADMIN, bench } from './testing.ts';

// How the body of a request is read.

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';

test('bodies that cannot be read are 400s that show their start', async () => {
  const b = await bench();
  const r = await b.ask('POST', CONFIGMAPS, '{"metadata"');
  assert.equal(r.code, 400);
  assert.match(
    String(r.body.message),
    /^the object provided is unrecognized \(must be of type ConfigMap\): couldn't get version\/kind; json parse error: unexpected end of JSON input \(\{"metadata"\)$/,
  );
  const type = await b.ask('POST', CONFIGMAPS, 'x', { 'content-type': 'text/plain' });
  assert.equal(type.code, 415);
  const large = await b.ask('POST', CONFIGMAPS, 'x'.repeat(3 * 1024 * 1024 + 1));
  assert.deepEqual([large.code, large.body.message], [413, 'Request entity too large: limit is 3145728']);
});

test('a body comes whole, of whatever kind its stream is and whoever else is there', async () => {
  const b = await bench();
  const streamOf = (type: 'bytes' | undefined, text: string) => {
    const parts = [text.slice(0, 9), text.slice(9)].map((t) => new TextEncoder().encode(t));
    const source = {
      pull(controller: ReadableByteStreamController | ReadableStreamDefaultController) {
        const part = parts.shift();
        if (part) return controller.enqueue(part as Uint8Array<ArrayBuffer>);
        controller.close();
        (controller as ReadableByteStreamController).byobRequest?.respond(0);
      },
    };
    return type ? new ReadableStream({ type, ...source }) : new ReadableStream(source);
  };
  for (const type of ['bytes', undefined] as const)
    for (const alone of [false, true])
      for (const declared of [false, true]) {
        const name = `c-${type}-${alone}-${declared}`;
        const text = JSON.stringify({ metadata: { name }, data: { a: 'é' } });
        const headers = {
          'content-type': 'application/json',
          ...(declared ? { 'content-length': String(Buffer.byteLength(text)) } : {}),
        };
        const init = { method: 'POST', headers, body: streamOf(type, text), duplex: 'half' } as RequestInit;
        const cluster = { ...b.cluster, alone: () => alone };
        const r = await b.api.handle(new Request(`https://test.example${CONFIGMAPS}`, init), cluster, { user: ADMIN });
        assert.equal(r.status, 201, name);
        assert.deepEqual(((await r.json()) as { data: unknown }).data, { a: 'é' }, name);
      }
});
