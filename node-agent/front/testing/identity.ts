import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import type { Identity } from '../certificate.ts';

const EC = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/** A self-signed identity for 127.0.0.1 and localhost, valid for `ms` from `now` on. */
export async function testIdentity(now = Date.now(), ms = 3_600_000): Promise<Identity> {
  const keys = (await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])) as CryptoKeyPair;
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=front',
    notBefore: new Date(now),
    notAfter: new Date(now + ms),
    signingAlgorithm: { ...EC, hash: 'SHA-256' },
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: 'ip', value: '127.0.0.1' },
        { type: 'dns', value: 'localhost' },
      ]),
    ],
  });
  const pkcs8 = Buffer.from((await crypto.subtle.exportKey('pkcs8', keys.privateKey)) as ArrayBuffer);
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
  return { key, cert: made.toString('pem') };
}
