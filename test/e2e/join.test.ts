import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Answer, call } from '../../cli/endpoint.ts';
import { JOIN_PATH } from '../../kube/wire/joining.ts';
import { type Fresh, startFresh } from './fresh.ts';
import { type Cable, layCable } from './machine.ts';
import { type System, startSystem } from './system.ts';

let cable: Cable;
let system: System;
let dir = '';
before(async () => {
  cable = await layCable(63);
  system = await startSystem(63, { node: false, host: cable.host });
  dir = await mkdtemp(join(tmpdir(), 'coracle-join-'));
});
after(async () => {
  await system?.close();
  await cable?.close();
  if (dir) await rm(dir, { recursive: true, force: true });
});

const line = async (...options: string[]) =>
  (await system.coracle('join-command', 'default', ...options)).stdout.trim();
const tokenOf = (text: string) => /CORACLE_TOKEN=(\S+)/.exec(text)?.[1] ?? '';
const credential = (token: string, node: string): Promise<Answer> =>
  call({ url: system.url, caPem: system.ca, token }, 'POST', JOIN_PATH, { metadata: { name: node } });

describe('a join token', () => {
  test('is a bootstrap token with which one may do nothing but join', async () => {
    const token = tokenOf(await line());
    assert.match(token, /^[a-z0-9]{6}\.[a-z0-9]{16}$/);
    const secret = ['get', 'secret', '-n', 'kube-system', `bootstrap-token-${token.slice(0, 6)}`];
    assert.equal(await system.kubectl(...secret, '-o', 'jsonpath={.type}'), 'bootstrap.kubernetes.io/token');
    const as = { url: system.url, caPem: system.ca, token };
    assert.equal((await call(as, 'GET', '/api/v1/nodes')).code, 403);
    assert.equal((await credential(token, 'one')).code, 201);
    assert.equal((await credential(token, 'Not A Name')).code, 400);
  });
  test('ends with its time, and is deleted when the next one is made', async () => {
    const token = tokenOf(await line('--ttl', '1s'));
    await delay(2_000);
    assert.equal((await credential(token, 'late')).code, 401);
    await line();
    const names = await system.kubectl('get', 'secrets', '-n', 'kube-system', '-o', 'name');
    assert.ok(!names.includes(token.slice(0, 6)), names);
  });
  test('that is another bootstrap token is none', async () => {
    const text = await system.kubectl(
      ...[
        'create',
        'secret',
        'generic',
        'bootstrap-token-abcdef',
        '-n',
        'kube-system',
        '-o',
        'yaml',
        '--dry-run=client',
      ],
      ...['--type=bootstrap.kubernetes.io/token', '--from-literal=token-id=abcdef'],
      ...['--from-literal=token-secret=0123456789abcdef', '--from-literal=usage-bootstrap-authentication=true'],
    );
    await writeFile(join(dir, 'secret.yaml'), text);
    await system.kubectl('apply', '-f', join(dir, 'secret.yaml'));
    const { code, body } = await credential('abcdef.0123456789abcdef', 'other');
    assert.deepEqual([code, body.message], [403, 'nodes "other" is forbidden: only join tokens may do this']);
  });
  test('gives nobody the place of a node that works', async () => {
    const token = tokenOf(await line());
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'busy' } };
    await writeFile(join(dir, 'node.json'), JSON.stringify(node));
    await system.kubectl('apply', '-f', join(dir, 'node.json'));
    assert.equal((await credential(token, 'busy')).code, 201, 'it does not work yet');
    const patch = { status: { conditions: [{ type: 'Ready', status: 'True' }] } };
    await system.kubectl('patch', 'node/busy', '--subresource=status', '-p', JSON.stringify(patch));
    const { code, body } = await credential(token, 'busy');
    assert.equal(code, 409);
    assert.match(String(body.message), /a node of this name is Ready$/);
  });
  test("a node's own credential is for its cluster alone", async () => {
    const given = await credential(tokenOf(await line()), 'mine');
    const { token } = given.body.status as { token: string };
    await system.coracle('cluster', 'create', 'elsewhere', '--output', join(dir, 'elsewhere'));
    const other = /server: (\S+)/.exec(await readFile(join(dir, 'elsewhere'), 'utf8'))?.[1] ?? '';
    assert.equal((await call({ url: system.url, caPem: system.ca, token }, 'GET', '/api/v1/nodes/mine')).code, 404);
    assert.equal((await call({ url: other, caPem: system.ca, token }, 'GET', '/api/v1/nodes/mine')).code, 401);
  });
});

