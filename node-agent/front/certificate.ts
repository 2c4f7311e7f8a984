import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { type Env, pause } from '../../kube/meta/env.ts';
import { SERVING_PATH, ServingAnswer } from '../../kube/wire/serving.ts';
import type { Api } from '../api.ts';

/** Key and certificate, PEM. */
export interface Identity {
  key: string;
  cert: string;
}

/** Waits between attempts to get a certificate: from this, doubling, up to the most. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 60_000;
/** A timer of Node's takes no more. */
const WAIT_MS_MAX = 2 ** 31 - 1;
const EC = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const PEM_COLUMNS = /.{1,64}/g;

/** A new key and the cluster's certificate for it. The key never leaves this machine. */
export async function newIdentity(api: Pick<Api, 'send'>, domain: string): Promise<Identity> {
  const pair = (await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])) as CryptoKeyPair;
  const spki = Buffer.from((await crypto.subtle.exportKey('spki', pair.publicKey)) as ArrayBuffer);
  const pkcs8 = Buffer.from((await crypto.subtle.exportKey('pkcs8', pair.privateKey)) as ArrayBuffer);
  const answer = await api.send('POST', SERVING_PATH, { publicKey: spki.toString('base64'), domain });
  const { certificate } = v.parse(ServingAnswer, answer);
  const lines = pkcs8.toString('base64').match(PEM_COLUMNS) ?? [];
  return { key: `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`, cert: certificate };
}

/** When to ask for another: halfway through. Null: it is over, or about to be, or no certificate. */
export function renewAt(cert: string, now: number): number | null {
  try {
    const { validFrom, validTo } = new X509Certificate(cert);
    const end = Date.parse(validTo);
    return end <= now ? null : (Date.parse(validFrom) + end) / 2;
  } catch {
    return null; // a file that somebody cut
  }
}

/**
 * Gives `use` an identity at once if a valid one is on disk, a new one as soon as the control plane gives it, and the next one each time half its life is over.
 * Ends when `signal` aborts.
 */
export async function keepIdentity(
  o: { api: Pick<Api, 'send'>; domain: string; file: string; env: Env; signal: AbortSignal },
  use: (identity: Identity) => void,
): Promise<void> {
  const { env, signal } = o;
  const old = await readFile(o.file, 'utf8')
    .then((text) => JSON.parse(text) as Identity)
    .catch(() => null); // the first start, or a file that was cut
  if (old !== null && renewAt(old.cert, env.now()) !== null) use(old);
  for (let failures = 0; !signal.aborted; ) {
    try {
      const identity = await newIdentity(o.api, o.domain);
      failures = 0;
      use(identity);
      await write(o.file, identity);
      const at = renewAt(identity.cert, env.now()) ?? env.now() + RETRY_MS_MAX;
      await pause(env, Math.min(WAIT_MS_MAX, Math.max(RETRY_MS, at - env.now())), signal);
    } catch (error) {
      if (failures === 0) env.log('warn', 'serving.certificate.failed', { error: String(error) });
      await pause(env, Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** failures++), signal);
    }
  }
}

async function write(file: string, identity: Identity): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, JSON.stringify(identity), { mode: 0o600 });
  await rename(`${file}.new`, file);
}
