import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CommandError } from '../command.ts';
import { makeCa } from './certificates.ts';
import { capnp, readWrangler } from './config.ts';
import { readInstance } from './instance.ts';

const KEY = 'k'.repeat(64);
const ENV = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'hidden' };
const GOOD = `url = "https://k8s.example.net"
secrets = "secrets"
[bucket]
name = "coracle"
prefix = "prod/eu"
endpoint = "https://s3.example.net"
region = "auto"
[instance]
address = "10.0.0.1:7000"
`;

let dir: string;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'coracle-instance-'));
  await makeCa(join(dir, 'secrets'));
  writeFileSync(join(dir, 'secrets/cluster.key'), `${KEY}\n`);
  writeFileSync(join(dir, 'secrets/operator-token'), 'token\n');
  writeFileSync(join(dir, 'credentials'), 'AWS_ACCESS_KEY_ID=id\n');
});
after(() => rmSync(dir, { recursive: true }));

function read(text: string, env: Record<string, string> = ENV, name = 'c.toml') {
  writeFileSync(join(dir, name), text);
  return readInstance(join(dir, name), env);
}

describe('the configuration of one of several instances', () => {
  it('is what the file, the secrets and the defaults say', () => {
    const i = read(GOOD);
    assert.equal(i.operatorToken, 'token');
    assert.equal(i.publicUrl, 'https://k8s.example.net');
    assert.deepEqual(i.names, ['k8s.example.net']);
    assert.deepEqual(i.cluster, {
      bucket: 's3://coracle/prod/eu',
      endpoint: 'https://s3.example.net',
      region: 'auto',
      credentialsFile: undefined,
      address: '10.0.0.1:7000',
      advertise: undefined,
      key: KEY,
      unsafePublicAddress: false,
    });
  });

  it('may be JSON, and secrets may come from the environment', () => {
    const json = JSON.stringify({
      url: 'https://[::1]:6443',
      secrets: 'secrets',
      bucket: { name: 'b-1', credentials_file: 'credentials' },
      instance: { address: '[::1]:7000' },
    });
    const i = read(json, { CORACLE_OPERATOR_TOKEN: 'other' }, 'c.json');
    assert.equal(i.operatorToken, 'other');
    assert.deepEqual(i.names, ['::1']);
    assert.equal(i.cluster.bucket, 's3://b-1/coracle');
    assert.equal(i.cluster.credentialsFile, join(dir, 'credentials'));
  });

  const wrong: [string, string, RegExp][] = [
    ['an unknown key', `${GOOD}adress = "x"\n`, /instance\.adress: Invalid key/],
    ['no bucket', 'url = "https://a"\nsecrets = "s"\n', /bucket: Invalid key: Expected "bucket"/],
    ['a url with a path', GOOD.replace('.net"\nsecrets', '.net/x"\nsecrets'), /url: https:\/\/HOST\[:PORT\] is needed/],
    ['an address without a port', GOOD.replace(':7000', ''), /instance\.address: HOST:PORT is needed/],
    ['a bucket name that none has', GOOD.replace('"coracle"', '"Coracle_1"'), /bucket\.name: not the name of a bucket/],
    [
      'secrets that are nowhere',
      GOOD.replace('"secrets"', '"none"'),
      /secrets \(or the variable CORACLE_CLUSTER_KEY\): there is no file .*none\/cluster\.key/,
    ],
    [
      'half a certificate',
      `${GOOD}[tls]\ncertificate = "c"\n`,
      /tls\.certificate, tls\.key and tls\.ca are given together/,
    ],
    ['a file that is no TOML', 'url = ', /c\.toml: Invalid TOML document/],
  ];
  for (const [what, text, message] of wrong)
    it(`refuses ${what} in one line with code 2`, () => {
      assert.throws(
        () => read(text),
        (e: unknown) => {
          assert.ok(e instanceof CommandError);
          assert.match(e.message, message);
          assert.equal(e.message.includes('\n'), false);
          assert.equal(e.message.includes('hidden') || e.message.includes(KEY), false);
          return true;
        },
      );
    });

  it('wants credentials for the bucket', () => {
    assert.throws(() => read(GOOD, {}), /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/);
  });
});

describe('the config of workerd', () => {
  const wrangler = readWrangler(
    'name = "coracle"\nmain = "m.ts"\ncompatibility_date = "2026-11-17"\n[durable_objects]\nbindings = [{ name = "A", class_name = "B" }]\n',
  );
  const base = {
    wrangler,
    bundle: 'main.js',
    addresses: ['127.0.0.1:6443', '10.0.0.1:6443'],
    tls: { keyPem: 'key', certificatePem: 'certificate' },
    data: '/data',
    systemCas: true,
    texts: '/texts',
    vars: {},
  };
  it('has a cluster for an instance and none for a control plane alone, and never credentials', () => {
    const part = { ...read(GOOD).cluster, stopMs: 8_000 };
    const one = capnp({ ...base, cluster: part, control: '/run/control' });
    assert.match(one, /cluster = \(bucket = "s3:\/\/coracle\/prod\/eu"/);
    assert.match(one, /bucketOptions = \["aws_endpoint=https:\/\/s3\.example\.net", "aws_region=auto"\]/);
    assert.match(one, /stopTimeoutMs = 8000/);
    assert.match(one, /name = "control", address = "unix:\/run\/control"/);
    assert.equal(one.includes('hidden'), false);
    const alone = capnp(base);
    assert.equal(alone.includes('cluster = '), false);
    assert.equal(alone.includes('control'), false);
    assert.deepEqual(alone.match(/name = "https1?", address = "[^"]*"/g), [
      'name = "https", address = "127.0.0.1:6443"',
      'name = "https1", address = "10.0.0.1:6443"',
    ]);
  });
});
