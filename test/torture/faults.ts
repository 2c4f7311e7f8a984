import type { Random } from '../fuzz/random.ts';
import type { Caller } from './client.ts';
import type { System } from './system.ts';
import type { Scene } from './workload.ts';

/** One thing that is done to the server, when so many operations are done. */
export type Fault = { at: number } & (
  | { do: 'kill' }
  | { do: 'hasty' }
  | { do: 'stop' }
  | { do: 'jump'; seconds: number; kill: boolean }
  | { do: 'full'; kill: boolean }
);

/** What was done. */
export interface Done {
  kills: number;
  stops: number;
  jumps: number;
  spells: number;
  /** Of the spells, those in which a client's write found no room (507). */
  felt: number;
}

const HOUR_S = 3600;
/** Forward jumps come more often, and two in eight pass the window of time travel, so that history is compacted. */
const JUMPS_S = [360, HOUR_S, 5 * HOUR_S, 25 * HOUR_S, 25 * HOUR_S, -90, -HOUR_S, -5 * HOUR_S];
/** A spell ends when so many writes got no room, or after this time. */
const REFUSALS_WANTED = 40;
const SPELL_MS = 15_000;
/** From room made to the first write that goes through again. */
const RECOVERY_MS = 60_000;
/** Of one body. */
const LARGE = 300_000;
/** A killed server is killed again within this time of its next start. */
const HASTY_MS = 400;

/** The faults of a run, in order: kills all over it, the others between them. A seed gives one plan. */
export function planFaults(random: Random, ops: number, kills: number): Fault[] {
  const faults: Fault[] = [];
  const spread = (n: number, make: (at: number) => Fault) => {
    for (let i = 0; i < n; i++) faults.push(make(Math.floor(((i + 0.1 + 0.8 * random.next()) * ops) / n)));
  };
  const spells = Math.max(1, Math.round(kills / 20));
  const jumps = Math.max(2, Math.round(kills / 5));
  // A hasty kill is two, each second spell has one of its own and each third jump two.
  const inSpells = Math.floor(spells / 2);
  const inJumps = Math.floor(jumps / 3);
  const left = Math.max(0, kills - inSpells - 2 * inJumps);
  const hasty = Math.floor(left / 6);
  spread(left - 2 * hasty, (at) => ({ at, do: 'kill' }));
  spread(hasty, (at) => ({ at, do: 'hasty' }));
  spread(Math.max(1, Math.round(kills / 10)), (at) => ({ at, do: 'stop' }));
  let n = 0;
  spread(jumps, (at) => ({ at, do: 'jump', seconds: random.pick(JUMPS_S), kill: n++ % 3 === 2 }));
  n = 0;
  spread(spells, (at) => ({ at, do: 'full', kill: n++ % 2 === 1 }));
  return faults.sort((a, b) => a.at - b.at);
}

/** Does them one after the other, each when its time has come. Gives what is wrong beside the history. */
export async function runFaults(
  system: System,
  scene: Scene,
  faults: readonly Fault[],
  random: Random,
  done: Done,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const fault of faults) {
    while (scene.counts.done < fault.at) {
      if (scene.over()) return wrong;
      await sleep(5);
    }
    // Not in step with the operations that were counted.
    await sleep(random.next() * 50);
    if (fault.do === 'kill') await kill(system, done);
    else if (fault.do === 'hasty') {
      done.kills += 2;
      await system.restart('SIGKILL', random.next() * HASTY_MS);
    } else if (fault.do === 'stop') {
      done.stops++;
      await system.restart('SIGTERM');
    } else if (fault.do === 'jump') {
      done.jumps++;
      system.clock.jump(fault.seconds);
      await sleep(random.next() * 1500);
      if (fault.kill) {
        // What has become due starts with the server, compaction too: it is killed in the midst of that.
        await kill(system, done);
        await sleep(random.next() * HASTY_MS);
        await kill(system, done);
      }
    } else wrong.push(...(await fullDisk(system, scene, fault.kill, done)));
  }
  return wrong;
}

function kill(system: System, done: Done): Promise<void> {
  done.kills++;
  return system.restart('SIGKILL');
}

async function fullDisk(system: System, scene: Scene, withKill: boolean, done: Done): Promise<string[]> {
  done.spells++;
  const before = scene.counts.full;
  const begun = Date.now();
  const isOver = () => scene.over() || Date.now() - begun > SPELL_MS || scene.counts.full - before > REFUSALS_WANTED;
  const crashes = system.server.crashes.length;
  for (const c of system.clusters) void stuff(c.direct, isOver);
  for (let killed = !withKill; !isOver(); ) {
    // What a checkpoint gives back is taken too.
    await system.disk.fill();
    await sleep(200);
    if (!killed && Date.now() - begun > SPELL_MS / 3) {
      killed = true;
      await kill(system, done);
    }
  }
  system.disk.free();
  if (scene.counts.full > before) done.felt++;
  if (system.server.crashes.length > crashes) system.server.crashes.length = crashes;
  const written = () => scene.ops.findLastIndex((o) => o.told.is === 'done');
  const last = written();
  const limit = Date.now() + RECOVERY_MS;
  while (written() === last && !scene.over()) {
    if (Date.now() > limit) return [`no write went through in ${RECOVERY_MS / 1000} s after the disk had room again`];
    await sleep(20);
  }
  return [];
}

/** Large bodies, until one finds no room: else the room that SQLite keeps in its log lasts the clients' small ones for long. */
async function stuff(call: Caller, isOver: () => boolean): Promise<void> {
  const path = '/api/v1/namespaces/default/configmaps';
  while (!isOver()) {
    const body = { metadata: { generateName: 'large-' }, data: { large: 'x'.repeat(LARGE) } };
    const reply = await call({ method: 'POST', path, body });
    if ('lost' in reply || reply.status !== 201) await sleep(300);
  }
}

const sleep = (ms: number) => new Promise((next) => setTimeout(next, ms));
