import { importJWK, type JWK } from 'jose';
import { base64UrlOf } from './text.ts';

/** One signing key of a cluster, imported. */
export interface SigningKey {
  kid: string;
  alg: string;
  /** What the JWKS document shows. */
  jwk: JWK;
  verify: CryptoKey;
  sign: CryptoKey;
}
export interface KeySet {
  /** The first signs. */
  keys: readonly SigningKey[];
  byId: ReadonlyMap<string, SigningKey>;
}

/** Clusters whose imported keys an isolate keeps: a key is about 2 KiB. */
const KEY_SETS_MAX = 2_000;
const sets = new Map<string, Promise<KeySet>>();
/** The same array mostly comes again: its key needn't be written out. */
const byArray = new WeakMap<readonly JsonWebKey[], Promise<KeySet>>();

/** Imports a cluster's private JWKs once per isolate. Ids are upstream's: the SHA-256 of the public key's DER, unless the JWK has a kid. */
export function keySet(signing: readonly JsonWebKey[]): Promise<KeySet> {
  let set = byArray.get(signing);
  if (set === undefined) {
    set = byContent(signing);
    byArray.set(signing, set);
    set.catch(() => byArray.delete(signing));
  }
  return set;
}

function byContent(signing: readonly JsonWebKey[]): Promise<KeySet> {
  const id = signing.map((k) => k.n ?? `${k.x}.${k.y}`).join(' ');
  let set = sets.get(id);
  if (set === undefined) {
    set = importAll(signing);
    // A failed import must not stay.
    set.catch(() => sets.delete(id));
    if (sets.size >= KEY_SETS_MAX) for (const oldest of sets.keys()) if (sets.delete(oldest)) break;
    sets.set(id, set);
  }
  return set;
}

async function importAll(signing: readonly JsonWebKey[]): Promise<KeySet> {
  const keys = await Promise.all(signing.map(importOne));
  return { keys, byId: new Map(keys.map((k) => [k.kid, k])) };
}

async function importOne(key: JsonWebKey): Promise<SigningKey> {
  const { d, p, q, dp, dq, qi, oth, key_ops, ext, ...open } = key as JWK & JsonWebKey;
  const alg = open.alg ?? algorithmOf(open);
  const verify = (await importJWK(open, alg, { extractable: true })) as CryptoKey;
  const sign = (await importJWK({ ...open, d, p, q, dp, dq, qi } as JWK, alg)) as CryptoKey;
  const kid = open.kid ?? (await keyId(verify));
  return { kid, alg, jwk: { use: 'sig', ...open, kid, alg }, verify, sign };
}

function algorithmOf(key: JWK): string {
  if (key.kty === 'RSA') return 'RS256';
  const alg = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }[key.crv ?? ''];
  if (alg === undefined) throw new Error(`unknown private key type ${key.kty} ${key.crv ?? ''}`);
  return alg;
}

async function keyId(key: CryptoKey): Promise<string> {
  const der = (await crypto.subtle.exportKey('spki', key)) as ArrayBuffer;
  return base64UrlOf(new Uint8Array(await crypto.subtle.digest('SHA-256', der)));
}
