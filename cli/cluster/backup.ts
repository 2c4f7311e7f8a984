import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ArchiveError, type ArchiveHeader, readArchive } from '../../kube/wire/archive.ts';
import { CommandError } from '../command.ts';
import { localEndpoint } from '../endpoint.ts';
import { coracleHome } from '../home.ts';
import { clusterPath } from '../tenancy.ts';
import { download } from '../transfer.ts';
import { wrongCall } from './name.ts';
import { pastOf } from './travel.ts';
import type { Verb } from './verb.ts';

export const backup: Verb = {
  name: 'backup',
  usage: `coracle cluster backup NAME FILE [--at REVISION|TIME|10m]
    writes everything of it, Secrets and keys too, into one file ('-': to stdout)`,
  async run(args) {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { at: { type: 'string' } } });
    const [name, file, more] = positionals;
    if (name === undefined || file === undefined || more !== undefined) throw wrongCall(backup);
    const query = values.at === undefined ? '' : `?at=${encodeURIComponent(pastOf(values.at))}`;
    const archive = await download(localEndpoint(coracleHome()), `${clusterPath(name)}/backup${query}`);
    const { header, rows, bytes } = file === '-' ? await checked(archive, toStdout) : await toFile(file, archive);
    console.error(
      `coracle: ${file} holds cluster ${name} at revision ${header.revision} (${header.time}): ${rows} rows, ${bytes} bytes`,
    );
    return 0;
  },
};

/** Whole or not at all, for nobody else to read. */
async function toFile(path: string, archive: AsyncIterable<Uint8Array>) {
  const temporary = `${path}.${process.pid}.new`;
  let file: FileHandle | undefined;
  try {
    file = await open(temporary, 'wx', 0o600);
    const opened = file;
    const done = await checked(archive, async (chunk) => void (await opened.writeFile(chunk)));
    await file.sync();
    await file.close();
    await rename(temporary, path);
    return done;
  } catch (error) {
    await file?.close().catch(() => undefined);
    if (file !== undefined) await rm(temporary, { force: true });
    throw error instanceof Error && 'syscall' in error ? new CommandError(error.message) : error;
  }
}

const toStdout = (chunk: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => process.stdout.write(chunk, (error) => (error ? reject(error) : resolve())));

/** Hands an archive on and reads it at once: what came is what the server sent, up to its end. */
async function checked(archive: AsyncIterable<Uint8Array>, sink: (chunk: Uint8Array) => Promise<void>) {
  let header: ArchiveHeader | undefined;
  try {
    for await (const part of readArchive(handedOn(archive, sink))) {
      if (part.type === 'header') header = part.header;
      if (part.type === 'end' && header) return { header, rows: part.rows, bytes: part.bytes };
    }
  } catch (error) {
    if (error instanceof ArchiveError) throw new CommandError(`${error.message}; the server's log says why`);
    throw error instanceof Error && 'code' in error && error.code === 'ECONNRESET'
      ? new CommandError('the server broke off the archive; its log says why')
      : error;
  }
  throw new CommandError('the archive has no end');
}

async function* handedOn(source: AsyncIterable<Uint8Array>, sink: (chunk: Uint8Array) => Promise<void>) {
  for await (const chunk of source) {
    await sink(chunk);
    yield chunk;
  }
}
