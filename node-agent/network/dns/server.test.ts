import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Env } from '../../../kube/meta/env.ts';
import { createForwarder, type Server } from './forward.ts';
import { RCODE, type ResourceRecord, readQuery, readReply, TYPE } from './message.ts';
import { parseResolvConf } from './resolvconf.ts';
import { serveDns } from './server.ts';
import { askTcp, askUdp, query } from './testing/query.ts';
import { createRows, testView } from './testing/view.ts';
import { writeReply } from './write.ts';

let clock = 1_700_000_000_000;
const logged: string[] = [];
const env: Env = {
  now: () => clock,
  random: () => 0,
  uuid: () => '00000000-0000-4000-8000-000000000000',
  after: (ms, f) => {
    const t = setTimeout(f, ms);
    return () => clearTimeout(t);
  },
  log: (_, event) => void logged.push(event),
};

/** Another server, which says what `reply` does; `asked` has the names. */
async function startOther(
  reply: (
    name: string,
    tcp: boolean,
  ) => { rcode: number; answers?: ResourceRecord[]; authorities?: ResourceRecord[] } | null,
) {
  const asked: string[] = [];
  const respond = (bytes: Buffer, tcp: boolean) => {
    const q = readQuery(bytes);
    if (q === null) return null;
    const name = q.question.labels.join('.');
    asked.push(`${name}${tcp ? ' tcp' : ''}`);
    const r = reply(name.toLowerCase(), tcp);
    return r && writeReply(q, { recursive: true, ...r }, tcp ? 65_535 : Math.max(512, q.edns?.size ?? 0));
  };
  const tcp = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (part: Buffer) => {
      const answer = respond(part.subarray(2), true);
      if (answer === null) return;
      socket.write(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]));
    });
  });
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as { port: number };
  const udp = createSocket('udp4');
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  udp.on('message', (bytes, from) => {
    const answer = respond(bytes, false);
    if (answer) udp.send(answer, from.port, from.address);
  });
  return {
    asked,
    server: { address: '127.0.0.1', port } satisfies Server,
    close() {
      udp.close();
      tcp.close();
    },
  };
}

const a = (name: string, address: string, ttl = 60): ResourceRecord => ({ name, ttl, data: { type: 'A', address } });
const soa: ResourceRecord = {
  name: 'test',
  ttl: 60,
  data: { type: 'SOA', server: 'ns.test', mailbox: 'me.test', serial: 1, times: [1, 1, 1, 10] },
};

