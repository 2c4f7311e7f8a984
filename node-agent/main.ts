import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { sleep } from '../kube/meta/env.ts';
import type { KubeObject } from '../kube/meta/object.ts';
import { apiService, dnsService } from '../kube/wire/clusteraddresses.ts';
import type { Dial } from '../kube/wire/messages.ts';
import { type Api, createApi } from './api.ts';
import { machineEnv } from './env.ts';
import { followNetwork, type NetworkFeeds } from './feed/network.ts';
import { runFront } from './front/start.ts';
import { noteBefore } from './install/before.ts';
import { importPause, OWN_SANDBOX_IMAGE } from './install/pause.ts';
import { prepare } from './install/prepare.ts';
import type { NodeFacts } from './kubelet/container.ts';
import { ctrImageMounts } from './kubelet/imagevolumes.ts';
import { Kubelet } from './kubelet/kubelet.ts';
import { keepLease, keepNode, type NodeSources, ownNode, reportNode } from './kubelet/node.ts';
import { tellSchedulable } from './kubelet/schedulable.ts';
import { followRoutes } from './network/cni/follow.ts';
import { kernelLinks, vxlanDevice } from './network/cni/links.ts';
import { clusterRanges } from './network/cni/ranges.ts';
import { runDns } from './network/dns/start.ts';
import { heldAddresses, heldDevice } from './network/held.ts';
import { serveServices } from './network/proxy/start.ts';
import { Reach } from './network/reach.ts';
import { serviceRange } from './network/servicerange.ts';
import { connectCri } from './runtime/cri.ts';
import type { ImageStore, Runtime } from './runtime/runtime.ts';
import { beforeFile, podsCgroup, readSettings, type Settings } from './settings.ts';
import { keepSmall } from './trim.ts';
import { keepControl, type Link } from './tunnel/control.ts';
import { serveExec } from './tunnel/exec.ts';
import { serveLog } from './tunnel/log.ts';
import { servePortForward } from './tunnel/portforward.ts';
import { serveProxy } from './tunnel/proxy.ts';

// An agent makes little garbage and lives for months: its young generation stays small instead of growing to 32 MiB with the first burst.
setFlagsFromString('--semi-space-growth-factor=1');

