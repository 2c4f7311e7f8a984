import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressKey, reverseKey } from './address.ts';
import { MessageError, type ResourceRecord, readName, readQuery, readReply, TYPE } from './message.ts';
import { query } from './testing/query.ts';
import { formatError, writeReply } from './write.ts';

const records = (n: number): ResourceRecord[] =>
  Array.from({ length: n }, (_, i) => ({
    name: 'many.example',
    ttl: 5,
    data: { type: 'A', address: `10.0.${i >> 8}.${i & 255}` },
  }));
const read = (b: Buffer) => {
  const q = readQuery(b);
  assert.ok(q);
  return q;
};
const hex = (text: string) => Buffer.from(text.replace(/\s+/g, ''), 'hex');

describe('messages of DNS', () => {
  it('reads a query as it was asked', () => {
    const q = read(query('ExAmple.COM', TYPE.AAAA, { id: 7, edns: 4096 }));
    assert.deepEqual(
      [q.id, q.question, q.edns, q.flags],
      [7, { labels: ['ExAmple', 'COM'], type: TYPE.AAAA, class: 1 }, { size: 4096, version: 0, dnssec: false }, 0x0100],
    );
  });

  it('writes the bytes that RFC 1035 has: question as asked, owner as a pointer, names shortened', () => {
    const q = read(query('a.Example', TYPE.CNAME, { id: 1 }));
    const data = { type: 'CNAME', target: 'b.Example' } as const;
    const bytes = writeReply(q, { rcode: 0, authoritative: true, answers: [{ name: 'a.Example', ttl: 5, data }] }, 512);
    assert.deepEqual(
      bytes,
      hex(`0001 8500 0001 0001 0000 0000  01 61 07 4578616d706c65 00 0005 0001
           c00c 0005 0001 00000005 0004  01 62 c00e`),
    );
  });

  it('leaves the target of an SRV record whole, as RFC 2782 wants', () => {
    const q = read(query('s.example', TYPE.SRV, { id: 1 }));
    const data = { type: 'SRV', priority: 0, weight: 100, port: 80, target: 's.example' } as const;
    const bytes = writeReply(q, { rcode: 0, answers: [{ name: 's.example', ttl: 5, data }] }, 512);
    assert.equal(bytes.subarray(-17).toString('hex'), `0000006400500173076578616d706c6500`);
  });

  const sizes: [what: string, count: number, more: number, limit: number, want: object][] = [
    ['what fits is whole', 10, 0, 512, { answers: 10, additionals: 0, truncated: false }],
    ['additional records go first, and nobody is told', 20, 20, 512, { answers: 20, additionals: 0, truncated: false }],
    ['answers that do not fit are cut with TC', 100, 0, 512, { answers: 30, additionals: 0, truncated: true }],
    ['over TCP all of them go', 1000, 0, 65_535, { answers: 1000, additionals: 0, truncated: false }],
  ];
  for (const [what, count, more, limit, want] of sizes)
    it(`${what}: ${count} records in ${limit} bytes`, () => {
      const q = read(query('many.example', TYPE.A, {}));
      const bytes = writeReply(q, { rcode: 0, answers: records(count), additionals: records(more) }, limit);
      const r = readReply(bytes);
      assert.ok(bytes.length <= limit);
      assert.deepEqual({ answers: r.answers.length, additionals: r.additionals.length, truncated: r.truncated }, want);
    });

  it('keeps the EDNS record of an answer that is cut', () => {
    const q = read(query('many.example', TYPE.A, { edns: 512 }));
    const r = readReply(writeReply(q, { rcode: 0, answers: records(100) }, 512));
    assert.deepEqual([r.truncated, r.additionals.map((a) => a.type)], [true, [TYPE.OPT]]);
  });

  it('gives names with dots inside their labels back as they came', () => {
    const b = Buffer.concat([query('', TYPE.A, {}).subarray(0, 12), hex('03 612e62 03 636f6d 00 0001 0001')]);
    const q = read(b);
    assert.deepEqual(q.question.labels, ['a.b', 'com']);
    const soa = { type: 'SOA', server: 'ns.com', mailbox: 'x.com', serial: 1, times: [1, 2, 3, 4] } as const;
    const answer = writeReply(q, { rcode: 3, authorities: [{ name: 'b.com', ttl: 5, data: soa }] }, 512);
    assert.deepEqual(readReply(answer).authorities[0]?.labels, ['b', 'com']);
    assert.deepEqual(answer.subarray(12, 25), b.subarray(12, 25));
  });

  const bad: [what: string, bytes: Buffer][] = [
    ['two questions', Buffer.concat([hex('0001 0100 0002 0000 0000 0000'), hex('00 0001 0001 00 0001 0001')])],
    ['no question', hex('0001 0100 0000 0000 0000 0000')],
    ['a name without an end', hex('0001 0100 0001 0000 0000 0000 03 6161')],
    ['a pointer to itself', hex('0001 0100 0001 0000 0000 0000 c00c 0001 0001')],
    ['a pointer forward', hex('0001 0100 0001 0000 0000 0000 c010 0001 0001 00')],
    ['a label of an unknown kind', hex('0001 0100 0001 0000 0000 0000 41 00 0001 0001')],
    [
      'a name that is too long',
      Buffer.concat([
        hex('0001 0100 0001 0000 0000 0000'),
        hex(`3f ${'61'.repeat(63)} `.repeat(4)),
        hex('00 0001 0001'),
      ]),
    ],
    ['a record that ends early', hex('0001 0100 0001 0000 0000 0001 00 0001 0001 00 0029 0200 0000')],
  ];
  for (const [what, bytes] of bad)
    it(`refuses ${what} with FORMERR`, () => {
      assert.throws(() => readQuery(bytes), MessageError);
      assert.deepEqual(formatError(bytes), hex('0001 8101 0000 0000 0000 0000'));
    });
  it('says nothing to answers and scraps', () => {
    assert.equal(readQuery(hex('0001 8100 0001 0000 0000 0000 00 0001 0001')), null);
    assert.equal(readQuery(hex('0001')), null);
  });

  it('reads any bytes without harm', () => {
    let seed = 1;
    const random = () => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 16) & 255;
    };
    for (let n = 0; n < 20_000; n++) {
      const bytes = Buffer.from(Array.from({ length: 12 + (random() % 40) }, random));
      for (const f of [readQuery, readReply, (b: Buffer) => readName(b, 12)]) {
        try {
          f(bytes);
        } catch (error) {
          assert.ok(error instanceof MessageError, String(error));
        }
      }
    }
  });
});

describe('addresses', () => {
  const same: [string, string][] = [
    ['::1', '0:0:0:0:0:0:0:1'],
    ['fd00::', 'FD00:0:0:0:0:0:0:0'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ];
  for (const [a, b] of same) it(`${a} is ${b}`, () => assert.equal(addressKey(a), addressKey(b)));
  for (const no of ['', '1.2.3', '1.2.3.4.5', 'a', 'fe80::1%eth0', '1::2::3'])
    it(`${JSON.stringify(no)} is none`, () => assert.equal(addressKey(no), null));
  it('stand in names backwards', () => {
    assert.equal(reverseKey('10.0.96.10.in-addr.arpa'.split('.')), addressKey('10.96.0.10'));
    assert.equal(reverseKey('256.0.96.10.in-addr.arpa'.split('.')), null);
    assert.equal(reverseKey([...'1'.padEnd(32, '0'), 'ip6', 'arpa']), addressKey('::1'));
  });
});