test('coracle kubeconfig gives what cluster create gave, and a token of its own on demand', async () => {
  await system.coracle('cluster', 'create', 'kept', '--output', join(dir, 'kept'));
  const first = await readFile(join(dir, 'kept'), 'utf8');
  assert.equal((await system.coracle('kubeconfig', 'kept')).stdout, first);
  const own = (await system.coracle('kubeconfig', 'kept', '--new-token')).stdout;
  assert.notEqual(own, first);
  await writeFile(join(dir, 'own'), own);
  assert.match(await system.kubectl('--kubeconfig', join(dir, 'own'), 'auth', 'whoami'), /kubernetes-admin/);
  await system.coracle('cluster', 'delete', 'kept');
  const gone = await system.coracle('kubeconfig', 'kept').catch((e: { stderr: string; code: number }) => e);
  assert.match(gone.stderr, /clusters.tenancy.coracle.dev "kept" not found/);
});

describe('the script on a machine', () => {
  let machine: Fresh;
  let script = '';
  before(async () => {
    machine = await startFresh(cable, 2);
    script = join(dir, 'install.sh');
    const served = join(system.home, 'state/server/assets');
    await writeFile(script, await readFile(join(served, 'install.sh')));
    await writeFile(join(dir, 'ca.crt'), system.ca);
  });
  after(() => machine?.close());
  const state = '/var/lib/j';
  const tell = async (...args: string[]) => {
    const common = [
      '--state',
      state,
      '--server',
      system.url,
      '--ca-file',
      join(dir, 'ca.crt'),
      '--node',
      process.execPath,
    ];
    return machine.run('sh', [script, ...common, ...args]).catch((e: { stderr: string; code: number }) => e);
  };
  const left = async () => (await machine.run('find', ['/var/lib', '-name', 'coracle-node.js*'])).stdout;

  test('runs nothing that has another checksum', async () => {
    const name = /^BUNDLE=(\S+)$/m.exec(await readFile(script, 'utf8'))?.[1] ?? '';
    const bundle = gunzipSync(await readFile(join(system.home, 'state/server/assets/install', name)));
    const changed = Buffer.concat([Buffer.from('// another\n'), bundle]);
    await writeFile(join(dir, 'changed.js.gz'), gzipSync(changed));
    assert.notEqual(
      createHash('sha256').update(changed).digest('hex'),
      createHash('sha256').update(bundle).digest('hex'),
    );
    const { stderr } = await tell('--bundle', join(dir, 'changed.js.gz'));
    assert.match(stderr, /the node agent came with another checksum than expected: nothing of it was run\n$/);
    assert.equal(await left(), '');
  });
  test('trusts no server but the one whose CA it was given', async () => {
    await writeFile(join(dir, 'ca.crt'), await readFile(join(import.meta.dirname, '../../test/e2e/join.test.ts')));
    const { stderr } = await tell();
    assert.match(stderr, /could not fetch https:\/\/\S+\.js\.gz\n$/);
    assert.equal(await left(), '');
    await writeFile(join(dir, 'ca.crt'), system.ca);
  });
  test('says what is missing, and what is wrong', async () => {
    const cases: [string[], RegExp][] = [
      [[], /this machine has not joined \S+ as \S+ yet: --token TOKEN is needed\n$/],
      [
        ['--token', 'aaaaaa.0123456789abcdef'],
        /the token is not \(or no longer\) one of this cluster: coracle join-command gives another\n$/,
      ],
      [['--nonsense'], /Unknown option '--nonsense'/],
      [['--registries', '/nowhere'], /--registries \/nowhere can't be read/],
      [['--cri-socket', 'tcp://1'], /a path or a unix:\/\/ URL is needed/],
      [['--node', '/bin/true'], /--node \/bin\/true: not a Node.js 24 or newer\n$/],
    ];
    for (const [args, why] of cases) assert.match((await tell(...args)).stderr, why, args.join(' '));
    assert.deepEqual(
      (await machine.processes()).map((p) => p.command),
      [],
    );
  });
  test('--uninstall where nothing is does nothing', async () => {
    const { stderr } = await machine.run('sh', [
      script,
      '--uninstall',
      '--state',
      '/var/lib/none',
      '--node',
      process.execPath,
    ]);
    assert.equal(stderr, 'coracle: no node in /var/lib/none\n');
  });
});
