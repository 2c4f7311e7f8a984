import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../ports.ts';
import { send, type Target } from './play.ts';

/** A running kube-apiserver with etcd. */
export interface Peer {
  target: Target;
  /** Of etcd and kube-apiserver. */
  pids: number[];
  stop(): Promise<void>;
}
/** kube-apiserver is ready in 4 s on an idle machine. */
const READY_MS = 120_000;
const BIN = join(process.env.WORK ?? join(homedir(), '.cache/conformance'), 'bin');

/**
 * Starts a real kube-apiserver with an empty etcd, on free ports and in a folder of its own, with an administrator and a user `alice` without rights.
 * Ends with this process at the latest. The programs (kube-apiserver, etcd-peer) are looked for in $WORK/bin, by default ~/.cache/conformance/bin.
 */
export async function startPeer(): Promise<Peer> {
  for (const program of ['kube-apiserver', 'etcd-peer']) {
    if (!existsSync(join(BIN, program))) throw new Error(`${join(BIN, program)} is missing`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'kube-peer-'));
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const file = (name: string, text: string | Buffer) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const key = file('sa.key', keys.privateKey.export({ type: 'pkcs1', format: 'pem' }));
  const tokens = 'peertoken,admin,admin,"system:masters"\nusertoken,alice,alice-uid,"devs"\n';
  const [clients, peers, api] = await freePorts(3);
  const children: ChildProcess[] = [];
  const start = (program: string, args: string[]) => {
    const log = openSync(join(folder, `${program}.log`), 'w');
    const child = spawn(join(BIN, program), args, { cwd: folder, stdio: ['ignore', log, log] });
    children.push(child);
    return child;
  };
  const kill = () => {
    for (const c of children) c.kill('SIGKILL');
  };
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    const ended = children.map((c) => c.exitCode ?? c.signalCode ?? new Promise((resolve) => c.once('exit', resolve)));
    kill();
    await Promise.all(ended);
    rmSync(folder, { recursive: true, force: true });
  };
  start('etcd-peer', [
    ...['--data-dir', 'etcd', '--log-level', 'error'],
    ...[
      '--listen-client-urls',
      `http://127.0.0.1:${clients}`,
      '--advertise-client-urls',
      `http://127.0.0.1:${clients}`,
    ],
    ...[
      '--listen-peer-urls',
      `http://127.0.0.1:${peers}`,
      '--initial-advertise-peer-urls',
      `http://127.0.0.1:${peers}`,
    ],
    ...['--initial-cluster', `default=http://127.0.0.1:${peers}`],
  ]);
  const server = start('kube-apiserver', [
    `--etcd-servers=http://127.0.0.1:${clients}`,
    `--secure-port=${api}`,
    '--bind-address=127.0.0.1',
    `--cert-dir=${folder}`,
    `--token-auth-file=${file('tokens.csv', tokens)}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--allow-privileged',
  ]);
  const target: Target = { url: `https://127.0.0.1:${api}`, tokens: { admin: 'peertoken', user: 'usertoken' } };
  const until = Date.now() + READY_MS;
  while (!(await ready(target))) {
    if (server.exitCode !== null || Date.now() > until) {
      const log = readFileSync(join(folder, 'kube-apiserver.log'), 'utf8').split('\n').slice(-20).join('\n');
      await stop();
      throw new Error(`kube-apiserver doesn't get ready:\n${log}`);
    }
    await sleep(100);
  }
  return { target, pids: children.map((c) => c.pid ?? 0), stop };
}

async function ready(target: Target): Promise<boolean> {
  try {
    return (await send(target, { method: 'GET', path: '/readyz' })).status === 200;
  } catch {
    // Nothing listens yet.
    return false;
  }
}
