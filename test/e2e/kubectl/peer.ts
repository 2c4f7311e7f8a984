import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stop, waitFor, writePid } from '../../../cli/server/pid.ts';
import { mountsUnder } from '../../../node-agent/install/remove.ts';
import { SHARED, WORK } from './kubectls.ts';

// A real Kubernetes with one node on this machine: ../shared/bench/kube.sh's control plane, a kubelet on ../shared/conformance/runtime.sh's node 1.

const run = promisify(execFile);
const RUN = join(WORK, 'kubectl-peer');
const BIN = join(WORK, 'bin');
const PROGRAMS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'etcd-peer', 'kubectl'];
const READY_MS_MAX = 60_000;
const END_MS_MAX = 15_000;
/** Building all of Kubernetes' programs takes a quarter of an hour on two cores. */
const BUILD_MS_MAX = 3_600_000;
const env = { ...process.env, WORK, BIN, RUN };
const options = { env, maxBuffer: 1 << 26 };
const conformance = (script: string) => join(SHARED, 'conformance', script);

/** Where the real cluster's kubeconfig is, once it is up. */
export const PEER_KUBECONFIG = join(RUN, 'admin.kubeconfig');

/** Starts it; what is missing is built first. */
export async function startPeer(say: (line: string) => void): Promise<void> {
  say('programs (built once)');
  await run(conformance('build.sh'), PROGRAMS, { ...options, timeout: BUILD_MS_MAX });
  mkdirSync(join(RUN, 'kubelet'), { recursive: true, mode: 0o700 });
  say('a node of runtime.sh');
  await run(conformance('runtime.sh'), ['up', '1'], options);
  say('etcd, kube-apiserver, controllers, scheduler');
  // Names of nodes don't resolve.
  const flags = '--kubelet-preferred-address-types=InternalIP';
  await detached('kube.sh', join(SHARED, 'bench/kube.sh'), ['start', 'etcd', 'full'], {
    ...env,
    APISERVER_FLAGS: flags,
  });
  await startKubelet();
  const kubectl = (...args: string[]) => run(join(BIN, 'kubectl'), ['--kubeconfig', PEER_KUBECONFIG, ...args], options);
  await waitFor(`the node to be ready (log: ${RUN}/kubelet/log)`, READY_MS_MAX, async () => {
    const { stdout } = await kubectl('get', 'nodes').catch(() => ({ stdout: '' }));
    return / Ready /.test(stdout);
  });
  // cluster-info names it.
  writeFileSync(join(RUN, 'dns.json'), JSON.stringify(DNS_SERVICE));
  await kubectl('apply', '-f', join(RUN, 'dns.json'));
}

const DNS_SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'kube-dns',
    namespace: 'kube-system',
    labels: { 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
  },
  spec: { clusterIP: '10.96.0.10', ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] },
};

async function startKubelet(): Promise<void> {
  const { stdout } = await run(conformance('runtime.sh'), ['env', '1'], options);
  const s = Object.fromEntries(
    stdout
      .trim()
      .split(' ')
      .map((word) => word.split('=', 2) as [string, string]),
  );
  const dir = join(RUN, 'kubelet');
  const kubeconfig = readFileSync(PEER_KUBECONFIG, 'utf8');
  writeFileSync(join(dir, 'kubeconfig'), kubeconfig, { mode: 0o600 });
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: s.CGROUP_ROOT,
    failCgroupV1: false,
    containerRuntimeEndpoint: s.CRI_SOCKET,
    clusterDNS: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    resolvConf: s.RESOLV_CONF,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    failSwapOn: false,
    enforceNodeAllocatable: [],
    oomScoreAdj: 0,
    podLogsDir: join(dir, 'logs'),
    evictionHard: { 'memory.available': '10Mi' },
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  const log = openSync(join(dir, 'log'), 'a', 0o600);
  const flags = {
    config: join(dir, 'config.json'),
    kubeconfig: join(dir, 'kubeconfig'),
    'root-dir': join(dir, 'root'),
    'cert-dir': join(dir, 'pki'),
    'hostname-override': s.NODE_NAME,
    'node-ip': s.NODE_IP,
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const child = spawn(join(BIN, 'kubelet'), args, { env, stdio: ['ignore', log, log], detached: true });
  child.unref();
  writePid(join(RUN, 'kubelet.own'), child.pid ?? 0);
}

/** Ends it and takes away what it left; silent when nothing is there. */
export async function stopPeer(): Promise<void> {
  await stop(join(RUN, 'kubelet.own'), END_MS_MAX);
  // The API server first, while it has its etcd: without it, its end takes minutes.
  await stopApiServer();
  await detached('kube.sh', join(SHARED, 'bench/kube.sh'), ['stop'], env).catch(() => undefined);
  await run(conformance('runtime.sh'), ['down'], options);
  for (const path of mountsUnder(readFileSync('/proc/self/mountinfo', 'utf8'), [RUN]))
    await run('umount', ['-l', path]);
  rmSync(RUN, { recursive: true, force: true });
}

/** kube.sh's pid files have no more than the pid. */
async function stopApiServer(): Promise<void> {
  const path = join(RUN, 'api.pid');
  const pid = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
  if (pid > 0) writePid(`${path}.own`, pid);
  await stop(`${path}.own`, END_MS_MAX);
}

/** A script whose children hold its outputs open after its end: they get a file. */
function detached(name: string, script: string, args: string[], with_: NodeJS.ProcessEnv): Promise<void> {
  const log = openSync(join(RUN, `${name}.log`), 'a', 0o600);
  return new Promise((resolve, reject) => {
    const child = spawn(script, args, { env: with_, stdio: ['ignore', log, log] });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${name} ${args[0]}: exit code ${code}`))));
  });
}
