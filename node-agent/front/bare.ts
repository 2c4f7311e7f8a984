import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Status } from '../../kube/meta/status.ts';
import { statusHeaders } from './forward.ts';

/** What a refusal of an upgrade may say. */
const REFUSAL_BYTES_MAX = 64 << 10;

const REASONS: Readonly<Record<number, string>> = {
  101: 'Switching Protocols',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  503: 'Service Unavailable',
};

/** Writes the head of an answer on a bare connection. */
export function writeHead(socket: Duplex, code: number, headers: readonly (readonly [string, string])[]): void {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${code} ${REASONS[code] ?? 'Answer'}\r\n${lines.join('')}\r\n`);
}

/** Answers an upgrade with a refusal, and hangs up. */
export function refuseUpgrade(socket: Duplex, code: number, type: string, body: Buffer | string, more = {}): void {
  const headers = {
    'content-type': type,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...more,
  };
  writeHead(socket, code, Object.entries(headers));
  socket.end(body);
}
export const refuseWith = (socket: Duplex, status: Status): void =>
  refuseUpgrade(socket, status.code ?? 500, 'application/json', JSON.stringify(status), statusHeaders(status));

/** Couples two connections: what one says the other hears, and when one is gone so is the other. */
export function couple(a: Duplex, b: Duplex): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
}

/** An answer that isn't an upgrade, as it is. */
export async function passRefusal(answer: IncomingMessage, socket: Duplex): Promise<void> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes <= REFUSAL_BYTES_MAX) parts.push(part);
    }
  } catch {
    // What came of it is what can be told.
  }
  const after = answer.headers['retry-after'];
  const type = answer.headers['content-type'] ?? 'text/plain';
  refuseUpgrade(socket, answer.statusCode ?? 502, type, Buffer.concat(parts), after ? { 'retry-after': after } : {});
}
