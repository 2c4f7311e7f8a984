import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { prepare } from '../../cli/server/process.ts';
import { answers, freePort } from '../ports.ts';
import type { Clock } from './clock.ts';

const WORKERD = createRequire(import.meta.url).resolve('@cloudflare/workerd-linux-64/bin/workerd');
/** From spawn to listening, on a busy machine. */
const START_MS_MAX = 60_000;
/** From SIGTERM to the end: workerd waits for open watches. */
const STOP_MS_MAX = 5_000;

/** The control plane under test: the real bundle in the real workerd, one process. */
export interface Server {
  port: number;
  caPem: string;
  operatorToken: string;
  log: string;
  /** Starts it; doesn't wait. */
  spawn(): void;
  /** Resolves when it listens, or has ended. */
  listening(): Promise<boolean>;
  running(): boolean;
  /** kill -9, at once. */
  kill(): Promise<void>;
  /** SIGTERM. */
  stop(): Promise<void>;
  /** Ends that nobody here caused. */
  crashes: string[];
}

/** Prepares a server whose state is below `home`, on the clock. */
export async function makeServer(home: string, logDir: string, clock: Clock): Promise<Server> {
  const port = await freePort();
  const prepared = await prepare({ home, listen: [{ host: '127.0.0.1', port }], names: [] });
  const main = join(dirname(prepared.config), 'main.js');
  const bundle = readFileSync(main, 'utf8');
  const log = join(logDir, 'server.log');
  let child: ChildProcess | null = null;
  let ended: Promise<void> = Promise.resolve();
  let meant = false;
  process.once('exit', () => child?.kill('SIGKILL'));

  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    meant = true;
    child?.kill(signal);
    const late = setTimeout(() => child?.kill('SIGKILL'), STOP_MS_MAX);
    await ended;
    clearTimeout(late);
  };
  const server: Server = {
    port,
    caPem: prepared.caPem,
    operatorToken: prepared.operatorToken,
    log,
    crashes: [],
    running: () => child !== null,
    spawn() {
      if (clock.banner() !== '') writeFileSync(main, clock.banner() + bundle);
      const out = openSync(log, 'a', 0o600);
      const started = spawn(WORKERD, ['serve', prepared.config, '--experimental'], {
        stdio: ['ignore', out, out],
        env: { ...process.env, ...clock.env },
      });
      child = started;
      meant = false;
      ended = new Promise((done) => {
        started.once('error', () => done());
        started.once('exit', (code, signal) => {
          if (!meant) server.crashes.push(signal ?? `exit ${code}`);
          if (child === started) child = null;
          done();
        });
      });
    },
    async listening() {
      const limit = Date.now() + START_MS_MAX;
      while (child !== null && Date.now() < limit) {
        if (await answers(port)) return true;
        await new Promise((next) => setTimeout(next, 20));
      }
      return false;
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
  return server;
}
