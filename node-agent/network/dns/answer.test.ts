import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answer } from './answer.ts';
import { RCODE, type ResourceRecord, TYPE } from './message.ts';
import { createRows, testView } from './testing/view.ts';

const port = (name: string, number: number, protocol = 'TCP') => ({ name, protocol, port: number });
const end = (address: string, hostname = '', ready = true) => ({ addresses: [address], hostname, ready });
const service = (name: string, clusterIPs: string[], more: object = {}) => ({
  namespace: 'testns',
  name,
  type: 'ClusterIP',
  clusterIPs,
  externalName: '',
  ports: [port('http', 80)],
  ...more,
});
const external = (name: string, externalName: string) =>
  service(name, [], { type: 'ExternalName', externalName, ports: [] });

const rows = createRows();
rows.namespaces('testns', 'default', 'podns');
rows.services(
  service('svc1', ['10.0.0.1']),
  service('svc6', ['1234:abcd::1']),
  service('dual', ['10.0.0.3', '10::3']),
  service('two', ['10.0.0.4'], { ports: [port('http', 80), port('dns', 53, 'UDP')] }),
  service('portless', ['10.0.0.9'], { ports: [] }),
  service('hdls1', ['None']),
  service('hdlsprtls', ['None'], { ports: [] }),
  service('hdlsempty', ['None']),
  service('hdlsunready', ['None']),
  external('external', 'ext.interwebs.test.'),
  external('inside', 'svc1.testns.svc.cluster.local'),
  external('inside-missing', 'nobody.testns.svc.cluster.local'),
  external('circle-a', 'circle-b.testns.svc.cluster.local'),
  external('circle-b', 'circle-a.testns.svc.cluster.local'),
  external('inside-outside', 'external.testns.svc.cluster.local'),
  external('address', '1.2.3.4'),
);
rows.slices(
  {
    service: 'testns/hdls1',
    ports: [port('http', 80)],
    endpoints: [
      end('172.0.0.2'),
      end('172.0.0.3'),
      end('172.0.0.4', 'dup-name'),
      end('172.0.0.5', 'dup-name'),
      end('172.0.0.6', '', false),
    ],
  },
  { service: 'testns/hdls1', ports: [port('http', 80)], endpoints: [end('5678:abcd::1'), end('5678:abcd::2')] },
  { service: 'testns/hdlsprtls', ports: [], endpoints: [end('172.0.0.20')] },
  { service: 'testns/hdlsunready', ports: [port('http', 80)], endpoints: [end('172.0.0.21', '', false)] },
  { service: 'testns/svc1', ports: [port('http', 80)], endpoints: [end('10.244.0.7', 'web-0'), end('10.0.0.3')] },
  { service: 'testns/two', ports: [port('http', 80)], endpoints: [end('10.244.0.7')] },
);
const view = testView(rows);

function shown(r: ResourceRecord): string {
  return `${r.name} ${r.ttl} ${r.data.type} ${said(r.data)}`;
}
function said(d: ResourceRecord['data']): string {
  switch (d.type) {
    case 'A':
    case 'AAAA':
      return d.address;
    case 'SRV':
      return `${d.priority} ${d.weight} ${d.port} ${d.target}`;
    case 'TXT':
      return d.text;
    case 'SOA':
      return `${d.server} ${d.mailbox}`;
    default:
      return d.target;
  }
}
const ask = (name: string, type: number, v = view) => answer({ labels: name.split('.'), type, class: 1 }, v);

const CODE: Record<number, string> = { [RCODE.ok]: 'ok', [RCODE.noName]: 'no name', [RCODE.failure]: 'failure' };
/** What an answer says in one word, or its records. */
function told(name: string, type: keyof typeof TYPE | number): string | string[] {
  const a = ask(name, typeof type === 'number' ? type : TYPE[type]);
  if (a === null) return 'others';
  if (a.rcode !== RCODE.ok) return CODE[a.rcode] ?? `code ${a.rcode}`;
  const answers = (a.answers ?? []).map(shown);
  if (a.outside) answers.push(`and ${a.outside}`);
  return answers.length === 0 ? 'no data' : answers;
}