describe('the DNS server of a node', () => {
  const rows = createRows();
  rows.namespaces('default', 'big');
  const port = { name: 'https', protocol: 'TCP', port: 443 };
  const base = { type: 'ClusterIP', externalName: '', ports: [port] };
  const outside = (name: string, externalName: string) => ({
    ...base,
    namespace: 'default',
    name,
    clusterIPs: [],
    type: 'ExternalName',
    externalName,
  });
  rows.services(
    { ...base, namespace: 'default', name: 'kubernetes', clusterIPs: ['10.96.0.1'] },
    { ...base, namespace: 'big', name: 'many', clusterIPs: ['None'] },
    outside('ext', 'one.test'),
    outside('ext-none', 'none.test'),
    outside('ext-broken', 'broken.test'),
    outside('ext-many', 'many.test'),
  );
  const addresses = Array.from({ length: 200 }, (_, i) => `10.1.0.${i}`);
  rows.slices({
    service: 'big/many',
    ports: [port],
    endpoints: addresses.map((ip) => ({ addresses: [ip], hostname: '', ready: true })),
  });

  let other: Awaited<ReturnType<typeof startOther>>;
  let silent: Awaited<ReturnType<typeof startOther>>;
  let servers: Server[];
  let dns: Awaited<ReturnType<typeof serveDns>>;
  const forward = createForwarder(() => servers, env, 300);
  const resolver = new Resolver({ timeout: 5_000, tries: 1 });
  before(async () => {
    silent = await startOther(() => null);
    other = await startOther((name) => {
      if (name === 'one.test') return { rcode: 0, answers: [a(name, '192.0.2.1')] };
      if (name === 'short.test') return { rcode: 0, answers: [a(name, '192.0.2.2', 3)] };
      if (name === 'never.test') return { rcode: 0, answers: [a(name, '192.0.2.3', 0)] };
      if (name === 'many.test') return { rcode: 0, answers: addresses.map((ip) => a(name, ip)) };
      if (name === 'broken.test') return { rcode: RCODE.failure };
      return { rcode: RCODE.noName, authorities: [soa] };
    });
    servers = [other.server];
    dns = await serveDns({ view: testView(rows), forward, env }, '127.0.0.1', 0);
    resolver.setServers([`127.0.0.1:${dns.port}`]);
  });
  after(async () => {
    await dns.close();
    other.close();
    silent.close();
  });
  const rcode = async (name: string, o: { edns?: number } = {}) =>
    readReply(await askUdp(query(name, TYPE.A, o), dns.port)).rcode;
  const times = (name: string) => other.asked.filter((n) => n.toLowerCase() === name).length;

  it('is understood by c-ares: address, SRV, PTR, TXT, SOA', async () => {
    const name = 'kubernetes.default.svc.cluster.local';
    assert.deepEqual(await resolver.resolve4(name), ['10.96.0.1']);
    const [srv] = await resolver.resolveSrv(`_https._tcp.${name}`);
    assert.deepEqual([srv?.name, srv?.port, srv?.priority, srv?.weight], [name, 443, 0, 100]);
    assert.deepEqual(await resolver.reverse('10.96.0.1'), [name]);
    assert.deepEqual(await resolver.resolveTxt('dns-version.cluster.local'), [['1.1.0']]);
    assert.equal((await resolver.resolveSoa('cluster.local')).nsname, 'ns.dns.cluster.local');
    await assert.rejects(resolver.resolve4('nobody.default.svc.cluster.local'), { code: 'ENOTFOUND' });
    await assert.rejects(resolver.resolve6(name), { code: 'ENODATA' });
  });

  it('gives a long answer over TCP, cut over UDP; c-ares comes again by itself', async () => {
    const name = 'many.big.svc.cluster.local';
    const cut = readReply(await askUdp(query(name, TYPE.A, {}), dns.port));
    assert.ok(cut.truncated && cut.answers.length < 200);
    const [whole] = await askTcp([query(name, TYPE.A, {})], dns.port);
    assert.equal(readReply(whole ?? Buffer.alloc(0)).answers.length, 200);
    assert.deepEqual((await resolver.resolve4(name)).sort(), [...addresses].sort());
  });

  it('takes several questions of one connection, in pieces, and after its end', async () => {
    const names = ['kubernetes.default.svc.cluster.local', 'one.test', 'nobody.default.svc.cluster.local'];
    const got = await askTcp(
      names.map((n, i) => query(n, TYPE.A, { id: i })),
      dns.port,
    );
    assert.deepEqual(
      got
        .map(readReply)
        .sort((x, y) => x.id - y.id)
        .map((r) => [r.id, r.rcode, r.answers.length]),
      [
        [0, 0, 1],
        [1, 0, 1],
        [2, RCODE.noName, 0],
      ],
    );
  });

  it('asks others for all else, and keeps what they say no longer than they say', async () => {
    const ttl = async (name: string) =>
      readReply(await askUdp(query(name, TYPE.A, { id: 9 }), dns.port)).answers[0]?.ttl;
    assert.deepEqual([await ttl('short.test'), await ttl('SHORT.test')], [3, 3]);
    assert.equal(times('short.test'), 1);
    clock += 1_500;
    assert.equal(await ttl('short.test'), 1);
    clock += 1_500;
    assert.deepEqual([await ttl('short.test'), times('short.test')], [3, 2]);
    await ttl('never.test');
    await ttl('never.test');
    assert.equal(times('never.test'), 2);
  });

  it('keeps that a name is none for as long as the SOA record says', async () => {
    assert.deepEqual([await rcode('gone.test'), await rcode('gone.test'), times('gone.test')], [3, 3, 1]);
    clock += 10_000;
    assert.deepEqual([await rcode('gone.test'), times('gone.test')], [3, 2]);
  });

  it('keeps the case of a question that it answers from what it keeps', async () => {
    await askUdp(query('one.test', TYPE.A, {}), dns.port);
    const answer = readReply(await askUdp(query('oNe.TeSt', TYPE.A, {}), dns.port));
    assert.deepEqual(answer.answers[0]?.labels, ['oNe', 'TeSt']);
  });

  it('goes on outside where an ExternalName leads there, whole also over TCP', async () => {
    assert.deepEqual(await resolver.resolve4('ext.default.svc.cluster.local'), ['192.0.2.1']);
    assert.deepEqual(await resolver.resolveCname('ext.default.svc.cluster.local'), ['one.test']);
    const [whole] = await askTcp([query('ext-many.default.svc.cluster.local', TYPE.A, {})], dns.port);
    assert.equal(readReply(whole ?? Buffer.alloc(0)).answers.length, 201);
    const none = readReply(await askUdp(query('ext-none.default.svc.cluster.local', TYPE.A, {}), dns.port));
    assert.deepEqual([none.rcode, none.answers.map((r) => r.type)], [RCODE.ok, [TYPE.CNAME]]);
    assert.equal(await rcode('ext-broken.default.svc.cluster.local'), RCODE.failure);
  });

  it('asks the next server where one is silent or broken, and fails when none is left', async () => {
    servers = [silent.server, other.server];
    assert.equal(await rcode('next-1.test'), RCODE.noName);
    assert.equal(silent.asked.length, 1);
    servers = [silent.server];
    assert.equal(await rcode('next-2.test'), RCODE.failure);
    servers = [];
    assert.equal(await rcode('next-3.test'), RCODE.failure);
    servers = [other.server];
    assert.equal(forward.outstanding, 0);
  });

  it('asks nobody that leads back here, and says so', async () => {
    servers = [{ address: '127.0.0.1', port: dns.port }];
    await forward.detectLoop();
    assert.ok(logged.includes('dns.loop'));
    assert.equal(await rcode('round.test'), RCODE.failure);
    servers = [other.server];
    await forward.detectLoop();
    assert.equal(await rcode('round.test'), RCODE.noName);
  });

  it('knows EDNS: its record for its record, no other version', async () => {
    const name = 'kubernetes.default.svc.cluster.local';
    const plain = readReply(await askUdp(query(name, TYPE.A, {}), dns.port));
    const edns = readReply(await askUdp(query(name, TYPE.A, { edns: 1232 }), dns.port));
    assert.deepEqual([plain.additionals.length, edns.additionals.map((r) => r.type)], [0, [TYPE.OPT]]);
    const odd = query(name, TYPE.A, { edns: 1232 });
    odd[odd.length - 5] = 1;
    const bad = readReply(await askUdp(odd, dns.port));
    assert.deepEqual([bad.rcode, (bad.additionals[0]?.ttl ?? 0) >>> 24], [0, 1]);
  });

  it('answers what it does not do, and what it cannot read, with the code for it', async () => {
    const update = query('cluster.local', TYPE.SOA, {});
    update[2] = 5 << 3;
    assert.equal(readReply(await askUdp(update, dns.port)).rcode, RCODE.notImplemented);
    const scrap = query('cluster.local', TYPE.SOA, {}).subarray(0, 20);
    assert.equal(readReply(await askUdp(scrap, dns.port)).rcode, RCODE.format);
  });
});

describe('resolv.conf', () => {
  it('gives servers, the last search list and options', () =>
    assert.deepEqual(
      parseResolvConf(
        '# c\nnameserver 192.0.2.1 # first\nnameserver nonsense\nnameserver fe80::1%eth0\ndomain a\nsearch b c\noptions ndots:2 edns0\n',
      ),
      { servers: ['192.0.2.1', 'fe80::1%eth0'], searches: ['b', 'c'], options: ['ndots:2', 'edns0'] },
    ));
});
