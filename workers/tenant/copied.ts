import { DurableObject } from 'cloudflare:workers';
import type { Env } from '../../kube/meta/env.ts';
import { SIBLINGS, storeName } from '../../kube/store/placement.ts';
import type { Key, Revision } from '../../kube/store/store.ts';
import { type ArchiveHead, type ArchivePage, archiveBase, archiveHead, archivePage } from './archive.ts';
import type { BaseLayer } from './base.ts';
import { beginAfter, endImport, firstRevision, type Import, type ImportEnd, importRows } from './importing.ts';
import { setMeta } from './schema.ts';
import type { Sql } from './sql.ts';
import { clusterSpec, createCluster, liftTombstone, makeLive, openState, type State } from './state.ts';
import type { RestoreTarget } from './travel.ts';

/** What a store object has for its copies. */
export interface Copying {
  sql: Sql;
  world: Env;
  name: string;
  layer(hash: string): BaseLayer | undefined;
  /** The state of the cluster that is there. */
  state(): Promise<State>;
  sibling(name: string): { revive(): Promise<void> };
}
/** Symbols, for what has a name can be called over RPC. */
export const COPYING = Symbol('copying');
export const FORGET_IMPORT = Symbol('forget import');

/** The part of a store object that forks, backups and restores are made with: its rows as of one revision, and a cluster made of rows. */
export abstract class CopiedObject<E> extends DurableObject<E> {
  /** The cluster in the making. */
  #importing: State | null = null;

  abstract [COPYING](): Copying;

  /** The cluster as of a revision or time (default: now), but for its rows: what an archive begins with. */
  async archiveHead(target?: RestoreTarget): Promise<ArchiveHead> {
    const { sql, state } = this[COPYING]();
    return archiveHead(await state(), clusterSpec(sql), target);
  }
  /** Its base layer as of a revision. */
  async archiveBase(at: Revision): Promise<ArchivePage> {
    return archiveBase(await this[COPYING]().state(), at);
  }
  /** Its own rows as of a revision, a page after a key ('' = from the first on). */
  async archivePage(at: Revision, after: Key): Promise<ArchivePage> {
    return archivePage(await this[COPYING]().state(), at, after);
  }

  /** Begins a cluster that nobody sees before importEnd(). Throws StoreError 'no-cluster' if the object has or had another one. */
  async importBegin(o: Import): Promise<void> {
    const { sql, world, name, sibling } = this[COPYING]();
    if (o.again) {
      liftTombstone(sql);
      await Promise.all(SIBLINGS.map((part) => sibling(storeName(name, part)).revive()));
    }
    createCluster(sql, o.spec, 'importing');
    setMeta(sql, 'name', name);
    beginAfter(this.#import(), firstRevision(o.newest, world.now()));
  }
  /** A batch of rows; how many they were. */
  async importRows(lines: Uint8Array): Promise<number> {
    return importRows(this.#import(), lines);
  }
  /** The cluster is whole: it is there from now on, and its loops begin. */
  async importEnd(o: ImportEnd): Promise<void> {
    const { sql, world } = this[COPYING]();
    const state = this.#import();
    sql.transaction(() => {
      endImport(state, o);
      makeLive(sql);
    });
    this[FORGET_IMPORT]();
    await this.ctx.storage.setAlarm(world.now());
    await this.ctx.storage.sync();
  }
  /** In a sibling: the cluster comes back from its backup; its tombstone goes, and its first call makes it anew. */
  async revive(): Promise<void> {
    liftTombstone(this[COPYING]().sql);
    await this.ctx.storage.sync();
  }

  [FORGET_IMPORT](): void {
    this.#importing = null;
  }
  #import(): State {
    const { sql, world, layer } = this[COPYING]();
    this.#importing ??= openState(sql, world, layer, 'importing');
    return this.#importing;
  }
}
