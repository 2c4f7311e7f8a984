import { groupResource } from '../../kube/meta/object.ts';
import { keyOf, rangeOf } from '../../kube/store/key.ts';
import type { Entry, Key, Store } from '../../kube/store/store.ts';
import type { Authorizer, Decision, PolicyView, RequestInfo, User } from '../attributes.ts';
import { nodeOf } from '../authn/users.ts';
import { compileRules, type RuleSet, readRules, rulesAllow } from './rules.ts';

const YES: Decision = { allow: true, reason: '' };
const no = (reason = ''): Decision => ({ allow: false, reason });
const LEASES = 'kube-node-lease';
/** Pods of one node read at a time; a node runs about a hundred. */
const PODS_PAGE = 500;

type Rule = (node: string, a: RequestInfo, store: Store) => Decision | Promise<Decision>;

/** What a node may do with a resource that is divided between nodes, by groupResource: plugin/pkg/auth/authorizer/node/node_authorizer.go. */
const DIVIDED: Readonly<Record<string, Rule>> = {
  secrets: readNamespaced,
  configmaps: readNamespaced,
  persistentvolumeclaims: (node, a, s) => (a.subresource === 'status' ? updateStatus(node, a, s) : getOne(node, a, s)),
  persistentvolumes: getOne,
  'resourceclaims.resource.k8s.io': getOne,
  'volumeattachments.storage.k8s.io': getOne,
  serviceaccounts: serviceAccount,
  'leases.coordination.k8s.io': lease,
  'csinodes.storage.k8s.io': csiNode,
  'resourceslices.resource.k8s.io': resourceSlice,
  nodes: ownNode,
  pods: ownPods,
  'podcertificaterequests.certificates.k8s.io': podCertificateRequest,
};

/** The Node authorizer: a kubelet reads only what pods bound to its node name. Who isn't a node gets no opinion. */
export function nodeAuthorizer(rules: RuleSet): Authorizer {
  return {
    name: 'Node',
    authorize(user: User, a: RequestInfo, _view: PolicyView, store: Store): Decision | Promise<Decision> {
      const node = nodeOf(user);
      if (node === null) return 'no-opinion';
      if (node === '') return no(`unknown node for user ${JSON.stringify(user.name)}`);
      const divided = a.isResource ? DIVIDED[groupResource(a.group, a.resource)] : undefined;
      if (divided !== undefined) return divided(node, a, store);
      return rulesAllow(rules, a) ? YES : no();
    },
  };
}

/**
 * What a node may besides, for its agent is its kube-proxy too: `rules` are those of the ClusterRole system:node-proxier, which
 * upstream's installers bind to an account of its own. It follows the Services, slices and nodes of the cluster; single nodes
 * but its own it has no need to read.
 */
export function proxierAuthorizer(rules: RuleSet): Authorizer {
  return {
    name: 'Node',
    authorize: (user, a) => (nodeOf(user) && a.verb !== 'get' && rulesAllow(rules, a) ? YES : 'no-opinion'),
  };
}
/** The rules of either from a ClusterRole of the base layer. */
export const nodeRules = (rules: unknown): RuleSet => compileRules(readRules(rules as Parameters<typeof readRules>[0]));

function readNamespaced(node: string, a: RequestInfo, store: Store): Decision | Promise<Decision> {
  if (!['get', 'list', 'watch'].includes(a.verb)) return no('can only read resources of this type');
  if (a.subresource !== '') return no('cannot read subresource');
  if (a.namespace === '') return no('can only read namespaced object of this type');
  return isRelated(node, a, store);
}

function getOne(node: string, a: RequestInfo, store: Store): Decision | Promise<Decision> {
  if (a.verb !== 'get') return no('can only get individual resources of this type');
  if (a.subresource !== '') return no('cannot get subresource');
  return isRelated(node, a, store);
}

function updateStatus(node: string, a: RequestInfo, store: Store): Decision | Promise<Decision> {
  if (a.verb !== 'update' && a.verb !== 'patch') return no('can only get/update/patch this type');
  return isRelated(node, a, store);
}

function serviceAccount(node: string, a: RequestInfo, store: Store): Decision | Promise<Decision> {
  if (a.verb === 'get' && a.subresource === '') return readNamespaced(node, a, store);
  if (a.verb !== 'create' || a.name === '') return no('can only create tokens for individual service accounts');
  if (a.subresource !== 'token') return no('can only create token subresource of serviceaccount');
  return isRelated(node, a, store);
}

function lease(node: string, a: RequestInfo): Decision {
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(a.verb)) {
    return no('can only get, create, update, patch, or delete a node lease');
  }
  if (a.namespace !== LEASES) return no(`can only access leases in the ${JSON.stringify(LEASES)} system namespace`);
  // The name of a creation isn't known here: admission (NodeRestriction) checks it.
  if (a.verb !== 'create' && a.name !== node) {
    return no('can only access node lease with the same name as the requesting node');
  }
  return YES;
}

function csiNode(node: string, a: RequestInfo): Decision {
  if (a.subresource === 'status') return no('CSINode status access requires CSIVolumeHealth feature');
  if (a.subresource !== '') return no('cannot authorize CSINode subresources');
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(a.verb)) {
    return no('can only get, create, update, patch, or delete a CSINode');
  }
  if (a.verb !== 'create' && a.name !== node) {
    return no('can only access CSINode with the same name as the requesting node');
  }
  return YES;
}