const T = 'testns.svc.cluster.local';
const HINFO = 13;
const ANY = 255;

describe('answer: what the cluster says to a question', () => {
  const table: [what: string, name: string, type: keyof typeof TYPE | number, want: string | string[]][] = [
    ['a Service has its address', `svc1.${T}`, 'A', [`svc1.${T} 5 A 10.0.0.1`]],
    ['a Service without ports too', `portless.${T}`, 'A', [`portless.${T} 5 A 10.0.0.9`]],
    ['an address of the other family is no data', `svc1.${T}`, 'AAAA', 'no data'],
    ['an IPv6 Service', `svc6.${T}`, 'AAAA', [`svc6.${T} 5 AAAA 1234:abcd::1`]],
    ['both families, IPv4', `dual.${T}`, 'A', [`dual.${T} 5 A 10.0.0.3`]],
    ['both families, IPv6', `dual.${T}`, 'AAAA', [`dual.${T} 5 AAAA 10::3`]],
    ['one address of a Service with two ports', `two.${T}`, 'A', [`two.${T} 5 A 10.0.0.4`]],
    ['no such Service', `svc0.${T}`, 'A', 'no name'],
    ['no such Service, other family', `svc0.${T}`, 'AAAA', 'no name'],
    ['no such namespace', 'svc0.none.svc.cluster.local', 'A', 'no name'],
    ['a namespace exists', T, 'A', 'no data'],
    ['a namespace that is none', 'none.svc.cluster.local', 'A', 'no name'],
    ['svc exists', 'svc.cluster.local', 'A', 'no data'],
    ['pod exists', 'pod.cluster.local', 'A', 'no data'],
    ['nothing else below the zone does', 'foo.cluster.local', 'NS', 'no name'],
    ['the zone exists', 'cluster.local', 'A', 'no data'],
    [
      'the zone has a start',
      'cluster.local',
      'SOA',
      ['cluster.local 5 SOA ns.dns.cluster.local hostmaster.cluster.local'],
    ],
    ['names below the zone have none', `svc1.${T}`, 'SOA', 'no data'],
    ['the zone has a server', 'cluster.local', 'NS', ['cluster.local 5 NS ns.dns.cluster.local']],
    ['which has an address', 'ns.dns.cluster.local', 'A', ['ns.dns.cluster.local 5 A 10.96.0.10']],
    ['and no other', 'ns.dns.cluster.local', 'AAAA', 'no data'],
    ['an unknown type of a name', `svc1.${T}`, HINFO, 'no data'],
    ['any type of a name', `svc1.${T}`, ANY, 'no data'],
    ['an unknown type of no name', `svc0.${T}`, HINFO, 'no name'],
    ['transfers are refused', 'cluster.local', 'AXFR', `code ${RCODE.refused}`],

    ['the version', 'dns-version.cluster.local', 'TXT', ['dns-version.cluster.local 28800 TXT 1.1.0']],
    ['the version has no address', 'dns-version.cluster.local', 'A', 'no data'],
    ['texts of a Service', `svc1.${T}`, 'TXT', 'no data'],
    ['texts of no Service', `svc0.${T}`, 'TXT', 'no name'],

    [
      'a Service at all its ports',
      `two.${T}`,
      'SRV',
      [`two.${T} 5 SRV 0 50 80 two.${T}`, `two.${T} 5 SRV 0 50 53 two.${T}`],
    ],
    ['a named port', `_dns._udp.two.${T}`, 'SRV', [`_dns._udp.two.${T} 5 SRV 0 100 53 two.${T}`]],
    ['a named port of another protocol', `_dns._tcp.two.${T}`, 'SRV', 'no name'],
    ['a port of another name', `_web._tcp.svc1.${T}`, 'SRV', 'no name'],
    ['no ports, no records', `portless.${T}`, 'SRV', 'no data'],
    ['the address of a named port', `_http._tcp.svc1.${T}`, 'A', [`_http._tcp.svc1.${T} 5 A 10.0.0.1`]],
    ['a port of an ExternalName', `_http._tcp.external.${T}`, 'SRV', 'no name'],
    ['an ExternalName at its ports', `external.${T}`, 'SRV', 'no data'],

    [
      'a headless Service: ready endpoints',
      `hdls1.${T}`,
      'A',
      ['2', '3', '4', '5'].map((n) => `hdls1.${T} 5 A 172.0.0.${n}`),
    ],
    ['of each family', `hdls1.${T}`, 'AAAA', ['1', '2'].map((n) => `hdls1.${T} 5 AAAA 5678:abcd::${n}`)],
    ['without ports', `hdlsprtls.${T}`, 'A', [`hdlsprtls.${T} 5 A 172.0.0.20`]],
    ['without endpoints', `hdlsempty.${T}`, 'A', 'no name'],
    ['without ready endpoints', `hdlsunready.${T}`, 'A', 'no name'],
    ['an endpoint by address', `172-0-0-2.hdls1.${T}`, 'A', [`172-0-0-2.hdls1.${T} 5 A 172.0.0.2`]],
    ['an endpoint by IPv6 address', `5678-abcd--1.hdls1.${T}`, 'AAAA', [`5678-abcd--1.hdls1.${T} 5 AAAA 5678:abcd::1`]],
    [
      'an endpoint by hostname',
      `dup-name.hdls1.${T}`,
      'A',
      ['4', '5'].map((n) => `dup-name.hdls1.${T} 5 A 172.0.0.${n}`),
    ],
    ['not by address then', `172-0-0-4.hdls1.${T}`, 'A', 'no name'],
    ['an endpoint without ports', `172-0-0-20.hdlsprtls.${T}`, 'A', [`172-0-0-20.hdlsprtls.${T} 5 A 172.0.0.20`]],
    ['an endpoint that is not ready', `172-0-0-6.hdls1.${T}`, 'A', 'no name'],
    ['an endpoint of a Service with an address', `web-0.svc1.${T}`, 'A', [`web-0.svc1.${T} 5 A 10.244.0.7`]],
    ['no such endpoint', `bogus.hdls1.${T}`, 'A', 'no name'],
    ['an endpoint of no Service', `bogus.svc0.${T}`, 'A', 'no name'],
    ['below an endpoint is nothing', `a.b.c.hdls1.${T}`, 'A', 'no name'],
    [
      'named ports of endpoints',
      `_http._tcp.hdls1.${T}`,
      'SRV',
      ['172-0-0-2', '172-0-0-3', 'dup-name', '5678-abcd--1', '5678-abcd--2'].map(
        (n) => `_http._tcp.hdls1.${T} 5 SRV 0 16 80 ${n}.hdls1.${T}`,
      ),
    ],

    ['an ExternalName', `external.${T}`, 'CNAME', [`external.${T} 5 CNAME ext.interwebs.test`]],
    [
      'its address is for others to say',
      `external.${T}`,
      'A',
      [`external.${T} 5 CNAME ext.interwebs.test`, 'and ext.interwebs.test'],
    ],
    ['one that leads to a Service', `inside.${T}`, 'A', [`inside.${T} 5 CNAME svc1.${T}`, `svc1.${T} 5 A 10.0.0.1`]],
    ['one that leads to a Service of the other family', `inside.${T}`, 'AAAA', 'no data'],
    ['one that leads nowhere', `inside-missing.${T}`, 'A', 'no data'],
    ['one that goes round in a circle', `circle-a.${T}`, 'A', 'no data'],
    [
      'one that leads out through another',
      `inside-outside.${T}`,
      'A',
      [
        `inside-outside.${T} 5 CNAME external.${T}`,
        `external.${T} 5 CNAME ext.interwebs.test`,
        'and ext.interwebs.test',
      ],
    ],
    ['below an ExternalName is nothing', `endpoint.external.${T}`, 'CNAME', 'no name'],
    ['an ExternalName that is an address', `address.${T}`, 'A', 'no name'],
    ['a Service has no other name', `svc1.${T}`, 'CNAME', 'no data'],

    ['a pod', '10-240-0-1.podns.pod.cluster.local', 'A', ['10-240-0-1.podns.pod.cluster.local 5 A 10.240.0.1']],
    [
      'a pod with an IPv6 address',
      'fd00--1.podns.pod.cluster.local',
      'AAAA',
      ['fd00--1.podns.pod.cluster.local 5 AAAA fd00::1'],
    ],
    ['a pod of the other family', '10-240-0-1.podns.pod.cluster.local', 'AAAA', 'no data'],
    ['what is no address', 'blah.podns.pod.cluster.local', 'A', 'no name'],
    ['a pod of no namespace', '10-240-0-1.none.pod.cluster.local', 'A', 'no name'],
    ['pods of a namespace', 'podns.pod.cluster.local', 'A', 'no data'],

    ['the name of a Service address', '1.0.0.10.in-addr.arpa', 'PTR', [`1.0.0.10.in-addr.arpa 5 PTR svc1.${T}`]],
    [
      'a Service hides endpoints at its address',
      '3.0.0.10.in-addr.arpa',
      'PTR',
      [`3.0.0.10.in-addr.arpa 5 PTR dual.${T}`],
    ],
    [
      'the names of an endpoint address',
      '7.0.244.10.in-addr.arpa',
      'PTR',
      [`7.0.244.10.in-addr.arpa 5 PTR web-0.svc1.${T}`, `7.0.244.10.in-addr.arpa 5 PTR 10-244-0-7.two.${T}`],
    ],
    [
      'the name of an IPv6 address',
      '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.c.b.a.4.3.2.1.ip6.arpa',
      'PTR',
      [`1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.c.b.a.4.3.2.1.ip6.arpa 5 PTR svc6.${T}`],
    ],
    ['an address that nobody here has', '8.8.8.8.in-addr.arpa', 'PTR', 'others'],
    ['a scrap of an address', '8.8.in-addr.arpa', 'PTR', 'others'],
    ['names of Services name nothing', `svc1.${T}`, 'PTR', 'no data'],
    ['other names', 'example.com', 'A', 'others'],
    ['a name that only ends like the zone', 'notcluster.local', 'A', 'others'],
  ];
  for (const [what, name, type, want] of table)
    it(`${what}: ${name} ${type}`, () => assert.deepEqual(told(name, type), want));

  it('keeps the case of the question in names, and of the Service in targets', () => {
    const a = ask('_HtTp._TcP.sVc1.TeStNs.SvC.cLuStEr.LoCaL', TYPE.SRV);
    assert.deepEqual(a?.answers?.map(shown), [
      '_HtTp._TcP.sVc1.TeStNs.SvC.cLuStEr.LoCaL 5 SRV 0 100 80 svc1.testns.svc.cLuStEr.LoCaL',
    ]);
    assert.deepEqual(a?.additionals?.map(shown), ['svc1.testns.svc.cLuStEr.LoCaL 5 A 10.0.0.1']);
  });

  it('gives the addresses of SRV targets along, each once', () => {
    assert.deepEqual(
      ask(`hdls1.${T}`, TYPE.SRV)?.additionals?.map((r) => shown(r).replace(`.hdls1.${T} 5`, '')),
      [
        '172-0-0-2 A 172.0.0.2',
        '172-0-0-3 A 172.0.0.3',
        'dup-name A 172.0.0.4',
        'dup-name A 172.0.0.5',
        '5678-abcd--1 AAAA 5678:abcd::1',
        '5678-abcd--2 AAAA 5678:abcd::2',
      ],
    );
  });

  it('says how long an empty answer may be kept: the start of the zone', () => {
    for (const name of [`svc0.${T}`, T])
      assert.deepEqual(ask(name, TYPE.A)?.authorities?.map(shown), [
        'cluster.local 5 SOA ns.dns.cluster.local hostmaster.cluster.local',
      ]);
  });

  it('fails instead of denying a name before all of the cluster is known', () => {
    const early = { ...testView(rows), synced: false };
    assert.equal(ask(`svc0.${T}`, TYPE.A, early)?.rcode, RCODE.failure);
    assert.equal(ask(`svc1.${T}`, TYPE.A, early)?.rcode, RCODE.ok);
  });

  it('refuses other classes', () =>
    assert.equal(answer({ labels: ['version', 'bind'], type: TYPE.TXT, class: 3 }, view)?.rcode, RCODE.refused));
});
