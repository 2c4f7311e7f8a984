import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, 'peer.ts');

/** Runs `ip` with words separated by spaces. */
export const ip = async (words: string): Promise<void> => {
  await run('ip', words.split(' '));
};

/** A program (peer.ts) in a network namespace that serves and asks; started with the first question. */
export interface Peer {
  ask(question: object): Promise<unknown>;
  close(): Promise<void>;
}

/** A peer in the network namespace at `path`. */
export function startPeer(path: string): Peer {
  let peer: ChildProcess | undefined;
  const waiting = new Map<number, (answer: unknown) => void>();
  let asked = 0;
  const start = () => {
    const command = [`--net=${path}`, process.execPath, '--disable-warning=ExperimentalWarning', PROGRAM];
    const child = spawn('nsenter', command, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { id, answer } = JSON.parse(line) as { id: number; answer: unknown };
      waiting.get(id)?.(answer);
      waiting.delete(id);
    });
    return child;
  };
  return {
    ask(question) {
      peer ??= start();
      const id = ++asked;
      peer.stdin?.write(`${JSON.stringify({ id, ...question })}\n`);
      return new Promise((resolve) => waiting.set(id, resolve));
    },
    async close() {
      if (!peer) return;
      const gone = new Promise((r) => peer?.once('close', r));
      peer.stdin?.end();
      await gone;
    },
  };
}

/** A network namespace with a peer in it. */
export interface Machine extends Peer {
  namespace: string;
  /** Runs a command inside. */
  run(...command: string[]): Promise<string>;
}

/** Makes the namespace; it goes with `close`. */
export async function startMachine(namespace: string): Promise<Machine> {
  await ip(`netns add ${namespace}`);
  await ip(`-n ${namespace} link set lo up`);
  // Addresses count at once: nobody else here could have them.
  const dad = ['net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0'];
  await run('ip', ['netns', 'exec', namespace, 'sysctl', '-qw', ...dad]);
  const peer = startPeer(`/run/netns/${namespace}`);
  return {
    namespace,
    ask: (question) => peer.ask(question),
    run: async (...command) => (await run('ip', ['netns', 'exec', namespace, ...command])).stdout,
    async close() {
      await peer.close();
      await ip(`netns delete ${namespace}`);
    },
  };
}
