import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import * as x509 from '@peculiar/x509';
import { parse } from 'smol-toml';
import * as v from 'valibot';
import { CommandError } from '../command.ts';
import type { ClusterPart } from './config.ts';

/** The CA must outlive what is issued under it for a while; `localTls` would make a new one, which no other instance knew. */
const CA_DAYS_MIN = 31;
/** workerd's own bound for the secret of a cluster. */
const KEY_BYTES_MIN = 32;

const Text = v.pipe(v.string(), v.nonEmpty('must not be empty'));
const HostPort = v.pipe(v.string(), v.regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/, 'HOST:PORT is needed'));
const Url = v.pipe(v.string(), v.regex(/^https:\/\/[^/\s]+$/, 'https://HOST[:PORT] is needed'));

/** The file of `coracle serve --cluster`, TOML or JSON. Paths in it are relative to its own folder. */
const InstanceFile = v.strictObject({
  /** Where clients and agents reach the endpoint: a load balancer, or a name with the addresses of all instances. */
  url: Url,
  /** Folder with what all instances share: cluster.key, operator-token, ca.crt, ca.key (`coracle serve --make-secrets DIR`). */
  secrets: Text,
  bucket: v.strictObject({
    name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'not the name of a bucket')),
    prefix: v.optional(
      v.pipe(v.string(), v.regex(/^[\w.-]+(\/[\w.-]+)*$/, 'names and single slashes only')),
      'coracle',
    ),
    /** S3-compatible stores other than Amazon's. */
    endpoint: v.optional(v.pipe(v.string(), v.regex(/^https?:\/\/\S+$/, 'a URL is needed'))),
    region: v.optional(Text),
    /** Lines AWS_ACCESS_KEY_ID=, AWS_SECRET_ACCESS_KEY=, AWS_SESSION_TOKEN=; read again when it changes. Without it the environment has them. */
    credentials_file: v.optional(Text),
  }),
  instance: v.strictObject({
    /** Where other instances reach this one: a private network, its traffic is not encrypted. */
    address: HostPort,
    /** The same as others see it, where that differs. */
    advertise: v.optional(HostPort),
    unsafe_public_address: v.optional(v.boolean(), false),
  }),
  tls: v.optional(
    v.strictObject({
      /** Names and addresses of the certificate that the shared CA issues for this instance, besides those of `url` and --host. */
      names: v.optional(v.array(Text), []),
      /** Instead of one issued here: PEM files of a certificate chain, its key, and the CA that clients are told. */
      certificate: v.optional(Text),
      key: v.optional(Text),
      ca: v.optional(Text),
    }),
    {},
  ),
});

/** One of several instances, ready to be started. */
export interface Instance {
  cluster: Omit<ClusterPart, 'stopMs'>;
  publicUrl: string;
  operatorToken: string;
  /** Names for the certificate. */
  names: string[];
  /** The CA that all instances issue under, or a certificate that was given. */
  tls: { caPem: string; caKeyPem: string } | { caPem: string; certificatePem: string; keyPem: string };
}

/** Reads and checks a configuration. What is wrong is a CommandError with code 2 that names the file and the field, never a secret. */
export function readInstance(path: string, env: Readonly<Record<string, string | undefined>>): Instance {
  const fail = (why: string): never => {
    throw new CommandError(`${path}: ${why}`, 2);
  };
  const parsed = v.safeParse(InstanceFile, parseFile(path, fail));
  if (!parsed.success) {
    const [issue] = parsed.issues;
    return fail(`${v.getDotPath(issue) ?? 'the file'}: ${issue.message}`);
  }
  const file = parsed.output;
  const at = (name: string) => resolve(dirname(path), name);
  const text = (name: string, what: string): string =>
    existsSync(at(name)) ? readFileSync(at(name), 'utf8') : fail(`${what}: there is no file ${at(name)}`);
  const shared = (name: string, variable: string): string =>
    (env[variable] ?? text(join(file.secrets, name), `secrets (or the variable ${variable})`)).trim();
  const { bucket, instance, tls } = file;
  if (bucket.credentials_file !== undefined) text(bucket.credentials_file, 'bucket.credentials_file');
  else if (!env.AWS_CREDENTIALS_FILE && !(env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY))
    fail('bucket.credentials_file is missing, and so are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
  const key = shared('cluster.key', 'CORACLE_CLUSTER_KEY');
  if (Buffer.byteLength(key) < KEY_BYTES_MIN) fail(`the cluster key has less than ${KEY_BYTES_MIN} bytes`);
  return {
    cluster: {
      bucket: `s3://${bucket.name}/${bucket.prefix}`,
      endpoint: bucket.endpoint,
      region: bucket.region,
      credentialsFile: bucket.credentials_file && at(bucket.credentials_file),
      address: instance.address,
      advertise: instance.advertise,
      key,
      unsafePublicAddress: instance.unsafe_public_address,
    },
    publicUrl: file.url,
    operatorToken: shared('operator-token', 'CORACLE_OPERATOR_TOKEN'),
    names: [...new Set([new URL(file.url).hostname.replace(/^\[|\]$/g, ''), ...tls.names])],
    tls: certificates(file, text, fail),
  };
}

function parseFile(path: string, fail: (why: string) => never): unknown {
  if (!existsSync(path)) return fail('there is no such file');
  const text = readFileSync(path, 'utf8');
  try {
    return path.endsWith('.json') ? JSON.parse(text) : parse(text);
  } catch (error) {
    // The first line says where; the others show the text, which may hold what shouldn't be shown.
    return fail(String((error as Error).message).split('\n')[0] ?? 'cannot be read');
  }
}

type Text = (name: string, what: string) => string;
function certificates(
  { tls, secrets }: v.InferOutput<typeof InstanceFile>,
  text: Text,
  fail: (why: string) => never,
): Instance['tls'] {
  const { certificate, key, ca } = tls;
  if (certificate !== undefined || key !== undefined || ca !== undefined) {
    if (certificate === undefined || key === undefined || ca === undefined)
      return fail('tls.certificate, tls.key and tls.ca are given together or not at all');
    return {
      caPem: text(ca, 'tls.ca'),
      certificatePem: text(certificate, 'tls.certificate'),
      keyPem: text(key, 'tls.key'),
    };
  }
  const caPem = text(join(secrets, 'ca.crt'), 'secrets');
  const { notAfter } = new x509.X509Certificate(caPem);
  if (notAfter.getTime() - Date.now() < CA_DAYS_MIN * 86_400_000)
    return fail(`ca.crt ends on ${notAfter.toISOString().slice(0, 10)}; make new secrets for all instances`);
  return { caPem, caKeyPem: text(join(secrets, 'ca.key'), 'secrets') };
}
