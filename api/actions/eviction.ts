import { allowedConditions, DISRUPTION_ALLOWED, SYNC_FAILED } from '../../kube/kinds/disruption.ts';
import { conditionOf } from '../../kube/meta/condition.ts';
import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject } from '../../kube/meta/object.ts';
import { selects } from '../../kube/meta/selectors.ts';
import {
  badRequest,
  conflict,
  StatusError as Failure,
  failure,
  forbidden,
  notFound,
  type StatusError,
  timeout,
} from '../../kube/meta/status.ts';
import { formatTime } from '../../kube/meta/time.ts';
import { rangeOf } from '../../kube/store/key.ts';
import type { Entry } from '../../kube/store/store.ts';
import { type Call, read, storeOf } from '../call.ts';
import type { Action, Resource } from '../parts.ts';
import { put } from '../put.ts';
import { checkDeleteOptions, type DeleteOptions } from '../query.ts';
import { copy, objectOf } from '../row.ts';
import { removeObject } from '../verbs/delete.ts';
import { readRow } from '../verbs/get.ts';
import { withCondition } from './binding.ts';
import { SUCCESS } from './success.ts';

// kubernetes pkg/registry/core/pod/storage/eviction.go.

/** EvictionsRetry's steps. */
const RACES_MAX = 20;
/** Evictions that the disruption controller hasn't confirmed yet: upstream's MaxDisruptedPodSize. */
const DISRUPTED_MAX = 2_000;
const RETRY_SECONDS = 10;

/** POST pods/<name>/eviction: deletes a pod if its disruption budget allows that; 429 when it doesn't now. */
export const evictPod: Action = {
  async run(call, pods, body) {
    const { name } = call.info;
    if (name !== body.metadata.name) throw badRequest('name in URL does not match name in Eviction object');
    const options = optionsOf(call, body);
    const row = await readRow(call, pods);
    const pod = objectOf(pods, row);
    const free = isFree(pod);
    const hasVersion = options.preconditions?.resourceVersion !== undefined;
    let pinned = free && !isOver(pod) && !hasVersion;
    let budget: string | undefined;
    if (!free) {
      budget = await checkBudget(call, pod, isDry(options));
      pinned = budget !== undefined && !hasVersion;
    }
    await remove(call, pods, pod, pinned ? withVersion(options, pod) : options, pinned ? budget : undefined);
    return { object: SUCCESS };
  },
};

function optionsOf(call: Call, body: KubeObject): DeleteOptions {
  const asked = call.query.getAll('dryRun');
  const o = (isObject(body.deleteOptions) ? { ...body.deleteOptions } : {}) as DeleteOptions;
  const own = o.dryRun ?? [];
  if (own.length === 0 && asked.length > 0) o.dryRun = asked;
  else if (asked.length > 0 && asked.join() !== own.join()) {
    throw failure(
      '',
      `Non-matching dry-run options in request and content: [${asked.join(' ')}] and [${own.join(' ')}]`,
    );
  }
  return checkDeleteOptions(o);
}
const isDry = (o: DeleteOptions) => (o.dryRun?.length ?? 0) > 0;
const phase = (pod: KubeObject) => at(pod, 'status.phase');
const isOver = (pod: KubeObject) =>
  phase(pod) === 'Succeeded' || phase(pod) === 'Failed' || pod.metadata.deletionTimestamp !== undefined;
/** Nothing is disrupted by the end of a pod that isn't running. */
const isFree = (pod: KubeObject) => isOver(pod) || phase(pod) === 'Pending';
function isReady(pod: KubeObject): boolean {
  const conditions = at(pod, 'status.conditions');
  return Array.isArray(conditions) && conditions.some((c) => isObject(c) && c.type === 'Ready' && c.status === 'True');
}
const withVersion = (o: DeleteOptions, pod: KubeObject): DeleteOptions => ({
  ...o,
  preconditions: { ...o.preconditions, resourceVersion: pod.metadata.resourceVersion },
});

/** Takes one disruption from the pod's budget; the budget's name when none was needed because the pod isn't healthy anyway. */
async function checkBudget(call: Call, pod: KubeObject, dryRun: boolean): Promise<string | undefined> {
  const budgets = call.resources.find(call.cluster.view, 'policy', 'v1', 'poddisruptionbudgets');
  const namespace = pod.metadata.namespace ?? '';
  if (!budgets) return undefined;
  const store = storeOf(call, budgets, namespace);
  const rows = (await read(call, store, rangeOf('policy', 'poddisruptionbudgets', namespace), {})).entries;
  const own = rows.filter((r) => selects(at(objectOf(budgets, r), 'spec.selector'), pod.metadata.labels));
  if (own.length > 1) {
    throw failure(
      '',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
      undefined,
      500,
    );
  }
  let row: Entry | undefined = own[0];
  if (!row) return undefined;
  const first = objectOf(budgets, row);
  const name = first.metadata.name ?? '';
  if (!isReady(pod) && sparesUnready(first)) return name;
  for (let i = 0; i < RACES_MAX; i++) {
    if (!row) throw notFound(budgets.name, name);
    const prev = objectOf(budgets, row);
    const next = decremented(prev, pod.metadata.name ?? '', formatTime(call.cluster.env.now()));
    if (dryRun) return undefined;
    const done = await put(call, budgets, next, prev, row);
    if ('row' in done) return undefined;
    row = done.found;
  }
  throw timeout(`couldn't update PodDisruptionBudget ${JSON.stringify(name)} due to conflicts`, RETRY_SECONDS);
}

