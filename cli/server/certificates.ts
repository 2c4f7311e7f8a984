import 'reflect-metadata';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { writeAtomic } from '../home.ts';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
/** Remade when less than this is left, so a long-stopped server never starts with a dead certificate. */
const RENEW_MS = 30 * DAY_MS;

/** Paths of the endpoint's TLS files, and the CA's PEM for kubeconfigs. */
export interface Tls {
  caPem: string;
  certificatePem: string;
  keyPem: string;
}

/**
 * The local endpoint's own CA (ten years) and serving certificate (one year) under `dir`; made on first use, renewed before they end
 * and when `hosts` (names and addresses) change. kubectl sends credentials only over https, so even 127.0.0.1 needs them.
 */
export async function localTls(dir: string, hosts: readonly string[]): Promise<Tls> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const ca = await authority(dir);
  const names = JSON.stringify(hosts);
  if (
    !usable(join(dir, 'server.crt')) ||
    !existsSync(join(dir, 'hosts')) ||
    readFileSync(join(dir, 'hosts'), 'utf8') !== names
  ) {
    const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: 'CN=coracle',
      issuer: ca.certificate.subject,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 365 * DAY_MS),
      signingAlgorithm: EC,
      publicKey: keys.publicKey,
      signingKey: ca.key,
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          hosts.map((h) => ({ type: isIP(h) ? ('ip' as const) : ('dns' as const), value: h })),
        ),
      ],
    });
    writeAtomic(join(dir, 'server.key'), await pem(keys.privateKey));
    writeAtomic(join(dir, 'server.crt'), `${leaf.toString('pem')}\n`);
    writeAtomic(join(dir, 'hosts'), names);
  }
  return {
    caPem: `${ca.certificate.toString('pem')}\n`,
    certificatePem: readFileSync(join(dir, 'server.crt'), 'utf8'),
    keyPem: readFileSync(join(dir, 'server.key'), 'utf8'),
  };
}

/** Puts a given CA into `dir`; what another one issued goes. */
export function adoptCa(dir: string, ca: { caPem: string; caKeyPem: string }): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, 'ca.crt');
  if (existsSync(path) && readFileSync(path, 'utf8') === ca.caPem) return;
  rmSync(join(dir, 'hosts'), { force: true });
  writeAtomic(join(dir, 'ca.key'), ca.caKeyPem);
  writeAtomic(path, ca.caPem);
}

/** Makes a CA in `dir` unless it has one. */
export async function makeCa(dir: string): Promise<void> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  await authority(dir);
}

async function authority(dir: string): Promise<{ certificate: x509.X509Certificate; key: CryptoKey }> {
  const certificatePath = join(dir, 'ca.crt');
  const keyPath = join(dir, 'ca.key');
  if (!usable(certificatePath)) {
    const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      name: 'CN=coracle local CA',
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3650 * DAY_MS),
      signingAlgorithm: EC,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    writeAtomic(keyPath, await pem(keys.privateKey));
    writeAtomic(certificatePath, certificate.toString('pem'));
  }
  const der = Buffer.from(readFileSync(keyPath, 'utf8').replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return {
    certificate: new x509.X509Certificate(readFileSync(certificatePath, 'utf8')),
    key: await crypto.subtle.importKey('pkcs8', der, EC, true, ['sign']),
  };
}

function usable(path: string): boolean {
  return (
    existsSync(path) && new x509.X509Certificate(readFileSync(path, 'utf8')).notAfter.getTime() - Date.now() > RENEW_MS
  );
}

async function pem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

function serial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0] ?? 0) & 0x7f; // DER integers are signed: keep it positive
  return Buffer.from(bytes).toString('hex');
}
