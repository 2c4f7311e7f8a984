import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { freePorts } from '../ports.ts';
import { findKubectl } from './system.ts';

const run = promisify(execFile);

it('a control plane that comes back on another port keeps its clusters, and one that runs is not moved', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'coracle-moved-'));
  const env = { ...process.env, CORACLE_HOME: home, HOME: home, KUBECONFIG: join(home, 'kubeconfig') };
  const coracle = (...args: string[]) => run(join(import.meta.dirname, '../../coracle'), args, { env });
  t.after(async () => {
    await coracle('down');
    await rm(home, { recursive: true, force: true });
  });
  const kubectl = (await findKubectl()) ?? 'kubectl';
  const [first = '', second = ''] = (await freePorts(2)).map(String);
  await coracle('up', '--no-node', '--port', first);
  await run(kubectl, ['create', 'configmap', 'kept'], { env });
  await assert.rejects(coracle('up', '--no-node', '--port', second), (e: { code?: number; stderr?: string }) => {
    assert.equal(e.code, 1);
    assert.match(e.stderr ?? '', new RegExp(`runs on https://127.0.0.1:${first} already; coracle down ends it\n$`));
    return true;
  });
  await coracle('down');
  await coracle('up', '--no-node', '--port', second);
  const { stdout } = await run(kubectl, ['get', 'configmap', 'kept', '-o', 'name'], { env });
  assert.equal(stdout, 'configmap/kept\n');
});
