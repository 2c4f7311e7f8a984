import type { Json, JsonObject } from '../../../kube/meta/json.ts';
import type { KubeObject } from '../../../kube/meta/object.ts';
import type { Plan } from '../../../kube/reconcile/controller.ts';
import { job } from '../job.ts';
import type { JobStatus } from '../jobstatus.ts';
import { ago, type Given, keyFor, NOW, viewOf } from './view.ts';

export const TRACKING = 'batch.kubernetes.io/job-tracking';
const PHASES: Readonly<Record<string, string>> = { R: 'Running', P: 'Pending', S: 'Succeeded', F: 'Failed' };

/** A Job `foobar` of two pods at once. `completions` -1: none said. */
export function jobOf(spec: JsonObject = {}, more: { status?: JsonObject; metadata?: JsonObject } = {}): Given {
  const { completions = 5, ...rest } = spec;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'foobar', namespace: 'default', uid: 'job', generation: 1, ...more.metadata },
    spec: {
      parallelism: 2,
      ...(completions === -1 ? {} : { completions }),
      backoffLimit: 6,
      selector: { matchLabels: { foo: 'bar' } },
      template: { metadata: { labels: { foo: 'bar' } }, spec: { containers: [{ name: 'c', image: 'foo/bar' }] } },
      ...rest,
    },
    ...(more.status ? { status: more.status } : {}),
  } as Given;
}

/**
 * A pod in short: `S` Succeeded, `F` Failed, `P` Pending, `R` Running, `r` and ready, `T` Running and being deleted; `2:F` of index 2, `2:F/1`
 * after one failure of it, `-` at the end without the finalizer.
 */
export function podOf(text: string, n: number, more: { status?: JsonObject; metadata?: JsonObject } = {}): Given {
  const m = /^(?:([^:]*):)?([SFPRrT])(?:\/(\d+)(?:\/(\d+))?)?(-?)$/.exec(text);
  if (!m) throw new Error(`no pod is written ${text}`);
  const [, index, state = '', failures, ignored, free] = m;
  const annotations = {
    ...(index === undefined ? {} : { 'batch.kubernetes.io/job-completion-index': index }),
    ...(failures === undefined ? {} : { 'batch.kubernetes.io/job-index-failure-count': failures }),
    ...(ignored === undefined ? {} : { 'batch.kubernetes.io/job-index-ignored-failure-count': ignored }),
  };
  const ready = state === 'r';
  const over = state === 'S' || state === 'F';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${n}`,
      namespace: 'default',
      uid: `p${n}`,
      labels: { foo: 'bar' },
      annotations,
      creationTimestamp: ago(10_000),
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'foobar', uid: 'job', controller: true }],
      ...(free ? {} : { finalizers: [TRACKING] }),
      ...(state === 'T' ? { deletionTimestamp: ago(9_000) } : {}),
      ...more.metadata,
    },
    spec: { nodeName: 'n', containers: [] },
    status: {
      phase: PHASES[state.toUpperCase()] ?? 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: ago(9_000) }],
      ...(over ? {} : {}),
      ...more.status,
    },
  } as Given;
}
export const podsOf = (text: string): Given[] =>
  text
    .split(' ')
    .filter((t) => t !== '')
    .flatMap((t) => {
      const [, count, of = ''] = /^(?:(\d+)\*)?(.*)$/.exec(t) ?? [];
      return Array.from({ length: Number(count ?? 1) }, () => of);
    })
    .map((t, i) => podOf(t, i));

/** The plan for a Job among these. */
export function plan(of: Given, others: readonly Given[], more: Parameters<typeof viewOf>[2] = {}): Plan {
  return job.reconcile(keyFor(of), of, viewOf(job, [of, ...others], { now: NOW, ...more, key: keyFor(of) }));
}
export const statusOf = (p: Plan): JobStatus | undefined => {
  const w = p.writes.find((x) => x.do === 'update');
  return w?.do === 'update' ? (w.object.status as JobStatus) : undefined;
};
export const created = (p: Plan): KubeObject[] => p.writes.flatMap((w) => (w.do === 'create' ? [w.object] : []));
export const counted = (p: Plan, verb: string): number => p.writes.filter((w) => w.do === verb).length;

/** What stands after a plan: the Job with its status, pods without what was taken off, those deleted ending, new ones waiting. */
export function after(of: Given, others: readonly Given[], p: Plan): { of: Given; others: Given[] } {
  const next = { ...of, status: statusOf(p) ?? of.status } as Given;
  const pods = new Map(others.map((o) => [keyFor(o), structuredClone(o) as Given]));
  for (const w of p.writes) {
    if (w.do === 'create') pods.set(keyFor(w.object as Given), { ...w.object, status: { phase: 'Pending' } } as Given);
    if (w.do !== 'patch' && w.do !== 'delete') continue;
    const pod = pods.get(w.key);
    if (!pod) continue;
    if (w.do === 'delete') pod.metadata.deletionTimestamp = ago(0);
    else {
      const gone = ((w.patch.metadata as JsonObject)['$deleteFromPrimitiveList/finalizers'] ?? []) as Json[];
      pod.metadata.finalizers = (pod.metadata.finalizers ?? []).filter((f) => !gone.includes(f));
    }
  }
  return { of: next, others: [...pods.values()] };
}