function sparesUnready(budget: KubeObject): boolean {
  if (at(budget, 'spec.unhealthyPodEvictionPolicy') === 'AlwaysAllow') return true;
  const desired = count(at(budget, 'status.desiredHealthy'));
  return desired > 0 && count(at(budget, 'status.currentHealthy')) >= desired;
}
const count = (v: Json | undefined) => (typeof v === 'number' ? v : 0);

/** The budget with one disruption less, and the pod among those that are being disrupted. */
function decremented(budget: KubeObject, pod: string, now: string): KubeObject {
  const name = budget.metadata.name ?? '';
  const status: JsonObject = isObject(budget.status) ? { ...budget.status } : {};
  if (count(status.observedGeneration) < (budget.metadata.generation ?? 0)) throw beingProcessed(name);
  const allowed = count(status.disruptionsAllowed);
  const negative = 'pdb disruptions allowed is negative';
  if (allowed < 0) throw refused(name, negative, negative);
  const disrupted = isObject(status.disruptedPods) ? status.disruptedPods : {};
  if (Object.keys(disrupted).length > DISRUPTED_MAX) {
    throw refused(
      name,
      'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
      'too many pending evictions not confirmed by PDB controller',
    );
  }
  if (allowed === 0) throw tooManyDisruptions(whyNone(name, status), 0);
  status.disruptionsAllowed = allowed - 1;
  if (allowed === 1) status.conditions = allowedConditions(status, now);
  status.disruptedPods = { ...disrupted, [pod]: now };
  return { ...budget, status };
}
/** Why no disruption is allowed now. */
function whyNone(name: string, status: JsonObject): string {
  const none = `The disruption budget ${name} does not allow evicting pods currently`;
  const c = conditionOf(status.conditions, DISRUPTION_ALLOWED);
  const why = c?.status === 'False' && c.message !== '' ? c : undefined;
  // What it says of healthy pods isn't to be trusted where nobody could count them.
  if (why?.reason === SYNC_FAILED) return `${none} because it failed sync: ${why.message}`;
  const [healthy, desired] = [count(status.currentHealthy), count(status.desiredHealthy)];
  if (healthy <= desired)
    return `The disruption budget ${name} needs ${desired} healthy pods and has ${healthy} currently`;
  return why ? `${none} (${why.reason}): ${why.message}` : none;
}
const CAUSE = 'DisruptionBudget';
const beingProcessed = (name: string) =>
  tooManyDisruptions(`The disruption budget ${name} is still being processed by the server.`, RETRY_SECONDS);
function tooManyDisruptions(message: string, retryAfterSeconds: number): StatusError {
  return failure('TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: CAUSE, message }],
    ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
  });
}
function refused(name: string, why: string, cause: string): StatusError {
  const error = forbidden({ group: 'policy', resource: 'poddisruptionbudget' }, name, why);
  const message = `The disruption budget ${name} does not allow evicting pods currently: ${cause}`;
  if (error.status.details) error.status.details.causes = [{ reason: CAUSE, message }];
  return error;
}

/** Marks the pod as evicted, then deletes it. A pod that changed since its `budget` spared it as unhealthy is tried again by the client. */
async function remove(
  call: Call,
  pods: Resource,
  pod: KubeObject,
  options: DeleteOptions,
  budget: string | undefined,
): Promise<void> {
  const { name = '', namespace = '' } = pod.metadata;
  try {
    const row = isDry(options) ? undefined : await mark(call, pods, options);
    if (row && options.preconditions?.resourceVersion !== undefined) {
      options.preconditions = { ...options.preconditions, resourceVersion: String(row.revision) };
    }
    await removeObject(call, pods, namespace, name, options, row);
  } catch (e) {
    if (budget !== undefined && e instanceof Failure && e.reason === 'Conflict') throw beingProcessed(budget);
    throw e;
  }
}

async function mark(call: Call, pods: Resource, options: DeleteOptions): Promise<Entry> {
  const { name } = call.info;
  let row: Entry | undefined = await readRow(call, pods);
  for (let i = 0; i < RACES_MAX && row; i++) {
    const prev = objectOf(pods, row);
    const { uid, resourceVersion } = options.preconditions ?? {};
    if ((uid && uid !== prev.metadata.uid) || (resourceVersion && resourceVersion !== prev.metadata.resourceVersion)) {
      throw conflict({ group: '', resource: 'Pod' }, name, 'the precondition does not match the record');
    }
    const next = copy(prev as JsonObject) as KubeObject;
    const status = isObject(next.status) ? next.status : {};
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    };
    status.conditions = withCondition(status.conditions, condition, formatTime(call.cluster.env.now()));
    next.status = status;
    const done = await put(call, pods, next, prev, row);
    if ('row' in done) return done.row;
    row = done.found;
  }
  throw notFound(pods.name, name);
}
