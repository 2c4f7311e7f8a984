import { generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';

interface KeyKind {
  make(): Promise<{ publicKey: KeyObject; privateKey: KeyObject }>;
  /** What it signs with; null: the key itself says it. */
  digest: string | null;
  /** DER of the signature's AlgorithmIdentifier: RFC 4055, RFC 5758, RFC 8410. */
  algorithm: string;
}

const make = promisify(generateKeyPair) as unknown as (
  type: string,
  options: object,
) => Promise<{ publicKey: KeyObject; privateKey: KeyObject }>;
const rsa = (modulusLength: number): KeyKind => ({
  make: () => make('rsa', { modulusLength }),
  digest: 'sha256',
  algorithm: '300d06092a864886f70d01010b0500',
});
const ec = (namedCurve: string, digest: string, algorithm: string): KeyKind => ({
  make: () => make('ec', { namedCurve }),
  digest,
  algorithm,
});

/** The key types of a podCertificate projection: core/v1 PodCertificateProjection.keyType. */
const KEYS: Record<string, KeyKind> = {
  RSA3072: rsa(3072),
  RSA4096: rsa(4096),
  ECDSAP256: ec('P-256', 'sha256', '300a06082a8648ce3d040302'),
  ECDSAP384: ec('P-384', 'sha384', '300a06082a8648ce3d040303'),
  ECDSAP521: ec('P-521', 'sha512', '300a06082a8648ce3d040304'),
  ED25519: { make: () => make('ed25519', {}), digest: null, algorithm: '300506032b6570' },
};

/** A fresh key, as PKCS#8 in PEM, and a PKCS#10 request (DER) that says nothing but that its sender has the key. */
export async function keyAndRequest(keyType: string): Promise<{ key: string; request: Buffer }> {
  const kind = KEYS[keyType];
  if (kind === undefined) throw new Error(`while generating keypair: unknown key type ${JSON.stringify(keyType)}`);
  const { publicKey, privateKey } = await kind.make();
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  // Version 0, an empty subject, the key, no attributes: RFC 2986.
  const info = der(0x30, Buffer.from('020100', 'hex'), Buffer.from('3000', 'hex'), spki, Buffer.from('a000', 'hex'));
  const signature = der(0x03, Buffer.from([0]), sign(kind.digest, info, privateKey));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    request: der(0x30, info, Buffer.from(kind.algorithm, 'hex'), signature),
  };
}

/** One element: tag, length, content. */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const digits = body.length.toString(16);
  const length = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}
