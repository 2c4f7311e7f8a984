import type { JsonObject } from '../../kube/meta/json.ts';
import type { Row } from '../../kube/reconcile/controller.ts';
import type { Key } from '../../kube/store/store.ts';

/** Claims, volumes, classes and CSINodes as plugins look them up. */
export interface Storage {
  /** What is kept of an object; undefined where there is none. */
  get(key: Key): JsonObject | undefined;
  list(resource: string): Iterable<Row>;
}
export const NO_STORAGE: Storage = { get: () => undefined, list: () => [] };
