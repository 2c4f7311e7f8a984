import type { PutOp } from '../../kube/store/store.ts';

/** A row of Coracle's own, served by no kind: its name, and a deciding part that is all of it. To be created, unless who takes it says otherwise. */
export function ownRow(key: string, uid: string, data: object): PutOp {
  const name = key.slice(key.indexOf('/') + 1);
  return {
    key,
    expect: 0,
    value: { text: JSON.stringify({ metadata: { name } }), version: 'coracle.dev/v1', schema: '' },
    facts: { uid, policy: JSON.stringify(data) },
  };
}
