import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Agent } from 'node:https';
import { type AddressInfo, connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createApi } from './api.ts';

test('what is under way fails when connections are dropped, and what comes then has a new one', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'coracle-api-'));
  const server = createServer((q, a) => {
    if (q.url?.includes('watch')) a.write('{"type":"BOOKMARK"}\n');
    else if (!q.url?.includes('never')) a.end('{"ok":true}');
  });
  let connections = 0;
  server.on('connection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Plain text below https: what is tried here is which connection a request has.
  const prototype = Agent.prototype as unknown as { createConnection: (o: TcpNetConnectOpts) => Socket };
  const secure = prototype.createConnection;
  prototype.createConnection = (o) => connect(o);
  t.after(() => {
    prototype.createConnection = secure;
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true });
  });
  const tokenFile = join(dir, 'token');
  writeFileSync(tokenFile, 't');
  const api = createApi({ url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, tokenFile });
  await api.get('/a');
  const watch = api.watch('/watch', new AbortController().signal)[Symbol.asyncIterator]();
  assert.deepEqual((await watch.next()).value, { type: 'BOOKMARK' });
  const never = api.get('/never');
  const [ended, failed] = [watch.next(), never];
  while (connections < 2) await once(server, 'request');
  api.reset();
  await assert.rejects(ended);
  await assert.rejects(failed);
  const before = connections;
  assert.deepEqual(await api.get('/a'), { ok: true });
  assert.equal(connections, before + 1);
});
