import { issuesText, notSupported, required } from '../../kube/meta/issues.ts';
import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import { badRequest, conflict, failure, type Issue, notFound } from '../../kube/meta/status.ts';
import { formatTime } from '../../kube/meta/time.ts';
import { rangeOf } from '../../kube/store/key.ts';
import { type Call, read, storeOf } from '../call.ts';
import type { Action, Resource } from '../parts.ts';
import { put } from '../put.ts';
import { copy, objectOf } from '../row.ts';
import { SUCCESS } from './success.ts';

/** How often a binding is decided anew after a lost race. */
const RACES_MAX = 16;

/** POST pods/<name>/binding and bindings: assigns a pod to a node, once. kubernetes pkg/registry/core/pod/storage BindingREST. */
export const bindPod: Action = {
  async run(call, _resource, body) {
    const name = call.info.name || (body.metadata.name ?? '');
    if (name !== body.metadata.name) throw badRequest('name in URL does not match name in Binding object');
    const target = isObject(body.target) ? body.target : {};
    const issues = targetIssues(target);
    if (issues.length > 0) throw failure('', issuesText(issues));
    const pods = call.resources.find(call.cluster.view, '', 'v1', 'pods');
    if (!pods) throw notFound({ group: '', resource: 'pods' }, name);
    await assign(call, pods, name, body, String(target.name));
    return { object: SUCCESS };
  },
};

function targetIssues(target: JsonObject): Issue[] {
  const issues: Issue[] = [];
  if (target.kind && target.kind !== 'Node') {
    issues.push(notSupported('target.kind', target.kind, ['Node', '<empty>']));
  }
  if (!target.name) issues.push(required('target.name'));
  return issues;
}

async function assign(call: Call, pods: Resource, name: string, binding: KubeObject, node: string): Promise<void> {
  const { namespace } = call.info;
  const range = rangeOf('', 'pods', namespace, name);
  let row = (await read(call, storeOf(call, pods, namespace), range, { limit: 1 })).entries[0];
  for (let i = 0; i < RACES_MAX; i++) {
    if (!row) throw notFound(pods.name, name);
    const prev = objectOf(pods, row);
    const { uid, resourceVersion } = binding.metadata;
    precondition(name, 'UID', uid, prev.metadata.uid);
    precondition(name, 'ResourceVersion', resourceVersion, prev.metadata.resourceVersion);
    const next = bound(prev, binding, node, formatTime(call.cluster.env.now()));
    if (call.query.getAll('dryRun').length > 0) return;
    const done = await put(call, pods, next, prev, row);
    if ('row' in done) return;
    row = done.found;
  }
  throw conflict(PODS_BINDING, name, 'the pod changes faster than it can be bound');
}
const PODS_BINDING = { group: '', resource: 'pods/binding' };

function precondition(name: string, what: string, asked: string | undefined, has: string | undefined): void {
  if (!asked || asked === has) return;
  throw conflict(
    { group: '', resource: 'pods' },
    name,
    `Precondition failed: ${what} in precondition: ${asked}, ${what} in object meta: ${has ?? ''}`,
  );
}

/** The pod on its node; 409 for one that can't be assigned. */
function bound(prev: KubeObject, binding: KubeObject, node: string, now: string): KubeObject {
  const name = prev.metadata.name ?? '';
  const refuse = (why: string) => conflict(PODS_BINDING, name, why);
  const spec = isObject(prev.spec) ? prev.spec : {};
  if (prev.metadata.deletionTimestamp !== undefined) {
    throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  }
  if (spec.nodeName) throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(spec.nodeName)}`);
  if (Array.isArray(spec.schedulingGates) && spec.schedulingGates.length > 0) {
    throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  }
  const next = copy(prev as JsonObject) as KubeObject;
  next.spec = { ...spec, nodeName: node };
  const { annotations, labels } = binding.metadata;
  if (annotations) next.metadata.annotations = { ...next.metadata.annotations, ...annotations };
  if (labels) next.metadata.labels = { ...next.metadata.labels, ...labels };
  const status = isObject(next.status) ? next.status : {};
  delete status.nominatedNodeName;
  status.conditions = withCondition(status.conditions, { type: 'PodScheduled', status: 'True' }, now);
  next.status = status;
  return next;
}

/** podutil.UpdatePodCondition: the transition time moves with the status only. */
export function withCondition(conditions: Json | undefined, condition: JsonObject, now: string): Json[] {
  const list = Array.isArray(conditions) ? [...conditions] : [];
  const at = list.findIndex((c) => isObject(c) && c.type === condition.type);
  const old = list[at];
  const same = isObject(old) && old.status === condition.status;
  const next = { ...condition, lastProbeTime: null, lastTransitionTime: same ? (old.lastTransitionTime ?? now) : now };
  if (at < 0) list.push(next);
  else list[at] = next;
  return list;
}
