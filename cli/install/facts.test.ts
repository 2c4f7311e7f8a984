import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, deflateRawSync } from 'node:zlib';
import { candidatesIn, systemName, versionIn } from './facts.ts';
import { fileOfZip } from './kubectl.ts';

test('a package has the candidate that apt names, or none', () => {
  const policy = `containerd:
  Installed: (none)
  Candidate: 1.6.20~ds1-1+deb12u2
  Version table:
     1.6.20~ds1-1+deb12u2 500
        500 mirror bookworm/main amd64 Packages
docker.io:
  Installed: (none)
  Candidate: (none)
`;
  assert.deepEqual(candidatesIn(policy), { containerd: '1.6.20~ds1-1+deb12u2' });
});

for (const [text, version] of [
  ['containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u2', '1.6.20'],
  ['containerd containerd.io 1.7.27 05044ec0a9a75232cad458027ca83437aae3f4da', '1.7.27'],
  ['containerd github.com/containerd/containerd/v2 v2.1.4 75cb2b7193e4e490e9fbdc236c0e811ccaba3376', '2.1.4'],
  ['{"clientVersion": {"major": "1", "minor": "37", "gitVersion": "v1.37.1"}}', '1.37.1'],
  ['', ''],
] as const)
  test(`the version in ${JSON.stringify(text.slice(0, 60))} is ${version || 'not known'}`, () => {
    assert.equal(versionIn(text), version);
  });

for (const [text, name] of [
  [
    'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    'Debian GNU/Linux 12 (bookworm)',
  ],
  ["PRETTY_NAME='Alpine Linux v3.22'\n", 'Alpine Linux v3.22'],
  ['PRETTY_NAME=Buildroot\n', 'Buildroot'],
  ['', 'this system'],
] as const)
  test(`a system is called ${name}`, () => {
    assert.equal(systemName(text), name);
  });

test('a file comes out of a zip archive whole, stored or deflated', () => {
  const data = Buffer.from('kubectl '.repeat(1_000));
  const zip = zipOf([
    { name: 'helm/helm', data: Buffer.from('helm'), method: 0 },
    { name: 'kubectl/kubectl', data, method: 8 },
  ]);
  assert.deepEqual(fileOfZip(zip, 'kubectl/kubectl'), data);
  assert.equal(fileOfZip(zip, 'helm/helm').toString(), 'helm');
  assert.throws(() => fileOfZip(zip, 'kubectl'), /no kubectl in the archive/);
  assert.throws(() => fileOfZip(Buffer.alloc(100), 'kubectl'), /not a zip archive/);
});

function zipOf(files: { name: string; data: Buffer; method: 0 | 8 }[]): Buffer {
  const [locals, entries]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const f of files) {
    const packed = f.method === 8 ? deflateRawSync(f.data) : f.data;
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(f.method, 4);
    fields.writeUInt32LE(crc32(f.data), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(f.data.length, 18);
    fields.writeUInt16LE(f.name.length, 22);
    const local = Buffer.concat([Buffer.from('504b0304', 'hex'), fields, Buffer.from(f.name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    entries.push(Buffer.concat([Buffer.from('504b01021400', 'hex'), fields, tail, Buffer.from(f.name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}
