import { alreadyExists, badRequest, conflict, failure, internal, StatusError } from '../../kube/meta/status.ts';
import type { Key, Revision } from '../../kube/store/store.ts';
import {
  ArchiveError,
  type ArchiveHeader,
  type ArchiveRow,
  type RowBlock,
  readArchive,
  release,
  rowLines,
  rowsOf,
  writeArchive,
} from '../../kube/wire/archive.ts';
import type { Bindings } from '../bindings.ts';
import { turn, world } from '../env.ts';
import type { ArchivePage } from '../tenant/archive.ts';
import { type Forking, forkedRow } from '../tenant/forking.ts';
import type { Import } from '../tenant/importing.ts';
import { isFull } from '../tenant/remote.ts';
import type { RestoreTarget } from '../tenant/travel.ts';
import { type ClusterRow, newId } from './directory.ts';
import { directoryOf, RESOURCE, refusalOf } from './tenancy.ts';

/** What a copy of a cluster needs of those who make clusters. */
export interface CopyMaker {
  /** New keys, a new CA and an administrator's token for a cluster at this URL: rows, and what they hold. */
  newKeys(url: string): Promise<{ rows: ArchiveRow[]; adminToken: string; ca: string }>;
  /** One more administrator's token. */
  newAdmin(): Promise<{ rows: ArchiveRow[]; adminToken: string }>;
  /** For the uids of base rows. */
  newUidPrefix(): string;
  /** Whether this release has a base layer. */
  hasLayer(hash: string): boolean;
  /** Loops that every cluster has. */
  loops: string[];
  /** Forgets what this isolate knows of a cluster. */
  forget(id: string): void;
}

/** A cluster that is asked for. */
export interface Wanted {
  name: string;
  ttlSeconds?: number | undefined;
  /** Where clients will reach it. */
  urlOf(id: string): string;
}
/** What came of it. */
export interface Copied {
  row: ClusterRow;
  adminToken: string;
}

/** The Kubernetes minor that this release serves. */
export const KUBERNETES = '1.37';
/** Batches on their way to the new cluster: the next ones are read and written while the first becomes durable. */
const UNDER_WAY = 4;
/** How often the directory hears that a copy goes on; it gives up after a minute. */
const GOES_ON_MS = 10_000;

/** A new cluster with the objects of another, as of a revision or time; nobody's credential for the one is good for the other. */
export async function forkCluster(
  b: Bindings,
  maker: CopyMaker,
  from: ClusterRow,
  wanted: Wanted,
  target?: RestoreTarget,
): Promise<Copied> {
  const source = b.TENANTS.getByName(from.id);
  const head = await source.archiveHead(target).catch(refused(from.name));
  const id = newId();
  const [{ rows, adminToken, ca }, uidPrefix] = [await maker.newKeys(wanted.urlOf(id)), maker.newUidPrefix()];
  const forking: Forking = { uidPrefix: { from: head.spec.uidPrefix, to: uidPrefix }, ca };
  async function* batches(): AsyncIterable<Uint8Array> {
    yield rowLines(rows);
    yield (await source.archiveBase(head.revision)).lines;
    for await (const page of pagesOf(source, head.revision))
      yield page.same ? page.lines : forkedLines(page.lines, forking);
  }
  const spec = { ...head.spec, uidPrefix };
  const row = await copy(b, maker, id, wanted, { spec, newest: head.newest, again: false }, head.counters, batches());
  return { row, adminToken };
}

const forkedLines = (lines: Uint8Array, forking: Forking): Uint8Array =>
  rowLines(rowsOf(lines).flatMap((row) => forkedRow(row, forking) ?? []));

/** The archive of a cluster, as of a revision or time. Reads on as it is taken. */
export async function backupCluster(
  b: Bindings,
  from: ClusterRow,
  target?: RestoreTarget,
): Promise<AsyncGenerator<Uint8Array>> {
  const source = b.TENANTS.getByName(from.id);
  const head = await source.archiveHead(target).catch(refused(from.name));
  const header: ArchiveHeader = {
    kubernetes: KUBERNETES,
    cluster: { name: from.name, id: from.id },
    revision: head.revision,
    newest: head.newest,
    time: head.time,
    schema: head.schema,
    ...head.spec,
    counters: head.counters,
  };
  async function* blocks(): AsyncIterable<RowBlock> {
    yield await source.archiveBase(head.revision);
    yield* pagesOf(source, head.revision);
  }
  return writeArchive(header, blocks(), turn);
}

