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

/** What a server says; `body` is {message} where it is no JSON. */
export interface Answer {
  code: number;
  body: Record<string, unknown>;
}

/** The most that an answer may take. */
const ANSWER_MS_MAX = 30_000;

/** One JSON request. Gives the code and the parsed body; throws only when there was no answer. */
export function call(e: Endpoint, method: string, path: string, body?: unknown, contentType?: string): Promise<Answer> {
  const agent = new Agent({ ca: e.caPem, keepAlive: false });
  const { token } = e;
  return requestJson(agent, method, e.url + path, { token, body, contentType, timeoutMs: ANSWER_MS_MAX });
}

/** What a request has beside its URL. */
export interface RequestParts {
  token?: string | undefined;
  body?: unknown;
  contentType?: string | undefined;
}

/** As call(), through an agent of the caller's. Rejects when the connection is refused or breaks. */
export function requestJson(
  agent: Agent,
  method: string,
  url: string,
  { timeoutMs, ...parts }: RequestParts & { timeoutMs?: number } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const r = request(url, { method, agent, headers: headersOf(parts) }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (s: string) => {
        text += s;
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, body: parse(text) }));
    });
    r.on('error', reject);
    if (timeoutMs !== undefined)
      r.setTimeout(timeoutMs, () => r.destroy(new Error(`no answer within ${timeoutMs / 1_000} s`)));
    r.end(parts.body === undefined ? undefined : JSON.stringify(parts.body));
  });
}

/** Of a request for JSON. */
export const headersOf = ({ token, body, contentType = 'application/json' }: RequestParts) => ({
  accept: 'application/json',
  ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  ...(body === undefined ? {} : { 'content-type': contentType }),
});

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
  return accepted(await reach(e, method, path, body, contentType));
}

/** As `call`; a CommandError where there was no answer. */
export const reach: typeof call = (e, ...request) =>
  call(e, ...request).catch((error: Error) => {
    throw new CommandError(`${e.url} can't be reached: ${error.message}`);
  });

/** The body of an answer; a CommandError with the server's message for one of 400 and more. */
export function accepted({ code, body }: Answer): Record<string, unknown> {
  if (code >= 400) throw new CommandError(String(body.message ?? `the server answered ${code}`));
  return body;
}
