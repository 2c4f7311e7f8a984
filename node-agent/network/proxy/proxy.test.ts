import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFeed } from '../../feed/feed.ts';
import type { NodeRow, ServiceRow, SliceRow } from '../../feed/rows.ts';
import { virtualClock } from '../../runtime/testing/clock.ts';
import type { UdpTargets } from './conntrack.ts';
import { fakeFilter } from './fake.ts';
import { runProxy } from './proxy.ts';
import type { Table } from './table.ts';
import { endpoint, service, slice } from './testing/rows.ts';

const NODE: NodeRow = {
  name: 'a',
  zone: 'z',
  internalIPs: ['192.168.1.2'],
  podCIDRs: ['10.1.1.0/24'],
  annotations: {},
};

async function running() {
  const clock = virtualClock();
  const feeds = {
    services: createFeed<ServiceRow>(clock),
    slices: createFeed<SliceRow>(clock, { group: (s) => s.service }),
    nodes: createFeed<NodeRow>(clock),
  };
  const fake = fakeFilter({ addresses: ['192.168.1.2'], now: clock.now, random: clock.random });
  const applied: (readonly Table[])[] = [];
  const forgotten: UdpTargets[] = [];
  const checks: string[] = [];
  const o = { failures: 0, gone: false, looks: 0 };
  const stop = new AbortController();
  const done = runProxy(
    {
      feeds,
      filter: {
        ...fake,
        async intact() {
          o.looks++;
          return !o.gone;
        },
        async apply(tables) {
          if (o.failures-- > 0) throw new Error('nft: refused');
          applied.push(tables);
          o.gone = false;
          await fake.apply(tables);
        },
      },
      families: ['ip'],
      node: 'a',
      podCIDRs: NODE.podCIDRs,
      serviceCIDRs: ['10.96.0.0/16'],
      health: {
        sync: (all, ok) => checks.push(`${[...all].map(([k, c]) => `${k}:${c.port}=${c.endpoints}`)} ${ok}`),
        close: () => undefined,
      },
      forgetStale: async (_family, t) => forgotten.push(t),
      env: clock,
    },
    stop.signal,
  );
  const fate = (protocol: 'tcp' | 'udp' = 'tcp') =>
    fake.fate({ source: '10.1.1.9', destination: '10.96.0.1', port: 80, protocol });
  const end = async () => {
    stop.abort();
    await clock.advance(60_000);
    await done;
  };
  return { clock, feeds, applied, forgotten, checks, fate, end, o };
}
const to = (ip: string) => ({ to: ip, port: 8080, masqueraded: false });

