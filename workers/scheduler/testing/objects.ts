import type { JsonObject } from '../../../kube/meta/json.ts';
import type { Given } from '../../controllers/testing/view.ts';
import { nodeRow, pod } from './pods.ts';

// Objects as clients make them.

type PodIn = Parameters<typeof pod>[1] & { status?: JsonObject; metadata?: JsonObject };
/** A pod in `default`, of generation 2 unless told otherwise. */
export function podObject(name: string, { status, metadata, ...spec }: PodIn = {}): Given {
  const p = pod(name, spec);
  return {
    ...p,
    metadata: { ...p.metadata, generation: 2, ...metadata },
    ...(status ? { status } : {}),
  } as unknown as Given;
}
/** A node as testing/pods.ts makes it. */
export function nodeObject(name: string, o: Parameters<typeof nodeRow>[1] = {}): Given {
  const { data } = nodeRow(name, o);
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: o.labels ?? {} }, ...data } as unknown as Given;
}
