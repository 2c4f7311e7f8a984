import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { isObject } from '../../kube/meta/json.ts';
import { failure, internal, type Status } from '../../kube/meta/status.ts';
import { SpdySession } from './spdy/session.ts';
import { SpdyError, type SpdyStream } from './spdy/stream.ts';
import { upgrade } from './upgrade.ts';

/** A terminal's size in characters; the keys are remotecommand's own. */
export interface TerminalSize {
  Width: number;
  Height: number;
}

/** The local ends of a command's streams; those that were not asked for at the runtime must be absent here. */
export interface CommandStreams {
  /** Read to its end, which the command then sees as the end of its input. */
  stdin?: Readable | undefined;
  /** Written with back-pressure, never ended. */
  stdout?: Writable | undefined;
  stderr?: Writable | undefined;
  tty?: boolean | undefined;
  resize?: AsyncIterable<TerminalSize> | undefined;
  signal?: AbortSignal | undefined;
}

/** Subprotocols of remotecommand, best first. v4 tells the exit code in a Status; containerd 1.6 speaks it. */
const PROTOCOLS = ['v4.channel.k8s.io'];
/** What the error stream may say: a Status. */
const STATUS_BYTES_MAX = 64 << 10;
/** How long a command without output may take none of the input that waits for it: long, for its disk may be slow. */
const INPUT_STUCK_MS_MAX = 30_000;

/** Resolves when `to` takes more, or never will. */
function drained(to: Writable): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      to.off('drain', over);
      to.off('close', over);
      resolve();
    };
    to.on('drain', over);
    to.on('close', over);
    if (to.destroyed) over();
  });
}

/** Copies what can be read, at the pace of `to`; resolves at its end. */
async function copyTo(from: SpdyStream, to: Writable): Promise<void> {
  for await (const chunk of from) {
    if (to.destroyed) throw new SpdyError('the local end is closed');
    if (!to.write(chunk)) await drained(to);
  }
}

async function readStatus(stream: SpdyStream): Promise<Status> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > STATUS_BYTES_MAX) throw new SpdyError('the error stream is too long');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  // A v4 server tells Success too: silence is a connection that broke, and must not look like exit code 0.
  if (text === '') throw new SpdyError('the connection ended before the command did');
  try {
    const status: unknown = JSON.parse(text);
    if (isObject(status) && status.kind === 'Status') return status as unknown as Status;
    if (isObject(status) && typeof status.status === 'string')
      return { kind: 'Status', ...status } as unknown as Status;
  } catch {
    // Not JSON: an error in plain text, as servers before v4 wrote it
  }
  return failure('InternalError', `error executing remote command: ${text}`).status;
}

/**
 * Fails once input waits and none of it is taken for `ms`. containerd 1.6 may wait for ever to hand over input that a
 * command which has ended never reads, and tells no status then.
 */
async function inputStuck(stdin: SpdyStream, ms: number, signal: AbortSignal): Promise<never> {
  for (let before = -1; !signal.aborted; ) {
    const now = stdin.sentBytes;
    if (now === before && stdin.writableLength > 0) {
      throw new SpdyError('the command has closed its output and takes no more input');
    }
    before = now;
    await delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
  }
  return new Promise(() => undefined); // over: whoever waited has his answer
}

async function sendSizes(stream: SpdyStream, sizes: AsyncIterable<TerminalSize> | undefined): Promise<void> {
  for await (const size of sizes ?? []) {
    if (stream.destroyed) return;
    stream.write(JSON.stringify(size));
  }
  stream.end();
}

async function converse(session: SpdySession, io: CommandStreams, stuckMs: number): Promise<Status> {
  const open = (streamtype: string, wanted: unknown) => (wanted ? session.open({ streamtype }) : null);
  // All are asked for at once and then awaited: one round trip instead of five. The error stream is the first.
  const [error, stdin, stdout, stderr, resize] = await Promise.all([
    session.open({ streamtype: 'error' }),
    open('stdin', io.stdin),
    open('stdout', io.stdout),
    open('stderr', io.stderr && !io.tty),
    open('resize', io.tty),
  ]);
  stdin?.resume();
  if (stdin) io.stdin?.pipe(stdin);
  resize?.resume();
  if (resize) void sendSizes(resize, io.resize).catch(() => resize.destroy());
  error.end();
  const outputs = Promise.all([
    stdout && io.stdout && copyTo(stdout, io.stdout),
    stderr && io.stderr && copyTo(stderr, io.stderr),
  ]);
  const over = new AbortController();
  try {
    const status = readStatus(error);
    const stuck = stdin && outputs.then(() => inputStuck(stdin, stuckMs, over.signal));
    const [told] = await Promise.all([Promise.race(stuck ? [status, stuck] : [status]), outputs]);
    return told;
  } finally {
    over.abort();
    if (stdin) io.stdin?.unpipe(stdin);
  }
}

/**
 * Runs the exec that `url` (Runtime.exec) stands for, with its streams; its Status once all output is written: Success,
 * or Failure with reason NonZeroExitCode and the code in details.causes. A Failure with InternalError when the
 * connection breaks or is refused. At most about 200 KiB are under way in each direction.
 */
export async function execStream(url: string, io: CommandStreams, stuckMs = INPUT_STUCK_MS_MAX): Promise<Status> {
  let session: SpdySession | null = null;
  const abort = () => session?.close(new SpdyError('the client is gone'));
  try {
    const { socket, protocol } = await upgrade(url, PROTOCOLS, io.signal);
    session = new SpdySession(socket);
    if (!PROTOCOLS.includes(protocol)) throw new SpdyError(`unexpected subprotocol ${JSON.stringify(protocol)}`);
    io.signal?.addEventListener('abort', abort, { once: true });
    return await converse(session, io, stuckMs);
  } catch (e) {
    return internal(e instanceof Error ? e.message : String(e)).status;
  } finally {
    io.signal?.removeEventListener('abort', abort);
    session?.close();
  }
}

/** The same for an attach's URL (Runtime.attach); ends with Success when the container ends. */
export const attachStream = execStream;

/** The exit code that a Status tells: 0 for Success, null when the command's end isn't known. */
export function exitCodeOf(status: Status): number | null {
  if (status.status === 'Success') return 0;
  if (status.reason !== 'NonZeroExitCode') return null;
  const code = status.details?.causes?.find((c) => c.reason === 'ExitCode')?.message;
  return code === undefined ? null : Number(code);
}
