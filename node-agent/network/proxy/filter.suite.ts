import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ServiceRow, SliceRow } from '../../feed/rows.ts';
import { compile, type NodeSide } from './compile.ts';
import type { PacketFilter } from './filter.ts';
import type { Family, Protocol } from './table.ts';
import { endpoint, service, slice as sliceOf } from './testing/rows.ts';

/** Who can send: two pods of the node, the node, a pod of another node, a machine that isn't in the cluster. */
export type Place = 'pod-a' | 'pod-b' | 'node' | 'far-pod' | 'outside';

/** Which place answered, and whose address it saw. */
export type Answer = { by: string; source: string } | 'refused' | 'silent';

/** A small network around a packet filter: TCP and UDP servers at 8080 and 8081 of the pods and of `outside`. */
export interface Lab {
  family: Family;
  filter: PacketFilter;
  /** The first one of the node is that towards `outside`. */
  address(place: Place): string;
  ask(from: Place, ip: string, port: number, protocol?: Protocol): Promise<Answer>;
  /** A connection that stays; `ask` gives an answer over it. Null: this lab has none. */
  connect(from: Place, ip: string, port: number): Promise<{ ask(): Promise<Answer> } | null>;
  /** Takes the filter's tables away behind its back. Null: this lab can't. */
  disturb(): Promise<void> | null;
  close(): Promise<void>;
}

/** Connections that are made to see more than one backend: with two, all go to the same one in 1 of 2^19 runs. */
const MANY = 20;

