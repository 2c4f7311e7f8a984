import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import * as v from 'valibot';
import type { JsonObject } from '../../kube/meta/json.ts';
import { StatusError } from '../../kube/meta/status.ts';
import type { Assume, Entry, Store } from '../../kube/store/store.ts';
import type { ClusterContext, User } from '../attributes.ts';
import { createPolicyView } from '../policy.ts';
import { authenticateRequest, authenticateToken, bearerToken, socketToken } from './authenticate.ts';
import { jwksDocument, openIdConfiguration, signNodeToken, signServiceAccountToken } from './jwt.ts';
import { OidcIssuer } from './oidc.ts';
import { reviewToken } from './review.ts';
import { base64UrlOf, sha256Hex } from './text.ts';
import { requestToken } from './tokenrequest.ts';

const ISSUER = 'https://c1.example.test';
const START = Date.UTC(2026, 0, 1);
let clusters = 0;

async function cluster(rows: Record<string, JsonObject> = {}, alg = 'ES256') {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  const world = { now: START };
  const store = {
    read: async (range: { from: string }) => {
      const row = rows[range.from];
      const entry = { key: range.from, value: JSON.stringify(row) } as Entry;
      return { ok: true, revision: 1, entries: row ? [entry] : [], count: row ? 1 : 0 };
    },
    confirm: async (assume: Assume) => {
      const missing = (assume.exist ?? []).flatMap((e, i) => (rows[e.key] ? [] : [i]));
      if (missing.length === 0) return { ok: true, revision: 1, policy: 1 };
      return { ok: false, stale: true, policy: 1, whole: false, changes: [], missing };
    },
  } as unknown as Store;
  const tokens: Record<string, User> = {
    [await sha256Hex('admin-token')]: { name: 'admin', groups: ['system:masters'] },
  };
  let n = 0;
  const c: ClusterContext = {
    id: `c-${clusters++}`,
    env: { now: () => world.now, random: () => 0, uuid: () => `uuid-${n++}`, after: () => () => {}, log: () => {} },
    store: () => store,
    view: createPolicyView(),
    keys: { issuer: ISSUER, signing: [(await exportJWK(privateKey)) as JsonWebKey], ca: '', tokens },
    url: ISSUER,
    waitUntil: () => {},
  };
  return { c, world };
}
const bearer = (token: string) => new Headers({ authorization: `Bearer ${token}` });
const sa = {
  namespace: 'ns',
  serviceAccount: { name: 'sa', uid: 'u-sa' },
  audiences: [ISSUER],
  expirationSeconds: 3600,
};
const refuses = (p: Promise<unknown>) =>
  assert.rejects(p, (e) => e instanceof StatusError && e.code === 401 && e.message === 'Unauthorized');

test('without a credential a request is anonymous', async () => {
  const { c } = await cluster();
  for (const authorization of ['', 'Basic YTpi', 'Bearer', 'Bearer  x']) {
    const { user } = await authenticateRequest(new Headers(authorization ? { authorization } : {}), c);
    assert.deepEqual(user, { name: 'system:anonymous', groups: ['system:unauthenticated'] });
  }
});

test('a static token gives its user and system:authenticated', async () => {
  const { c } = await cluster();
  const { user } = await authenticateRequest(bearer('admin-token'), c);
  assert.deepEqual(user, { name: 'admin', groups: ['system:masters', 'system:authenticated'] });
  await refuses(authenticateRequest(bearer('other-token'), c));
});

for (const alg of ['ES256', 'RS256']) {
  test(`a ServiceAccount token signed with ${alg} speaks for its account and names what must exist`, async () => {
    const { c } = await cluster({}, alg);
    const { token, jti } = await signServiceAccountToken(
      { ...sa, pod: { name: 'p', uid: 'u-p' }, node: { name: 'n', uid: 'u-n' } },
      c,
    );
    const { user } = await authenticateRequest(bearer(token), c);
    assert.deepEqual(user, {
      name: 'system:serviceaccount:ns:sa',
      uid: 'u-sa',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/pod-name': ['p'],
        'authentication.kubernetes.io/pod-uid': ['u-p'],
        'authentication.kubernetes.io/credential-id': [`JTI=${jti}`],
        'authentication.kubernetes.io/node-name': ['n'],
        'authentication.kubernetes.io/node-uid': ['u-n'],
      },
      bound: [
        { key: 'serviceaccounts/ns/sa', uid: 'u-sa' },
        { key: 'pods/ns/p', uid: 'u-p' },
      ],
    });
  });
}

