import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ArchiveError,
  type ArchiveHeader,
  type ArchivePart,
  type ArchiveRow,
  readArchive,
  rowLines,
  rowsOf,
  writeArchive,
} from './archive.ts';

const header: ArchiveHeader = {
  kubernetes: '1.37',
  cluster: { name: 'staging', id: 'aabcdefghijklm' },
  revision: 177,
  newest: 180,
  time: '2026-11-21T17:00:00Z',
  schema: 2,
  base: 'layer',
  uidPrefix: '01234567-0123-4123-8123-',
  createdMs: 1_795_000_000_000,
  counters: { pods: 3 },
};
const row = (name: string, text: string): ArchiveRow => ({
  key: `configmaps/default/${name}`,
  version: 'v1',
  schema: 'h',
  facts: '{"uid":"u"}',
  value: `{"metadata":{"name":"${name}"},"data":{"text":"${text}"}}`,
});
const blocks = [
  [row('a', 'one'), row('b', 'zwölf \u{1f600} "quoted"'.replaceAll('"', '\\"'))],
  [{ ...row('c', '12345678901234567890'), by: 'admin', ttlMs: 5, base: true }],
  [{ key: 'clusterroles.rbac.authorization.k8s.io/view', version: '', schema: '', facts: '{"uid":""}', value: null }],
];

async function bytesOf(rows: ArchiveRow[][] = blocks): Promise<Uint8Array> {
  const chunks: number[] = [];
  for await (const c of writeArchive(
    header,
    rows.map((r) => ({ rows: r.length, lines: rowLines(r) })),
  ))
    chunks.push(...c);
  return Uint8Array.from(chunks);
}

/** The archive in chunks of this size. */
async function* cut(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

async function all(source: AsyncIterable<Uint8Array>): Promise<ArchivePart[]> {
  const parts: ArchivePart[] = [];
  for await (const p of readArchive(source)) parts.push(p);
  return parts;
}

/** Reads on until the end or the first error; true when somebody would believe it. */
async function accepted(bytes: Uint8Array): Promise<boolean> {
  try {
    return (await all(cut(bytes, 1000))).at(-1)?.type === 'end';
  } catch (e) {
    assert.ok(e instanceof ArchiveError, `${e}`);
    assert.ok(!e.message.includes('\n'), 'one line');
    return false;
  }
}

describe('archive', () => {
  for (const size of [1, 7, 1 << 20]) {
    it(`is read as it was written, in chunks of ${size}`, async () => {
      const bytes = await bytesOf();
      const parts = await all(cut(bytes, size));
      assert.deepEqual(parts[0], { type: 'header', header });
      const rows = parts.flatMap((p) => (p.type === 'rows' ? rowsOf(p.lines) : []));
      assert.deepEqual(rows, blocks.flat());
      assert.deepEqual(parts.at(-1), { type: 'end', rows: 4, bytes: bytes.length });
    });
  }

  it('may hold no row', async () => {
    const parts = await all(cut(await bytesOf([]), 100));
    assert.deepEqual(
      parts.map((p) => p.type),
      ['header', 'end'],
    );
  });

  it('is refused when it is cut, wherever', async () => {
    const bytes = await bytesOf();
    for (let end = 0; end < bytes.length; end++) assert.ok(!(await accepted(bytes.subarray(0, end))), `${end} bytes`);
  });

  it('is refused when one bit is another, whichever byte it is in', async () => {
    const bytes = await bytesOf();
    for (let i = 0; i < bytes.length; i++) {
      const bad = bytes.slice();
      bad[i] = (bad[i] ?? 0) ^ (1 << ((i * 5) % 8));
      assert.ok(!(await accepted(bad)), `byte ${i}`);
    }
  });

  it('is refused when blocks are missing, doubled or in another order', async () => {
    const parts: Uint8Array[] = [];
    for await (const c of writeArchive(
      header,
      blocks.map((r) => ({ rows: r.length, lines: rowLines(r) })),
    ))
      parts.push(c);
    const join = (order: number[]) => Uint8Array.from(order.flatMap((i) => [...(parts[i] ?? [])]));
    assert.ok(await accepted(join([0, 1, 2, 3, 4, 5])));
    for (const order of [
      [0, 1, 2, 3, 5],
      [0, 1, 5],
      [0, 1, 3, 2, 4, 5],
      [0, 1, 2, 2, 3, 4, 5],
      [0, 2, 3, 4, 5],
      [0, 1, 2, 3, 4, 5, 5],
    ])
      assert.ok(!(await accepted(join(order))), String(order));
  });

  for (const [what, bytes, message] of [
    ['an empty file', '', 'this is not an archive of a Coracle cluster'],
    ['another file', '{"kind":"List"} and so on and so on', 'this is not an archive of a Coracle cluster'],
    [
      'a later version',
      'coracle-archive 2\nxxxxxxxxx',
      'the archive has format version "2"; this release reads version 1',
    ],
  ] as const) {
    it(`names the trouble with ${what}`, async () => {
      await assert.rejects(all(cut(new TextEncoder().encode(bytes), 5)), { name: 'ArchiveError', message });
    });
  }

  it('tells what its source has to say', async () => {
    const failing = new ReadableStream<Uint8Array>({ pull: (c) => c.error(new Error('ENOENT: no such file')) });
    await assert.rejects(all(failing), { name: 'Error', message: 'ENOENT: no such file' });
  });

  it('says where a cut archive ends', async () => {
    const bytes = await bytesOf();
    await assert.rejects(all(cut(bytes.subarray(0, 100), 9)), {
      message: 'the archive is cut: it ends after 100 bytes',
    });
  });

  it('a forged block that unpacks to more than it says is refused', async () => {
    const bytes = (await bytesOf([])).slice();
    const sha256 = async (b: Uint8Array) => new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(b)));
    const [from, digestAt] = [18, 18 + 9 + new DataView(bytes.buffer).getUint32(18 + 1)];
    new DataView(bytes.buffer).setUint32(from + 5, 10);
    const magic = await sha256(bytes.subarray(0, from));
    bytes.set(await sha256(Uint8Array.from([...magic, ...bytes.subarray(from, digestAt)])), digestAt);
    await assert.rejects(all(cut(bytes, 100)), { message: 'the archive is damaged in the block at byte 18' });
  });

  it('rows whose text has a line break are refused by the writer', () => {
    assert.throws(() => rowLines([{ ...row('a', 'x'), value: '{\n}' }]), { name: 'ArchiveError' });
  });
});
