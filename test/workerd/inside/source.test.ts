import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Interest } from '../../../kube/store/interest.ts';
import { type LoopStore, sourceOf } from '../../../workers/loops/object.ts';

it('what is told of the same rows in different ways is read once when a loop begins', async () => {
  const read: string[] = [];
  const store = {
    snapshot: async ({ resource }: Interest) => {
      read.push(resource);
      return { revision: 7, entries: [] };
    },
  } as unknown as LoopStore;
  const fields = [{ field: 'spec.nodeName', op: '=' as const, value: '' }];
  const changes = await sourceOf('loop', store).changes(
    0,
    [
      { resource: 'pods', fields, of: ['labels'] },
      { resource: 'pods', fields, wakes: 'never' },
      { resource: 'pods' },
      { resource: 'nodes', of: ['standing'] },
      { resource: 'nodes', wakes: 'never' },
    ],
    10,
  );
  assert.deepEqual(read, ['pods', 'pods', 'nodes']);
  assert.equal(changes.revision, 7);
});
