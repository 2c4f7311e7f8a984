import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { FakeRuntime } from '../runtime/fake.ts';
import { virtualClock } from '../runtime/testing/clock.ts';
import { runHook } from './hook.ts';
import type { Pod, Probe } from './pod.ts';
import { runProbe } from './probe.ts';

const runtime = new FakeRuntime({ env: virtualClock() });
const c = { name: 'c', image: 'i', ports: [{ name: 'web', containerPort: 1 }] };
const probe = (p: Probe) => runProbe(p, c, 'id', '127.0.0.1', runtime);
const pod: Pod = { metadata: { name: 'p', namespace: 'ns', uid: 'u' }, spec: { containers: [c] } };

async function served<T>(
  answer: (q: IncomingMessage, r: ServerResponse) => void,
  use: (port: number, asked: IncomingMessage[]) => Promise<T>,
): Promise<T> {
  const asked: IncomingMessage[] = [];
  const server = createServer((q, r) => {
    asked.push(q);
    answer(q, r);
  });
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
  try {
    return await use((server.address() as AddressInfo).port, asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('HTTP probes', () => {
  test('ask path and query with our headers, or with those that are given', () =>
    served(
      (_, r) => r.end('fine'),
      async (port, asked) => {
        assert.deepEqual(await probe({ httpGet: { port, path: '/a?b=c' } }), { ok: true, output: 'fine' });
        assert.equal(asked[0]?.url, '/a?b=c');
        assert.equal(asked[0]?.headers['user-agent'], 'kube-probe/1.37');
        assert.equal(asked[0]?.headers.accept, '*/*');
        assert.equal(asked[0]?.headers.host, `127.0.0.1:${port}`);
        const httpHeaders = [
          { name: 'Host', value: 'example.com' },
          { name: 'user-agent', value: 'me' },
          { name: 'Accept', value: '' },
          { name: 'X', value: '1' },
          { name: 'X', value: '2' },
        ];
        await probe({ httpGet: { port, httpHeaders } });
        const { host, 'user-agent': agent, accept, x } = asked[1]?.headers ?? {};
        assert.deepEqual([host, agent, accept, x], ['example.com', 'me', undefined, '1, 2']);
      },
    ));

  test('follow redirects on the same host, ten at most, and stop before another', () =>
    served(
      (q, r) => {
        if (q.url === '/once') r.writeHead(302, { location: '/there' }).end();
        else if (q.url === '/away') r.writeHead(302, { location: 'http://elsewhere.test/' }).end('bye');
        else if (q.url === '/loop') r.writeHead(302, { location: '/loop' }).end();
        else r.end('there');
      },
      async (port, asked) => {
        const at = (path: string) => probe({ httpGet: { port, path } });
        assert.deepEqual(await at('/once'), { ok: true, output: 'there' });
        assert.deepEqual(await at('/away'), {
          ok: true,
          warning: true,
          output: 'Probe terminated redirects, Response body: bye',
        });
        asked.length = 0;
        const looped = await at('/loop');
        assert.equal(looped.ok, false);
        assert.match(looped.output, /stopped after 10 redirects$/);
        assert.equal(asked.length, 10);
      },
    ));

  test('fail by their code without the body, and in Go words without an answer', async () => {
    const refused = await served(
      (_, r) => r.writeHead(500).end('secret'),
      async (port) => {
        const failed = await probe({ httpGet: { port } });
        assert.deepEqual(failed, { ok: false, output: 'HTTP probe failed with statuscode: 500' });
        const tls = await probe({ httpGet: { port, scheme: 'HTTPS' } });
        assert.match(tls.output, /^Get "https:.*: http: server gave HTTP response to HTTPS client$/);
        return port;
      },
    );
    const gone = await probe({ httpGet: { port: refused } });
    const text = `Get "http://127.0.0.1:${refused}/": dial tcp 127.0.0.1:${refused}: connect: connection refused`;
    assert.deepEqual(gone, { ok: false, output: text });
    const tcp = await probe({ tcpSocket: { port: refused } });
    assert.equal(tcp.output, `dial tcp 127.0.0.1:${refused}: connect: connection refused`);
  });

  test('give up after their timeout', () =>
    served(
      () => undefined,
      async (port) => {
        const { ok, output } = await probe({ httpGet: { port }, timeoutSeconds: 1 });
        assert.equal(ok, false);
        assert.match(output, /context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\)$/);
      },
    ));

  test('of a port that has no such name are unknown, not failed', async () => {
    const { ok, unknown, output } = await probe({ httpGet: { port: 'none' } });
    assert.deepEqual([ok, unknown, output], [false, true, "couldn't find port: none in container c"]);
  });
});

describe('gRPC probes', () => {
  const states: Record<string, number> = { '': 1, down: 2 };
  const service = {
    check: {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: (b: Buffer) => b,
      requestDeserialize: (b: Buffer) => b,
      responseSerialize: (b: Buffer) => b,
      responseDeserialize: (b: Buffer) => b,
    },
  } as const;
  const withServer = async (healthy: boolean, use: (port: number) => Promise<void>) => {
    const server = new grpc.Server();
    if (healthy)
      server.addService(service as unknown as grpc.ServiceDefinition, {
        check: (call: { request: Buffer }, done: (e: Partial<grpc.ServiceError> | null, b?: Buffer) => void) => {
          const state = states[call.request.subarray(2).toString()];
          if (state === undefined) done({ code: grpc.status.NOT_FOUND, details: 'unknown service' });
          else done(null, Buffer.from([0x08, state]));
        },
      });
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (e, n) => (e ? reject(e) : resolve(n))),
    );
    try {
      await use(port);
    } finally {
      server.forceShutdown();
    }
  };
  test('ask the health service', () =>
    withServer(true, async (port) => {
      assert.deepEqual(await probe({ grpc: { port } }), { ok: true, output: 'service healthy' });
      const down = { ok: false, output: 'service unhealthy (responded with "NOT_SERVING")' };
      assert.deepEqual(await probe({ grpc: { port, service: 'down' } }), down);
      const text = 'error: health rpc probe failed: rpc error: code = NotFound desc = unknown service';
      assert.equal((await probe({ grpc: { port, service: 'none' } })).output, text);
    }));
  test('name a server that has no health service, and one that is not there', async () => {
    let gone = 0;
    await withServer(false, async (port) => {
      gone = port;
      const why = /^error: this server does not implement the grpc health protocol \(grpc\.health\.v1\.Health\): /;
      assert.match((await probe({ grpc: { port } })).output, why);
    });
    const text = `timeout: failed to connect service "127.0.0.1:${gone}" within 1s: context deadline exceeded`;
    assert.deepEqual(await probe({ grpc: { port: gone } }), { ok: false, output: text });
  });
});

describe('hooks', () => {
  const hook = (h: Parameters<typeof runHook>[0]) => runHook(h, pod, c, 'id', '127.0.0.1', runtime, virtualClock());
  test('over HTTP succeed with any answer', () =>
    served(
      (_, r) => r.writeHead(500).end(),
      async (port, asked) => {
        assert.equal(await hook({ httpGet: { port } }), '');
        assert.equal(asked[0]?.headers['user-agent'], 'kube-lifecycle/1.37');
        // TLS was said and HTTP is spoken: HTTP is asked then.
        assert.equal(await hook({ httpGet: { port, scheme: 'HTTPS' } }), '');
      },
    ));
  test('that fail say whose they are', async () => {
    const text = await hook({ httpGet: { port: 1, path: '/x' } });
    assert.match(text, /^HTTP lifecycle hook \(\/x\) for Container "c" in Pod "p_ns\(u\)" failed - error: Get "http:/);
  });
});
