import { fakeFilter } from '../fake.ts';
import type { Lab, Place } from '../filter.suite.ts';
import type { Family } from '../table.ts';

export const ADDRESSES: Readonly<Record<Family, Record<Place, string>>> = {
  ip: {
    'pod-a': '10.1.1.2',
    'pod-b': '10.1.1.3',
    node: '192.168.77.1',
    'far-pod': '10.1.2.2',
    outside: '192.168.77.2',
  },
  ip6: { 'pod-a': 'fd01:1::2', 'pod-b': 'fd01:1::3', node: 'fd77::1', 'far-pod': 'fd01:2::2', outside: 'fd77::2' },
};
/** Those of the places that serve. */
const SERVERS: readonly Place[] = ['pod-a', 'pod-b', 'far-pod', 'outside'];

/** The lab of the fake: what it says becomes of a packet. */
export function fakeLab(family: Family): Lab {
  const addresses = ADDRESSES[family];
  const filter = fakeFilter({ addresses: [addresses.node], now: () => Date.now(), random: () => Math.random() });
  const serves = (ip: string, port: number) =>
    SERVERS.find((p) => addresses[p] === ip && (port === 8080 || port === 8081));
  return {
    family,
    filter,
    address: (p) => addresses[p],
    async ask(from, ip, port, protocol = 'tcp') {
      const fate = filter.fate({ source: addresses[from], destination: ip, port, protocol });
      if (typeof fate === 'string') return fate;
      const by = serves(fate.to, fate.port);
      return by ? { by, source: fate.masqueraded ? 'node' : from } : 'refused';
    },
    connect: async () => null,
    disturb: () => null,
    close: async () => undefined,
  };
}
