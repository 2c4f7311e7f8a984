import { invalid as invalidIssue } from '../../kube/meta/issues.ts';
import { isObject, type Json, type JsonObject } from '../../kube/meta/json.ts';
import { at, type KubeObject, parseApiVersion } from '../../kube/meta/object.ts';
import { badRequest, conflict, type Issue, invalid, notFound } from '../../kube/meta/status.ts';
import { formatTime } from '../../kube/meta/time.ts';
import type { ClusterContext } from '../attributes.ts';
import type { Ref } from './claims.ts';
import { signServiceAccountToken } from './jwt.ts';
import { readNow } from './read.ts';

/** Upstream's limits of spec.expirationSeconds: pkg/apis/authentication/validation. */
const EXPIRATION_SECONDS_MIN = 600;
const EXPIRATION_SECONDS_MAX = 2 ** 32;
/** What spec.expirationSeconds is when absent. */
const EXPIRATION_SECONDS_DEFAULT = 3_600;
/** A kubelet asks this for projected tokens; such a token lives for a year and warns from here on (--service-account-extend-token-expiration). */
const EXTENDED_ASK_SECONDS = 3_607;
const EXTENDED_SECONDS = 365 * 24 * 3_600;

const KIND = { group: 'authentication.k8s.io', kind: 'TokenRequest' };

/** POST serviceaccounts/<name>/token: the TokenRequest with its status. Throws upstream's 400, 404, 409 and 422. `annotate` gets the credential id. */
export async function requestToken(
  body: KubeObject,
  namespace: string,
  name: string,
  c: ClusterContext,
  annotate: (key: string, value: string) => void = () => {},
): Promise<KubeObject> {
  checkName(body, namespace, name);
  const sa = await readNow(c, 'serviceaccounts', namespace, name);
  if (sa === null) throw notFound({ group: '', resource: 'serviceaccounts' }, name);
  const uid = sa.metadata.uid ?? '';
  const asked = body.metadata?.uid;
  if (asked && asked !== uid) {
    const why = `the UID in the token request (${asked}) does not match the UID of the service account (${uid})`;
    throw conflict({ group: KIND.group, resource: KIND.kind }, name, why);
  }
  const spec: JsonObject = isObject(body.spec) ? { ...body.spec } : {};
  const given = Array.isArray(spec.audiences) ? spec.audiences.filter((a) => typeof a === 'string') : [];
  const audiences = given.length === 0 ? [c.keys.issuer] : given;
  const seconds = secondsOf(spec.expirationSeconds);
  const issues = checkSpec(spec, seconds);
  if (issues.length > 0) throw invalid(KIND, '', issues);
  const refs = isObject(spec.boundObjectRef) ? await bind(spec.boundObjectRef, namespace, name, c) : {};
  const forServer = audiences.every((a) => a === c.keys.issuer);
  const extend = refs.pod !== undefined && seconds === EXTENDED_ASK_SECONDS && forServer;
  const now = c.env.now();
  const { token, jti } = await signServiceAccountToken(
    {
      namespace,
      serviceAccount: { name, uid },
      audiences,
      expirationSeconds: extend ? EXTENDED_SECONDS : seconds,
      ...(extend ? { warnAfterSeconds: seconds } : {}),
      ...refs,
    },
    c,
  );
  annotate('authentication.kubernetes.io/issued-credential-id', `JTI=${jti}`);
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { ...body.metadata, name, namespace, uid, creationTimestamp: formatTime(now) },
    spec: { ...spec, audiences, expirationSeconds: seconds, boundObjectRef: spec.boundObjectRef ?? null },
    status: { token, expirationTimestamp: formatTime(now + seconds * 1000) },
  };
}

function checkName(body: KubeObject, namespace: string, name: string): void {
  const m = body.metadata ?? {};
  const differs = (field: 'name' | 'namespace') =>
    invalid(KIND, name, [
      invalidIssue(`metadata.${field}`, m[field], `must match the service account ${field} if specified`),
    ]);
  if (m.name && m.name !== name) throw differs('name');
  if (m.namespace && m.namespace !== namespace) throw differs('namespace');
}

function secondsOf(v: Json | undefined): number {
  return typeof v === 'number' || typeof v === 'bigint' ? Number(v) : EXPIRATION_SECONDS_DEFAULT;
}

function checkSpec(spec: JsonObject, seconds: number): Issue[] {
  const issues: Issue[] = [];
  const field = 'spec.expirationSeconds';
  if (seconds < EXPIRATION_SECONDS_MIN) {
    issues.push(invalidIssue(field, seconds, 'may not specify a duration less than 10 minutes'));
  }
  if (seconds > EXPIRATION_SECONDS_MAX) {
    issues.push(invalidIssue(field, seconds, 'may not specify a duration larger than 2^32 seconds'));
  }
  if (isObject(spec.attestations) && Object.keys(spec.attestations).length > 0) {
    const why = 'attestations may only be specified with a webhook bound object reference';
    return [invalidIssue('spec.attestations', spec.attestations, why)];
  }
  return issues;
}

type Bound = { pod?: Ref; node?: Ref; secret?: Ref };

async function bind(ref: JsonObject, namespace: string, sa: string, c: ClusterContext): Promise<Bound> {
  const [apiVersion, kind, name] = [text(ref.apiVersion), text(ref.kind), text(ref.name)];
  const gv = parseApiVersion(apiVersion) ?? { group: '', version: '' };
  const plural = { Pod: 'pods', Node: 'nodes', Secret: 'secrets' }[gv.group === '' ? kind : ''];
  if (plural === undefined) {
    const printed = gv.group === '' ? `/${gv.version}, Kind=${kind}` : `${apiVersion}, Kind=${kind}`;
    throw badRequest(`cannot bind token to object of type ${printed}`);
  }
  const object = await readNow(c, plural, kind === 'Node' ? '' : namespace, name);
  if (object === null) throw notFound({ group: '', resource: plural }, name);
  if (kind === 'Pod' && at(object, 'spec.serviceAccountName') !== sa) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(sa)} to pod running with different serviceaccount name.`,
    );
  }
  const uid = object.metadata.uid ?? '';
  const asked = text(ref.uid);
  if (asked !== '' && asked !== uid) {
    const why = `the UID in the bound object reference (${asked}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict({ group: '', resource: kind }, name, why);
  }
  if (kind === 'Node') return { node: { name, uid } };
  if (kind === 'Secret') return { secret: { name, uid } };
  const node = text(at(object, 'spec.nodeName'));
  if (node === '') return { pod: { name, uid } };
  return { pod: { name, uid }, node: { name: node, uid: c.view.get(`nodes/${node}`)?.uid ?? '' } };
}

const text = (v: Json | undefined): string => (typeof v === 'string' ? v : '');
