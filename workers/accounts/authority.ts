import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { hexOf } from '../../kube/codec/hex.ts';

const EC = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const YEAR_MS = 365 * 86_400_000;
/** kubeadm's CAs live for ten years too. */
const CA_YEARS = 10;
/** RFC 5280 4.1.2.2: at most 20. */
const SERIAL_BYTES = 16;

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

const MINUTE_MS = 60_000;
/** Clocks of nodes that are behind by this much take a new certificate as begun. */
const SKEW_MS = 5 * MINUTE_MS;
/** A node asks for another long before; who takes the key from a node has it for this long. */
const SERVING_MS = 24 * 60 * MINUTE_MS;

/**
 * A certificate with which a node serves the cluster's API at these names and addresses, for a day. `publicKey`: SPKI. PEM. Throws where the key can't be read.
 */
export async function newServingCertificate(
  ca: { pem: string; key: JsonWebKey },
  publicKey: Uint8Array<ArrayBuffer>,
  names: { dns: readonly string[]; ips: readonly string[] },
  now: number,
): Promise<string> {
  const authority = new x509.X509Certificate(ca.pem);
  const signingKey = await crypto.subtle.importKey('jwk', ca.key, EC, false, ['sign']);
  const subjectKey = await crypto.subtle.importKey('spki', publicKey, EC, true, ['verify']);
  const serial = crypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  // A positive number without a zero in front: DER has no other.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: hexOf(serial),
    subject: 'CN=kube-apiserver',
    issuer: authority.subject,
    notBefore: new Date(now - SKEW_MS),
    notAfter: new Date(now + SERVING_MS),
    signingAlgorithm: { ...EC, ...SIGNING },
    publicKey: subjectKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
      new x509.SubjectAlternativeNameExtension([
        ...names.dns.map((value) => ({ type: 'dns' as const, value })),
        ...names.ips.map((value) => ({ type: 'ip' as const, value })),
      ]),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** A new key for ServiceAccount tokens: ES256, as private JWK. */
export async function newSigningKey(): Promise<JsonWebKey> {
  const keys = (await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])) as CryptoKeyPair;
  return (await crypto.subtle.exportKey('jwk', keys.privateKey)) as JsonWebKey;
}
