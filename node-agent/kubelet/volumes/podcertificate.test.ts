import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, verify } from 'node:crypto';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../../kube/meta/json.ts';
import type { Pod } from '../pod.ts';
import { keyAndRequest } from './csr.ts';
import { PodCertificates } from './podcertificate.ts';

const pod: Pod = {
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: { containers: [], serviceAccountName: 'sa' },
};
const source = { signerName: 'a.b/c', keyType: 'ED25519', credentialBundlePath: 'x', maxExpirationSeconds: 7200 };
const HOUR = 3_600_000;
const time = (ms: number) => new Date(ms).toISOString().replace('.000', '');

/** A signer that answers when told to. */
function world() {
  const w = {
    now: 0,
    requests: [] as JsonObject[],
    told: [] as string[],
    answer(status: JsonObject) {
      const last = w.requests.at(-1);
      if (last) last.status = status;
    },
    issue(chain: string, refreshMs: number) {
      const conditions = [{ type: 'Issued', status: 'True', reason: 'r', message: 'm' }];
      w.answer({ conditions, certificateChain: chain, beginRefreshAt: time(refreshMs), notAfter: time(refreshMs * 2) });
    },
  };
  const certificates = new PodCertificates({
    api: {
      get: async () => ({ metadata: { uid: 'sa-uid' } }),
      send: async (_method, _path, body) => {
        const made = structuredClone(body) as JsonObject;
        made.metadata = { ...(made.metadata as JsonObject), name: `req-${w.requests.length}` };
        w.requests.push(made);
        return made;
      },
    },
    requests: { certificateRequests: async () => w.requests },
    ...{ node: 'n', nodeUid: async () => 'n-uid', now: () => w.now, random: () => 0 },
    tell: (_, reason, text) => w.told.push(`${reason}: ${text}`),
  });
  return { w, get: () => certificates.credential(pod, 'v/0', source) };
}
const PEM = (body: string) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
const pending = /^Error: credential bundle is not issued yet$/;

describe('a pod certificate', () => {
  test('is requested once, by what the pod and its node are', async () => {
    const { w, get } = world();
    await assert.rejects(get(), pending);
    await assert.rejects(get(), pending);
    assert.equal(w.requests.length, 1);
    const { stubPKCS10Request, ...spec } = (w.requests[0]?.spec ?? {}) as JsonObject;
    assert.ok(stubPKCS10Request);
    assert.deepEqual(spec, {
      ...{ signerName: 'a.b/c', podName: 'p', podUID: 'u', serviceAccountName: 'sa', serviceAccountUID: 'sa-uid' },
      ...{ nodeName: 'n', nodeUID: 'n-uid', maxExpirationSeconds: 7200 },
    });
  });
  test('is given with its key once it is issued, its chain without what lies between', async () => {
    const { w, get } = world();
    await assert.rejects(get(), pending);
    w.issue(`junk\n${PEM('QUFB')}more\n${PEM('QkJC')}`, HOUR);
    const { key, chain, renewMs } = await get();
    assert.match(key, /^-----BEGIN PRIVATE KEY-----/);
    assert.deepEqual([chain, renewMs], [PEM('QUFB') + PEM('QkJC'), HOUR]);
  });
  test('is asked for anew when it should be replaced; the old one stays until then', async () => {
    const { w, get } = world();
    await assert.rejects(get(), pending);
    w.issue(PEM('QUFB'), HOUR);
    const first = await get();
    w.now = HOUR;
    const meanwhile = await get();
    assert.deepEqual([meanwhile.chain, meanwhile.key === first.key, w.requests.length], [PEM('QUFB'), true, 2]);
    w.issue(PEM('QkJC'), 2 * HOUR);
    const second = await get();
    assert.deepEqual([second.chain, second.key === first.key], [PEM('QkJC'), false]);
  });
  test('that is denied stays so, and is told', async () => {
    const { w, get } = world();
    await assert.rejects(get(), pending);
    w.answer({ conditions: [{ type: 'Denied', status: 'True', reason: 'No', message: 'not you' }] });
    const text = 'PodCertificateRequest was permanently denied: reason="No" message="not you"';
    for (let i = 0; i < 2; i++) await assert.rejects(get(), new Error(text));
    assert.deepEqual(w.told, ['Denied: PodCertificateRequest ns/req-0 was denied, reason="No", message="not you"']);
    assert.equal(w.requests.length, 1);
  });
  test('whose request was deleted is asked for again', async () => {
    const { w, get } = world();
    await assert.rejects(get(), pending);
    w.requests.length = 0;
    w.now = HOUR;
    await assert.rejects(get(), pending);
    assert.equal(w.requests.length, 1);
  });
});

describe('a stub request', () => {
  /** The elements of a DER sequence. */
  function elements(der: Buffer): Buffer[] {
    const out: Buffer[] = [];
    for (let at = 0; at < der.length; ) {
      const [length, head] = lengthAt(der, at);
      out.push(der.subarray(at, at + head + length));
      at += head + length;
    }
    return out;
  }
  function lengthAt(der: Buffer, at: number): [length: number, head: number] {
    const first = der[at + 1] ?? 0;
    if (first < 0x80) return [first, 2];
    return [der.readUIntBE(at + 2, first & 0x7f), 2 + (first & 0x7f)];
  }
  const content = (der: Buffer) => der.subarray(lengthAt(der, 0)[1]);
  const digests: [string, string | null][] = [
    ['ECDSAP256', 'sha256'],
    ['ECDSAP384', 'sha384'],
    ['ECDSAP521', 'sha512'],
    ['ED25519', null],
    ['RSA3072', 'sha256'],
  ];
  for (const [type, digest] of digests)
    test(`of ${type} proves that its sender has the key`, async () => {
      const { key, request } = await keyAndRequest(type);
      const [info, , signature] = elements(content(request));
      const spki = elements(content(info ?? request))[2];
      const shown = createPublicKey({ key: spki ?? request, format: 'der', type: 'spki' });
      assert.ok(verify(digest, info ?? request, shown, content(signature ?? request).subarray(1)));
      assert.ok(createPublicKey(createPrivateKey(key)).equals(shown));
    });
  test('of a type that nobody knows is refused', () => assert.rejects(keyAndRequest('DSA'), /unknown key type "DSA"/));
});
