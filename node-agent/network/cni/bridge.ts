import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What pods on one machine are connected with: a bridge, addresses from one range per IP family, host ports. */
export interface PodNetwork {
  /** The CNI network's name; also names its host-local state and the comments of its iptables rules. */
  name: string;
  /** At most 15 characters (IFNAMSIZ). */
  bridge: string;
  /** The node's pod ranges, one per family: `10.244.3.0/24`, `fd00:10:244:3::/64`. */
  podCidrs: string[];
  /** Absent: the bridge's own default. */
  mtu?: number;
  /** Where host-local keeps which address is taken. */
  dataDir: string;
  /** This machine drops forwarded packets by default (Docker and ufw set that): each pod's need a rule that lets them. */
  forwardDropped?: boolean;
}

/** The CNI configuration list (spec 0.4.0, which every plugin release since 0.8 reads) of a pod network. */
export function cniConfList(n: PodNetwork): object {
  const anywhere = n.podCidrs.map((c) => ({ dst: c.includes(':') ? '::/0' : '0.0.0.0/0' }));
  return {
    cniVersion: '0.4.0',
    name: n.name,
    plugins: [
      {
        type: 'bridge',
        bridge: n.bridge,
        isGateway: true,
        ipMasq: true,
        // A pod must reach itself through its own Service.
        hairpinMode: true,
        ...(n.mtu === undefined ? {} : { mtu: n.mtu }),
        ipam: {
          type: 'host-local',
          dataDir: n.dataDir,
          ranges: n.podCidrs.map((subnet) => [{ subnet }]),
          routes: anywhere,
        },
      },
      ...(n.forwardDropped ? [{ type: 'firewall' }] : []),
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ],
  };
}

/** True when the kernel's forward chain drops what no rule accepts. */
export async function forwardDropped(): Promise<boolean> {
  const rules = await run('iptables', ['-w', '-S', 'FORWARD']).catch(() => null); // no iptables: nothing set it so
  return rules?.stdout.startsWith('-P FORWARD DROP') ?? false;
}

/** Writes the network's configuration as the only one in `confDir`; containerd takes it up by itself. */
export async function writePodNetwork(confDir: string, n: PodNetwork): Promise<void> {
  await mkdir(confDir, { recursive: true });
  await mkdir(n.dataDir, { recursive: true });
  await writeFile(join(confDir, '10-pods.conflist'), `${JSON.stringify(cniConfList(n), null, 2)}\n`);
}

/** The `-D` form of each iptables rule in `saved` (`iptables -S`) that names the network; its chains after them. */
export function leftoverRules(saved: string, network: string): string[][] {
  const rules: string[][] = [];
  const chains: string[][] = [];
  for (const line of saved.split('\n')) {
    if (!line.startsWith('-A ') || !line.includes(`name: \\"${network}\\"`)) continue;
    const words = (line.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? []).map((w) =>
      w.startsWith('"') ? w.slice(1, -1).replace(/\\(.)/g, '$1') : w,
    );
    rules.push(['-D', ...words.slice(1)]);
    const chain = words[words.indexOf('-j') + 1];
    if (words.includes('-j') && chain?.startsWith('CNI-')) chains.push(['-F', chain], ['-X', chain]);
  }
  return [...rules, ...chains];
}

/**
 * Takes away what pods that were never torn down left behind: the network's iptables rules, the bridge and the address
 * state. Only for a network without running pods.
 */
export async function removePodNetwork(n: PodNetwork): Promise<void> {
  for (const tables of ['iptables', 'ip6tables']) {
    const saved = await run(tables, ['-w', '-t', 'nat', '-S']).then(
      (r) => r.stdout,
      () => '', // no iptables here, so it holds no rules
    );
    for (const args of leftoverRules(saved, n.name)) {
      await run(tables, ['-w', '-t', 'nat', ...args]).catch(() => undefined); // gone already: as wanted
    }
  }
  await run('ip', ['link', 'delete', n.bridge]).catch(() => undefined); // no pod ever ran: no bridge
  await rm(n.dataDir, { recursive: true, force: true });
}
