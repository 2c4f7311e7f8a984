import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { pause } from './idle.ts';
import { type Cluster, type Server, startServer } from './server.ts';

/** Busy clusters beside the one whose clients go: of four seats each cluster has one. */
const NEIGHBOURS = 3;
const CLIENTS = 4;
/** Clients of the cluster that stay, and what they ask in all. */
const STAYING = 8;
const STAYED = 600;
/** Clients that go while they wait for their seat, and such that hold it as long as their body is on its way. */
const LEAVING_EARLY = 2;
const LEAVING_LATE = 2;
const EARLY_MS_MAX = 3;
const LATE_MS_MAX = 60;
/** A neighbour's share is the same, but nobody leaves there: it had twice as many answers; 12 times as many where a seat stayed taken for half a second. */
const TIMES_MAX = 5;

let server: Server;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

/** Connects, asks and goes, with its body or without the end of it. The platform notices a reset; who closes gently is served to the end. */
async function leave(c: Cluster, whole: boolean, msMax: number): Promise<void> {
  const socket = connect(server.port, '127.0.0.1');
  const tls = connectTls({ socket, ca: server.ca, host: '127.0.0.1' });
  for (const s of [socket, tls]) s.on('error', () => undefined);
  await once(tls, 'secureConnect');
  const body = JSON.stringify({ metadata: { generateName: 'leaver-' } });
  const head = [
    `POST /clusters/${c.id}/api/v1/namespaces/default/configmaps HTTP/1.1`,
    'host: localhost',
    `authorization: Bearer ${c.token}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
  ];
  tls.write(`${head.join('\r\n')}\r\n\r\n${whole ? body : body.slice(0, -1)}`);
  await pause(Math.random() * msMax);
  socket.resetAndDestroy();
}

test('clients that go give their places and seats back: beside busy neighbours, those that stay are all served', async (t) => {
  const [c, ...neighbours] = await Promise.all(
    Array.from({ length: 1 + NEIGHBOURS }, (_, i) => server.create(`leaving-${i}`)),
  );
  assert.ok(c);
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  let over = false;
  const ask = async (of: Cluster, codes: Map<number, number>) => {
    const { code } = await server.ask(`/clusters/${of.id}/api/v1/namespaces/default`, of.token, { agent });
    codes.set(code, (codes.get(code) ?? 0) + 1);
  };
  const beside = new Map<number, number>();
  const busy = neighbours.flatMap((n) =>
    Array.from({ length: CLIENTS }, async () => {
      while (!over) await ask(n, beside);
    }),
  );
  while ((beside.get(200) ?? 0) < CLIENTS * NEIGHBOURS) await pause(10);
  let gone = 0;
  const leavers = (count: number, whole: boolean, msMax: number) =>
    Array.from({ length: count }, async () => {
      for (; !over; gone++) await leave(c, whole, msMax);
    });
  const going = [...leavers(LEAVING_EARLY, true, EARLY_MS_MAX), ...leavers(LEAVING_LATE, false, LATE_MS_MAX)];
  const codes = new Map<number, number>();
  let left = STAYED;
  const client = async () => {
    while (left-- > 0) await ask(c, codes);
  };
  const before = beside.get(200) ?? 0;
  await Promise.all(Array.from({ length: STAYING }, client));
  const each = Math.round(((beside.get(200) ?? 0) - before) / NEIGHBOURS);
  over = true;
  await Promise.all([...busy, ...going]);
  const told = `${gone} went; ${JSON.stringify([...codes])} stayed, while a neighbour had ${each}`;
  t.diagnostic(told);
  assert.deepEqual([...codes], [[200, STAYED]], told);
  assert.deepEqual([...beside.keys()], [200]);
  assert.ok(each < TIMES_MAX * STAYED, told);
});