/** What every packet filter does, tried with packets. */
export function filterSuite(name: string, open: () => Promise<Lab>, skip: string | false = false): void {
  describe(`the packet filter ${name}`, { skip }, () => {
    let lab: Lab;
    const v6 = () => lab.family === 'ip6';
    const vip = (n: number) => (v6() ? `fd96::${n}` : `10.96.0.${n}`);
    const outer = (n: number) => (v6() ? `fd77:9::${n}` : `172.31.9.${n}`);
    const node = (): NodeSide => ({
      name: 'here',
      zone: '',
      localPods: [v6() ? 'fd01:1::/64' : '10.1.1.0/24'],
      pods: v6() ? ['fd01:1::/64', 'fd01:2::/64'] : ['10.1.1.0/24', '10.1.2.0/24'],
      services: [v6() ? 'fd96::/112' : '10.96.0.0/24'],
    });
    const NODE_OF: Partial<Record<Place, string>> = { 'pod-a': 'here', 'pod-b': 'here', 'far-pod': 'there' };
    const slice = (places: Place[], o: { port?: number; name?: string; protocol?: string; state?: object } = {}) =>
      sliceOf(
        places.map((p) => endpoint(lab.address(p), { node: NODE_OF[p] ?? '', ...o.state })),
        {
          family: v6() ? 'IPv6' : 'IPv4',
          ports: [{ name: o.name ?? 'http', protocol: o.protocol ?? 'TCP', port: o.port ?? 8080 }],
        },
      );
    /** Programs these Services and nothing else. */
    const program = (...list: [ServiceRow, SliceRow[]][]) => {
      const services = new Map(list.map(([s]) => [`${s.namespace}/${s.name}`, s]));
      const slices = new Map(list.map(([s, x]) => [`${s.namespace}/${s.name}`, x]));
      return lab.filter.apply([compile(lab.family, services, (k) => slices.get(k) ?? [], node())]);
    };
    const many = async (from: Place, ip: string, port: number) => {
      const by = new Set<string>();
      for (let i = 0; i < MANY; i++) {
        const a = await lab.ask(from, ip, port);
        by.add(typeof a === 'string' ? a : a.by);
      }
      return [...by].sort();
    };

    before(async () => {
      lab = await open();
    });
    after(() => lab?.close());

    test('sends pods, the node and others from a ClusterIP to an endpoint, others with the node as source', async () => {
      await program([service({ clusterIPs: [vip(1)] }), [slice(['pod-b'])]]);
      assert.deepEqual(await lab.ask('pod-a', vip(1), 80), { by: 'pod-b', source: 'pod-a' });
      assert.deepEqual(await lab.ask('node', vip(1), 80), { by: 'pod-b', source: 'node' });
      assert.deepEqual(await lab.ask('outside', vip(1), 80), { by: 'pod-b', source: 'node' });
    });

    test('sends over to another node, and pods keep their source', async () => {
      await program([service({ clusterIPs: [vip(1)] }), [slice(['far-pod'])]]);
      assert.deepEqual(await lab.ask('pod-a', vip(1), 80), { by: 'far-pod', source: 'pod-a' });
      assert.deepEqual(await lab.ask('node', vip(1), 80), { by: 'far-pod', source: 'node' });
    });

    test('lets a pod reach itself through its Service', async () => {
      await program([service({ clusterIPs: [vip(1)] }), [slice(['pod-a'])]]);
      assert.deepEqual(await lab.ask('pod-a', vip(1), 80), { by: 'pod-a', source: 'node' });
    });

    test('spreads connections over all endpoints', async () => {
      await program([service({ clusterIPs: [vip(1)] }), [slice(['pod-a', 'pod-b']), slice(['far-pod'])]]);
      assert.deepEqual(await many('pod-a', vip(1), 80), ['far-pod', 'pod-a', 'pod-b']);
    });

    test('refuses what has no endpoint, TCP and UDP, from everywhere', async () => {
      const ports = ['TCP', 'UDP'].map((protocol) => ({ name: 'http', protocol, port: 80, nodePort: 30_080 }));
      await program([service({ clusterIPs: [vip(1)], type: 'NodePort', ports }), []]);
      for (const protocol of ['tcp', 'udp'] as const) {
        // As a closed port does: not every kernel lets a UDP socket know.
        const refused = await lab.ask('pod-a', lab.address('outside'), 9, protocol);
        assert.equal(await lab.ask('pod-a', vip(1), 80, protocol), refused);
        assert.equal(await lab.ask('node', vip(1), 80, protocol), refused);
        assert.equal(await lab.ask('outside', lab.address('node'), 30_080, protocol), refused);
      }
    });

    test('refuses other ports of a ClusterIP and drops what goes to an address of no Service', async () => {
      await program([service({ clusterIPs: [vip(1)] }), [slice(['pod-b'])]]);
      assert.equal(await lab.ask('pod-a', vip(1), 81), 'refused');
      assert.equal(await lab.ask('node', vip(1), 81), 'refused');
      assert.equal(await lab.ask('pod-a', vip(9), 80), 'silent');
    });

    test('serves a node port on the addresses of the node, not on its loopback', async () => {
      const ports = [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 }];
      await program([service({ clusterIPs: [vip(1)], type: 'NodePort', ports }), [slice(['far-pod'])]]);
      assert.deepEqual(await lab.ask('outside', lab.address('node'), 30_080), { by: 'far-pod', source: 'node' });
      assert.deepEqual(await lab.ask('pod-a', lab.address('node'), 30_080), { by: 'far-pod', source: 'node' });
      assert.deepEqual(await lab.ask('node', lab.address('node'), 30_080), { by: 'far-pod', source: 'node' });
      assert.equal(await lab.ask('node', v6() ? '::1' : '127.0.0.1', 30_080), 'refused');
    });

    test('keeps the source for external policy Local, and drops what has no endpoint here', async () => {
      const ports = [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 }];
      const local = service({ clusterIPs: [vip(1)], type: 'NodePort', ports, externalLocal: true });
      await program([local, [slice(['pod-b', 'far-pod'])]]);
      for (let i = 0; i < 5; i++)
        assert.deepEqual(await lab.ask('outside', lab.address('node'), 30_080), { by: 'pod-b', source: 'outside' });
      assert.deepEqual(await many('pod-a', vip(1), 80), ['far-pod', 'pod-b'], 'the ClusterIP has another policy');
      await program([local, [slice(['far-pod'])]]);
      assert.equal(await lab.ask('outside', lab.address('node'), 30_080), 'silent');
      assert.deepEqual(await lab.ask('pod-a', lab.address('node'), 30_080), { by: 'far-pod', source: 'pod-a' });
      assert.deepEqual(await lab.ask('node', lab.address('node'), 30_080), { by: 'far-pod', source: 'node' });
    });

    test('sends only to this node for internal policy Local, and drops what has no endpoint here', async () => {
      const local = service({ clusterIPs: [vip(1)], internalLocal: true });
      await program([local, [slice(['pod-b', 'far-pod'])]]);
      assert.deepEqual(await many('pod-a', vip(1), 80), ['pod-b']);
      await program([local, [slice(['far-pod'])]]);
      assert.equal(await lab.ask('pod-a', vip(1), 80), 'silent');
    });

    test('sends to endpoints that terminate but serve only while none is ready', async () => {
      const leaving = slice(['pod-b'], { state: { ready: false, terminating: true } });
      await program([service({ clusterIPs: [vip(1)] }), [leaving, slice(['far-pod'])]]);
      assert.deepEqual(await many('pod-a', vip(1), 80), ['far-pod']);
      await program([service({ clusterIPs: [vip(1)] }), [leaving]]);
      assert.deepEqual(await lab.ask('pod-a', vip(1), 80), { by: 'pod-b', source: 'pod-a' });
    });

    test('serves external and load balancer addresses, the latter to their sources only', async () => {
      const lb = (sourceRanges: string[]) =>
        service({
          clusterIPs: [vip(1)],
          type: 'LoadBalancer',
          externalIPs: [outer(1)],
          loadBalancerIPs: [outer(2)],
          sourceRanges,
        });
      const wide = v6() ? '::/0' : '0.0.0.0/0';
      const others = v6() ? 'fd55::/64' : '10.55.0.0/16';
      await program([lb([]), [slice(['pod-b'])]]);
      assert.deepEqual(await lab.ask('outside', outer(1), 80), { by: 'pod-b', source: 'node' });
      assert.deepEqual(await lab.ask('outside', outer(2), 80), { by: 'pod-b', source: 'node' });
      await program([lb([others]), [slice(['pod-b'])]]);
      assert.equal(await lab.ask('outside', outer(2), 80), 'silent');
      assert.deepEqual(await lab.ask('outside', outer(1), 80), { by: 'pod-b', source: 'node' });
      await program([lb([others, lab.address('outside') + (v6() ? '/128' : '/32')]), [slice(['pod-b'])]]);
      assert.deepEqual(await lab.ask('outside', outer(2), 80), { by: 'pod-b', source: 'node' });
      await program([lb([wide]), [slice(['pod-b'])]]);
      assert.deepEqual(await lab.ask('outside', outer(2), 80), { by: 'pod-b', source: 'node' });
    });

    test('sends a client with affinity to the same endpoint until that one goes', async () => {
      const sticky = service({ clusterIPs: [vip(1)], affinitySeconds: 600 });
      await program([sticky, [slice(['pod-a', 'pod-b', 'far-pod'])]]);
      const [first = '', ...more] = await many('pod-a', vip(1), 80);
      assert.deepEqual(more, []);
      const rest = (['pod-a', 'pod-b', 'far-pod'] as Place[]).filter((p) => p !== first);
      await program([sticky, [slice(rest)]]);
      const [second = '', ...others] = await many('pod-a', vip(1), 80);
      assert.deepEqual(others, []);
      assert.ok(rest.includes(second as Place));
      await program([sticky, [slice(['pod-a', 'pod-b', 'far-pod'])]]);
      assert.deepEqual(await many('pod-a', vip(1), 80), [second], 'also when endpoints come');
      await program([service({ clusterIPs: [vip(1)] }), [slice(['pod-a', 'pod-b', 'far-pod'])]]);
      assert.ok((await many('pod-a', vip(1), 80)).length > 1, 'affinity can be taken away');
    });

    test('tells protocols of one port apart', async () => {
      const ports = [
        { name: 'http', protocol: 'TCP', port: 80, nodePort: 0 },
        { name: 'dns', protocol: 'UDP', port: 80, nodePort: 0 },
      ];
      const udp = slice(['far-pod'], { name: 'dns', protocol: 'UDP', port: 8081 });
      await program([service({ clusterIPs: [vip(1)], ports }), [slice(['pod-b']), udp]]);
      assert.deepEqual(await lab.ask('pod-a', vip(1), 80, 'tcp'), { by: 'pod-b', source: 'pod-a' });
      assert.deepEqual(await lab.ask('pod-a', vip(1), 80, 'udp'), { by: 'far-pod', source: 'pod-a' });
    });

    test('follows changes of single Services, and forgets those that go', async () => {
      const [one, two] = [service({ clusterIPs: [vip(1)] }), service({ name: 't', clusterIPs: [vip(2)] })];
      await program([one, [slice(['pod-a'])]], [two, [slice(['pod-b'])]]);
      await program([one, [slice(['pod-b'])]], [two, [slice(['pod-b'])]]);
      assert.deepEqual(await lab.ask('pod-a', vip(1), 80), { by: 'pod-b', source: 'pod-a' });
      await program([two, [slice(['pod-b'])]]);
      assert.equal(await lab.ask('pod-a', vip(1), 80), 'silent');
      assert.deepEqual(await lab.ask('pod-a', vip(2), 80), { by: 'pod-b', source: 'pod-a' });
      await program([service({ name: 'u', clusterIPs: [vip(1)] }), [slice(['pod-b'])]], [two, [slice(['pod-b'])]]);
      assert.deepEqual(
        await lab.ask('pod-a', vip(1), 80),
        { by: 'pod-b', source: 'pod-a' },
        'the address has a new owner',
      );
    });

    test('gives the address that two Services claim to the other when one goes', async () => {
      const shared = { externalIPs: [outer(1)] };
      const one = service({ clusterIPs: [vip(1)], ...shared });
      const two = service({ name: 't', clusterIPs: [vip(2)], ...shared });
      await program([one, [slice(['pod-a'])]], [two, [slice(['pod-b'])]]);
      assert.deepEqual(await lab.ask('outside', outer(1), 80), { by: 'pod-a', source: 'node' });
      await program([two, [slice(['pod-b'])]]);
      assert.deepEqual(await lab.ask('outside', outer(1), 80), { by: 'pod-b', source: 'node' });
    });

    test('leaves connections that stand alone when endpoints change', async (t) => {
      await program([service({ clusterIPs: [vip(1)] }), [slice(['pod-b'])]]);
      const c = await lab.connect('pod-a', vip(1), 80);
      if (!c) return t.skip('this lab has no connections');
      assert.deepEqual(await c.ask(), { by: 'pod-b', source: 'pod-a' });
      await program([service({ clusterIPs: [vip(1)] }), [slice(['far-pod'])]]);
      assert.deepEqual(await c.ask(), { by: 'pod-b', source: 'pod-a' });
      assert.deepEqual(await lab.ask('pod-a', vip(1), 80), { by: 'far-pod', source: 'pod-a' });
    });

    test('is whole again after somebody took it away', async (t) => {
      await program([service({ clusterIPs: [vip(1)] }), [slice(['pod-b'])]]);
      assert.equal(await lab.filter.intact(), true);
      const done = lab.disturb();
      if (!done) return t.skip('this lab has nobody else');
      await done;
      assert.equal(await lab.filter.intact(), false);
      await program([service({ clusterIPs: [vip(1)] }), [slice(['pod-b'])]]);
      assert.deepEqual(await lab.ask('pod-a', vip(1), 80), { by: 'pod-b', source: 'pod-a' });
      assert.equal(await lab.filter.intact(), true);
    });

    test('hides pods from who is not in the cluster, and from nobody else', async () => {
      await program();
      assert.deepEqual(await lab.ask('pod-a', lab.address('outside'), 8080), { by: 'outside', source: 'node' });
      assert.deepEqual(await lab.ask('pod-a', lab.address('far-pod'), 8080), { by: 'far-pod', source: 'pod-a' });
      assert.deepEqual(await lab.ask('pod-a', lab.address('pod-b'), 8080), { by: 'pod-b', source: 'pod-a' });
    });

    test('takes all of it away when it is removed', async () => {
      await program([
        service({
          clusterIPs: [vip(1)],
          externalIPs: [lab.address('outside')],
          ports: [{ name: 'http', protocol: 'TCP', port: 8080, nodePort: 0 }],
        }),
        [slice(['pod-b'])],
      ]);
      assert.deepEqual(await lab.ask('node', lab.address('outside'), 8080), { by: 'pod-b', source: 'node' });
      await lab.filter.remove();
      assert.deepEqual(await lab.ask('node', lab.address('outside'), 8080), { by: 'outside', source: 'node' });
    });
  });
}
