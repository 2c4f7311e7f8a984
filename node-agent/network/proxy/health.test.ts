import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { healthServers } from './health.ts';

async function freePort(): Promise<number> {
  const s = createServer();
  await new Promise<void>((r) => s.listen(0, r));
  const { port } = s.address() as AddressInfo;
  await new Promise((r) => s.close(r));
  return port;
}

test('a health check node port says how many endpoints are here, and closes with its Service', async () => {
  const port = await freePort();
  const servers = healthServers({ log: () => undefined });
  const ask = () => fetch(`http://127.0.0.1:${port}/`).catch(() => null);
  servers.sync(new Map([['ns/s', { port, endpoints: 2 }]]), true);
  let r = await ask();
  for (let i = 0; r === null && i < 50; i++) {
    await delay(10);
    r = await ask();
  }
  assert.deepEqual([r?.status, r?.headers.get('x-load-balancing-endpoint-weight')], [200, '2']);
  assert.deepEqual(await r?.json(), {
    service: { namespace: 'ns', name: 's' },
    localEndpoints: 2,
    serviceProxyHealthy: true,
  });
  servers.sync(new Map([['ns/s', { port, endpoints: 0 }]]), true);
  assert.equal((await ask())?.status, 503);
  servers.sync(new Map([['ns/s', { port, endpoints: 1 }]]), false);
  assert.equal((await ask())?.status, 503, 'also when the packet filter is not as it should be');
  servers.sync(new Map(), true);
  assert.equal(await ask(), null);
  servers.close();
});