/** Made here and nowhere else in the agent. */
const env = machineEnv((level, event, fields) => {
  if (level === 'debug' && !process.env.CORACLE_DEBUG) return;
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...fields })}\n`);
});

/** What still goes on this long after SIGTERM is left. */
const STOP_MS_MAX = 800;

/** A pod's first container waits no longer for Services to be known, then it is tried again. */
const SERVICES_MS_MAX = 3_000;

/** What a Node's status says beside what the runtime does. */
function nodeSources(kubelet: Kubelet, images: ImageStore): NodeSources {
  return {
    images: () => images.listImages(),
    imageChanges: () => kubelet.imageChanges,
    pressures: () => kubelet.evictor.pressures,
    tell: (type, reason, message) => kubelet.events.tellNode(type, reason, message),
  };
}

/** Services as pods find them in their environment. */
const servicesOf = (feed: NetworkFeeds['services']) => async (patient: boolean) => {
  if (!feed.synced && patient) await Promise.race([feed.ready, sleep(env, SERVICES_MS_MAX)]);
  if (!feed.synced) return undefined;
  return [...feed.items.values()].map((s) => ({ ...s, clusterIP: s.clusterIPs[0] ?? '' }));
};

function nodeFacts(s: Settings, range: string): NodeFacts {
  const lines = readFileSync(s.resolvConf, 'utf8')
    .split('\n')
    .map((l) => l.trim().split(/\s+/));
  const all = (word: string) => lines.filter((l) => l[0] === word).flatMap((l) => l.slice(1));
  return {
    logRoot: s.logDir,
    cgroupParent: podsCgroup(s),
    dns: { ...s.dns, servers: s.dns.servers.length > 0 || !s.services ? s.dns.servers : [dnsService(range).address] },
    hostDns: { servers: all('nameserver'), searches: all('search'), options: all('options') },
  };
}

function dialer(api: Api, kubelet: Kubelet, runtime: Runtime, facts: NodeFacts) {
  const serve = {
    log: () => serveLog,
    exec: () => serveExec,
    attach: () => serveExec,
    portforward: () => servePortForward,
    proxy: () => serveProxy,
  };
  return (dial: Dial): void => {
    const handler = serve[dial.kind]();
    const done = handler({ api, kubelet, runtime, logRoot: facts.logRoot, env }, dial);
    done.catch((error: unknown) =>
      env.log('warn', 'stream.failed', { kind: dial.kind, pod: dial.pod, error: String(error) }),
    );
  };
}

/** The machine's container runtime: the one that is there, else a containerd of our own, which ends with us. */
async function runtimeOf(s: Settings): Promise<{ socket: string; stop(): Promise<void> }> {
  if (s.criSocket !== undefined) return { socket: s.criSocket, stop: async () => undefined };
  const { containerd } = await prepare({
    rootDir: join(s.stateDir, 'containerd'),
    stateDir: s.runDir,
    network: { name: s.bridge, podCidrs: s.podCIDRs, dataDir: join(s.stateDir, 'cni'), masquerade: !s.proxy },
    sandboxImage: OWN_SANDBOX_IMAGE,
    mirrors: s.mirrors,
    ...(s.registries ? { registries: s.registries } : {}),
    progress: (line) => env.log('info', 'prepare', { line }),
  });
  await importPause(containerd.socket, s.runDir);
  return containerd;
}

/** The settings with the pod ranges that the cluster gives a node which has none of its own. */
async function withRanges(s: Settings, api: Api): Promise<Settings> {
  if (s.podCIDRs.length > 0) return s;
  const node = { name: s.node, addresses: s.addresses, labels: s.labels, taints: [], podCIDRs: [] };
  const own = async () => (await ownNode(api, node)) as unknown as KubeObject;
  return { ...s, podCIDRs: await clusterRanges(own, join(s.stateDir, 'cni', 'ranges.json'), env) };
}

/** What of the network needs no container runtime: it begins at once, so that Services and DNS are there when pods are. */
function startNetwork(
  s: Settings,
  api: Api,
  range: string,
  signal: AbortSignal,
): { feeds: NetworkFeeds; done: Promise<unknown> } {
  const { feeds, done } = followNetwork(api, env, signal);
  const held = heldAddresses(heldDevice(s.bridge));
  const kept = held.keep(env, signal);
  const { resolvConf, podCIDRs, addresses } = s;
  const nothing = Promise.resolve();
  const dns = s.services
    ? runDns({ feeds, domain: s.dns.domain, address: dnsService(range).address, resolvConf, held, env, signal })
    : nothing;
  const own = { api, node: s.node, podCIDRs, reach: new Reach(), env };
  const proxy = s.proxy ? serveServices({ ...own, feeds }, signal) : nothing;
  const links = kernelLinks(vxlanDevice(s.bridge), join(s.stateDir, 'cni', 'routes.json'));
  // Who brought the runtime brought its pod network too.
  const routes =
    s.criSocket === undefined ? followRoutes({ ...own, nodes: feeds.nodes, links, addresses }, signal) : nothing;
  const file = join(s.stateDir, 'serving', 'tls.json');
  const front = s.services
    ? runFront({ api, domain: s.dns.domain, service: apiService(range), file, held, env, signal })
    : nothing;
  for (const [what, p] of Object.entries({ proxy, routes }))
    p.catch((error: unknown) => env.log('error', `${what}.ended`, { error: String(error) }));
  return { feeds, done: Promise.all([done, kept, dns, proxy, routes, front]) };
}

async function main(settingsPath: string): Promise<void> {
  const given = readSettings(settingsPath);
  const { url, tokenFile, caFile } = given;
  const api = createApi({ url, tokenFile, ...(caFile ? { caFile } : {}) });
  const s = await withRanges(given, api);
  await noteBefore(beforeFile(s), { pods: podsCgroup(s), logDir: s.logDir });
  await mkdir(s.logDir, { recursive: true });
  const stop = new AbortController();
  const range = await serviceRange(api, join(s.stateDir, 'cni', 'services.json'), env);
  const network = startNetwork(s, api, range, stop.signal);
  const machine = await runtimeOf(s);
  const { runtime, images } = connectCri(machine.socket);
  const facts = nodeFacts(s, range);
  const kubelet = new Kubelet({
    api,
    runtime,
    images,
    node: facts,
    name: s.node,
    root: s.stateDir,
    hostIPs: s.addresses,
    pressureSeconds: s.pressureSeconds,
    services: servicesOf(network.feeds.services),
    ...(s.staticPods ? { staticPods: s.staticPods } : {}),
    imageMounts: ctrImageMounts(machine.socket, runtime),
    env,
  });
  tellSchedulable(network.feeds.nodes, s.node, (...told) => kubelet.events.tellNode(...told));
  const settings = { addresses: s.addresses, labels: s.labels, taints: [], podCIDRs: s.podCIDRs, root: s.stateDir };
  const node = { name: s.node, ...settings };
  const sources = nodeSources(kubelet, images);
  const link: Link = { heardMs: 0 };
  const control = keepControl(
    api,
    s.node,
    {
      dial: dialer(api, kubelet, runtime, facts),
      wake: () => undefined,
      back: () => {
        api.reset();
        void reportNode(api, runtime, node, env, sources).catch((error) =>
          env.log('warn', 'node.status.failed', { error: String(error) }),
        );
      },
    },
    env,
    stop.signal,
    link,
  );
  const report = keepNode(api, runtime, node, env, sources, stop.signal);
  const lease = keepLease(api, s.node, link, env, stop.signal);
  const pods = kubelet.run();
  const small = keepSmall(env, stop.signal);
  env.log('info', 'agent.started', { node: s.node, url: s.url });
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  env.log('info', 'agent.stopping');
  stop.abort();
  // Nothing here has to be finished: the next agent goes on from what the runtime and the disk say.
  const ended = kubelet.stop().then(() => Promise.all([control, report, lease, pods, network.done, small]));
  await Promise.race([ended, sleep(env, STOP_MS_MAX)]);
  runtime.close();
  await machine.stop();
}

const path = process.argv[2];
if (path === undefined || path === '--help') {
  console.error('usage: main.ts SETTINGS.json: runs this machine as a node until SIGTERM; pods go on running');
  process.exit(path === undefined ? 2 : 0);
}
main(path).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(`coracle agent: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
