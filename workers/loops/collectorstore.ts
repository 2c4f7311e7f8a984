import { GARBAGE, SHADOWS } from '../../kube/store/garbage.ts';
import { resourceOfKey } from '../../kube/store/key.ts';
import type { CommitOptions, Store } from '../../kube/store/store.ts';
import type { CollectorStore } from './collect.ts';

const LEASES = 'leases.coordination.k8s.io';
/** What stood for an owner's Leases goes with its row; what is left is a few bytes each. */
const SHADOWS_MAX = 100;

/** What the garbage collector does without the API: it finds dependents by the index, and drops rows that no kind has. */
export function collectorStore(
  store: (resource: string, namespace: string) => Store,
  o: CommitOptions = {},
): CollectorStore {
  const main = store(GARBAGE, '');
  return {
    async get(key) {
      const found = await store(resourceOfKey(key), '').read({ from: key, to: `${key}\0` });
      return found.ok ? found.entries[0] : undefined;
    },
    async dependents(uid, of, page) {
      const all = await main.related('owner', uid, page);
      const found = all.filter((e) => resourceOfKey(e.key) !== SHADOWS);
      // Leases are in a store of their own; for those of others than nodes something stands here.
      if ((!of.startsWith('nodes/') && found.length === all.length) || found.length === page.limit) return found;
      return [
        ...found,
        ...(await store(LEASES, '').related('owner', uid, { ...page, limit: page.limit - found.length })),
      ];
    },
    async drop(key, revision) {
      const stood = await main.related('owner', key.slice(`${GARBAGE}/`.length), {
        resource: SHADOWS,
        limit: SHADOWS_MAX,
      });
      const shadows = stood.map((e) => ({ key: e.key, expect: undefined, value: null }));
      await main.commit([...shadows, { key, expect: revision, value: null }], o);
    },
  };
}