test('a token ends a minute after its exp, also when it was seen before', async () => {
  const { c, world } = await cluster();
  const { token } = await signServiceAccountToken(sa, c);
  await authenticateRequest(bearer(token), c);
  world.now = START + 3_659_000;
  await authenticateRequest(bearer(token), c);
  world.now = START + 3_661_000;
  await refuses(authenticateRequest(bearer(token), c));
  assert.deepEqual(await authenticateToken(token, c), { error: 'service account token has expired' });
  world.now = START - 61_000;
  assert.deepEqual(await authenticateToken(token, c), { error: 'service account token is not valid yet' });
});

test("another cluster's key, another audience and a changed payload are refused", async () => {
  const [{ c }, { c: other }] = [await cluster(), await cluster()];
  await refuses(authenticateRequest(bearer((await signServiceAccountToken(sa, other)).token), c));
  const vault = await signServiceAccountToken({ ...sa, audiences: ['vault'] }, c);
  assert.deepEqual(await authenticateToken(vault.token, c), {
    error: `token audiences ["vault"] is invalid for the target audiences ["${ISSUER}"]`,
  });
  const asVault = await authenticateToken(vault.token, c, ['vault', 'other']);
  assert.ok('user' in asVault);
  assert.deepEqual(asVault.audiences, ['vault']);
  const [head, , sign] = (await signServiceAccountToken(sa, c)).token.split('.');
  const forged = { iss: ISSUER, aud: [ISSUER], sub: 'x', exp: 9e9, 'kubernetes.io': { namespace: 'kube-system' } };
  const body = base64UrlOf(new TextEncoder().encode(JSON.stringify(forged)));
  await refuses(authenticateRequest(bearer(`${head}.${body}.${sign}`), c));
  const none = base64UrlOf(new TextEncoder().encode('{"alg":"none"}'));
  await refuses(authenticateRequest(bearer(`${none}.${body}.`), c));
});

test('a key that was taken out ends its tokens', async () => {
  const [{ c }, { c: next }] = [await cluster(), await cluster()];
  const { token } = await signServiceAccountToken(sa, c);
  await authenticateRequest(bearer(token), c);
  const both = { ...c, keys: { ...c.keys, signing: [...next.keys.signing, ...c.keys.signing] } };
  await authenticateRequest(bearer(token), both);
  await refuses(authenticateRequest(bearer(token), { ...c, keys: next.keys }));
});

test('a node token gives the node user, bound to the node when its uid is known', async () => {
  const { c } = await cluster();
  const { user } = await authenticateRequest(bearer(await signNodeToken({ name: 'n1', uid: 'u1' }, 60, c)), c);
  assert.equal(user.name, 'system:node:n1');
  assert.deepEqual(user.groups, ['system:nodes', 'system:authenticated']);
  assert.deepEqual(user.bound, [{ key: 'nodes/n1', uid: 'u1' }]);
  const joining = await authenticateRequest(bearer(await signNodeToken({ name: 'n1', uid: '' }, 60, c)), c);
  assert.equal(joining.user.bound, undefined);
});

const secret = (data: Record<string, string>, more: JsonObject = {}): JsonObject => ({
  metadata: { name: 'bootstrap-token-abcdef' },
  type: 'bootstrap.kubernetes.io/token',
  data: Object.fromEntries(Object.entries(data).map(([k, t]) => [k, btoa(t)])),
  ...more,
});
const good = {
  'token-id': 'abcdef',
  'token-secret': '0123456789abcdef',
  'usage-bootstrap-authentication': 'true',
  'auth-extra-groups': 'system:bootstrappers:b,system:bootstrappers:a',
};
const bootstrap: { name: string; secret: JsonObject; ok: boolean }[] = [
  { name: 'counts', secret: secret(good), ok: true },
  { name: 'that has not expired counts', secret: secret({ ...good, expiration: '2026-01-01T01:00:00Z' }), ok: true },
  { name: 'that expired is refused', secret: secret({ ...good, expiration: '2025-12-31T23:00:00Z' }), ok: false },
  { name: 'whose expiration is unreadable is refused', secret: secret({ ...good, expiration: 'soon' }), ok: false },
  { name: 'with another secret is refused', secret: secret({ ...good, 'token-secret': 'x' }), ok: false },
  {
    name: 'not for authentication is refused',
    secret: secret({ ...good, 'usage-bootstrap-authentication': '' }),
    ok: false,
  },
  {
    name: 'with a foreign group is refused',
    secret: secret({ ...good, 'auth-extra-groups': 'system:masters' }),
    ok: false,
  },
  { name: 'of another type is refused', secret: secret(good, { type: 'Opaque' }), ok: false },
];
for (const b of bootstrap) {
  test(`a bootstrap token ${b.name}`, async () => {
    const { c } = await cluster({ 'secrets/kube-system/bootstrap-token-abcdef': b.secret });
    const answer = authenticateRequest(bearer('abcdef.0123456789abcdef'), c);
    if (!b.ok) return refuses(answer);
    const { user } = await answer;
    assert.equal(user.name, 'system:bootstrap:abcdef');
    assert.deepEqual(user.groups, [
      'system:bootstrappers',
      'system:bootstrappers:a',
      'system:bootstrappers:b',
      'system:authenticated',
    ]);
  });
}

