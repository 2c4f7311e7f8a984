import type { IncomingMessage } from 'node:http';
import { type Agent, request } from 'node:https';
import { headersOf } from '../../cli/endpoint.ts';

export { requestJson as ask } from '../../cli/endpoint.ts';

/** The answer to a watch, whose body is read by the caller. */
export function open(agent: Agent, url: string, token: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const r = request(url, { agent, headers: headersOf({ token }) }, resolve);
    r.on('error', reject);
    r.end();
  });
}
