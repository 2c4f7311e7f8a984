import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileService } from './compile.ts';
import { declarations, fixedChains, RANGES, ranges, renderService } from './render.ts';
import { type Loaded, loaded, script } from './script.ts';
import type { PortTable, Table } from './table.ts';
import { endpoint, service, slice } from './testing/rows.ts';

const NODE = { localPods: ['10.1.1.0/24'], pods: ['10.1.1.0/24'], services: ['10.96.0.0/16'] };
const ports = (ips: string[], o: Parameters<typeof service>[0] = {}): readonly PortTable[] =>
  compileService('ip', service(o), [slice(ips.map((ip) => endpoint(ip)))], { name: 'a', zone: '' });
const table = (services: Record<string, readonly PortTable[]>): Table => ({
  family: 'ip',
  node: NODE,
  services: new Map(Object.entries(services)),
});
function lines(t: Table, state: Loaded, setUp: boolean): string[] {
  return script(t, state, {
    name: 't',
    setUp,
    deleteFirst: false,
    declarations: declarations('ip'),
    fixed: fixedChains('ip'),
    ranges: ranges(t.node),
    rangeNames: RANGES,
    render: (p) => renderService('ip', p),
    now: 0,
  });
}
/** What is loaded once these Services are programmed. */
function with_(services: Record<string, readonly PortTable[]>): Loaded {
  const state = loaded();
  lines(table(services), state, true);
  return state;
}

describe('the commands of a change', () => {
  test('are none where nothing differs', () => {
    const s = { 'ns/s': ports(['10.1.1.2']) };
    assert.deepEqual(lines(table(s), with_(s), false), []);
  });

  test('of endpoints are one chain', () => {
    const state = with_({
      'ns/s': ports(['10.1.1.2']),
      'ns/t': ports(['10.1.1.9'], { name: 't', clusterIPs: ['10.96.0.2'] }),
    });
    const [, t] = [...state.services.values()];
    const next = table({ 'ns/s': ports(['10.1.1.2', '10.1.1.3']), 'ns/t': t?.ports ?? [] });
    assert.deepEqual(lines(next, state, false), [
      'flush chain ip t service-ns/s/tcp/http',
      'add rule ip t service-ns/s/tcp/http meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.1.1.2 . 8080, 1 : 10.1.1.3 . 8080 }',
    ]);
  });

  test('of a Service that comes declare its chain before an element leads there', () => {
    assert.deepEqual(lines(table({ 'ns/s': ports(['10.1.1.2']) }), with_({}), false), [
      'add chain ip t service-ns/s/tcp/http',
      'flush chain ip t service-ns/s/tcp/http',
      'add rule ip t service-ns/s/tcp/http meta l4proto tcp dnat to 10.1.1.2:8080',
      'add element ip t cluster-ips { 10.96.0.1 }',
      'add element ip t service-ips { 10.96.0.1 . tcp . 80 : goto service-ns/s/tcp/http }',
    ]);
  });

  test('of a Service that loses its endpoints empty its chain and refuse, and the chain is deleted later', () => {
    const state = with_({ 'ns/s': ports(['10.1.1.2']) });
    assert.deepEqual(lines(table({ 'ns/s': ports([]) }), state, false), [
      'flush chain ip t service-ns/s/tcp/http',
      'delete element ip t service-ips { 10.96.0.1 . tcp . 80 }',
      'add element ip t no-endpoint-services { 10.96.0.1 . tcp . 80 : goto reject-chain }',
    ]);
    assert.deepEqual([...state.stale], [['service-ns/s/tcp/http', 0]]);
    lines(table({ 'ns/s': ports(['10.1.1.3']) }), state, false);
    assert.equal(state.stale.size, 0, 'unless it is used again');
  });

  test('of ranges replace them as a whole', () => {
    const state = with_({});
    const next = { ...table({}), node: { ...NODE, pods: ['10.1.1.0/24', '10.1.2.0/24'] } };
    assert.deepEqual(lines(next, state, false), [
      'flush set ip t pods',
      'add element ip t pods { 10.1.1.0/24, 10.1.2.0/24 }',
    ]);
  });

  test('after a start keep affinities, empty what is of unknown content, and drop what no Service has', () => {
    const sticky = { 'ns/s': ports(['10.1.1.2'], { affinitySeconds: 60 }) };
    const [affinity = ''] = with_(sticky).sets.keys();
    const state = loaded({
      chains: ['services', 'service-ns/old/tcp/http'],
      sets: ['cluster-ips', affinity, 'affinity-old'],
      maps: ['service-ips'],
    });
    const got = lines(table(sticky), state, true);
    for (const line of [
      'flush set ip t cluster-ips',
      'flush map ip t service-ips',
      'flush chain ip t service-ns/old/tcp/http',
    ])
      assert.ok(got.includes(line), line);
    assert.deepEqual(
      got.filter((l) => l.includes('affinity-old')),
      ['delete set ip t affinity-old'],
    );
    assert.ok(!got.some((l) => l.includes(`set ip t ${affinity}`)), 'the one in use is left as it is');
    assert.deepEqual([...state.stale.keys()], ['service-ns/old/tcp/http']);
  });

  test('name another set when a time-out changes, for a set that stands keeps its own', () => {
    const state = with_({ 'ns/s': ports(['10.1.1.2'], { affinitySeconds: 60 }) });
    const got = lines(table({ 'ns/s': ports(['10.1.1.2'], { affinitySeconds: 90 }) }), state, false);
    assert.equal(got.filter((l) => l.startsWith('add set') && l.includes('timeout 90s')).length, 1);
    assert.equal(got.filter((l) => l.startsWith('delete set')).length, 1);
  });
});