test('an ID token of a trusted issuer gives prefixed names', async () => {
  const { c } = await cluster();
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const issuer = 'https://idp.example.test';
  const config = v.parse(OidcIssuer, {
    issuer,
    audiences: ['kube'],
    groupsClaim: 'groups',
    groupsPrefix: 'oidc:',
    requiredClaims: { hd: 'example.test' },
    jwks: { keys: [await exportJWK(publicKey)] },
  });
  const trusting = { ...c, keys: { ...c.keys, oidc: [config] } };
  const issue = (claims: Record<string, unknown>) =>
    new SignJWT({ iss: issuer, sub: 'jane', aud: 'kube', exp: START / 1000 + 60, ...claims })
      .setProtectedHeader({ alg: 'RS256' })
      .sign(privateKey);
  const fine = await issue({ groups: ['dev'], hd: 'example.test' });
  assert.deepEqual((await authenticateRequest(bearer(fine), trusting)).user, {
    name: `${issuer}#jane`,
    groups: ['oidc:dev', 'system:authenticated'],
  });
  await refuses(authenticateRequest(bearer(await issue({ groups: ['dev'] })), trusting));
  await refuses(authenticateRequest(bearer(await issue({ hd: 'example.test', aud: 'x' })), trusting));
  await refuses(authenticateRequest(bearer(fine), c));
});

test('a WebSocket carries its token in a subprotocol, next to another one', async () => {
  const encoded = base64UrlOf(new TextEncoder().encode('admin-token'));
  const protocol = `base64url.bearer.authorization.k8s.io.${encoded}`;
  const headers = (p: string) => new Headers({ upgrade: 'websocket', 'sec-websocket-protocol': p });
  const { c } = await cluster();
  const got = await authenticateRequest(headers(`${protocol}, v5.channel.k8s.io`), c);
  assert.equal(got.user.name, 'admin');
  assert.equal(got.protocols, 'v5.channel.k8s.io');
  assert.equal(socketToken(headers(protocol)), 'bad');
  assert.equal(socketToken(headers(`${protocol}, ${protocol}, x`)), 'bad');
  assert.equal(socketToken(headers('base64url.bearer.authorization.k8s.io.$, x')), 'bad');
  assert.equal(socketToken(headers('v5.channel.k8s.io')), null);
  assert.equal(bearerToken('bearer   x'), null);
});

const account: JsonObject = { metadata: { name: 'sa', namespace: 'ns', uid: 'u-sa' } };
const pod: JsonObject = { metadata: { uid: 'u-p' }, spec: { serviceAccountName: 'sa', nodeName: 'n' } };

