import type { Answer, Lab, Place } from '../filter.suite.ts';
import { nftables } from '../nftables.ts';
import type { Family } from '../table.ts';
import { ADDRESSES } from './fakelab.ts';
import { ip, type Machine, startMachine } from './machine.ts';

/** What leads from the node to a place, in either family: addresses of both ends where they aren't the place's own. */
const LINKS: Readonly<Record<Family, { bits: number; gateway: string; far: [string, string]; farRange: string }>> = {
  ip: { bits: 32, gateway: '10.1.1.1', far: ['192.168.78.1', '192.168.78.2'], farRange: '10.1.2.0/24' },
  ip6: { bits: 128, gateway: 'fd01:1::1', far: ['fd78::1', 'fd78::2'], farRange: 'fd01:2::/64' },
};

/** A node with two pods as the CNI plugin `ptp` attaches them, another node's pod, a machine beside: namespaces and real sockets. */
export async function netLab(family: Family): Promise<Lab> {
  const addresses = ADDRESSES[family];
  const link = LINKS[family];
  const machines = new Map<Place, Machine>();
  const tag = `lab${process.pid % 100_000}${family === 'ip' ? 'a' : 'b'}`;
  const close = async () => {
    for (const m of machines.values()) await m.close();
  };
  try {
    for (const place of Object.keys(addresses) as Place[]) machines.set(place, await startMachine(`${tag}-${place}`));
    const at = (p: Place) => machines.get(p) as Machine;
    const net = (p: Place, words: string) => ip(`${family === 'ip' ? '' : '-6 '}-n ${at(p).namespace} ${words}`);
    const nodad = family === 'ip6' ? ' nodad' : '';
    const cable = async (p: Place, name: string) => {
      await ip(`-n ${at('node').namespace} link add ${name} type veth peer name eth0 netns ${at(p).namespace}`);
      await net('node', `link set ${name} up`);
      await net(p, 'link set eth0 up');
    };
    // Without the kernel's limits on ICMP, which would make some refusals silent.
    const limits = ['net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0', 'net.ipv4.conf.all.send_redirects=0'];
    await at('node').run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1', ...limits);
    for (const [p, name] of [
      ['pod-a', 'vetha'],
      ['pod-b', 'vethb'],
    ] as [Place, string][]) {
      await cable(p, name);
      await net('node', `addr add ${link.gateway}/${link.bits} dev ${name}${nodad}`);
      await net(p, `addr add ${addresses[p]}/${link.bits} dev eth0${nodad}`);
      await net('node', `route add ${addresses[p]} dev ${name}`);
      await net(p, `route add ${link.gateway} dev eth0`);
      await net(p, `route add default via ${link.gateway} dev eth0`);
    }
    const size = family === 'ip' ? 24 : 64;
    await cable('outside', 'out0');
    await net('node', `addr add ${addresses.node}/${size} dev out0${nodad}`);
    await net('outside', `addr add ${addresses.outside}/${size} dev eth0${nodad}`);
    await net('outside', `route add default via ${addresses.node}`);
    await cable('far-pod', 'far0');
    await net('node', `addr add ${link.far[0]}/${size} dev far0${nodad}`);
    await net('far-pod', `addr add ${link.far[1]}/${size} dev eth0${nodad}`);
    await net('far-pod', `addr add ${addresses['far-pod']}/${link.bits} dev lo${nodad}`);
    await net('far-pod', `route add default via ${link.far[0]} src ${addresses['far-pod']}`);
    await net('node', `route add ${link.farRange} via ${link.far[1]}`);
    // Addresses that no rule makes anything of lead somewhere, where nobody answers.
    await net('node', `route add default via ${link.far[1]}`);
    for (const [p, m] of machines)
      if (p !== 'node') for (const port of [8080, 8081]) await m.ask({ what: 'serve', name: p, port });

    const nodeAddresses = [addresses.node, link.gateway, link.far[0]];
    const named = (a: unknown): Answer => {
      if (typeof a === 'string') return a as Answer;
      const { by, source } = a as { by: string; source: string };
      const place = (Object.keys(addresses) as Place[]).find((p) => addresses[p] === source);
      return { by, source: place ?? (nodeAddresses.includes(source) ? 'node' : source) };
    };
    const env = { now: () => Date.now(), after: later, log: () => undefined };
    return {
      family,
      filter: nftables({ table: 'coracle-lab', env, command: ['ip', 'netns', 'exec', at('node').namespace, 'nft'] }),
      address: (p) => addresses[p],
      ask: async (from, to, port, protocol = 'tcp') =>
        named(await at(from).ask({ what: 'ask', ip: to, port, protocol })),
      async connect(from, to, port) {
        const connection = await at(from).ask({ what: 'connect', ip: to, port });
        return { ask: async () => named(await at(from).ask({ what: 'again', connection })) };
      },
      disturb: async () => {
        await at('node').run('nft', 'flush', 'ruleset');
      },
      close,
    };
  } catch (e) {
    await close();
    throw e;
  }
}

function later(ms: number, f: () => void): () => void {
  const t = setTimeout(f, ms);
  t.unref();
  return () => clearTimeout(t);
}
