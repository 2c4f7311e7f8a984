import { Agent, request } from 'node:https';
import type { Json } from '../../kube/meta/json.ts';

/** What became of a call: an answer, or none. `sent`: the server may have seen the request. */
export type Reply = { status: number; body: Json } | { lost: string; sent: boolean };

export interface CallOptions {
  method: string;
  path: string;
  body?: Json;
  type?: string;
}

/** A caller of one endpoint as one user. */
export type Caller = (o: CallOptions) => Promise<Reply>;

/** Longer than the control plane ever takes for an answer: after it the outcome is open. */
const TIMEOUT_MS = 20_000;

/** Connections to the endpoint, kept alive; those who never read an answer leave a broken one behind. */
export const makeAgent = (caPem: string): Agent =>
  new Agent({ keepAlive: true, maxSockets: 256, ca: caPem, servername: 'localhost' });

/** Calls over HTTPS. */
export function makeCaller(agent: Agent, port: number, token: string): Caller {
  return ({ method, path, body, type }) =>
    new Promise((resolve) => {
      let sent = false;
      const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const headers: Record<string, string | number> = { authorization: `Bearer ${token}`, accept: 'application/json' };
      if (bytes) {
        headers['content-type'] = type ?? 'application/json';
        headers['content-length'] = bytes.length;
      }
      const req = request({ host: '127.0.0.1', port, method, path, headers, agent }, (res) => {
        const parts: Buffer[] = [];
        res.on('data', (part: Buffer) => parts.push(part));
        res.on('error', (e) => resolve({ lost: e.message, sent: true }));
        res.on('close', () => resolve({ lost: 'the answer broke off', sent: true }));
        res.on('end', () => {
          if (res.complete) resolve(parsed(res.statusCode ?? 0, Buffer.concat(parts).toString()));
        });
      });
      req.on('socket', (socket) => {
        if (req.reusedSocket) sent = true;
        else socket.once('secureConnect', () => (sent = true));
      });
      req.setTimeout(TIMEOUT_MS, () => req.destroy(new Error('no answer in time')));
      req.on('error', (e) => resolve({ lost: e.message, sent }));
      req.end(bytes);
    });
}

/** A cut body is no answer, whatever the status. */
function parsed(status: number, text: string): Reply {
  try {
    return { status, body: JSON.parse(text) as Json };
  } catch {
    return { lost: `${status} with a body that is no JSON: ${text.slice(0, 80)}`, sent: true };
  }
}
