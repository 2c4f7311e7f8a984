import { request } from 'node:http';
import type { TcpNetConnectOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import { PatientSocket } from './patient.ts';

/** How long a streaming server may take to answer the upgrade. */
const UPGRADE_MS_MAX = 30_000;
/** How much of a refusal's text is worth showing. */
const REFUSAL_BYTES_MAX = 4 << 10;

/** The server answered without switching protocols. */
export class UpgradeError extends Error {
  readonly code: number;
  constructor(code: number, body: string) {
    super(`unable to upgrade connection: ${body || `status ${code}`}`);
    this.code = code;
  }
}

/**
 * Switches an http URL to SPDY/3.1 and gives the raw connection, with the subprotocol that the server chose ('' for
 * none). Relaying these bytes as they are is all that a port-forward tunnel needs.
 */
export function upgrade(
  url: string,
  protocols: string[],
  signal?: AbortSignal,
): Promise<{ socket: Duplex; protocol: string }> {
  return new Promise((resolve, reject) => {
    const req = request(url, {
      method: 'POST',
      headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocols },
      timeout: UPGRADE_MS_MAX,
      createConnection: (o) => new PatientSocket().connect(o as TcpNetConnectOpts),
      ...(signal ? { signal } : {}),
    });
    req.once('upgrade', (res, socket, head) => {
      req.setTimeout(0);
      socket.setTimeout(0);
      socket.setNoDelay(true);
      if (head.length > 0) socket.unshift(head);
      resolve({ socket, protocol: String(res.headers['x-stream-protocol-version'] ?? '') });
    });
    req.once('response', (res) => {
      let body = '';
      res.setEncoding('utf8');
      res.on('data', (text: string) => {
        body += body.length < REFUSAL_BYTES_MAX ? text : '';
      });
      res.once('error', reject);
      res.once('end', () => reject(new UpgradeError(res.statusCode ?? 0, body.trim())));
    });
    req.once('timeout', () => req.destroy(new Error(`no answer to the upgrade within ${UPGRADE_MS_MAX} ms`)));
    req.once('error', reject);
    req.end();
  });
}
