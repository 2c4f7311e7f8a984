import { invalid as invalidIssue } from '../../kube/meta/issues.ts';
import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import type { KubeObject, ObjectMeta } from '../../kube/meta/object.ts';
import { badRequest, type Issue, invalid } from '../../kube/meta/status.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { RequestInfo, User } from '../attributes.ts';
import { reviewToken, userInfo } from '../authn/review.ts';
import { rulesReview } from '../authz/review.ts';
import { authorize, type Call, confirm } from '../call.ts';
import type { Action, Resource } from '../parts.ts';

// The reviews of authentication.k8s.io and authorization.k8s.io: kubernetes pkg/registry/{authentication,authorization}.

/** POST tokenreviews. */
export const reviewTokens: Action = {
  echoes: true,
  run: async (call, _resource, body) => ({ object: await reviewToken(body, call.cluster) }),
};

/** POST selfsubjectreviews: who am I. */
export const reviewSelf: Action = {
  async run(call, _resource, body) {
    await confirm(call);
    const metadata = { creationTimestamp: formatTime(call.cluster.env.now()) };
    return {
      object: { kind: body.kind, apiVersion: body.apiVersion, metadata, status: { userInfo: userInfo(call.user) } },
    };
  },
};

/** POST subjectaccessreviews: may that user do it. */
export const reviewAccess: Action = {
  echoes: true,
  run: (call, resource, body) => access(call, resource, body, subjectOf(body), subjectIssues(body)),
};
/** POST selfsubjectaccessreviews: may I do it. */
export const reviewSelfAccess: Action = {
  echoes: true,
  run: (call, resource, body) => access(call, resource, body, call.user, []),
};
/** POST localsubjectaccessreviews: may that user do it in this namespace. */
export const reviewLocalAccess: Action = {
  echoes: true,
  run(call, resource, body) {
    const { resourceAttributes, nonResourceAttributes } = specOf(body);
    const issues = subjectIssues(body);
    const namespace = body.metadata.namespace ?? '';
    const asked = isObject(resourceAttributes) ? text(resourceAttributes.namespace) : '';
    if (isObject(resourceAttributes) && asked !== namespace) {
      issues.push(invalidIssue('spec.resourceAttributes.namespace', asked, 'must match metadata.namespace'));
    }
    if (isObject(nonResourceAttributes)) {
      issues.push(
        invalidIssue(
          'spec.nonResourceAttributes',
          goAttributes(nonResourceAttributes),
          'disallowed on this kind of request',
        ),
      );
    }
    return access(call, resource, body, subjectOf(body), issues, true);
  },
};

/** POST selfsubjectrulesreviews: what may I do in a namespace. */
export const reviewRules: Action = {
  async run(call, _resource, body) {
    const namespace = text(specOf(body).namespace);
    if (namespace === '') throw badRequest('no namespace on request');
    await confirm(call);
    const { kind, apiVersion } = body;
    // What was asked doesn't come back.
    const status = rulesReview(call.user, namespace, call.cluster.view);
    return { object: { kind, apiVersion, metadata: {}, spec: {}, status } };
  },
};

const specOf = (o: KubeObject): JsonObject => (isObject(o.spec) ? o.spec : {});
const text = (v: Json | undefined): string => (typeof v === 'string' ? v : '');
const texts = (v: Json | undefined): string[] => (Array.isArray(v) ? v.map(text) : []);

async function access(call: Call, resource: Resource, body: KubeObject, user: User, own: Issue[], local = false) {
  const spec = specOf(body);
  const issues = [...attributesIssues(spec), ...own, ...metaIssues(body.metadata, local)];
  // Upstream names the group alone.
  if (issues.length > 0) throw invalid({ group: resource.ref.group, kind: '' }, '', issues);
  const d = await authorize(call, user, infoOf(spec));
  await confirm(call);
  const status: JsonObject = { allowed: d.allow };
  if (d.reason !== '') status.reason = d.reason;
  return { object: { ...body, status } as KubeObject };
}

function subjectOf(body: KubeObject): User {
  const { user, uid, groups, extra } = specOf(body);
  const more: Record<string, string[]> = {};
  if (isObject(extra)) for (const k in extra) more[k.toLowerCase()] = texts(extra[k]);
  return { name: text(user), uid: text(uid), groups: texts(groups), extra: more };
}
function subjectIssues(body: KubeObject): Issue[] {
  const { user, groups } = specOf(body);
  if (text(user) !== '' || texts(groups).length > 0) return [];
  return [invalidIssue('spec.user', '', 'at least one of user or group must be specified')];
}
function attributesIssues(spec: JsonObject): Issue[] {
  const { resourceAttributes, nonResourceAttributes } = spec;
  if (isObject(resourceAttributes) !== isObject(nonResourceAttributes)) return [];
  const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
  return [invalidIssue('spec', isObject(nonResourceAttributes) ? goAttributes(nonResourceAttributes) : null, why)];
}
/** As Go prints the internal struct. */
const goAttributes = (n: JsonObject): JsonObject => ({ Path: text(n.path), Verb: text(n.verb) });
function metaIssues(meta: ObjectMeta, local: boolean): Issue[] {
  const { managedFields: _m, namespace, creationTimestamp: _c, ...rest } = meta;
  const isEmpty = Object.values(rest).every((v) => v === undefined) && (local || !namespace);
  if (isEmpty) return [];
  return [invalidIssue('metadata', meta, local ? 'must be empty except for namespace' : 'must be empty')];
}

/** The request that a review asks about. */
function infoOf(spec: JsonObject): RequestInfo {
  const r = isObject(spec.resourceAttributes) ? spec.resourceAttributes : undefined;
  const n = isObject(spec.nonResourceAttributes) ? spec.nonResourceAttributes : {};
  return {
    isResource: r !== undefined,
    path: r ? '' : text(n.path),
    verb: text(r ? r.verb : n.verb),
    group: text(r?.group),
    version: text(r?.version) || '*',
    resource: text(r?.resource),
    subresource: text(r?.subresource),
    namespace: text(r?.namespace),
    name: text(r?.name),
    rest: [],
  };
}
