import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFeed } from '../feed/feed.ts';
import { type NodeRow, nodeRow } from '../feed/rows.ts';
import { tellSchedulable } from './schedulable.ts';

const row = (name: string, unschedulable: boolean): NodeRow => nodeRow({ metadata: { name }, spec: { unschedulable } });

test('a node that is cordoned and opened again tells so, once each time; other nodes are none of its business', () => {
  const due: (() => void)[] = [];
  const nodes = createFeed<NodeRow>({
    after: (_, f) => {
      due.push(f);
      return () => undefined;
    },
  });
  const told: string[] = [];
  tellSchedulable(nodes, 'a', (_, reason, message) => told.push(`${reason}: ${message}`));
  const states = [false, true, true, false];
  for (const closed of states) {
    nodes.put('a', row('a', closed));
    nodes.put('b', row('b', !closed));
    for (const f of due.splice(0)) f();
  }
  assert.deepEqual(told, [
    'NodeNotSchedulable: Node a status is now: NodeNotSchedulable',
    'NodeSchedulable: Node a status is now: NodeSchedulable',
  ]);
});
