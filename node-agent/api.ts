import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { parseJson, printJson } from '../kube/codec/json.ts';
import type { Json, JsonObject } from '../kube/meta/json.ts';
import type { Status } from '../kube/meta/status.ts';

/** Where the agent's cluster is and how it proves itself; the content of its configuration file. */
export interface Connection {
  /** `https://host/clusters/<id>`, without a slash at the end. */
  url: string;
  caFile?: string;
  /** Read anew for each request, so that a rotated token counts at once. */
  tokenFile: string;
}

/** An answer of 400 and more, as the API server said it. */
export class ApiError extends Error {
  readonly code: number;
  readonly status: Partial<Status>;
  constructor(code: number, status: Partial<Status>) {
    super(status.message ?? `the API server answered ${code}`);
    this.name = 'ApiError';
    this.code = code;
    this.status = status;
  }
}

/** No answer within this: the request counts as failed and is made again by its caller's loop. */
const REQUEST_MS_MAX = 30_000;
/** A watch that says nothing for this long is dead: bookmarks come each minute. */
const WATCH_QUIET_MS_MAX = 180_000;

/** The agent's view of the API: plain HTTPS requests over few kept connections. */
export interface Api {
  connection: Connection;
  /** The token as it is now. */
  token(): string;
  ca(): string | undefined;
  get(path: string): Promise<JsonObject>;
  send(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body: Json,
    contentType?: string,
  ): Promise<JsonObject>;
  /** The lines of a watch, parsed; ends or throws when the connection does. */
  watch(path: string, signal: AbortSignal): AsyncIterable<JsonObject>;
}

/** An Api over connections of this machine. */
export interface ConnectedApi extends Api {
  /** Drops all connections: requests and watches under way fail, and are made again on new ones. For when the way to the API was cut: what was sent then comes late, or never. */
  reset(): void;
}

export function createApi(connection: Connection): ConnectedApi {
  const ca = connection.caFile === undefined ? undefined : readFileSync(connection.caFile, 'utf8');
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ...(ca ? { ca } : {}) });
  const watches = new Agent({ keepAlive: true, ...(ca ? { ca } : {}) });
  const token = () => readFileSync(connection.tokenFile, 'utf8').trim();

  function open(
    method: string,
    path: string,
    body: string | undefined,
    contentType: string,
    o: { agent: Agent; signal?: AbortSignal; quietMs: number },
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string> = {
        authorization: `Bearer ${token()}`,
        accept: 'application/json',
        'user-agent': 'coracle-agent/0.1',
      };
      if (body !== undefined) {
        headers['content-type'] = contentType;
        headers['content-length'] = String(Buffer.byteLength(body));
      }
      const r = request(
        connection.url + path,
        { method, headers, agent: o.agent, ...(o.signal ? { signal: o.signal } : {}) },
        resolve,
      );
      r.on('error', reject);
      r.setTimeout(o.quietMs, () => r.destroy(new Error(`${method} ${path}: nothing heard for ${o.quietMs / 1000} s`)));
      r.end(body);
    });
  }

  async function ask(
    method: string,
    path: string,
    body?: string,
    contentType = 'application/json',
  ): Promise<JsonObject> {
    const answer = await open(method, path, body, contentType, { agent, quietMs: REQUEST_MS_MAX });
    const text = await textOf(answer);
    const code = answer.statusCode ?? 0;
    if (code >= 400) throw new ApiError(code, statusOf(text));
    return parseJson(text) as JsonObject;
  }

  async function* watch(path: string, signal: AbortSignal): AsyncIterable<JsonObject> {
    const answer = await open('GET', path, undefined, '', { agent: watches, signal, quietMs: WATCH_QUIET_MS_MAX });
    const code = answer.statusCode ?? 0;
    if (code >= 400) throw new ApiError(code, statusOf(await textOf(answer)));
    try {
      let rest = '';
      answer.setEncoding('utf8');
      for await (const part of answer) {
        const lines = (rest + (part as string)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') yield parseJson(line) as JsonObject;
      }
    } finally {
      answer.destroy();
    }
  }

  return {
    connection,
    token,
    ca: () => ca,
    get: (path) => ask('GET', path),
    send: (method, path, body, contentType) => ask(method, path, printJson(body), contentType),
    watch,
    reset() {
      for (const sockets of [agent, watches].flatMap((a) => [a.sockets, a.freeSockets]))
        for (const socket of Object.values(sockets).flatMap((list) => list ?? [])) socket.destroy();
    },
  };
}

async function textOf(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8');
  let text = '';
  for await (const part of answer) text += part as string;
  return text;
}

function statusOf(text: string): Partial<Status> {
  try {
    return JSON.parse(text) as Partial<Status>;
  } catch {
    return { message: text.slice(0, 500) };
  }
}
