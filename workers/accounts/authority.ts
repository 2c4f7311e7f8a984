import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

const EC = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const YEAR_MS = 365 * 86_400_000;
/** kubeadm's CAs live for ten years too. */
const CA_YEARS = 10;

/** A new cluster's certificate authority: PEM of the certificate, private key as JWK. */
export async function newAuthority(now: number): Promise<{ pem: string; key: JsonWebKey }> {
  const keys = (await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])) as CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=kubernetes',
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + CA_YEARS * YEAR_MS),
    signingAlgorithm: { ...EC, ...SIGNING },
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment | x509.KeyUsageFlags.keyCertSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    pem: `${certificate.toString('pem')}\n`,
    key: (await crypto.subtle.exportKey('jwk', keys.privateKey)) as JsonWebKey,
  };
}

/** A new key for ServiceAccount tokens: ES256, as private JWK. */
export async function newSigningKey(): Promise<JsonWebKey> {
  const keys = (await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])) as CryptoKeyPair;
  return (await crypto.subtle.exportKey('jwk', keys.privateKey)) as JsonWebKey;
}