/** A cluster made of an archive: the very same (its id, if it is free here, its keys, tokens and nodes), or a fork of it. */
export async function restoreArchive(
  b: Bindings,
  maker: CopyMaker,
  archive: AsyncIterable<Uint8Array>,
  wanted: Wanted,
  asFork: boolean,
): Promise<Copied> {
  const parts = readArchive(arriving(archive), turn);
  const first = await parts.next().catch(refused(wanted.name));
  if (first.done || first.value.type !== 'header') throw badRequest('the archive has no header');
  const { header } = first.value;
  if (header.kubernetes !== KUBERNETES)
    throw badRequest(`the archive is of Kubernetes ${header.kubernetes}; this endpoint serves ${KUBERNETES}`);
  const id = asFork ? newId() : header.cluster.id;
  if (!ID.test(id)) throw badRequest(`the archive is of a cluster with the id ${JSON.stringify(id)}, which is none`);
  const keys = asFork ? await maker.newKeys(wanted.urlOf(id)) : { ...(await maker.newAdmin()), ca: '' };
  const uidPrefix = asFork ? maker.newUidPrefix() : header.uidPrefix;
  const forking: Forking = { uidPrefix: { from: header.uidPrefix, to: uidPrefix }, ca: keys.ca };
  async function* batches(): AsyncIterable<Uint8Array> {
    for await (const part of parts)
      if (part.type === 'rows') yield asFork ? forkedLines(part.lines, forking) : part.lines;
    yield rowLines(keys.rows);
  }
  // A layer that this release doesn't have comes as rows of the cluster's own.
  const base = maker.hasLayer(header.base) ? header.base : '';
  const spec = { base, uidPrefix, createdMs: header.createdMs };
  const plan: Import = { spec, newest: header.newest, again: !asFork };
  const row = await copy(b, maker, id, wanted, plan, header.counters, batches());
  return { row, adminToken: keys.adminToken };
}
const ID = /^a[a-z2-7]{13}$/;

/** What a client sends; one that goes away leaves a cut archive. */
async function* arriving(archive: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* archive;
  } catch {
    throw new ArchiveError('the archive broke off on its way');
  }
}

/** Writes the batches into a cluster that nobody sees, makes it live, and gives it its name. Whatever goes wrong, nothing is left of it. */
async function copy(
  b: Bindings,
  maker: CopyMaker,
  id: string,
  wanted: Wanted,
  plan: Import,
  counters: Record<string, number>,
  batches: AsyncIterable<Uint8Array>,
): Promise<ClusterRow> {
  const directory = directoryOf(b);
  const { name } = wanted;
  if ((await directory.get(name)) !== null) throw alreadyExists(RESOURCE, name);
  if (!(await directory.reserve(id)))
    throw conflict(RESOURCE, name, 'this endpoint has the very cluster already: delete it first, or ask for a fork');
  const target = b.TENANTS.getByName(id);
  try {
    await turn();
    await target.importBegin(plan);
    await turn();
    await write(target, batches, () => directory.goesOn(id));
    await target.importEnd({ counters, loops: maker.loops });
    maker.forget(id);
    const row = await directory.publish(name, id, wanted.ttlSeconds);
    if (row === null) throw alreadyExists(RESOURCE, name);
    return row;
  } catch (error) {
    await directory.abandon(id).catch((e) => world.log('error', 'copy.abandon', { id, error: String(e) }));
    return refused(name)(error);
  }
}

/** What a batch is written with. */
interface Target {
  importRows(lines: Uint8Array): Promise<number>;
}
async function write(
  target: Target,
  batches: AsyncIterable<Uint8Array>,
  goesOn: () => Promise<boolean>,
): Promise<void> {
  const underWay: Promise<void>[] = [];
  let told = world.now();
  for await (const lines of batches) {
    const written = target.importRows(lines).then(() => release(lines));
    // Its failure is noticed when its turn comes.
    written.catch(() => undefined);
    underWay.push(written);
    if (underWay.length >= UNDER_WAY) await underWay.shift();
    // What a process calls in itself never lets the network have its turn.
    await turn();
    if (world.now() - told < GOES_ON_MS) continue;
    told = world.now();
    if (!(await goesOn())) throw internal('the copy took too long and was given up');
  }
  await Promise.all(underWay);
}

/** A cluster's rows, page by page. */
interface Source {
  archivePage(at: Revision, after: Key): Promise<ArchivePage>;
}
async function* pagesOf(source: Source, at: Revision): AsyncGenerator<ArchivePage> {
  for (let after: Key | undefined = ''; after !== undefined; ) {
    const page: ArchivePage = await source.archivePage(at, after);
    // To read one and to do something with it are two steps.
    await turn();
    yield page;
    after = page.next;
  }
}

/** What a client is told of a failure. */
const refused =
  (name: string) =>
  (error: unknown): never => {
    if (error instanceof StatusError) throw error;
    if (error instanceof ArchiveError) throw badRequest(error.message);
    if (isFull(error)) throw failure('', 'the disk has no room', { retryAfterSeconds: 5 }, 507);
    throw refusalOf(error, name);
  };
