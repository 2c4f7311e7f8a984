import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Json, JsonObject } from '../../../kube/meta/json.ts';
import type { Api } from '../../api.ts';
import { createFeed } from '../../feed/feed.ts';
import type { NodeRow } from '../../feed/rows.ts';
import { virtualClock } from '../../runtime/testing/clock.ts';
import { Reach } from '../reach.ts';
import { followRoutes } from './follow.ts';
import type { RoutePlan } from './routes.ts';

const node = (name: string, ip: string, cidr: string): NodeRow => ({
  name,
  zone: '',
  internalIPs: [ip],
  podCIDRs: [cidr],
  annotations: {},
});
const A = node('a', '192.168.1.2', '10.244.1.0/24');

async function following(addresses = ['192.168.1.2']) {
  const clock = virtualClock();
  const nodes = createFeed<NodeRow>(clock);
  const placed: RoutePlan[] = [];
  const conditions: string[] = [];
  const o = { broken: false, offline: false, silent: false };
  const reach = new Reach();
  const api = {
    connection: { url: 'https://x/clusters/c1', tokenFile: '' },
    send: async (_method: string, path: string, body: Json) => {
      if (o.offline) throw new Error('connect ECONNREFUSED');
      assert.equal(path, '/api/v1/nodes/a/status');
      const [c] = ((body as JsonObject).status as JsonObject).conditions as JsonObject[];
      conditions.push(`${c?.type} ${c?.status} ${c?.reason}`);
      return {};
    },
  } as unknown as Api;
  const links = {
    own: () => [{ address: '192.168.1.2', cidr: '192.168.1.2/24' }],
    async place(plan: RoutePlan) {
      if (o.broken) throw new Error('ip: RTNETLINK answers: Operation not permitted');
      placed.push(plan);
    },
    answers: async () => !o.silent,
  };
  const stop = new AbortController();
  const done = followRoutes(
    { api, nodes, links, node: 'a', addresses, podCIDRs: A.podCIDRs, reach, env: clock },
    stop.signal,
  );
  const end = async () => {
    stop.abort();
    await clock.advance(10_000);
    await done;
  };
  return { clock, nodes, placed, conditions, reach, o, end };
}

describe('routes', () => {
  test('follow the nodes, and the condition is told once', async () => {
    const { clock, nodes, placed, conditions, end } = await following();
    await clock.advance(10_000);
    assert.equal(placed.length, 0, 'nothing is known yet');
    nodes.replace(new Map([['a', A]]));
    await clock.advance(10);
    nodes.put('b', node('b', '192.168.1.3', '10.244.2.0/24'));
    await clock.advance(60_000);
    assert.deepEqual(
      placed.map((p) => p.direct.length),
      [0, 1],
    );
    assert.deepEqual(conditions, ['NetworkUnavailable False RouteCreated']);
    await end();
  });

  test('that can’t be made are told, and tried again until they are there', async () => {
    const { clock, nodes, placed, conditions, end, o } = await following();
    o.broken = true;
    nodes.replace(new Map([['a', A]]));
    await clock.advance(20_000);
    o.broken = false;
    await clock.advance(10_000);
    assert.equal(placed.length, 1);
    assert.deepEqual(conditions, [
      'NetworkUnavailable True RouteCreationFailed',
      'NetworkUnavailable False RouteCreated',
    ]);
    await end();
  });

  test('that would need an address which this machine hasn’t are told as missing', async () => {
    const { clock, nodes, conditions, reach, end } = await following(['203.0.113.7']);
    nodes.replace(
      new Map([
        ['a', A],
        ['c', node('c', '172.16.0.4', '10.244.3.0/24')],
      ]),
    );
    await clock.advance(60_000);
    assert.deepEqual(conditions, ['NetworkUnavailable False BehindNAT'], 'pods may run here all the same');
    assert.deepEqual([...reach.away], ['c']);
    await end();
  });

  test('to nodes that don’t answer are told after some looks, and again when they do', async () => {
    const { clock, nodes, conditions, reach, end, o } = await following();
    o.silent = true;
    nodes.replace(
      new Map([
        ['a', A],
        ['b', node('b', '192.168.1.3', '10.244.2.0/24')],
        ['c', node('c', '172.16.0.4', '10.244.3.0/24')],
      ]),
    );
    await clock.advance(9_000);
    assert.deepEqual(conditions, ['NetworkUnavailable False RouteCreated'], 'it may be new');
    await clock.advance(5_000);
    assert.deepEqual(conditions.slice(1), ['NetworkUnavailable False PodsUnreachable']);
    assert.deepEqual([...reach.away], ['c']);
    o.silent = false;
    await clock.advance(60_000);
    assert.deepEqual(conditions.slice(2), ['NetworkUnavailable False RouteCreated']);
    assert.deepEqual([...reach.away], []);
    await end();
  });

  test('tell the condition when the API can be reached again', async () => {
    const { clock, nodes, conditions, end, o } = await following();
    o.offline = true;
    nodes.replace(new Map([['a', A]]));
    await clock.advance(20_000);
    o.offline = false;
    await clock.advance(10_000);
    assert.deepEqual(conditions, ['NetworkUnavailable False RouteCreated']);
    await end();
  });
});
