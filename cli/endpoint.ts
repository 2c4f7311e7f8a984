import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { CommandError } from './command.ts';

/** A Coracle endpoint as the operator reaches it. */
export interface Endpoint {
  url: string;
  caPem: string;
  token: string;
}

/** The endpoint that this machine's `up` or `serve` runs. */
export function localEndpoint(home: string): Endpoint {
  try {
    return {
      url: readFileSync(join(home, 'url'), 'utf8').trim(),
      caPem: readFileSync(join(home, 'tls', 'ca.crt'), 'utf8'),
      token: readFileSync(join(home, 'operator-token'), 'utf8').trim(),
    };
  } catch {
    throw new CommandError(`no endpoint in ${home}; start one with coracle up or coracle serve`);
  }
}

/** One JSON request. Gives the code and the parsed body; throws only when there was no answer. */
export function call(
  e: Endpoint,
  method: string,
  path: string,
  body?: unknown,
  contentType = 'application/json',
): Promise<{ code: number; body: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ ca: e.caPem, keepAlive: false });
    const headers = {
      authorization: `Bearer ${e.token}`,
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': contentType }),
    };
    const r = request(new URL(e.url + path), { method, agent, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (s: string) => {
        text += s;
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, body: parse(text) }));
    });
    r.on('error', reject);
    r.setTimeout(30_000, () => r.destroy(new Error('no answer within 30 s')));
    r.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { message: text.slice(0, 500) };
  }
}

/** As `call`, but an answer of 400 and more becomes a CommandError with the server's message. */
export async function ask(
  e: Endpoint,
  method: string,
  path: string,
  body?: unknown,
  contentType?: string,
): Promise<Record<string, unknown>> {
  const answer = await call(e, method, path, body, contentType).catch((error: Error) => {
    throw new CommandError(`${e.url} can't be reached: ${error.message}`);
  });
  if (answer.code >= 400) throw new CommandError(String(answer.body.message ?? `the server answered ${answer.code}`));
  return answer.body;
}
