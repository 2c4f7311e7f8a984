import assert from 'node:assert/strict';
import { it } from 'node:test';
import { StoreError } from '../kube/store/store.ts';
import { storeStatus } from './call.ts';

it('a damaged row is a 500 that names the row, and what the operator can do', () => {
  const status = storeStatus(new StoreError('corrupt', 'pods/default/a at revision 7: its checksum does not match'));
  assert.equal(status?.code, 500);
  assert.equal(status?.reason, 'InternalError');
  for (const part of [
    'pods/default/a at revision 7',
    'cluster verify NAME',
    'cluster backup',
    'cluster restore NAME --from FILE',
  ])
    assert.ok(status?.message.includes(part), status?.message);
});
