import { parseJson } from '../kube/codec/json.ts';
import { kindByStorage } from '../kube/kinds/index.ts';
import { apiVersionOf, type KubeObject } from '../kube/meta/object.ts';
import { resourceOfKey } from '../kube/store/key.ts';
import type { Entry } from '../kube/store/store.ts';
import type { RestoreRules } from './tenant/travel.ts';

/** What a restore asks the kinds of its rows. */
export const restoreRules: RestoreRules = {
  mayClaim: (key) => kindByStorage(resourceOfKey(key))?.claims !== undefined,
  claims(row) {
    const kind = kindOf(row);
    if (!kind?.claims) return [];
    return kind
      .claims(objectOf(row, kind.kind), null, row.key)
      .flatMap(({ claim, want, owner }) => (want === undefined ? [] : [{ claim, want, owner }]));
  },
  ttlMs(row) {
    const kind = kindOf(row);
    return kind?.ttl?.(objectOf(row, kind.kind));
  },
};

function kindOf(row: Entry) {
  const kind = kindByStorage(resourceOfKey(row.key));
  const stored = kind?.served[0];
  // Rows of another version would have to be converted; no kind that claims has any.
  return stored && apiVersionOf(stored) === row.version ? kind : undefined;
}

const objectOf = (row: Entry, kind: string): KubeObject =>
  ({ ...(parseJson(row.value) as object), apiVersion: row.version, kind }) as KubeObject;
