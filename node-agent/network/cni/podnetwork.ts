import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How pods of one machine are attached: each by a pair of interfaces of its own, addresses from one range per IP family, host ports. */
export interface PodNetwork {
  /** The CNI network's name; also names its host-local state and the comments of its iptables rules. */
  name: string;
  /** The node's pod ranges, one per family: `10.244.3.0/24`, `fd00:10:244:3::/64`. */
  podCidrs: string[];
  /** Absent: the interfaces' own default. */
  mtu?: number;
  /** Where host-local keeps which address is taken. */
  dataDir: string;
  /** The plugin hides pods behind the node's address by itself. Absent: the packet filter does (network/proxy), which knows all nodes' pods. */
  masquerade?: boolean;
}

/**
 * The CNI configuration list (spec 0.4.0, which every plugin release since 0.8 reads) of a pod network. Pods aren't bridged but routed, each over its
 * own pair of interfaces: all that they send to one another passes the packet filter, whatever kernel modules there are (ADR 34).
 */
export function cniConfList(n: PodNetwork): object {
  const anywhere = n.podCidrs.map((c) => ({ dst: c.includes(':') ? '::/0' : '0.0.0.0/0' }));
  return {
    cniVersion: '0.4.0',
    name: n.name,
    plugins: [
      {
        type: 'ptp',
        ipMasq: n.masquerade ?? false,
        ...(n.mtu === undefined ? {} : { mtu: n.mtu }),
        ipam: {
          type: 'host-local',
          dataDir: n.dataDir,
          ranges: n.podCidrs.map((subnet) => [{ subnet }]),
          routes: anywhere,
        },
      },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ],
  };
}

/**
 * What lets packets of pods through a kernel that forwards nothing without a rule (Docker and ufw set that): those of the node's pods, and those that Services
 * sent on. By iptables, for no other table can take back what one drops.
 */
export function forwardRules(n: PodNetwork, family: 'ip' | 'ip6'): string[][] {
  const comment = ['-m', 'comment', '--comment', `name: "${n.name}"`, '-j', 'ACCEPT'];
  const own = n.podCidrs.filter((c) => c.includes(':') === (family === 'ip6'));
  if (own.length === 0) return [];
  return [
    ...own.flatMap((c) => [
      ['-s', c, ...comment],
      ['-d', c, ...comment],
    ]),
    ['-m', 'conntrack', '--ctstate', 'DNAT', ...comment],
  ];
}

const TABLES = { ip: 'iptables', ip6: 'ip6tables' } as const;

/** Adds these rules where forwarded packets are dropped by default; true if they are. */
export async function allowForwarding(n: PodNetwork): Promise<boolean> {
  let dropped = false;
  for (const [family, tables] of Object.entries(TABLES) as ['ip' | 'ip6', string][]) {
    const rules = await run(tables, ['-w', '-S', 'FORWARD']).catch(() => null); // no iptables: nothing set it so
    if (!rules?.stdout.startsWith('-P FORWARD DROP')) continue;
    dropped = true;
    for (const rule of forwardRules(n, family)) {
      await run(tables, ['-w', '-C', 'FORWARD', ...rule]).catch(() => run(tables, ['-w', '-I', 'FORWARD', ...rule]));
    }
  }
  return dropped;
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
 * Takes away what pods that were never torn down left behind: the network's iptables rules and the address state. Only for a network without running pods.
 */
export async function removePodNetwork(n: PodNetwork): Promise<void> {
  for (const tables of Object.values(TABLES)) {
    for (const table of ['nat', 'filter']) {
      const saved = await run(tables, ['-w', '-t', table, '-S']).then(
        (r) => r.stdout,
        () => '', // no iptables here, so it holds no rules
      );
      for (const args of leftoverRules(saved, n.name)) {
        await run(tables, ['-w', '-t', table, ...args]).catch(() => undefined); // gone already: as wanted
      }
    }
  }
  await rm(n.dataDir, { recursive: true, force: true });
}
