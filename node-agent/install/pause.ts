import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { tar } from './tar.ts';

const run = promisify(execFile);

/** The agent's own sandbox image: no registry has to be reached for the first pod. */
export const OWN_SANDBOX_IMAGE = 'coracle.dev/pause:1';

/**
 * A static x86-64 program of 38 bytes: ignores SIGCHLD, so that the kernel reaps orphans of a shared process namespace, then
 * pauses for ever. The runtime ends it with SIGKILL.
 */
const CODE_X64 = Buffer.from(
  [
    '31c0', // xor eax, eax
    '505050', // push rax x3          mask, restorer, flags of struct sigaction
    '6a01', // push 1                 SIG_IGN
    '4889e6', // mov rsi, rsp
    '6a115f', // push 17; pop rdi     SIGCHLD
    '31d2', // xor edx, edx
    '6a08415a', // push 8; pop r10    size of the mask
    '6a0d58', // push 13; pop rax     rt_sigaction
    '0f05', // syscall
    'b822000000', // mov eax, 34      pause
    '0f05', // syscall
    'ebf7', // jmp back to pause
  ].join(''),
  'hex',
);

/** An ELF64 executable with one segment. */
export function pauseProgram(): Buffer {
  const header = Buffer.alloc(120);
  const size = header.length + CODE_X64.length;
  header.write('7f454c46020101', 0, 'hex');
  header.writeUInt16LE(2, 16); // ET_EXEC
  header.writeUInt16LE(62, 18); // EM_X86_64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(0x400078n, 24); // entry: after the headers
  header.writeBigUInt64LE(64n, 32); // program headers
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64); // PT_LOAD
  header.writeUInt32LE(5, 68); // R+X
  header.writeBigUInt64LE(0x400000n, 80);
  header.writeBigUInt64LE(0x400000n, 88);
  header.writeBigUInt64LE(BigInt(size), 96);
  header.writeBigUInt64LE(BigInt(size), 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, CODE_X64]);
}

const digest = (b: Buffer) => createHash('sha256').update(b).digest('hex');

/** An OCI archive (image layout 1.0.0 in a tar) of one layer with one program as its entrypoint. */
export function imageArchive(name: string, layer: Buffer, config: object): Buffer {
  const image = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest(layer)}`] },
    }),
  );
  const blob = (mediaType: string, data: Buffer) => ({
    mediaType,
    digest: `sha256:${digest(data)}`,
    size: data.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: blob('application/vnd.oci.image.config.v1+json', image),
      layers: [blob('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  );
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        ...blob('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
      },
    ],
  };
  return tar([
    { path: 'oci-layout', data: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { path: 'index.json', data: Buffer.from(JSON.stringify(index)) },
    ...[image, layer, manifest].map((data) => ({ path: `blobs/sha256/${digest(data)}`, data })),
  ]);
}

/** Brings an archive into containerd's namespace of CRI. Can be done again. */
export async function importImage(socket: string, directory: string, archive: Buffer): Promise<void> {
  const file = join(directory, `import-${process.pid}.tar`);
  try {
    await writeFile(file, archive);
    await run('ctr', ['-a', socket, '-n', 'k8s.io', 'images', 'import', file]);
  } finally {
    await rm(file, { force: true });
  }
}

/** Makes and imports the sandbox image. */
export async function importPause(socket: string, directory: string): Promise<void> {
  const layer = tar([{ path: 'pause', data: pauseProgram(), mode: 0o755 }]);
  await importImage(
    socket,
    directory,
    imageArchive(OWN_SANDBOX_IMAGE, layer, { Entrypoint: ['/pause'], User: '65535:65535' }),
  );
}
