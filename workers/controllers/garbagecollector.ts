import type { Kind } from '../../kube/kinds/kind.ts';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Controller, Effect, EffectResult, Plan } from '../../kube/reconcile/controller.ts';
import { GARBAGE, type Garbage } from '../../kube/store/garbage.ts';
import { EVENTS } from './owning.ts';

/** Rows that the store's writers leave for the collector (kube/store/garbage.ts): no kind of the API. */
const rows = {
  kind: 'Garbage',
  plural: GARBAGE,
  scope: 'Cluster',
  served: [{ group: '', version: 'v1', kind: 'Garbage' }],
  verbs: [],
} as unknown as Kind;

/**
 * How long to wait before an object that waits for its dependents is looked at again: a quarter of the time that it has taken, so that what is quick
 * ends at once, and what hangs costs little.
 */
const AGAIN_MS = 50;
const AGAIN_MS_MAX = 60_000;
/** Upstream's rate limiter of controllers doubles; this one begins later, since each attempt reads. */
const RETRY_MS = 500;

/** What the effect `collect` found. */
export interface Collected extends JsonObject {
  /** Nothing is left to do: the row has gone. */
  done: boolean;
  /** More dependents follow this one. */
  after?: string;
  /** Some so far keep the object from going. */
  blocked?: boolean;
  /** Milliseconds since the epoch: of this look, and of the first at this object. */
  at: number;
  since: number;
  /** Attempts that failed in a row, with the last reason. */
  failures?: number;
  error?: string;
}

/**
 * The garbage collector (pkg/controller/garbagecollector) without its graph: a row tells of an object that went with dependents left, waits for
 * them, or was made for owners that aren't there. Its dependents are found by the store's index of owners; the world is the effect `collect`.
 */
export const garbagecollector: Controller = {
  name: 'generic-garbage-collector',
  rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list', 'watch', 'patch', 'update', 'delete'] }, EVENTS],
  for: rows,
  reconcile(key, _, view): Plan {
    const row = view.get(key);
    if (row === undefined) return { writes: [] };
    const { of, version } = row.data.garbage as Garbage;
    const prefix = `collect/${row.revision}/`;
    const last = lastOf(view.results, prefix);
    const look = (n: number, more: JsonObject = {}): Effect => ({
      id: `${prefix}${n}`,
      name: 'collect',
      input: { key, revision: row.revision, uid: row.uid.slice(`${GARBAGE}-`.length), of, version, ...more },
    });
    if (last === undefined) return { writes: [], effects: [look(1)] };
    const { n, result } = last;
    // Its lease has gone, or the loop's code failed: nothing is known.
    if (!result.ok) return { writes: [], again: RETRY_MS };
    const found = result.value as Collected;
    if (found.done) return { writes: [] };
    const next = look(n + 1, {
      since: found.since,
      ...(found.after === undefined ? {} : { after: found.after, blocked: found.blocked === true }),
      ...(found.failures === undefined ? {} : { failures: found.failures }),
    });
    const left = Math.ceil(found.at + waitMs(found) - view.now);
    return left > 0 ? { writes: [], effects: [look(n)], again: left } : { writes: [], effects: [next] };
  },
};

function waitMs(found: Collected): number {
  if (found.failures) return Math.min(RETRY_MS * 2 ** (found.failures - 1), AGAIN_MS_MAX);
  if (found.after !== undefined) return 0;
  return Math.min(Math.max((found.at - found.since) / 4, AGAIN_MS), AGAIN_MS_MAX);
}

function lastOf(
  results: ReadonlyMap<string, EffectResult>,
  prefix: string,
): { n: number; result: EffectResult } | undefined {
  for (const [id, result] of results) if (id.startsWith(prefix)) return { n: Number(id.slice(prefix.length)), result };
  return undefined;
}
