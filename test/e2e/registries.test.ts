import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { localTls } from '../../cli/server/certificates.ts';
import { busyboxImage, type TestImage } from '../../node-agent/runtime/testing/image.ts';
import { freePort } from '../ports.ts';
import { type System, startSystem } from './system.ts';

const run = promisify(execFile);
const PROGRAM = '/usr/bin/docker-registry';
const [USER, PASSWORD] = ['puller', 's3cret'];
/** crypt(3) of the password: docker-registry takes bcrypt alone. */
const PASSWORD_HASH = '$2b$05$saltsaltsaltsaltsaltsO92IY0PiCUbu1FBI8L/kVq28CWPFAIWy';
const BASIC = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
const START_MS_MAX = 20_000;

/** docker-registry over TLS with a CA of its own, and a password. */
interface Private {
  host: string;
  caFile: string;
  push(image: TestImage): Promise<void>;
  close(): Promise<void>;
}

async function startPrivate(): Promise<Private> {
  const dir = await mkdtemp(join(tmpdir(), 'coracle-registry-'));
  const tls = await localTls(join(dir, 'tls'), ['localhost', '127.0.0.1']);
  const port = await freePort();
  await writeFile(join(dir, 'htpasswd'), `${USER}:${PASSWORD_HASH}\n`);
  await writeFile(
    join(dir, 'config.yml'),
    JSON.stringify({
      version: '0.1',
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: join(dir, 'data') } },
      http: {
        addr: `127.0.0.1:${port}`,
        secret: 'x',
        tls: { certificate: join(dir, 'tls/server.crt'), key: join(dir, 'tls/server.key') },
      },
      auth: { htpasswd: { realm: 'coracle', path: join(dir, 'htpasswd') } },
    }),
  );
  const child = spawn(PROGRAM, ['serve', join(dir, 'config.yml')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (b: Buffer) => {
    said += b;
  });
  const ask = (method: string, path: string, body?: Uint8Array, type = 'application/octet-stream') =>
    send(`https://127.0.0.1:${port}${path}`, tls.caPem, method, body, type);
  const close = async () => {
    await end(child);
    await rm(dir, { recursive: true, force: true });
  };
  for (const until = Date.now() + START_MS_MAX; ; await delay(50)) {
    if ((await ask('GET', '/v2/').catch(() => null))?.code === 200) break;
    if (Date.now() < until && child.exitCode === null) continue;
    await close();
    throw new Error(`docker-registry: ${said}`);
  }
  return {
    host: `127.0.0.1:${port}`,
    caFile: join(dir, 'tls/ca.crt'),
    async push({ repository, tag, blobs, manifest }) {
      for (const blob of blobs) {
        const { location } = await ask('POST', `/v2/${repository}/blobs/uploads/`);
        const at = new URL(location, `https://127.0.0.1:${port}`);
        at.searchParams.set('digest', `sha256:${createHash('sha256').update(blob).digest('hex')}`);
        assert.equal((await ask('PUT', at.pathname + at.search, blob)).code, 201);
      }
      const type = 'application/vnd.oci.image.manifest.v1+json';
      assert.equal((await ask('PUT', `/v2/${repository}/manifests/${tag}`, manifest, type)).code, 201);
    },
    close,
  };
}

function send(
  url: string,
  ca: string,
  method: string,
  body: Uint8Array | undefined,
  type: string,
): Promise<{ code: number; location: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: BASIC, 'content-type': type, 'content-length': body?.length ?? 0 };
    const r = request(url, { method, ca, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, location: answer.headers.location ?? '' }));
    });
    r.on('error', reject);
    r.end(body);
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((r) => child.once('exit', r));
  child.kill('SIGKILL');
  await over;
}

describe('a private registry with a password and a CA of its own', {
  skip: !existsSync(PROGRAM) && `no ${PROGRAM}`,
}, () => {
  let registry: Private;
  let system: System;
  let file = '';
  let words: string[];
  before(async () => {
    registry = await startPrivate();
    await registry.push(busyboxImage('team/busybox', '1', { cmd: ['sh'] }));
    await registry.push(busyboxImage('hub/library/busybox', '1', { cmd: ['sh'] }));
    const dir = await mkdtemp(join(tmpdir(), 'coracle-registries-'));
    file = join(dir, 'registries.yaml');
    await writeFile(
      file,
      `mirrors:
  plain.test:
    endpoint: ["https://${registry.host}"]
  docker.io:
    endpoint: ["https://${registry.host}"]
    rewrite:
      "^library/(.*)": "hub/library/$1"
  # What isn't named anywhere.
  "*":
    endpoint: ["https://${registry.host}"]
configs:
  "${registry.host}":
    auth: { username: ${USER}, password: ${PASSWORD} }
    tls: { ca_file: ${registry.caFile} }
`,
    );
    words = ['--registries', file];
    system = await startSystem(62, { up: words });
  });
  after(async () => {
    await system?.close();
    await registry?.close();
    if (file) await rm(join(file, '..'), { recursive: true, force: true });
  });

  const cases: [name: string, pod: string, image: () => string][] = [
    ['is pulled from by its own name', 'own', () => `${registry.host}/team/busybox:1`],
    ['stands in for another', 'mirrored', () => 'plain.test/team/busybox:1'],
    ['stands in for Docker Hub under other names', 'rewritten', () => 'busybox:1'],
    ['stands in for those that nobody named', 'any', () => 'other.test:5000/team/busybox:1'],
  ];
  for (const [name, pod, image] of cases)
    test(name, async () => {
      const about = ['--restart=Never', '--image-pull-policy=Always', `--image=${image()}`];
      await system.kubectl('run', pod, ...about, '--', 'true');
      await system.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', `pod/${pod}`, '--timeout=60s');
    });

  test('a file that says what is not carried out is refused with a line, and the node stays as it was', async () => {
    await writeFile(`${file}.bad`, 'mirrors: { r.io: { endpoint: ["https://x"], weight: 3 } }\n');
    const refused = await system.coracle('up', '--registries', `${file}.bad`).catch((e: { stderr: string }) => e);
    assert.match(refused.stderr, /^coracle: .*"weight" \(at registries\.mirrors\.r\.io\.weight\)$/m);
    assert.equal((await system.kubectl('get', 'nodes', '-o', 'name')).trim(), 'node/node-62');
  });

  test('passwords are for root alone', async () => {
    // Network namespaces of pods are files that can't be read.
    const { stdout } = await run('grep', ['-rls', PASSWORD, system.home]).catch((e: { stdout: string }) => e);
    assert.match(stdout, /agent\.json\n/);
    const open: string[] = [];
    for (const path of stdout.trim().split('\n')) {
      const mode = (await run('stat', ['-c', '%a', path])).stdout.trim();
      if (!mode.endsWith('00')) open.push(`${path} ${mode}`);
    }
    assert.deepEqual(open, []);
    assert.ok((await readFile(file, 'utf8')).includes(PASSWORD));
  });
});
