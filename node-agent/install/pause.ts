import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { tar } from './tar.ts';

const run = promisify(execFile);

/** The agent's own sandbox image: no registry has to be reached for the first pod. */
export const OWN_SANDBOX_IMAGE = 'coracle.dev/pause:1';

/** A machine language: ELF's number of it, OCI's name, and the program. */
interface Machine {
  elf: number;
  oci: string;
  code: Buffer;
}

/**
 * Static programs of some instructions: they ignore SIGCHLD, so that the kernel reaps orphans of a shared process namespace, then wait for ever. The runtime ends them
 * with SIGKILL.
 */
const MACHINES: Readonly<Record<string, Machine>> = {
  x64: {
    elf: 62,
    oci: 'amd64',
    code: Buffer.from(
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
    ),
  },
  arm64: {
    elf: 183,
    oci: 'arm64',
    code: Buffer.from(
      [
        'ff8300d1', // sub sp, sp, 32
        '200080d2', // mov x0, 1          SIG_IGN
        'e07f00a9', // stp x0, xzr, [sp]  flags
        'ff7f01a9', // stp xzr, xzr, [sp, 16]   restorer, mask
        '200280d2', // mov x0, 17         SIGCHLD
        'e1030091', // mov x1, sp
        '020080d2', // mov x2, 0
        '030180d2', // mov x3, 8          size of the mask
        'c81080d2', // mov x8, 134        rt_sigaction
        '010000d4', // svc 0
        ...['000080d2', '010080d2', '020080d2', '030080d2', '040080d2'], // mov x0 to x4, 0
        '280980d2', // mov x8, 73         ppoll of nothing, for ever
        '010000d4', // svc 0
        'f9ffff17', // b back to mov x0, 0
      ].join(''),
      'hex',
    ),
  },
};

function machineOf(arch: string): Machine {
  const machine = MACHINES[arch];
  if (machine === undefined) throw new Error(`no sandbox program for ${arch}`);
  return machine;
}

/** An ELF64 executable with one segment, for a machine as Node.js names it. */
export function pauseProgram(arch: string = process.arch): Buffer {
  const { elf, code } = machineOf(arch);
  const header = Buffer.alloc(120);
  const size = header.length + code.length;
  header.write('7f454c46020101', 0, 'hex');
  header.writeUInt16LE(2, 16); // ET_EXEC
  header.writeUInt16LE(elf, 18);
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
  return Buffer.concat([header, code]);
}

const digest = (b: Buffer) => createHash('sha256').update(b).digest('hex');

/** An OCI archive (image layout 1.0.0 in a tar) of one layer with one program as its entrypoint. */
export function imageArchive(name: string, layer: Buffer, config: object): Buffer {
  const image = Buffer.from(
    JSON.stringify({
      architecture: machineOf(process.arch).oci,
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
