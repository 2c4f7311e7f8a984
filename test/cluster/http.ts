import type { IncomingMessage } from 'node:http';
import { type Agent, request } from 'node:https';

export interface Answer {
  code: number;
  body: Record<string, unknown>;
}

/** One JSON request; rejects when the connection is refused or breaks. */
export function ask(
  agent: Agent,
  method: string,
  url: string,
  o: { token?: string; body?: unknown; type?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const r = request(url, { method, agent, headers: headers(o) }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (s: string) => {
        text += s;
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, body: parse(text) }));
    });
    r.on('error', reject);
    r.end(o.body === undefined ? undefined : JSON.stringify(o.body));
  });
}

/** The answer to a watch, whose body is read by the caller. */
export function open(agent: Agent, url: string, token: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const r = request(url, { agent, headers: headers({ token }) }, resolve);
    r.on('error', reject);
    r.end();
  });
}

const headers = (o: { token?: string; body?: unknown; type?: string }) => ({
  accept: 'application/json',
  ...(o.token === undefined ? {} : { authorization: `Bearer ${o.token}` }),
  ...(o.body === undefined ? {} : { 'content-type': o.type ?? 'application/json' }),
});

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { message: text };
  }
}
