import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { describe, test } from 'node:test';
import { servePortForward } from './portforward.ts';
import { SpdySession } from './spdy/session.ts';

async function text(s: AsyncIterable<unknown>): Promise<string> {
  let out = '';
  for await (const chunk of s) out += chunk;
  return out;
}

function serve(dial: (port: number) => Promise<Duplex>) {
  const [a, b] = duplexPair();
  const done = servePortForward(b, dial);
  const client = new SpdySession(a);
  const request = async (port: string, requestid: string) => {
    const error = await client.open({ streamtype: 'error', port, requestid });
    error.end();
    return { error, data: await client.open({ streamtype: 'data', port, requestid }) };
  };
  return { client, request, done, close: () => a.destroy() };
}

/** Gives back what it gets in capitals, after its end. */
async function shout(): Promise<Duplex> {
  const [near, far] = duplexPair();
  void text(far).then((t) => far.end(t.toUpperCase()));
  return near;
}

describe('serving port-forward', () => {
  test('each request is joined with its port, half closed on the way', async () => {
    const ports: number[] = [];
    const s = serve((port) => {
      ports.push(port);
      return shout();
    });
    const [a, b] = await Promise.all([s.request('80', '0'), s.request('8080', '1')]);
    a.data.end('one');
    b.data.end('two');
    assert.deepEqual(await Promise.all([text(a.data), text(b.data)]), ['ONE', 'TWO']);
    assert.deepEqual(await Promise.all([text(a.error), text(b.error)]), ['', '']);
    assert.deepEqual(ports.sort(), [80, 8080].sort());
    s.close();
    await s.done;
  });

  test('a port that cannot be reached is told on the error stream', async () => {
    const s = serve(() => Promise.reject(new Error('connection refused')));
    const r = await s.request('81', '0');
    assert.equal(await text(r.error), 'an error occurred forwarding 81: connection refused');
    assert.equal(await text(r.data), '');
    s.close();
  });

  const refused: [string, Record<string, string>][] = [
    ['no stream type', { port: '80', requestid: '0' }],
    ['another stream type', { streamtype: 'stdin', port: '80', requestid: '0' }],
    ['no port', { streamtype: 'data', requestid: '0' }],
    ['port 0', { streamtype: 'data', port: '0', requestid: '0' }],
    ['a port beyond 65535', { streamtype: 'data', port: '65536', requestid: '0' }],
  ];
  for (const [what, headers] of refused) {
    test(`a stream with ${what} is refused`, async () => {
      const s = serve(shout);
      await assert.rejects(s.client.open(headers), /refused/);
      s.close();
    });
  }

  test('a second stream of the same kind for one request is refused', async () => {
    const s = serve(shout);
    await s.client.open({ streamtype: 'error', port: '80', requestid: '0' });
    await assert.rejects(s.client.open({ streamtype: 'error', port: '80', requestid: '0' }), /refused/);
    s.close();
    await s.done;
  });
});
