import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import { createClient } from './client.ts';

/** A client whose requests are kept; `codes`: what PATCHes are answered with, 200 when none is left. */
function bench(codes: number[] = []) {
  const sent: string[] = [];
  const bodies: JsonObject[] = [];
  let now = 1_000_000;
  const env = { now: () => now, random: () => 0, uuid: () => 'u', after: () => () => undefined, log: () => undefined };
  const client = createClient(
    async (_, request) => {
      sent.push(`${request.method} ${new URL(request.url).pathname.replace(/\.[0-9a-f]+$/, '')}`);
      bodies.push((await request.json()) as JsonObject);
      return new Response('{}', { status: request.method === 'PATCH' ? (codes.shift() ?? 200) : 201 });
    },
    {},
    env,
  );
  const tell = (message: string, on = 'pods/default/a', action?: string) =>
    client.note('c', { on, type: 'Normal', reason: 'R', message, ...(action ? { action } : {}) }, undefined);
  return { sent, bodies, tell, pass: (ms: number) => (now += ms) };
}
const CREATED = 'POST /api/v1/namespaces/default/events';
const COUNTED = 'PATCH /api/v1/namespaces/default/events/a';

test('what is said again is counted in the Event that said it, also before that one is recorded', async () => {
  const b = bench();
  await Promise.all([b.tell('m'), b.tell('m')]);
  await b.tell('m');
  assert.deepEqual(b.sent, [CREATED, COUNTED, COUNTED]);
  assert.deepEqual(
    b.bodies.map((x) => x.count),
    [1, 2, 3],
  );
});

test('another message and another object are Events of their own', async () => {
  const b = bench();
  await b.tell('m');
  await b.tell('n');
  await b.tell('m', 'pods/default/b');
  assert.deepEqual(b.sent, [CREATED, CREATED, CREATED]);
});

test('after ten minutes, or when the Event is gone, there is a new one', async () => {
  const b = bench([404]);
  await b.tell('m');
  await b.tell('m');
  assert.deepEqual(b.sent.splice(0), [CREATED, COUNTED, CREATED]);
  b.pass(600_000);
  await b.tell('m');
  assert.deepEqual(b.sent, [CREATED]);
});

test('an Event with an action counts in its series', async () => {
  const b = bench();
  await b.tell('m', 'pods/default/a', 'Scheduling');
  await b.tell('m', 'pods/default/a', 'Scheduling');
  assert.deepEqual(b.sent, [CREATED, COUNTED]);
  assert.equal((b.bodies[1]?.series as JsonObject | undefined)?.count, 2);
});
