import 'reflect-metadata';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as x509 from '@peculiar/x509';
import { base64Of } from '../../kube/codec/base64.ts';
import { StatusError } from '../../kube/meta/status.ts';
import { newAuthority } from './authority.ts';
import { servingAnswer } from './serving.ts';

const NOW = Date.parse('2026-11-22T00:00:00Z');
const ca = await newAuthority(NOW);
const post = (publicKey: string) => servingAnswer({ publicKey, domain: 'cluster.local' }, ca, NOW);
async function keyOf(curve: string): Promise<{ text: string; spki: Buffer }> {
  const algorithm = { name: 'ECDSA', namedCurve: curve };
  const { publicKey } = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
  const spki = new Uint8Array((await crypto.subtle.exportKey('spki', publicKey)) as ArrayBuffer);
  return { text: base64Of(spki), spki: Buffer.from(spki) };
}

describe("a node's certificate for serving its cluster's API", () => {
  it("is the CA's, for the node's key, the names of the Service and a day", async () => {
    const key = await keyOf('P-256');
    const made = new x509.X509Certificate((await post(key.text)).certificate);
    const authority = new x509.X509Certificate(ca.pem);
    assert.ok(await made.verify({ publicKey: authority, date: new Date(NOW) }));
    assert.equal(made.issuer, authority.subject);
    assert.deepEqual(Buffer.from(made.publicKey.rawData), key.spki);
    const names = made.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON();
    assert.deepEqual(
      names?.map((n) => n.value),
      [
        'kubernetes',
        'kubernetes.default',
        'kubernetes.default.svc',
        'kubernetes.default.svc.cluster.local',
        '10.96.0.1',
        '198.18.0.1',
      ],
    );
    assert.equal(made.getExtension(x509.BasicConstraintsExtension)?.ca, false);
    assert.deepEqual([...(made.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? [])], ['1.3.6.1.5.5.7.3.1']);
    assert.equal(made.notAfter.getTime(), NOW + 86_400_000);
  });

  const bad: [what: string, key: () => Promise<string>][] = [
    ['another kind of key', async () => (await keyOf('P-384')).text],
    ['no key at all', async () => 'AAAA'],
  ];
  for (const [what, key] of bad)
    it(`is refused for ${what}`, async () => {
      const publicKey = await key();
      await assert.rejects(post(publicKey), (e) => e instanceof StatusError && e.code === 400);
    });
});
