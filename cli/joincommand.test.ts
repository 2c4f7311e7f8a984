import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { endpointFor, joinLine, spkiHash } from './joincommand.ts';
import { makeCa } from './server/certificates.ts';

const URL = 'https://10.0.0.1:6443/clusters/abc';
const TOKEN = 'abcdef.0123456789abcdef';

test("the hash of a CA is kubeadm's: of its public key", async () => {
  const dir = mkdtempSync(join(tmpdir(), 'coracle-'));
  try {
    await makeCa(dir);
    const file = join(dir, 'ca.crt');
    const key = execFileSync('openssl', ['x509', '-in', file, '-noout', '-pubkey']);
    const der = execFileSync('openssl', ['pkey', '-pubin', '-outform', 'DER'], { input: key });
    const sum = execFileSync('sha256sum', { input: der }).toString().split(' ')[0];
    assert.equal(spkiHash(readFileSync(file, 'utf8')), sum);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

describe('the endpoint as another machine reaches it', () => {
  const at = (host: string) => ({ host, port: 6443 });
  const cases: [name: string, known: string, said: string | undefined, listens: string[], found: string | null][] = [
    ['is what is said', 'https://127.0.0.1:6443', 'https://k8s.example.net/', [], 'https://k8s.example.net'],
    ['is the one that is known', 'https://10.0.0.9:6443', undefined, ['127.0.0.1'], 'https://10.0.0.9:6443'],
    [
      'is a further address that is listened on',
      'https://127.0.0.1:6443',
      undefined,
      ['127.0.0.1', '10.0.0.5'],
      'https://10.0.0.5:6443',
    ],
    [
      'is an address of the machine where all are',
      'https://127.0.0.1:6443',
      undefined,
      ['0.0.0.0'],
      'https://10.0.0.1:6443',
    ],
    ['has brackets around IPv6', 'https://[::1]:6443', undefined, ['::1', 'fd00::5'], 'https://[fd00::5]:6443'],
    ['is none where only this machine reaches it', 'https://localhost:6443', undefined, ['127.0.0.1'], null],
  ];
  for (const [name, known, said, listens, found] of cases)
    test(name, () => assert.equal(endpointFor(known, said, listens.map(at), ['fd00::1', '10.0.0.1']), found));
});

test('words that a shell would read otherwise are no part of the line', () => {
  for (const url of ["https://h/clusters/a'b", 'https://h/clusters/$(x)', 'https://h/clusters/a;b'])
    assert.throws(() => joinLine({ url, token: TOKEN, caHash: '00' }), /can't stand in a command/);
});

describe('the line, run by a shell with a curl that plays the endpoint', () => {
  let dir = '';
  let good = '';
  let evil = '';
  let hash = '';
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'coracle-'));
    await makeCa(join(dir, 'good'));
    await makeCa(join(dir, 'evil'));
    good = readFileSync(join(dir, 'good/ca.crt'), 'utf8');
    evil = readFileSync(join(dir, 'evil/ca.crt'), 'utf8');
    hash = spkiHash(good);
    // Gives $CA for the CA, and a script that tells which CA it was fetched with.
    writeFileSync(
      join(dir, 'curl'),
      `#!/bin/sh
echo "$*" >>${dir}/calls
case "$*" in
  *ca.crt) [ -s ${dir}/served ] || exit 22; cat ${dir}/served ;;
  *)
    while [ $# -gt 0 ]; do case $1 in --cacert) ca=$2 ;; -o) out=$2 ;; esac; shift; done
    { [ -z "$ca" ] || sed 's/^/# /' "$ca"; echo 'echo "ran $CORACLE_TOKEN $*"; echo "with $(grep -c ^#.*BEGIN "$0")"'; } >"$out" ;;
esac
`,
    );
    chmodSync(join(dir, 'curl'), 0o755);
  });
  after(() => rmSync(dir, { recursive: true }));

  /** What the line does where the endpoint serves this as its CA. */
  function paste(served: string, line: string, ...more: string[]): { out: string; calls: string } {
    writeFileSync(join(dir, 'served'), served);
    writeFileSync(join(dir, 'calls'), '');
    let out = '';
    try {
      out = execFileSync('sh', ['-c', `${line} ${more.join(' ')} 2>&1`], {
        env: { ...process.env, PATH: `${dir}:${process.env.PATH}`, TMPDIR: dir },
      }).toString();
    } catch (e) {
      out = `failed: ${(e as { stdout: Buffer }).stdout}`;
    }
    return { out, calls: readFileSync(join(dir, 'calls'), 'utf8') };
  }
  const line = () => joinLine({ url: URL, token: TOKEN, caHash: hash });

  test('runs the script with token, URL and what is added', () => {
    const { out, calls } = paste(good, line(), '--node-name', 'n1');
    assert.match(
      out,
      /^ran abcdef\.0123456789abcdef --server \S+\/clusters\/abc --ca-file \S+\/ca\.crt --node-name n1\n/,
    );
    assert.match(calls, /-fsSk https:\/\/10\.0\.0\.1:6443\/install\/ca\.crt\n/);
    assert.match(calls, /--cacert \S+\/ca\.crt -o \S+ https:\/\/10\.0\.0\.1:6443\/install\.sh\n/);
  });
  test('runs and fetches nothing where the CA is another', () => {
    const { out, calls } = paste(evil, line());
    assert.match(
      out,
      /^failed: coracle: https:\/\/10\.0\.0\.1:6443 shows another CA than this command names: nothing of it was run\n$/,
    );
    assert.doesNotMatch(calls, /install\.sh/);
  });
  test('trusts no certificate that comes behind the right one', () => {
    assert.match(paste(`${good}\n${evil}`, line()).out, /with 1\n/);
    assert.match(paste(`${evil}\n${good}`, line()).out, /^failed/);
  });
  test('runs nothing where there is no CA, or none that can be read', () => {
    for (const served of ['', 'hello']) {
      const { out, calls } = paste(served, line());
      assert.match(out, /^failed/);
      assert.doesNotMatch(calls, /install\.sh/);
    }
  });
  test('checks the certificate as any client does where the CA is a public one', () => {
    const { out, calls } = paste(evil, joinLine({ url: URL, token: TOKEN }));
    assert.match(out, /^ran/);
    // An option stands behind a blank: the folder's name is random, and "-k" can be in it.
    assert.doesNotMatch(calls, / -\w*k|ca\.crt|--cacert/);
  });
});
