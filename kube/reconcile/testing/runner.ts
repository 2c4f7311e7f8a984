import type { JsonObject } from '../../meta/json.ts';
import type { KubeObject } from '../../meta/object.ts';
import type { Key } from '../../store/store.ts';
import type { Controller, Plan, View, Write } from '../controller.ts';
import { MemoryProjection } from '../projection.ts';
import { createRunner } from '../runner.ts';
import { kindOf, object, TestCluster } from './cluster.ts';

const BUDGET = { writes: 100, ms: 60_000 };
export const NOTHING: Plan = { writes: [] };
export const pods = kindOf('pods');
export const configmaps = kindOf('configmaps');
export const sets = kindOf('replicasets.apps');

export const create = (name: string, more: Partial<Write & { do: 'create' }> = {}): Write => ({
  do: 'create',
  object: child(name, 'a'),
  ...more,
});
export const named = (name: string): Key => `configmaps/default/${name}`;
export const child = (name: string, owner: string) => {
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: owner, uid: `uid-${owner}`, controller: true }];
  return object('Pod', name, { metadata: { ownerReferences } as unknown as JsonObject });
};

/** A runner of controllers whose calls are kept; `again` makes it anew on the same projection, as a process does that starts again. */
export function world(reconcile: Controller['reconcile'], more: Partial<Controller> = {}, others: Controller[] = []) {
  const cluster = new TestCluster();
  const projection = new MemoryProjection();
  const calls: { key: Key; object: KubeObject | undefined; view: View }[] = [];
  const controller: Controller = {
    name: 'test',
    rules: [],
    for: configmaps,
    reconcile: (key, object, view) => {
      calls.push({ key, object, view });
      return reconcile(key, object, view);
    },
    ...more,
  };
  let turns = 0;
  const turn = async () => {
    turns++;
  };
  const start = () => createRunner([controller, ...others], projection, cluster, cluster, cluster.env, turn);
  let runner = start();
  return {
    cluster,
    projection,
    calls,
    /** How often others have had their turn since the last look. */
    turned() {
      const now = turns;
      turns = 0;
      return now;
    },
    /** Keys that were reconciled since the last look. */
    took: () => calls.splice(0).map((c) => c.key),
    round: (budget = BUDGET) => runner.round(budget),
    again: () => {
      runner = start();
    },
  };
}