describe('the proxy', () => {
  test('programs nothing before Services, slices and nodes are all known', async () => {
    const { clock, feeds, applied, fate, end } = await running();
    feeds.services.replace(new Map([['ns/s', service()]]));
    feeds.nodes.replace(new Map([['a', NODE]]));
    await clock.advance(10_000);
    assert.equal(applied.length, 0);
    feeds.slices.replace(new Map([['ns/s-1', slice([endpoint('10.1.1.2')])]]));
    await clock.advance(10);
    assert.equal(applied.length, 1);
    assert.deepEqual(fate(), to('10.1.1.2'));
    await end();
  });

  test('compiles anew only the Services that a change is for', async () => {
    const { clock, feeds, applied, fate, end } = await running();
    const two = service({ name: 't', clusterIPs: ['10.96.0.2'] });
    feeds.services.replace(
      new Map([
        ['ns/s', service()],
        ['ns/t', two],
      ]),
    );
    feeds.slices.replace(new Map([['ns/s-1', slice([endpoint('10.1.1.2')])]]));
    feeds.nodes.replace(new Map([['a', NODE]]));
    await clock.advance(10);
    feeds.slices.put('ns/s-1', slice([endpoint('10.1.1.3')]));
    await clock.advance(10);
    assert.deepEqual(fate(), to('10.1.1.3'));
    const [first, second] = applied.map(([t]) => t as Table);
    assert.equal(first?.services.get('ns/t'), second?.services.get('ns/t'));
    assert.notEqual(first?.services.get('ns/s'), second?.services.get('ns/s'));
    feeds.slices.remove('ns/s-1', null);
    await clock.advance(10);
    assert.equal(fate(), 'refused');
    await end();
  });

  test('is idle while nothing changes', async () => {
    const { clock, feeds, applied, end } = await running();
    feeds.services.replace(new Map());
    feeds.slices.replace(new Map());
    feeds.nodes.replace(new Map([['a', NODE]]));
    await clock.advance(600_000);
    assert.equal(applied.length, 1);
    await end();
  });

  test('looks each minute whether its table is there, and puts it back', async () => {
    const { clock, feeds, applied, end, o } = await running();
    feeds.services.replace(new Map());
    feeds.slices.replace(new Map());
    feeds.nodes.replace(new Map([['a', NODE]]));
    await clock.advance(290_000);
    assert.deepEqual([o.looks, applied.length], [4, 1]);
    o.gone = true;
    await clock.advance(60_000);
    assert.deepEqual([o.gone, applied.length], [false, 2]);
    await end();
  });

  test('tries again after a failure, until it works', async () => {
    const { clock, feeds, applied, checks, fate, end, o } = await running();
    o.failures = 3;
    feeds.services.replace(new Map([['ns/s', service()]]));
    feeds.slices.replace(new Map([['ns/s-1', slice([endpoint('10.1.1.2')])]]));
    feeds.nodes.replace(new Map([['a', NODE]]));
    await clock.advance(500);
    assert.deepEqual([applied.length, checks.at(-1)], [0, ' false']);
    await clock.advance(60_000);
    assert.equal(applied.length, 1);
    assert.deepEqual([fate(), checks.at(-1)], [to('10.1.1.2'), ' true']);
    await end();
  });

  test('knows the pods of all nodes, and its own zone once the node has one', async () => {
    const { clock, feeds, applied, fate, end } = await running();
    feeds.services.replace(new Map([['ns/s', service()]]));
    const hinted = [endpoint('10.1.1.2', { zoneHints: ['y'] }), endpoint('10.1.1.3', { zoneHints: ['x'] })];
    feeds.slices.replace(new Map([['ns/s-1', slice(hinted)]]));
    feeds.nodes.replace(
      new Map([
        ['a', NODE],
        ['b', { ...NODE, name: 'b', podCIDRs: ['10.1.2.0/24'] }],
      ]),
    );
    await clock.advance(10);
    assert.deepEqual(applied.at(-1)?.[0]?.node.pods, ['10.1.1.0/24', '10.1.2.0/24']);
    feeds.nodes.put('a', { ...NODE, zone: 'y' });
    await clock.advance(10);
    for (let i = 0; i < 10; i++) assert.deepEqual(fate(), to('10.1.1.2'));
    await end();
  });

  test('has stale UDP flows of changed Services forgotten, and of no others', async () => {
    const { clock, feeds, forgotten, end } = await running();
    const udp = service({ ports: [{ name: 'dns', protocol: 'UDP', port: 53, nodePort: 30_053 }] });
    feeds.services.replace(
      new Map([
        ['ns/s', udp],
        ['ns/t', service({ name: 't', clusterIPs: ['10.96.0.2'] })],
      ]),
    );
    const ports = [{ name: 'dns', protocol: 'UDP', port: 5353 }];
    feeds.slices.replace(new Map([['ns/s-1', slice([endpoint('10.1.1.2')], { ports })]]));
    feeds.nodes.replace(new Map([['a', NODE]]));
    await clock.advance(10);
    const answers = new Set(['10.1.1.2 5353']);
    assert.deepEqual(forgotten, [
      { addresses: new Map([['10.96.0.1 53', answers]]), nodePorts: new Map([[30_053, answers]]) },
    ]);
    feeds.services.put('ns/t', service({ name: 't', clusterIPs: ['10.96.0.3'] }));
    await clock.advance(10);
    assert.equal(forgotten.length, 1);
    await end();
  });

  test('counts the ready endpoints on this node for health checks', async () => {
    const { clock, feeds, checks, end } = await running();
    feeds.services.replace(new Map([['ns/s', service({ healthCheckNodePort: 31_000 })]]));
    const here = [
      endpoint('10.1.1.2', { node: 'a' }),
      endpoint('10.1.1.3', { node: 'a', ready: false }),
      endpoint('10.1.2.2'),
    ];
    feeds.slices.replace(new Map([['ns/s-1', slice(here)]]));
    feeds.nodes.replace(new Map([['a', NODE]]));
    await clock.advance(10);
    assert.deepEqual(checks.at(-1), 'ns/s:31000=1 true');
    await end();
  });
});
