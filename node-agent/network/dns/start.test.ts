import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Env } from '../../../kube/meta/env.ts';
import { isOurs, runDns } from './start.ts';
import { createRows } from './testing/view.ts';

const port = { name: 'dns', protocol: 'UDP', port: 53 };
const service = (name: string, clusterIP: string) => ({
  namespace: 'kube-system',
  name,
  type: 'ClusterIP',
  clusterIPs: [clusterIP],
  externalName: '',
  ports: [port],
});
const slice = (name: string, ...addresses: string[]) => ({
  service: `kube-system/${name}`,
  ports: [port],
  endpoints: addresses.map((a) => ({ addresses: [a], hostname: '', ready: true })),
});
const OURS = slice('kube-dns', '198.18.0.10');

describe('who answers at the DNS address of the cluster', () => {
  const table: [what: string, fill: (r: ReturnType<typeof createRows>) => void, ours: boolean][] = [
    ['the node, where no Service has the address', (r) => r.services(service('other', '10.96.0.9')), true],
    [
      'the node, where the Service has the endpoints that nodes hold',
      (r) => {
        r.services(service('kube-dns', '10.96.0.10'));
        r.slices(OURS);
      },
      true,
    ],
    [
      'pods, where the Service has theirs',
      (r) => {
        r.services(service('kube-dns', '10.96.0.10'));
        r.slices(slice('kube-dns', '10.244.1.7'));
      },
      false,
    ],
    ['pods, also before there are any', (r) => r.services(service('kube-dns', '10.96.0.10')), false],
    [
      'a Service of another name, where it has the address',
      (r) => {
        r.services(service('coredns', '10.96.0.10'));
        r.slices(OURS);
      },
      false,
    ],
  ];
  for (const [what, fill, ours] of table)
    it(what, () => {
      const rows = createRows();
      fill(rows);
      assert.equal(isOurs(rows.feeds, '10.96.0.10'), ours);
    });
});

describe('DNS on a node', () => {
  const rows = createRows();
  const addresses = new Set<string>();
  const held = {
    hold: async (a: string) => void addresses.add(a),
    drop: async (a: string) => void addresses.delete(a),
  };
  const logged: string[] = [];
  const env: Env = {
    now: Date.now,
    random: () => 0,
    uuid: () => crypto.randomUUID(),
    after: (ms, f) => {
      const t = setTimeout(f, ms);
      return () => clearTimeout(t);
    },
    log: (_, event, fields) => void logged.push(`${event} ${fields?.address ?? ''}`),
  };
  const stop = new AbortController();
  let home: string;
  let done: Promise<void>;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'coracle-dns-'));
    await writeFile(join(home, 'resolv.conf'), 'nameserver 10.96.0.10\n');
    const resolvConf = join(home, 'resolv.conf');
    // The addresses aren't this machine's: opening fails, which is tried again.
    const address = '10.96.0.10';
    done = runDns({
      feeds: rows.feeds,
      domain: 'cluster.local',
      address,
      resolvConf,
      held,
      env,
      signal: stop.signal,
      port: 0,
    });
  });
  after(() => rm(home, { recursive: true, force: true }));
  const until = async (f: () => boolean) => {
    while (!f()) await delay(5);
  };

  it('holds both addresses, gives the one of the Service up for pods, and takes it again', async () => {
    const both = ['10.96.0.10', '198.18.0.10'];
    const now = () => [...addresses].sort().join();
    await until(() => now() === both.join());
    rows.services(service('kube-dns', '10.96.0.10'));
    await until(() => now() === '198.18.0.10');
    rows.slices(OURS);
    await until(() => now() === both.join());
  });

  it('gives it up at its start, too: an agent before may have held it', async () => {
    const other = createRows();
    other.services(service('kube-dns', '10.96.0.10'));
    const left = new Set(['10.96.0.10']);
    const end = new AbortController();
    const resolvConf = join(home, 'none');
    const drop = async (a: string) => void left.delete(a);
    const run = runDns({
      feeds: other.feeds,
      domain: 'cluster.local',
      address: '10.96.0.10',
      resolvConf,
      held: { hold: async () => undefined, drop },
      env,
      signal: end.signal,
      port: 0,
    });
    await until(() => left.size === 0);
    end.abort();
    await run;
  });

  it('ends when it is told to', async () => {
    stop.abort();
    await done;
  });
});
