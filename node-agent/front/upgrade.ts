import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { badRequest } from '../../kube/meta/status.ts';
import { couple, passRefusal, refuseWith, writeHead } from './bare.ts';
import { away, onward, type Target } from './forward.ts';
import { translateSpdy } from './spdy.ts';

/** Serves the upgrade of an HTTP/1.1 connection: WebSockets go through as they are, SPDY/3.1 as WebSockets. */
export function upgradeTo(target: Target, req: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on('error', () => socket.destroy());
  if (head.length > 0) socket.unshift(head);
  const wanted = String(req.headers.upgrade ?? '').toLowerCase();
  if (wanted === 'spdy/3.1') {
    translateSpdy(target, req, socket);
    return;
  }
  const options = onward(req, target);
  if (options === null) {
    refuseWith(socket, badRequest('the path leads out of the cluster').status);
    return;
  }
  // A connection of its own: it is the stream's from now on.
  const up = target.open({
    ...options,
    agent: false,
    headers: { ...options.headers, connection: 'Upgrade', upgrade: req.headers.upgrade },
  });
  const gone = () => up.destroy();
  socket.once('close', gone);
  up.once('upgrade', (answer, other, first) => {
    socket.off('close', gone);
    writeHead(socket, 101, pairs(answer.rawHeaders));
    if (first.length > 0) other.unshift(first);
    couple(socket, other);
  });
  up.once('response', (answer) => void passRefusal(answer, socket));
  up.once('error', (error) => refuseWith(socket, away(error)));
  up.end();
}

function pairs(raw: readonly string[]): [string, string][] {
  const out: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) out.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return out;
}
