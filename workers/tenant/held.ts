import { parseJson } from '../../kube/codec/json.ts';
import { kindByStorage } from '../../kube/kinds/index.ts';
import { apiVersionOf, type KubeObject } from '../../kube/meta/object.ts';
import { resourceOfKey } from '../../kube/store/key.ts';
import type { RestoreRules, RowBody } from './travel.ts';

/** What rows hold beside themselves, as their kinds say: claims of pools and times to live. A restore and an import give it back to them. */
export const heldByKinds: RestoreRules = {
  mayClaim: (key) => kindByStorage(resourceOfKey(key))?.claims !== undefined,
  claims(row) {
    const kind = kindOf(row);
    if (!kind?.claims) return [];
    return kind.claims(objectOf(row, kind.kind), null, row.key).flatMap(({ claim, want, owner }) => {
      // One without a value has not been given any yet.
      return want === undefined ? [] : [{ claim, want, owner }];
    });
  },
  ttlMs(row) {
    const kind = kindOf(row);
    return kind?.ttl?.(objectOf(row, kind.kind));
  },
};

function kindOf(row: RowBody) {
  const kind = kindByStorage(resourceOfKey(row.key));
  const stored = kind?.served[0];
  // Rows of another version would have to be converted; no kind that claims has any.
  return stored && apiVersionOf(stored) === row.version ? kind : undefined;
}

const objectOf = (row: RowBody, kind: string): KubeObject =>
  ({ ...(parseJson(row.value) as object), apiVersion: row.version, kind }) as KubeObject;
