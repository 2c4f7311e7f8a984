import { VirtualClock } from '../../kube/store/suite-clock.ts';
import type { Sql } from '../../workers/tenant/sql.ts';
import { SqliteStore } from '../../workers/tenant/sqlite.ts';
import type { SqliteOptions } from '../../workers/tenant/sqliteoptions.ts';
import { createCluster } from '../../workers/tenant/state.ts';
import { nodeSql } from './node-sqlite.ts';

/** A store on tables in memory, and the clock that it lives by. */
export interface World {
  clock: VirtualClock;
  sql: Sql & { close?(): void };
  store: SqliteStore;
  /** When its alarm was set for, each time. */
  alarms: number[];
  /** Ends the store's life and begins another on the same tables. */
  reopen(): SqliteStore;
}

/** A new cluster's store on the layer `base`. */
export function open(o: Partial<SqliteOptions> = {}, base = ''): World {
  const clock = new VirtualClock();
  const sql: World['sql'] = o.sql ?? nodeSql();
  createCluster(sql, { base, uidPrefix: 'aaaaaaaa-bbbb-4ccc-8ddd-', createdMs: clock.nowMs });
  const alarms: number[] = [];
  let life = 0;
  const make = (): SqliteStore => {
    const mine = ++life;
    // What an ended life had set is nobody's any more; the alarm is the object's.
    const env: typeof clock.env = {
      now: clock.env.now,
      after: (ms, f) => clock.env.after(ms, () => mine === life && f()),
    };
    const schedule = (at: number) => {
      alarms.push(at);
      clock.env.after(at - clock.nowMs, () => void w.store.alarm());
    };
    return new SqliteStore({ sql, env, sync: async () => {}, schedule, ...o });
  };
  const w: World = { clock, sql, store: make(), alarms, reopen: () => (w.store = make()) };
  return w;
}
