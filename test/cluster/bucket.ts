import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../ports.ts';

/** An S3 server over a file system whose conditional writes are decided under a lock of each object; Apache-2.0. */
const MODULE = 'github.com/versity/versitygw/cmd/versitygw';
const VERSION = 'v1.8.0';
const ACCESS = 'coracle';
const SECRET = 'only-for-tests';
const START_MS_MAX = 20_000;
/** A cold build on a busy machine. */
const BUILD_MS_MAX = 900_000;

/** A running S3 server with one empty bucket. */
export interface Bucket {
  name: string;
  endpoint: string;
  region: string;
  /** What instances find in their environment. */
  env: Record<string, string>;
  /** From nothing to an executable; 0 = it was there. */
  buildSeconds: number;
  /** Of the server. */
  pid: number;
  /** Its folder: objects are files. */
  dir: string;
  close(): Promise<void>;
}

/** The server's executable, built once by the Go toolchain into a cache outside the repository. */
export async function buildServer(): Promise<{ path: string; seconds: number }> {
  const bin = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'coracle', `versitygw-${VERSION}`);
  const path = join(bin, 'versitygw');
  if (existsSync(path)) return { path, seconds: 0 };
  const begin = Date.now();
  const making = `${bin}.${process.pid}`;
  await promisify(execFile)('go', ['install', `${MODULE}@${VERSION}`], {
    cwd: tmpdir(), // outside of any module
    env: { ...process.env, GOBIN: making, GOFLAGS: '' },
    timeout: BUILD_MS_MAX,
    maxBuffer: 1 << 24,
  });
  await mkdir(bin, { recursive: true });
  await promisify(execFile)('mv', [join(making, 'versitygw'), path]);
  await rm(making, { recursive: true, force: true });
  return { path, seconds: (Date.now() - begin) / 1000 };
}

/** Starts the server on a free port of 127.0.0.1 with a folder of its own. */
export async function startBucket(): Promise<Bucket> {
  const { path, seconds } = await buildServer();
  const dir = await mkdtemp(join(tmpdir(), 'coracle-bucket-'));
  const name = 'coracle';
  await mkdir(join(dir, name));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const child = spawn(
    path,
    ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', '--health', '/health', 'posix', dir],
    {
      // Killed instances leave it half-read requests, of which it complains.
      stdio: 'ignore',
      env: { ...process.env, ROOT_ACCESS_KEY_ID: ACCESS, ROOT_SECRET_ACCESS_KEY: SECRET },
    },
  );
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  const close = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  const limit = Date.now() + START_MS_MAX;
  while (
    !(await fetch(`${endpoint}/health`).then(
      (r) => r.ok,
      () => false,
    ))
  ) {
    if (Date.now() > limit || child.exitCode !== null) {
      await close();
      throw new Error('the S3 server does not start');
    }
    await new Promise((r) => setTimeout(r, 50));
  }
  const env = { AWS_ACCESS_KEY_ID: ACCESS, AWS_SECRET_ACCESS_KEY: SECRET };
  return {
    name,
    endpoint,
    region: 'us-east-1',
    env,
    buildSeconds: seconds,
    pid: child.pid ?? 0,
    dir: join(dir, name),
    close,
  };
}
