import { mkdir, open, stat } from 'node:fs/promises';
import type { Volume } from '../pod.ts';
import type { Mounted, VolumeKind } from './kind.ts';

type Source = NonNullable<Volume['hostPath']>;
type FileType = 'Directory' | 'File' | 'Socket' | 'CharDevice' | 'BlockDevice';

/** A path of the machine itself, looked at as its type says. */
export const hostPath: VolumeKind<Source> = {
  plugin: 'host-path',
  follows: false,
  async setUp(source, _volume, _c): Promise<Mounted> {
    refuseBacksteps(source.path, (why) => `invalid HostPath \`${source.path}\`: ${why}`);
    await checkType(source.path, source.type ?? '');
    return { path: source.path, readonly: false };
  },
};

/** Throws where a path has `..` as one of its parts. */
export function refuseBacksteps(path: string, text: (why: string) => string): void {
  if (path.split('/').includes('..')) throw new Error(text("must not contain '..'"));
}

const EXPECTED: Record<string, { type: FileType; words: string }> = {
  DirectoryOrCreate: { type: 'Directory', words: 'directory' },
  Directory: { type: 'Directory', words: 'directory' },
  FileOrCreate: { type: 'File', words: 'file' },
  File: { type: 'File', words: 'file' },
  Socket: { type: 'Socket', words: 'socket file' },
  CharDevice: { type: 'CharDevice', words: 'character device' },
  BlockDevice: { type: 'BlockDevice', words: 'block device' },
};

async function checkType(path: string, wanted: string): Promise<void> {
  if (wanted === '') return;
  const expected = EXPECTED[wanted];
  if (expected === undefined) throw new Error(`${wanted} is an invalid volume type`);
  const found = await fileType(path);
  if (found === null && wanted === 'DirectoryOrCreate') {
    await mkdir(path, { recursive: true, mode: 0o755 });
    return;
  }
  if (found === null && wanted === 'FileOrCreate') {
    await (await open(path, 'a', 0o644)).close();
    return;
  }
  if (found === expected.type) return;
  const not = `${path} is not a ${expected.words}`;
  if (found === null)
    throw new Error(
      `hostPath type check failed, ${not}, unable to determine its type: path ${JSON.stringify(path)} does not exist`,
    );
  throw new Error(`hostPath type check failed: ${not}, it's a ${found}`);
}

/** What a path is, links followed; null when there is nothing. */
export async function fileType(path: string): Promise<FileType | null> {
  const s = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (s === null) return null;
  if (s.isDirectory()) return 'Directory';
  if (s.isFile()) return 'File';
  if (s.isSocket()) return 'Socket';
  if (s.isBlockDevice()) return 'BlockDevice';
  if (s.isCharacterDevice()) return 'CharDevice';
  throw new Error('only recognise file, directory, socket, block device and character device');
}
