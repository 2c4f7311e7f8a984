import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CommandError } from './command.ts';
import type { Endpoint } from './endpoint.ts';

/** Without a byte in either direction for so long the server is taken for gone: it may have much to write before it answers. */
const QUIET_MS_MAX = 300_000;

function begin(e: Endpoint, method: string, path: string, headers: Record<string, string> = {}) {
  const r = request(new URL(e.url + path), {
    method,
    agent: new Agent({ ca: e.caPem, keepAlive: false }),
    headers: { authorization: `Bearer ${e.token}`, ...headers },
  });
  r.setTimeout(QUIET_MS_MAX, () => r.destroy(new Error('the server is silent')));
  const answered = new Promise<IncomingMessage>((resolve, reject) => r.on('response', resolve).on('error', reject));
  answered.catch(() => undefined);
  return { r, answered };
}

/** The answer to a GET as it comes; one of 400 and more becomes a CommandError with the server's message. */
export async function download(e: Endpoint, path: string): Promise<AsyncIterable<Uint8Array>> {
  const { r, answered } = begin(e, 'GET', path);
  r.end();
  const answer = await answered.catch(unreachable(e));
  if ((answer.statusCode ?? 0) >= 400) await parsed(answer);
  return answer;
}

/** PUTs a body as it comes, and gives the parsed answer. What goes wrong with the body is thrown as it is. */
export async function upload(
  e: Endpoint,
  path: string,
  type: string,
  body: AsyncIterable<Uint8Array>,
): Promise<Record<string, unknown>> {
  const { r, answered } = begin(e, 'PUT', path, { 'content-type': type });
  const source = Readable.from(body);
  let failed: Error | undefined;
  source.on('error', (error) => {
    failed = error;
  });
  const sent = pipeline(source, r);
  try {
    // Who answers before the end has refused.
    return await parsed(await Promise.race([answered, sent.then(() => answered)]));
  } catch (error) {
    if (failed !== undefined) throw failed;
    throw error instanceof CommandError ? error : unreachable(e)(error as Error);
  } finally {
    r.destroy();
    await sent.catch(() => undefined);
  }
}

async function parsed(answer: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const part of answer) text += part;
  let body: Record<string, unknown> = {};
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // No Status: a proxy's page.
  }
  const code = answer.statusCode ?? 0;
  if (code >= 400) throw new CommandError(String(body.message ?? `the server answered ${code}`));
  return body;
}

const unreachable =
  (e: Endpoint) =>
  (error: Error): never => {
    throw new CommandError(`${e.url} can't be reached: ${error.message}`);
  };
