import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CommandError } from '../command.ts';
import { writeAtomic } from '../home.ts';
import { keep } from '../keeper.ts';
import { quoted } from '../server/unit.ts';
import { hasSystemd, unitName, unitPath } from '../systemd.ts';
import { DEFAULT_STATE } from './settings.ts';

const run = promisify(execFile);

/** How an agent runs: under systemd where that is the machine's first process, else under a shell that starts it again. */
export interface Service {
  /** Starts it, or starts it anew. */
  start(): Promise<void>;
  /** Ends it; pods run on. False when it didn't run. */
  stop(): Promise<boolean>;
  running(): boolean;
  /** Takes away what start has put outside of the state folder. */
  remove(): Promise<void>;
  /** Where its lines are, for people. */
  log: string;
}

/** An agent's files, all below the state folder. */
export interface AgentFiles {
  state: string;
  node: string;
  script: string;
  settings: string;
}

/** The agent ends its containerd in order; past this it hangs. */
const STOP_MS_MAX = 20_000;
const POLL_MS = 50;

export const serviceOf = (f: AgentFiles): Service => (hasSystemd() ? systemd(f) : shell(f));

/** V8's young generation would take up to 48 MiB in a burst of pods. */
export const AGENT_FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2'];
const agentWords = (f: AgentFiles) => [f.node, ...AGENT_FLAGS, f.script, 'run', f.settings];
/** Node.js keeps compiled code there: each start would compile all again. */
const cacheOf = (f: AgentFiles) => join(f.state, 'compile-cache');

/** Name of the unit of a state folder's agent. */
export const agentUnitName = (state: string): string => unitName('coracle-node', state, DEFAULT_STATE);

/** The text of the agent's unit. Containers and their shims are in its cgroup or below pods': only the agent itself is ended. */
export function agentUnit(f: AgentFiles): string {
  return `[Unit]
Description=Coracle node
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=${agentWords(f).map(quoted).join(' ')}
Environment=${quoted(`NODE_COMPILE_CACHE=${cacheOf(f)}`)}
KillMode=process
Delegate=yes
TimeoutStopSec=${STOP_MS_MAX / 1_000}
Restart=always
RestartSec=2
LimitNOFILE=1048576
TasksMax=infinity

[Install]
WantedBy=multi-user.target
`;
}

function systemd(f: AgentFiles): Service {
  const name = agentUnitName(f.state);
  const path = unitPath(name);
  const control = (...args: string[]) => run('systemctl', args);
  return {
    log: `journalctl -u ${name}`,
    async start() {
      writeAtomic(path, agentUnit(f), 0o644);
      await control('daemon-reload');
      await control('enable', name);
      await control('restart', name);
    },
    async stop() {
      const ran = this.running();
      if (existsSync(path)) await control('disable', '--now', name);
      return ran;
    },
    running: () => agentsOf(f.settings).length > 0,
    async remove() {
      if (!existsSync(path)) return;
      await this.stop();
      rmSync(path);
      await control('daemon-reload');
    },
  };
}

function shell(f: AgentFiles): Service {
  const log = join(f.state, 'agent.log');
  const supervisor = join(f.state, 'supervise.sh');
  return {
    log,
    async start() {
      await this.stop();
      const env = { ...process.env, NODE_COMPILE_CACHE: cacheOf(f) };
      await keep({ script: supervisor, log, command: agentWords(f), env });
    },
    // The shell first: it would start the agent again.
    stop: () =>
      stopAll(
        () => supervisorsOf(supervisor, f.settings),
        () => agentsOf(f.settings),
      ),
    running: () => supervisorsOf(supervisor, f.settings).length > 0,
    remove: async () => undefined,
  };
}

/** Ends the processes that each of `finds` gives, one kind after the other. False when there were none. */
async function stopAll(...finds: (() => number[])[]): Promise<boolean> {
  let ran = false;
  for (const find of finds) {
    for (const pid of find()) {
      ran = true;
      kill(pid, 'SIGTERM');
    }
    for (let waited = 0; find().length > 0; waited += POLL_MS) {
      if (waited === STOP_MS_MAX) for (const pid of find()) kill(pid, 'SIGKILL');
      if (waited > 2 * STOP_MS_MAX) throw new CommandError(`process ${find()[0]} can't be ended`);
      await new Promise((r) => setTimeout(r, POLL_MS));
    }
  }
  return ran;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone between the look and the signal
  }
}

/** Command lines of all processes. */
function commandLines(): { pid: number; args: string[] }[] {
  return readdirSync('/proc')
    .filter((n) => /^\d+$/.test(n))
    .flatMap((n) => {
      try {
        return [{ pid: Number(n), args: readFileSync(`/proc/${n}/cmdline`, 'utf8').split('\0') }];
      } catch {
        return []; // it ended meanwhile
      }
    });
}

const supervisorsOf = (supervisor: string, settings: string) =>
  commandLines()
    .filter((p) => p.args[1] === supervisor && p.args.includes(settings))
    .map((p) => p.pid);

/** Agents with these settings, whoever started them and however they were left. */
export const agentsOf = (settings: string): number[] =>
  commandLines()
    // Whatever flags Node.js has, and not the shell that keeps one running: its first word after them is another.
    .filter(({ args }) => {
      const [script, verb, of] = args.slice(1).filter((word) => word !== '' && !word.startsWith('--'));
      return verb === 'run' && of === settings && script?.endsWith('coracle-node.js');
    })
    .map((p) => p.pid);
