import { Readable, Writable } from 'node:stream';
import type WebSocket from 'ws';
import { printJson } from '../../kube/codec/json.ts';
import type { Json } from '../../kube/meta/json.ts';
import type { Status } from '../../kube/meta/status.ts';
import type { TerminalSize } from '../streaming/remotecommand.ts';

/** Channels: the first byte of each binary message; of the base64 protocols the digit before the text. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
/**
 * Subprotocols for exec and attach, best first, as the kubelet serves them. v5 adds the message that closes stdin; v4 a Status as the
 * command's end, where the first one has a text, and none when all went well.
 */
export const CHANNEL_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const;
export type ChannelProtocol = (typeof CHANNEL_PROTOCOLS)[number];
const DIGIT_0 = 0x30;
/** A message of output is at most this long: what the relay takes, less the channel byte, also in base64. */
const CHUNK_BYTES_MAX = 192 * 1024;
/** Input that the command hasn't read yet; past it the socket is paused and the client waits. */
const STDIN_BYTES = 256 * 1024;
/** Terminal sizes that wait: only the newest matters. */
const SIZES_MAX = 16;

/** The client's side of an exec as streams. */
export interface Channels {
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  sizes: AsyncIterable<TerminalSize>;
  /** Sends the command's end on the error channel, after all output, and closes. */
  finish(status: Status): Promise<void>;
}

/** Takes a client's socket apart into streams, with back-pressure both ways. */
export function channelsOf(socket: WebSocket, protocol: ChannelProtocol = 'v5.channel.k8s.io'): Channels {
  const base64 = protocol.includes('base64');
  const stdin = new Readable({ highWaterMark: STDIN_BYTES, read: () => socket.resume() });
  const sizes: TerminalSize[] = [];
  let wake: (() => void) | undefined;
  let over = false;
  let inputEnded = false;
  const endInput = () => {
    if (!inputEnded && !stdin.destroyed) stdin.push(null);
    inputEnded = true;
  };
  const take: Partial<Record<number, (body: Buffer) => void>> = {
    [CHANNEL.stdin]: (body) => {
      if (body.length > 0 && !inputEnded && !stdin.destroyed && !stdin.push(body)) socket.pause();
    },
    [CHANNEL.close]: (body) => {
      if (body[0] === CHANNEL.stdin) endInput();
    },
    [CHANNEL.resize]: (body) => {
      const size = sizeOf(body.toString());
      if (size) sizes.push(size);
      if (sizes.length > SIZES_MAX) sizes.shift();
      wake?.();
    },
  };
  socket.on('message', (data: Buffer) => {
    const first = data[0] ?? -1;
    if (base64) take[first - DIGIT_0]?.(Buffer.from(data.toString('latin1', 1), 'base64'));
    else take[first]?.(data.subarray(1));
  });
  socket.on('close', () => {
    over = true;
    wake?.();
    endInput();
  });
  socket.on('error', () => socket.terminate());
  const writer = (channel: number) => {
    const w = new Writable({
      highWaterMark: CHUNK_BYTES_MAX,
      write(chunk: Buffer, _, done) {
        send(socket, base64, channel, chunk, done);
      },
    });
    // A client that goes ends the command by the socket's close; whoever still writes sees a destroyed stream.
    w.on('error', () => socket.terminate());
    return w;
  };
  const outputs = { stdout: writer(CHANNEL.stdout), stderr: writer(CHANNEL.stderr) };
  async function* resizes(): AsyncIterable<TerminalSize> {
    for (;;) {
      const size = sizes.shift();
      if (size) yield size;
      else if (over) return;
      else await new Promise<void>((r) => (wake = r));
    }
  }
  // Tells the client that the stream is there before the command says anything, as the kubelet does.
  send(socket, base64, CHANNEL.stdout, Buffer.alloc(0), () => undefined);
  return {
    stdin,
    ...outputs,
    sizes: resizes(),
    async finish(status) {
      // Input that nobody reads any more must not hold up the client's own close.
      stdin.destroy();
      socket.resume();
      // The client leaves once it has the status: what the writers still hold has to go first.
      await Promise.all([ended(outputs.stdout), ended(outputs.stderr)]);
      const end = protocol.startsWith('v')
        ? printJson(status as unknown as Json)
        : status.status === 'Success'
          ? ''
          : (status.message ?? '');
      if (end === '') socket.close(1000);
      else send(socket, base64, CHANNEL.error, Buffer.from(end), () => socket.close(1000));
    },
  };
}

/** Resolves when all that was written has left, or never will. */
function ended(w: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (w.destroyed) return resolve();
    w.once('close', resolve);
    w.end();
  });
}

/** Sends a chunk in messages of bounded size; `done` when the last one has left. */
function send(socket: WebSocket, base64: boolean, channel: number, chunk: Buffer, done: (error?: Error) => void): void {
  if (socket.readyState !== socket.OPEN) {
    done(new Error('the client is gone'));
    return;
  }
  const part = chunk.subarray(0, CHUNK_BYTES_MAX);
  const rest = chunk.subarray(CHUNK_BYTES_MAX);
  const message = base64 ? `${channel}${part.toString('base64')}` : Buffer.concat([Buffer.of(channel), part]);
  socket.send(message, { binary: !base64 }, (error) => {
    if (error || rest.length === 0) done(error);
    else send(socket, base64, channel, rest, done);
  });
}

function sizeOf(text: string): TerminalSize | null {
  try {
    const { Width, Height } = JSON.parse(text) as Partial<TerminalSize>;
    return typeof Width === 'number' && typeof Height === 'number' ? { Width, Height } : null;
  } catch {
    return null; // a client that sends no JSON here gets no new size
  }
}
