import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFlows, staleFlows } from './conntrack.ts';

const TEXT = `udp      17 20 src=10.1.1.2 dst=10.96.0.10 sport=4000 dport=53 [UNREPLIED] src=10.1.2.9 dst=10.1.1.2 sport=5353 dport=4000 mark=0 use=1
udp      17 20 src=10.1.1.2 dst=10.96.0.10 sport=4001 dport=53 src=10.1.2.8 dst=10.1.1.2 sport=5353 dport=4001 [ASSURED] mark=0 use=1
udp      17 20 src=10.1.1.2 dst=10.96.0.10 sport=4002 dport=53 [UNREPLIED] src=10.96.0.10 dst=10.1.1.2 sport=53 dport=4002 mark=0 use=1
udp      17 20 src=10.1.1.2 dst=8.8.8.8 sport=4003 dport=53 src=8.8.8.8 dst=192.168.1.2 sport=53 dport=4003 mark=0 use=1
udp      17 20 src=192.168.1.9 dst=192.168.1.2 sport=4004 dport=30053 src=10.1.2.9 dst=10.1.1.1 sport=5353 dport=4004 mark=0 use=1
`;

test('flows to what is no endpoint any more, or never was one, are stale; others are not', () => {
  const answers = new Set(['10.1.2.8 5353']);
  const stale = staleFlows(parseFlows(TEXT), {
    addresses: new Map([['10.96.0.10 53', answers]]),
    nodePorts: new Map([[30053, answers]]),
  });
  assert.deepEqual(
    stale.map((f) => f.sourcePort),
    [4000, 4002, 4004],
  );
});

test('without any endpoint every flow to its address is stale', () => {
  const stale = staleFlows(parseFlows(TEXT), {
    addresses: new Map([['10.96.0.10 53', new Set()]]),
    nodePorts: new Map(),
  });
  assert.deepEqual(
    stale.map((f) => f.sourcePort),
    [4000, 4001, 4002],
  );
});
