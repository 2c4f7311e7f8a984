import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { CommandError } from '../command.ts';
import { control, memberStatus } from './control.ts';

/** A first start compiles the bundle and, of an instance, opens the bucket. */
const START_MS_MAX = 60_000;
/** A process that never became ready is started this often, then it's an error: most likely a setting. */
const FIRST_TRIES = 4;
/** Before a process that died is started again: doubled up to the last, and back to the first after it ran well. */
const AGAIN_MS = 250;
const AGAIN_MS_MAX = 30_000;
const STEADY_MS = 60_000;
/** Between two looks: at a process that starts, and at an instance's membership. */
const LOOK_MS = 50;
const MEMBER_MS = 2_000;
/** The engine takes new requests for this long after SIGTERM, for load balancers to notice (workerd.capnp, stopTimeoutMs). Watches end when it stops to. */
const ACCEPTS_MS = 5_000;
/** Ending watches and tunnels; and after the grace, before SIGKILL. */
const DRAIN_MS_MAX = 3_000;
const KILL_AFTER_MS = 1_000;

/** What is kept running. */
export interface Service {
  /** Starts the process; its lines go to stderr. */
  start(): ChildProcess;
  /** Path of its control socket. */
  control: string;
  /** From the signal to the end of requests in flight. */
  graceMs: number;
  /** Of one of several instances. */
  cluster?: { address: string } | undefined;
  /** Called at each start that succeeded. */
  ready(child: ChildProcess): void;
  say(line: string): void;
}

/** Runs a service until `stop` aborts: starts it again whenever it dies. Throws when it can't be started at all. */
export async function supervise(s: Service, stop: AbortSignal): Promise<void> {
  let wait = AGAIN_MS;
  let everReady = false;
  for (let tries = 1; !stop.aborted; tries++) {
    const began = Date.now();
    const run = startOne(s);
    const ready = await Promise.race([isReady(s, run, stop), aborted(stop).then(() => false)]);
    if (ready) {
      everReady = true;
      s.ready(run.child);
    }
    const members = new AbortController();
    if (ready && s.cluster) void watchMembership(s, s.cluster.address, members.signal);
    await Promise.race([run.ended, aborted(stop)]);
    members.abort();
    if (stop.aborted) return end(s, run);
    const why = await run.ended;
    if (!everReady && tries >= FIRST_TRIES)
      throw new CommandError(`workerd could not be started: it ${why} (${tries} times)`);
    if (Date.now() - began > STEADY_MS) wait = AGAIN_MS;
    s.say(`workerd ${why} after ${((Date.now() - began) / 1000).toFixed(1)} s; starting it again in ${wait / 1000} s`);
    await pause(wait, stop);
    wait = Math.min(wait * 2, AGAIN_MS_MAX);
  }
}

interface Run {
  child: ChildProcess;
  alive(): boolean;
  /** How it ended. */
  ended: Promise<string>;
}

function startOne(s: Service): Run {
  // A socket file that a dead process left stands in the way.
  rmSync(s.control, { force: true });
  const child = s.start();
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`could not be run: ${error.message}`));
    child.on('exit', (code, signal) => resolve(signal === null ? `ended with code ${code}` : `was ended by ${signal}`));
  });
  return { child, alive: () => child.exitCode === null && child.signalCode === null, ended };
}

async function isReady(s: Service, run: Run, stop: AbortSignal): Promise<boolean> {
  const limit = Date.now() + START_MS_MAX;
  while (run.alive() && !stop.aborted) {
    const answer = await control(s.control, 'GET', '/readyz').catch(() => null);
    if (answer?.status === 200) return true;
    if (Date.now() > limit) {
      s.say(`workerd doesn't answer ${START_MS_MAX / 1000} s after its start`);
      run.child.kill('SIGKILL');
      return false;
    }
    await pause(LOOK_MS, stop);
  }
  return false;
}

/** An instance without a lease serves nothing: /readyz says so, for load balancers. */
async function watchMembership(s: Service, address: string, over: AbortSignal): Promise<void> {
  let member = true;
  while (!over.aborted) {
    await pause(MEMBER_MS, over);
    if (over.aborted) return;
    const now = (await memberStatus(address)) === 200;
    if (now === member || over.aborted) continue;
    const why = now ? '' : 'this instance holds no lease of its cluster';
    if (!(await control(s.control, 'POST', `/unready?why=${encodeURIComponent(why)}`).catch(() => null))) continue;
    member = now;
    s.say(now ? 'this instance is a member of its cluster again' : why);
  }
}

/** SIGTERM in order: no new clients, watches and tunnels end, requests in flight end, at last SIGKILL. */
async function end(s: Service, run: Run): Promise<void> {
  if (!run.alive()) return;
  s.say(`stopping: requests in flight have ${s.graceMs / 1000} s`);
  const began = Date.now();
  const accepts = s.cluster ? Math.min(ACCEPTS_MS, s.graceMs / 2) : 0;
  const drained = control(s.control, 'POST', `/drain?after=${accepts}`, accepts + DRAIN_MS_MAX).catch((error) =>
    s.say(`the end could not be announced: ${error.message}`),
  );
  // An instance goes on to take requests while it hands its objects over; a lone process stops to at the signal.
  if (!s.cluster) await drained;
  run.child.kill('SIGTERM');
  const killAt = began + s.graceMs + (s.cluster ? KILL_AFTER_MS : 0);
  const why = await Promise.race([run.ended, setTimeout(Math.max(0, killAt - Date.now()))]);
  if (why === undefined) {
    s.say('the grace is over: what is still in flight ends now');
    run.child.kill('SIGKILL');
    await run.ended;
  }
  s.say(`stopped after ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

/** Waits, but not past an abort. Leaves nothing behind on a signal that lives as long as the process. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, { signal }).catch(() => undefined);
const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