function resourceSlice(node: string, a: RequestInfo, store: Store): Decision | Promise<Decision> {
  if (a.subresource !== '') return no('cannot authorize ResourceSlice subresources');
  switch (a.verb) {
    case 'create':
      return YES;
    case 'get':
    case 'update':
    case 'patch':
    case 'delete':
      return isRelated(node, a, store);
    case 'watch':
    case 'list':
    case 'deletecollection':
      return selectsNode(a, 'spec.nodeName', node)
        ? YES
        : no('can only list/watch/deletecollection resourceslices with nodeName field selector');
    default:
      return no(
        'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
      );
  }
}

function podCertificateRequest(node: string, a: RequestInfo, store: Store): Decision | Promise<Decision> {
  if (a.subresource !== '') return no('nodes may not access the status subresource of PodCertificateRequests');
  if (a.verb === 'create') return YES;
  if (a.verb === 'get') return isRelated(node, a, store);
  if (a.verb === 'list' || a.verb === 'watch') {
    return selectsNode(a, 'spec.nodeName', node)
      ? YES
      : no('can only list/watch podcertificaterequests with nodeName field selector');
  }
  return no(`nodes may not ${a.verb} podcertificaterequests`);
}

function ownNode(node: string, a: RequestInfo): Decision {
  if (a.subresource === '') {
    if (['create', 'update', 'patch'].includes(a.verb)) return YES;
    if (['get', 'list', 'watch'].includes(a.verb)) {
      if (a.name === node) return YES;
      if (a.name === '') return no(`node '${node}' cannot read all nodes, only its own Node object`);
      return no(`node '${node}' cannot read '${a.name}', only its own Node object`);
    }
  }
  if (a.subresource === 'status' && (a.verb === 'update' || a.verb === 'patch')) return YES;
  return no();
}

function ownPods(node: string, a: RequestInfo, store: Store): Decision | Promise<Decision> {
  if (a.subresource === '') {
    if (a.verb === 'get') return getOne(node, a, store);
    if (a.verb === 'list' || a.verb === 'watch') {
      if (selectsNode(a, 'spec.nodeName', node)) return YES;
      if (a.name !== '') return isRelated(node, a, store);
      return no('can only list/watch pods with spec.nodeName field selector');
    }
    if (a.verb === 'create' || a.verb === 'delete') return YES;
  }
  if (a.subresource === 'status' && (a.verb === 'update' || a.verb === 'patch')) return YES;
  if (a.subresource === 'eviction' && a.verb === 'create') return YES;
  return no();
}

const selectsNode = (a: RequestInfo, field: string, node: string): boolean =>
  a.fields?.some((f) => f.field === field && f.op === '=' && f.value === node) ?? false;

async function isRelated(node: string, a: RequestInfo, store: Store): Promise<Decision> {
  if (a.name === '') return no('No Object name found');
  const key = keyOf(a.group, a.resource, a.namespace, a.name);
  const related = await (PATHS[a.resource] ?? throughPods)(node, key, store);
  return related ? YES : no(`no relationship found between node '${node}' and this object`);
}

type Path = (node: string, key: Key, store: Store) => Promise<boolean>;
/** How an object is tied to a node, by plural; through the pods that name it when absent. */
const PATHS: Readonly<Record<string, Path>> = {
  pods: onNode,
  volumeattachments: onNode,
  resourceslices: onNode,
  podcertificaterequests: onNode,
  // A volume through its claim.
  persistentvolumes: async (node, key, store) => {
    const claims = (await facts(key, store))?.facts.refs ?? [];
    return claims.length > 0 && anyPodNames(node, new Set(claims), store);
  },
  // A Secret also through volumes that name it.
  secrets: async (node, key, store) => {
    if (await throughPods(node, key, store)) return true;
    const volumes = await store.related('ref', key, { resource: 'persistentvolumes', factsOnly: true });
    const claims = volumes.flatMap((v) => v.facts.refs ?? []).filter((r) => r.startsWith('persistentvolumeclaims/'));
    return claims.length > 0 && anyPodNames(node, new Set(claims), store);
  },
};

async function onNode(node: string, key: Key, store: Store): Promise<boolean> {
  return (await facts(key, store))?.facts.node === node;
}

function throughPods(node: string, key: Key, store: Store): Promise<boolean> {
  return anyPodNames(node, new Set([key]), store);
}

/** Does a pod of that node name one of these objects? Bounded by the node, not by how many pods in the cluster share a ConfigMap. */
async function anyPodNames(node: string, keys: ReadonlySet<Key>, store: Store): Promise<boolean> {
  let after: Key | undefined;
  for (;;) {
    const pods: Entry[] = await store.related('node', node, {
      resource: 'pods',
      limit: PODS_PAGE,
      factsOnly: true,
      ...(after === undefined ? {} : { after }),
    });
    if (pods.some((p) => p.facts.refs?.some((r) => keys.has(r)))) return true;
    if (pods.length < PODS_PAGE) return false;
    after = pods[pods.length - 1]?.key;
  }
}

async function facts(key: Key, store: Store): Promise<Entry | undefined> {
  const [resource = '', ...rest] = key.split('/');
  const dot = resource.indexOf('.');
  const [group, plural] = dot < 0 ? ['', resource] : [resource.slice(dot + 1), resource.slice(0, dot)];
  const [namespace = '', name = ''] = rest.length === 2 ? rest : ['', rest[0]];
  const page = await store.read(rangeOf(group, plural, namespace, name), { factsOnly: true, limit: 1 });
  return page.ok ? page.entries[0] : undefined;
}