test('TokenRequest signs for a pod, and the token of a kubelet lives on for a year', async () => {
  const { c, world } = await cluster({ 'serviceaccounts/ns/sa': account, 'pods/ns/p': pod });
  const body = {
    metadata: {},
    spec: { expirationSeconds: 3607, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u-p' } },
  };
  const answer = await requestToken(body, 'ns', 'sa', c);
  const status = answer.status as { token: string; expirationTimestamp: string };
  assert.equal(status.expirationTimestamp, '2026-01-01T01:00:07Z');
  world.now = START + 300 * 86_400_000;
  const { user } = await authenticateRequest(bearer(status.token), c);
  assert.deepEqual(user.extra?.['authentication.kubernetes.io/node-name'], ['n']);
  assert.equal(user.bound?.length, 2);
});

const bad: { name: string; body: JsonObject; account?: string; message: string }[] = [
  {
    name: 'a short life',
    body: { spec: { expirationSeconds: 599 } },
    message:
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes',
  },
  { name: 'no such account', body: {}, account: 'x', message: 'serviceaccounts "x" not found' },
  {
    name: 'no such pod',
    body: { spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'q' } } },
    message: 'pods "q" not found',
  },
  {
    name: 'another uid',
    body: { spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'z' } } },
    message:
      'Operation cannot be fulfilled on Pod "p": the UID in the bound object reference (z) does not match the UID in record. The object might have been deleted and then recreated',
  },
  {
    name: "another account's pod",
    body: { spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p' } } },
    account: 'sb',
    message: 'cannot bind token for serviceaccount "sb" to pod running with different serviceaccount name.',
  },
  {
    name: 'an odd kind',
    body: { spec: { boundObjectRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'p' } } },
    message: 'cannot bind token to object of type apps/v1, Kind=Deployment',
  },
];
for (const b of bad) {
  test(`TokenRequest refuses: ${b.name}`, async () => {
    const rows = { 'serviceaccounts/ns/sa': account, 'serviceaccounts/ns/sb': account, 'pods/ns/p': pod };
    const { c } = await cluster(rows);
    const call = requestToken({ metadata: {}, ...b.body }, 'ns', b.account ?? 'sa', c);
    await assert.rejects(call, (e) => e instanceof StatusError && e.message === b.message);
  });
}

test('TokenReview tells the user, and why a token is no good', async () => {
  const { c } = await cluster({ 'serviceaccounts/ns/sa': account });
  const { token } = await signServiceAccountToken(sa, c);
  const review = async (t: string) => (await reviewToken({ metadata: {}, spec: { token: t } }, c)).status as JsonObject;
  const yes = await review(token);
  assert.equal(yes.authenticated, true);
  assert.deepEqual(yes.audiences, [ISSUER]);
  assert.equal((yes.user as JsonObject).username, 'system:serviceaccount:ns:sa');
  assert.equal((await review('nonsense')).error, 'invalid bearer token');
  const gone = await signServiceAccountToken({ ...sa, pod: { name: 'p', uid: 'u' } }, c);
  assert.equal((await review(gone.token)).error, 'service account token has been invalidated');
  const unknown = await signServiceAccountToken({ ...sa, serviceAccount: { name: 'x', uid: 'u' } }, c);
  assert.equal((await review(unknown.token)).error, 'serviceaccounts "x" not found');
  await assert.rejects(review(''), /token is required for TokenReview in authentication/);
});

test('discovery shows public keys only', async () => {
  const { c } = await cluster({}, 'RS256');
  const { keys } = await jwksDocument(c.keys);
  const [key] = keys as JsonObject[];
  assert.deepEqual(Object.keys(key ?? {}).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
  assert.deepEqual(await openIdConfiguration(c.keys, c.url), {
    issuer: ISSUER,
    jwks_uri: `${ISSUER}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  });
});

test('a token whose account or node the View has lost is refused', async () => {
  const { c } = await cluster();
  const { token } = await signServiceAccountToken(sa, c);
  const node = await signNodeToken({ name: 'n1', uid: 'u1' }, 60, c);
  const see = (uid: string | null) => {
    const policy = uid === null ? null : '{}';
    const changes = ['serviceaccounts/ns/sa', 'nodes/n1'].map((key) => ({ key, policy, uid: uid ?? '' }));
    c.view.apply({ ok: false, stale: true, policy: c.view.revision + 1, whole: false, changes, missing: [] });
  };
  see('other');
  await refuses(authenticateRequest(bearer(token), c));
  await refuses(authenticateRequest(bearer(node), c));
  c.view.apply({
    ok: false,
    stale: true,
    policy: 9,
    whole: false,
    changes: [
      { key: 'serviceaccounts/ns/sa', policy: '{}', uid: 'u-sa' },
      { key: 'nodes/n1', policy: '{}', uid: 'u1' },
    ],
    missing: [],
  });
  await authenticateRequest(bearer(token), c);
  await authenticateRequest(bearer(node), c);
  see(null);
  await refuses(authenticateRequest(bearer(token), c));
  await refuses(authenticateRequest(bearer(node), c));
});
