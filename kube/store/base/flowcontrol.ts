import type { JsonObject } from '../../meta/json.ts';
import { BASE_CREATED, type BaseObject } from './object.ts';

// The facts of apiserver pkg/apis/flowcontrol/bootstrap/default.go, v0.37.1: mandatory and suggested objects.

/** name: shares, lendable percent, queues, hand size, queue length limit. Without queues the level rejects. */
const LEVELS: Readonly<Record<string, readonly [number, number, number?, number?, number?]>> = {
  'catch-all': [5, 0],
  system: [30, 33, 64, 6, 50],
  'node-high': [40, 25, 64, 6, 50],
  'leader-election': [10, 0, 16, 4, 50],
  'workload-high': [40, 50, 128, 6, 50],
  'workload-low': [100, 90, 128, 6, 50],
  'global-default': [20, 50, 128, 6, 50],
};

const groups = (...names: string[]) => names.map((name) => ({ kind: 'Group', group: { name } }));
const users = (...names: string[]) => names.map((name) => ({ kind: 'User', user: { name } }));
const systemAccounts = [{ kind: 'ServiceAccount', serviceAccount: { namespace: 'kube-system', name: '*' } }];
const everyone = groups('system:unauthenticated', 'system:authenticated');

const resources = (verbs: string[], apiGroups: string[], names: string[], clusterScope: boolean): JsonObject => ({
  verbs,
  apiGroups,
  resources: names,
  ...(clusterScope ? { clusterScope } : {}),
  namespaces: ['*'],
});
const leases = (verbs: string[]) => resources(verbs, ['coordination.k8s.io'], ['leases'], false);
const anything = {
  resourceRules: [resources(['*'], ['*'], ['*'], true)],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};

/** name: level, precedence, distinguisher ('' = none), subjects, rules. */
const SCHEMAS: readonly (readonly [string, string, number, string, JsonObject[], JsonObject])[] = [
  ['exempt', 'exempt', 1, '', groups('system:masters'), anything],
  [
    'probes',
    'exempt',
    2,
    '',
    everyone,
    { nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }] },
  ],
  [
    'system-leader-election',
    'leader-election',
    100,
    'ByUser',
    [...users('system:kube-controller-manager', 'system:kube-scheduler'), ...systemAccounts],
    { resourceRules: [leases(['get', 'create', 'update'])] },
  ],
  [
    'system-node-high',
    'node-high',
    400,
    'ByUser',
    groups('system:nodes'),
    { resourceRules: [resources(['*'], [''], ['nodes', 'nodes/status'], true), leases(['*'])] },
  ],
  ['system-nodes', 'system', 500, 'ByUser', groups('system:nodes'), anything],
  ['kube-controller-manager', 'workload-high', 800, 'ByNamespace', users('system:kube-controller-manager'), anything],
  ['kube-scheduler', 'workload-high', 800, 'ByNamespace', users('system:kube-scheduler'), anything],
  ['kube-system-service-accounts', 'workload-high', 900, 'ByNamespace', systemAccounts, anything],
  ['service-accounts', 'workload-low', 9000, 'ByUser', groups('system:serviceaccounts'), anything],
  ['global-default', 'global-default', 9900, 'ByUser', everyone, anything],
  ['catch-all', 'catch-all', 10000, 'ByUser', everyone, anything],
];

/** FlowSchemas and PriorityLevelConfigurations that kube-apiserver keeps. */
export function flowControlObjects(): BaseObject[] {
  const levels = Object.entries(LEVELS).map(([name, [shares, lendable, queues, hand, length]]) =>
    object('prioritylevelconfigurations', name, {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: shares,
        limitResponse:
          queues === undefined
            ? { type: 'Reject' }
            : {
                type: 'Queue',
                queuing: { queues, handSize: hand ?? 0, queueLengthLimit: length ?? 0 },
              },
        lendablePercent: lendable,
      },
    }),
  );
  const exempt = { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } };
  return [object('prioritylevelconfigurations', 'exempt', exempt), ...levels, ...SCHEMAS.map(flowSchema)];
}

function flowSchema([name, level, precedence, by, subjects, rules]: (typeof SCHEMAS)[number]): BaseObject {
  const spec = {
    priorityLevelConfiguration: { name: level },
    matchingPrecedence: precedence,
    ...(by === '' ? {} : { distinguisherMethod: { type: by } }),
    rules: [{ subjects, ...rules }],
  };
  // What the API priority and fairness controller finds: kubectl shows it as MISSINGPL.
  const dangling = {
    type: 'Dangling',
    status: 'False',
    lastTransitionTime: BASE_CREATED,
    reason: 'Found',
    message: `This FlowSchema references the PriorityLevelConfiguration object named "${level}" and it exists`,
  };
  return object('flowschemas', name, spec, { conditions: [dangling] });
}

const object = (plural: string, name: string, spec: JsonObject, status: JsonObject = {}): BaseObject => ({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  plural,
  namespace: '',
  name,
  generation: 1,
  annotations: { 'apf.kubernetes.io/autoupdate-spec': 'true' },
  body: { spec, status },
});
