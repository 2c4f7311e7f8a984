import { watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** PodLogOptions that shape the output: k8s.io/api/core/v1. */
export interface LogOptions {
  follow?: boolean;
  previous?: boolean;
  sinceSeconds?: number;
  /** RFC 3339. */
  sinceTime?: string;
  timestamps?: boolean;
  tailLines?: number;
  limitBytes?: number;
  stream?: 'All' | 'Stdout' | 'Stderr';
}

/** Read in steps of this; also the window in which the tail is searched backwards. */
const STEP_BYTES = 64 * 1024;
/** Where a container writes nothing, a follower looks whether it has ended this often. */
const FOLLOW_MS = 1_000;

/** One line of a CRI log: `<RFC3339Nano> <stream> <P|F> <text>`. */
interface Line {
  time: string;
  stream: string;
  partial: boolean;
  text: Buffer;
}
function parseLine(line: Buffer): Line | null {
  const a = line.indexOf(32);
  const b = line.indexOf(32, a + 1);
  const c = line.indexOf(32, b + 1);
  if (a < 0 || b < 0) return null;
  const tag = line.subarray(b + 1, c < 0 ? line.length : c).toString();
  return {
    time: line.subarray(0, a).toString(),
    stream: line.subarray(a + 1, b).toString(),
    partial: tag.split(':')[0] === 'P',
    text: c < 0 ? Buffer.alloc(0) : line.subarray(c + 1),
  };
}

/**
 * A container's log as the log subresource gives it: tail, since, timestamps, limit, follow. Chunks end where lines end, but for the limit.
 * `running` tells a follower whether more may come. Throws ENOENT when there is no such file.
 */
export async function* readLog(
  path: string,
  o: LogOptions,
  running: () => boolean,
  now: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let file = await open(path, 'r');
  let rest = o.limitBytes ?? Number.POSITIVE_INFINITY;
  try {
    let offset = o.tailLines === undefined ? 0 : await tailOffset(file, o.tailLines);
    let carry: Buffer = Buffer.alloc(0);
    // Without following, lines that come after the tail was found are not told: as cri-client's pkg/logs.
    const state: Shape = {
      newLine: true,
      left: o.follow ? Number.POSITIVE_INFINITY : (o.tailLines ?? Number.POSITIVE_INFINITY),
    };
    let rotated = false;
    const since = o.sinceTime
      ? Date.parse(o.sinceTime)
      : o.sinceSeconds === undefined
        ? Number.NEGATIVE_INFINITY
        : now - o.sinceSeconds * 1000;
    for (;;) {
      // Asked before reading, so that what was written just before the end is still read.
      const more = running();
      const buffer = Buffer.allocUnsafe(STEP_BYTES);
      const { bytesRead } = await file.read(buffer, 0, STEP_BYTES, offset);
      offset += bytesRead;
      const joined = Buffer.concat([carry, buffer.subarray(0, bytesRead)]);
      const last = joined.lastIndexOf(10);
      carry = joined.subarray(last + 1);
      const out = format(joined.subarray(0, last + 1), o, since, state);
      if (out.length > 0) {
        yield out.length > rest ? out.subarray(0, rest) : out;
        rest -= out.length;
        if (rest <= 0) return;
      }
      if (state.left === 0) return;
      if (bytesRead > 0) continue;
      if (!o.follow || signal.aborted) return;
      if (rotated) {
        // What came into the old file before the runtime went over has been read now.
        const fresh = await open(path, 'r');
        await file.close();
        file = fresh;
        offset = 0;
        rotated = false;
        continue;
      }
      // No file at the path: it is being rotated, the runtime still writes into the old one.
      const there = await stat(path).catch(() => null);
      rotated = there !== null && there.ino !== (await file.stat()).ino;
      if (rotated) continue;
      if (!more) return;
      await changed(path, signal);
    }
  } finally {
    await file.close();
  }
}

/** What carries over from one piece of a log to the next. */
interface Shape {
  /** The next part begins a line: a runtime cuts long ones into several. */
  newLine: boolean;
  /** So many lines of the file are still to be told, whether they are passed over or not. */
  left: number;
}

function format(lines: Buffer, o: LogOptions, sinceMs: number, s: Shape): Buffer {
  const parts: Buffer[] = [];
  for (let from = 0; from < lines.length && s.left > 0; ) {
    const to = lines.indexOf(10, from);
    const line = parseLine(lines.subarray(from, to));
    from = to + 1;
    if (line === null) continue;
    s.left--;
    const begins = s.newLine;
    s.newLine = !line.partial || line.text.length === 0;
    if (Number.isFinite(sinceMs) && Date.parse(line.time) < sinceMs) continue;
    if (o.stream === 'Stdout' ? line.stream !== 'stdout' : o.stream === 'Stderr' && line.stream !== 'stderr') continue;
    if (o.timestamps && begins) parts.push(Buffer.from(`${line.time} `));
    parts.push(line.text);
    if (!line.partial) parts.push(NEWLINE);
  }
  return Buffer.concat(parts);
}
const NEWLINE = Buffer.from('\n');

/** Where the last n lines begin. */
async function tailOffset(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines === 0) return size;
  let found = 0;
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - STEP_BYTES);
    const buffer = Buffer.alloc(end - begin);
    await file.read(buffer, 0, buffer.length, begin);
    // The newline at the very end closes the last line; it doesn't begin another.
    for (let i = buffer.length - 1; i >= 0; i--) {
      if (buffer[i] === 10 && begin + i + 1 < size && ++found === lines) return begin + i + 1;
    }
    end = begin;
  }
  return 0;
}

/** Resolves when the file changes, after FOLLOW_MS, or when the signal aborts. */
function changed(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(dirname(path), (_, name) => {
      if (name === basename(path)) done();
    });
    const timer = setTimeout(done, FOLLOW_MS);
    signal.addEventListener('abort', done, { once: true });
    watcher.on('error', done);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      watcher.close();
      resolve();
    }
  });
}

/** The end of a log, for a termination message: at most so many lines and bytes. */
export async function lastLines(path: string, lines: number, bytes: number): Promise<string> {
  try {
    const parts: Buffer[] = [];
    for await (const b of readLog(path, { tailLines: lines }, () => false, 0, new AbortController().signal))
      parts.push(b);
    return Buffer.concat(parts).subarray(-bytes).toString();
  } catch {
    return ''; // no log, no message
  }
}
