import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Change, Fanout, type Watcher } from './fanout.ts';
import { decodeBatch, encodeBatch } from './frames.ts';
import { rangeOf } from './key.ts';
import type { Batch, Entry, Selection } from './store.ts';

function entry(key: string, node?: string, labels?: Record<string, string>): Entry {
  const facts = { uid: key, fields: { 'spec.nodeName': node ?? '' }, ...(labels ? { labels } : {}) };
  return { key, revision: 1, created: 1, value: '{}', version: 'v1', schema: 's', facts };
}

/** A watcher whose selection counts how often it is asked. */
function counting(
  range: Watcher['range'],
  fields: { field: string; value: string }[],
): { watcher: Watcher; asked: () => number } {
  let asked = 0;
  const select: Selection = {
    fields: fields.map((f) => ({ ...f, op: '=' as const })),
    labels: [
      {
        key: 'k',
        op: 'NotIn',
        get values() {
          asked++;
          return [];
        },
      },
    ],
  };
  return { watcher: { range, select, deliver() {} }, asked: () => asked };
}

it('a change looks only at the watchers that can match it', () => {
  const fanout = new Fanout();
  const onNode = (n: number) => counting(rangeOf('', 'pods'), [{ field: 'spec.nodeName', value: `n${n}` }]);
  const inNamespace = (n: number) => counting(rangeOf('', 'pods', `ns${n}`), []);
  const byName = (n: number) => counting(rangeOf('', 'pods'), [{ field: 'metadata.name', value: `p${n}` }]);
  const many = Array.from({ length: 300 }, (_, i) => [onNode, inNamespace, byName][i % 3]?.(Math.floor(i / 3)));
  for (const m of many) if (m) fanout.add(m.watcher);
  const labels = { k: 'v' };
  const key = 'pods/ns7/p8';
  const change: Change = { revision: 2, key, prev: entry(key, 'n5', labels), next: entry(key, 'n6', labels) };
  fanout.publish([change], 2);
  assert.deepEqual(
    many.flatMap((m, i) => (m?.asked() ? [i] : [])),
    // Nodes 5 and 6, namespace 7, name 8.
    [15, 18, 22, 26],
  );
});

it('a watcher that was removed hears nothing, and nothing is left of it', () => {
  const fanout = new Fanout();
  const heard: number[] = [];
  const watcher = (range: Watcher['range']): Watcher => ({
    range,
    deliver: (_, revision) => void heard.push(revision),
  });
  const all = [watcher(rangeOf('', 'pods')), watcher(rangeOf('', 'pods', 'a')), watcher({ from: 'p', to: 'q' })];
  for (const w of all) fanout.add(w);
  fanout.publish([{ revision: 1, key: 'pods/a/x', prev: null, next: entry('pods/a/x') }], 1);
  assert.deepEqual(heard, [1, 1, 1]);
  for (const w of all) fanout.remove(w);
  fanout.publish([{ revision: 2, key: 'pods/a/x', prev: null, next: entry('pods/a/x') }], 2);
  assert.deepEqual([heard.length, fanout.size], [3, 0]);
});

it('a frame gives back the batch that was put into it', () => {
  const body = { version: 'v1', schema: 's1' };
  const batches: Batch[] = [
    { revision: 7, events: [] },
    {
      revision: 9,
      events: [
        { type: 'ADDED', key: 'pods/a/x', revision: 8, value: '{"metadata":{"name":"x\\n\u{1f6a2}"}}', ...body },
        { type: 'MODIFIED', key: 'pods/a/y', revision: 9, value: '', ...body, enc: 'k1' },
        { type: 'DELETED', key: 'pods/a/z', revision: 9, value: '{"a":"\n"}', ...body },
      ],
    },
  ];
  for (const b of batches) assert.deepEqual(decodeBatch(encodeBatch(b)), b);
});
