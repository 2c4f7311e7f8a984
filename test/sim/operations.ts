import type { JsonObject } from '../../kube/meta/json.ts';
import { at } from '../../kube/meta/object.ts';
import { pick } from './clock.ts';
import { ADMIN, type Answer } from './cluster.ts';
import type { Sim } from './sim.ts';

// What people do to a cluster.

export const NAMESPACES = ['a', 'b'];
const NAMES = ['x', 'y'];
/** Namespaces that come and go without anything in them. */
const BRIEF = 6;
const JOBS_MAX = 6;

/** One operation; says what it was, or nothing where it makes no sense now. */
type Operation = (s: Sim) => Promise<string | undefined>;

const path = (group: string, namespace: string, plural: string, name = '') =>
  `${group === 'v1' ? '/api/v1' : `/apis/${group}`}/namespaces/${namespace}/${plural}${name && `/${name}`}`;

const template = (app: string, version: number, more: JsonObject = {}): JsonObject => ({
  metadata: { labels: { app }, annotations: { version: String(version) } },
  spec: {
    terminationGracePeriodSeconds: 5,
    containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '100m' } } }],
    ...more,
  },
});
const ask = (s: Sim, method: string, at_: string, body?: JsonObject): Promise<Answer> =>
  s.c.ask(s.people, ADMIN, method, at_, body, method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
const told = (what: string, { code }: Answer) => `${what}: ${code}`;
const where = (s: Sim): [namespace: string, name: string] => [pick(s.random, NAMESPACES), pick(s.random, NAMES)];
const upTo = (s: Sim, n: number) => Math.floor(s.random() * (n + 1));

interface Workload {
  group: string;
  plural: string;
  kind: string;
  /** How its labels begin. */
  mark: string;
  spec(s: Sim): JsonObject;
}
const DEPLOYMENT: Workload = {
  group: 'apps/v1',
  plural: 'deployments',
  kind: 'Deployment',
  mark: 'd',
  spec: (s) => ({
    replicas: upTo(s, 4),
    strategy: pick(s.random, [
      { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      { type: 'RollingUpdate', rollingUpdate: { maxSurge: '50%', maxUnavailable: '50%' } },
      { type: 'Recreate' },
    ]),
  }),
};
const STATEFULSET: Workload = {
  group: 'apps/v1',
  plural: 'statefulsets',
  kind: 'StatefulSet',
  mark: 's',
  spec: (s) => ({
    replicas: upTo(s, 3),
    serviceName: 'none',
    podManagementPolicy: pick(s.random, ['OrderedReady', 'Parallel']),
  }),
};
const DAEMONSET: Workload = {
  group: 'apps/v1',
  plural: 'daemonsets',
  kind: 'DaemonSet',
  mark: 'e',
  spec: (s) => ({
    updateStrategy: {
      type: 'RollingUpdate',
      rollingUpdate: pick(s.random, [
        { maxUnavailable: 1, maxSurge: 0 },
        { maxUnavailable: 0, maxSurge: 1 },
      ]),
    },
  }),
};
const WORKLOADS = [DEPLOYMENT, STATEFULSET, DAEMONSET];

const make =
  (w: Workload): Operation =>
  async (s) => {
    const [namespace, name] = where(s);
    const app = `${w.mark}${name}`;
    const spec = { ...w.spec(s), selector: { matchLabels: { app } }, template: template(app, s.step) };
    const body = { apiVersion: w.group, kind: w.kind, metadata: { name }, spec };
    return told(
      `create ${w.plural} ${namespace}/${name}`,
      await ask(s, 'POST', path(w.group, namespace, w.plural), body),
    );
  };
const scale =
  (w: Workload): Operation =>
  async (s) => {
    const [namespace, name] = where(s);
    const replicas = upTo(s, 5);
    const body = { spec: { replicas } };
    const answer = await ask(s, 'PATCH', path(w.group, namespace, w.plural, name), body);
    return told(`scale ${w.plural} ${namespace}/${name} to ${replicas}`, answer);
  };
const roll =
  (w: Workload): Operation =>
  async (s) => {
    const [namespace, name] = where(s);
    const body = { spec: { template: { metadata: { annotations: { version: String(s.step) } } } } };
    return told(
      `roll ${w.plural} ${namespace}/${name}`,
      await ask(s, 'PATCH', path(w.group, namespace, w.plural, name), body),
    );
  };
const POLICIES = ['Background', 'Background', 'Foreground', 'Orphan'];
const remove =
  (group: string, plural: string, policies = POLICIES): Operation =>
  async (s) => {
    const [namespace, name] = where(s);
    const propagationPolicy = pick(s.random, policies);
    const answer = await ask(s, 'DELETE', path(group, namespace, plural, name), { propagationPolicy });
    return told(`delete ${plural} ${namespace}/${name} (${propagationPolicy})`, answer);
  };

const job: Operation = async (s) => {
  const [namespace] = where(s);
  const name = `j${upTo(s, JOBS_MAX - 1)}`;
  const [completions, parallelism] = [1 + upTo(s, 4), 1 + upTo(s, 2)];
  const isIndexed = s.random() < 0.4;
  const spec = {
    completions,
    parallelism,
    backoffLimit: 20,
    ...(isIndexed ? { completionMode: 'Indexed' } : {}),
    template: template(name, s.step, { restartPolicy: 'Never' }),
  };
  const answer = await ask(s, 'POST', path('batch/v1', namespace, 'jobs'), { metadata: { name }, spec });
  return told(
    `create jobs ${namespace}/${name} (${completions} by ${parallelism}${isIndexed ? ', indexed' : ''})`,
    answer,
  );
};
const suspendJob: Operation = async (s) => {
  const [namespace] = where(s);
  const name = `j${upTo(s, JOBS_MAX - 1)}`;
  const suspend = s.random() < 0.5;
  const answer = await ask(s, 'PATCH', path('batch/v1', namespace, 'jobs', name), { spec: { suspend } });
  return told(`${suspend ? 'suspend' : 'resume'} jobs ${namespace}/${name}`, answer);
};
const cronJob: Operation = async (s) => {
  const [namespace, name] = where(s);
  const concurrencyPolicy = pick(s.random, ['Allow', 'Forbid', 'Replace']);
  const jobSpec = { backoffLimit: 20, template: template(`c${name}`, s.step, { restartPolicy: 'Never' }) };
  const spec = {
    schedule: '*/1 * * * *',
    concurrencyPolicy,
    successfulJobsHistoryLimit: 1,
    jobTemplate: { spec: jobSpec },
  };
  const answer = await ask(s, 'POST', path('batch/v1', namespace, 'cronjobs'), { metadata: { name }, spec });
  return told(`create cronjobs ${namespace}/${name} (${concurrencyPolicy})`, answer);
};
const removeJob: Operation = async (s) => {
  const [namespace] = where(s);
  const name = `j${upTo(s, JOBS_MAX - 1)}`;
  const body = { propagationPolicy: pick(s.random, ['Background', 'Foreground']) };
  return told(
    `delete jobs ${namespace}/${name}`,
    await ask(s, 'DELETE', path('batch/v1', namespace, 'jobs', name), body),
  );
};

const service: Operation = async (s) => {
  const [namespace, name] = where(s);
  const app = `${pick(s.random, WORKLOADS).mark}${name}`;
  const type = pick(s.random, ['ClusterIP', 'NodePort']);
  const spec = { type, selector: { app }, ports: [{ port: 80 }] };
  const answer = await ask(s, 'POST', path('v1', namespace, 'services'), { metadata: { name: `${name}-svc` }, spec });
  return told(`create services ${namespace}/${name}-svc (${type})`, answer);
};
const removeService: Operation = async (s) => {
  const [namespace, name] = where(s);
  return told(
    `delete services ${namespace}/${name}-svc`,
    await ask(s, 'DELETE', path('v1', namespace, 'services', `${name}-svc`)),
  );
};
const budget: Operation = async (s) => {
  const [namespace, name] = where(s);
  const spec = {
    selector: { matchLabels: { app: `d${name}` } },
    ...pick<JsonObject>(s.random, [{ maxUnavailable: 1 }, { minAvailable: '50%' }, { minAvailable: 1 }]),
  };
  return told(
    `create budgets ${namespace}/${name}`,
    await ask(s, 'POST', path('policy/v1', namespace, 'poddisruptionbudgets'), { metadata: { name }, spec }),
  );
};
const quota: Operation = async (s) => {
  const namespace = pick(s.random, NAMESPACES);
  const hard = { pods: String(6 + upTo(s, 12)), 'count/services': '3' };
  const body = { metadata: { name: 'q' }, spec: { hard } };
  return told(
    `create quota ${namespace} ${hard.pods}`,
    await ask(s, 'POST', path('v1', namespace, 'resourcequotas'), body),
  );
};

const claim: Operation = async (s) => {
  const [namespace, name] = where(s);
  const spec = { accessModes: ['ReadWriteOnce'], storageClassName: '', resources: { requests: { storage: '1Gi' } } };
  const answer = await ask(s, 'POST', path('v1', namespace, 'persistentvolumeclaims'), { metadata: { name }, spec });
  return told(`create claims ${namespace}/${name}`, answer);
};

const removePod: Operation = async (s) => {
  const rows = await s.rows('pods/');
  if (rows.length === 0) return undefined;
  const { key } = pick(s.random, rows);
  const [, namespace = '', name = ''] = key.split('/');
  return told(`delete ${key}`, await ask(s, 'DELETE', path('v1', namespace, 'pods', name)));
};
/** Somebody writes at the same time as the controllers. */
const touch: Operation = async (s) => {
  const rows = (await s.rows('')).filter((r) =>
    /^(pods|replicasets|deployments|jobs|statefulsets|daemonsets)/.test(r.key),
  );
  if (rows.length === 0) return undefined;
  const { key } = pick(s.random, rows);
  const [resource = '', namespace = '', name = ''] = key.split('/');
  const [plural = '', ...group] = resource.split('.');
  const at_ = path(group.length === 0 ? 'v1' : `${group.join('.')}/v1`, namespace, plural, name);
  return told(`touch ${key}`, await ask(s, 'PATCH', at_, { metadata: { annotations: { touched: String(s.step) } } }));
};

const cordon: Operation = async (s) => {
  const node = pick(s.random, s.nodes);
  const unschedulable = s.random() < 0.5;
  return told(
    `${unschedulable ? 'cordon' : 'uncordon'} ${node.name}`,
    await ask(s, 'PATCH', `/api/v1/nodes/${node.name}`, { spec: { unschedulable } }),
  );
};
const drain: Operation = async (s) => {
  const node = pick(s.random, s.nodes);
  await ask(s, 'PATCH', `/api/v1/nodes/${node.name}`, { spec: { unschedulable: true } });
  const codes: number[] = [];
  for (const row of await s.c.main.related('node', node.name)) {
    const pod = JSON.parse(row.value) as { metadata: { namespace: string; name: string } };
    const owners = (at(pod as never, 'metadata.ownerReferences') ?? []) as { kind: string }[];
    if (!row.key.startsWith('pods/') || owners.some((o) => o.kind === 'DaemonSet')) continue;
    const { namespace, name } = pod.metadata;
    const answer = await ask(s, 'POST', path('v1', namespace, 'pods', `${name}/eviction`), {
      metadata: { name, namespace },
    });
    codes.push(answer.code);
  }
  return `drain ${node.name}: ${codes.join()}`;
};
const powerOff: Operation = async (s) => {
  const node = pick(
    s.random,
    s.nodes.filter((n) => n.reachable),
  );
  if (!node || s.nodes.filter((n) => n.reachable).length < 2) return undefined;
  const isCut = s.random() < 0.5;
  if (isCut) node.linked = false;
  else node.off();
  s.linkMoved(node);
  return `${isCut ? 'cut off' : 'power off'} ${node.name}`;
};
const powerOn: Operation = async (s) => {
  const away = s.nodes.filter((n) => !n.reachable);
  if (away.length === 0) return undefined;
  const node = pick(s.random, away);
  await s.comeBack(node);
  return `${node.name} comes back`;
};
const replaceNode: Operation = async (s) => {
  if (s.nodes.length < 3) return undefined;
  const node = pick(s.random, s.nodes);
  const made = await s.replace(node);
  return `${node.name} is replaced by ${made}`;
};

const bringNamespace: Operation = async (s) => {
  const name = pick(s.random, NAMESPACES);
  return told(`create namespace ${name}`, await ask(s, 'POST', '/api/v1/namespaces', { metadata: { name } }));
};
const brief: Operation = async (s) => {
  const name = `brief${upTo(s, BRIEF - 1)}`;
  const made = await ask(s, 'POST', '/api/v1/namespaces', { metadata: { name } });
  if (made.code === 201) return told(`create namespace ${name}`, made);
  return told(`delete namespace ${name}`, await ask(s, 'DELETE', `/api/v1/namespaces/${name}`));
};
const removeNamespace: Operation = async (s) => {
  const name = pick(s.random, NAMESPACES);
  return told(`delete namespace ${name}`, await ask(s, 'DELETE', `/api/v1/namespaces/${name}`));
};

/** Operations and how often each comes. `rough`: not in a calm run, where nothing happens to nodes and pods by themselves. */
export const OPERATIONS: readonly { weight: number; rough?: true; run: Operation }[] = [
  ...WORKLOADS.map((w) => ({ weight: 12, run: make(w) })),
  { weight: 6, run: scale(DEPLOYMENT) },
  { weight: 4, run: scale(STATEFULSET) },
  ...WORKLOADS.map((w) => ({ weight: 5, run: roll(w) })),
  ...WORKLOADS.map((w) => ({ weight: 2, run: remove(w.group, w.plural) })),
  { weight: 1, run: remove('apps/v1', 'replicasets') },
  { weight: 6, run: job },
  { weight: 2, run: removeJob },
  { weight: 2, run: suspendJob },
  { weight: 2, run: cronJob },
  { weight: 2, run: remove('batch/v1', 'cronjobs', ['Background', 'Foreground']) },
  { weight: 5, run: service },
  { weight: 2, run: removeService },
  { weight: 2, run: budget },
  { weight: 1, run: remove('policy/v1', 'poddisruptionbudgets') },
  { weight: 1, run: quota },
  { weight: 1, run: claim },
  { weight: 2, run: remove('v1', 'persistentvolumeclaims') },
  { weight: 4, run: touch },
  { weight: 4, run: bringNamespace },
  { weight: 6, run: brief },
  { weight: 1, run: removeNamespace, rough: true },
  { weight: 5, run: removePod, rough: true },
  { weight: 3, run: cordon, rough: true },
  { weight: 2, run: drain, rough: true },
  { weight: 2, run: powerOff, rough: true },
  { weight: 3, run: powerOn, rough: true },
  { weight: 1, run: replaceNode, rough: true },
];
