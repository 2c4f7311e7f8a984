import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject } from '../../kube/meta/object.ts';
import type { Row } from '../../kube/reconcile/controller.ts';
import { parseKey } from '../../kube/store/key.ts';
import { Cluster } from './cluster.ts';
import { isOnly, isReject, type NodeInfo, type PodInfo, type Reject, type SchedulerPlugin } from './framework.ts';
import { vectors } from './generated/vectors.ts';
import { plugins } from './plugins/index.ts';
import { podInfoOf } from './podinfo.ts';
import { candidates, cheaper } from './preemption.ts';
import { projectBudget, projectNode, projectPod, projectSelector } from './project.ts';
import { scoresBy } from './schedule.ts';
import { type Case, caseOf } from './testing/cases.ts';
import { rejectOf } from './whatif.ts';

// Each case was put before kube-scheduler's own plug-ins (tools/scheduler-vectors).

interface Rejection {
  plugin: string;
  final: boolean;
  reasons: string[];
}
interface Answer {
  preFilter?: Rejection;
  only?: string[];
  rejects: Record<string, Rejection>;
  scores: Record<string, Record<string, number>>;
  victims: Record<string, { pods: string[]; violations: number }>;
  stay: Record<string, string[]>;
  chosen?: string;
}

function rowOf(resource: string, o: KubeObject, data: JsonObject): Row {
  const { namespace, name = '', labels } = o.metadata;
  const key = namespace ? `${resource}/${namespace}/${name}` : `${resource}/${name}`;
  return { key, revision: 1, uid: o.metadata.uid ?? key, labels: labels ?? {}, owner: '', data };
}
function clusterOf(c: Case): { cluster: Cluster; pod: PodInfo } {
  const of = (list: JsonObject[]) => list as unknown as KubeObject[];
  const others = [
    ...of(c.namespaces).map((o) => rowOf('namespaces', o, {})),
    ...of(c.budgets).map((o) => rowOf('poddisruptionbudgets.policy', o, projectBudget(o))),
    ...of(c.services).map((o) => rowOf('services', o, projectSelector(o))),
  ];
  const rows = new Map(others.map((r) => [r.key, r]));
  const list = (resource: string, namespace?: string) =>
    others.filter(({ key }) => {
      const at = parseKey(key);
      return at.resource === resource && (namespace === undefined || at.namespace === namespace);
    });
  const cluster = new Cluster({ get: (key) => rows.get(key), list }, plugins);
  for (const o of of(c.nodes)) cluster.takeNode(`nodes/${o.metadata.name}`, rowOf('nodes', o, projectNode(o)));
  for (const o of of(c.pods)) {
    const row = rowOf('pods', o, projectPod(o));
    cluster.takePod(row.key, row);
  }
  const pod = c.pod as unknown as KubeObject;
  return { cluster, pod: podInfoOf(rowOf('pods', pod, projectPod(pod))) };
}

/** What our plug-ins say, as upstream's answer is written. */
function answerOf({ cluster, pod }: ReturnType<typeof clusterOf>): Answer {
  const answer: Answer = { rejects: {}, scores: {}, victims: {}, stay: {} };
  const states: { plugin: SchedulerPlugin; state: unknown }[] = [];
  for (const plugin of plugins) {
    const state = plugin.prepare?.(pod, cluster) ?? null;
    if (isReject(state)) return { ...answer, preFilter: { plugin: plugin.name, final: true, reasons: state.reasons } };
    if (isOnly(state)) answer.only = [...state.only].sort();
    if (state !== null) states.push({ plugin, state });
  }
  const fits: NodeInfo[] = [];
  const hopeful: NodeInfo[] = [];
  for (const node of cluster.nodes) {
    const blamed = new Set<string>();
    const r = rejectOf({ pod, snapshot: cluster, states }, node, blamed);
    const [plugin = ''] = blamed;
    if (r) answer.rejects[node.name] = { plugin, final: r.final ?? false, reasons: r.reasons };
    else fits.push(node);
    if (r && !r.final) hopeful.push(node);
  }
  const stay = new Map<NodeInfo, Reject>();
  const { found } = candidates({ pod, snapshot: cluster, states }, hopeful, 0, stay);
  for (const { node, victims, violations } of found)
    answer.victims[node.name] = { pods: victims.map((v) => v.name), violations };
  for (const [node, { reasons }] of stay) answer.stay[node.name] = reasons;
  const [best] = found.sort(cheaper);
  if (best) answer.chosen = best.node.name;
  for (const node of fits) answer.scores[node.name] = {};
  for (const p of plugins)
    scoresBy(p, pod, cluster, fits)?.forEach((s, i) => {
      const of = answer.scores[fits[i]?.name ?? ''];
      if (of) of[p.name] = s * (p.weight ?? 1);
    });
  return answer;
}
/** Upstream's answer without the scores of plug-ins that we leave out because they are the same for every node. */
function comparable(upstream: Answer, ours: Answer): Answer {
  const scores = Object.entries(upstream.scores);
  const kept = (name: string) => Object.values(ours.scores).some((s) => s[name] !== undefined);
  const even = (name: string) => new Set(scores.map(([, s]) => s[name])).size < 2;
  return {
    ...upstream,
    scores: Object.fromEntries(
      scores.map(([node, s]) => [
        node,
        Object.fromEntries(Object.entries(s).filter(([name]) => kept(name) || !even(name))),
      ]),
    ),
  };
}

describe("upstream's plug-ins and ours agree", () => {
  vectors.forEach((text, i) => {
    it(`of case ${i + 1}`, () => {
      const ours = answerOf(clusterOf(caseOf(i + 1)));
      assert.deepEqual(ours, comparable(JSON.parse(text) as Answer, ours));
    });
  });
});
