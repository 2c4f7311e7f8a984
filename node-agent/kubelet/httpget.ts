import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIPv6 } from 'node:net';
import type { Container, Handler } from './pod.ts';

/** Upstream caps what it reads of an answer. */
const BODY_BYTES_MAX = 10 * 1024;
/** Go's own limit of redirects. */
const REDIRECTS_MAX = 10;

export interface Answer {
  code: number;
  body: string;
}

type HttpGet = NonNullable<Handler['httpGet']>;

/** An address with its port, bracketed where it must be. */
export const hostPort = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`;

/** The URL that a handler asks: path and query as they are written, escaped where they can't be sent. */
export function urlOf(h: HttpGet, c: Container, podIP: string): URL {
  const scheme = (h.scheme || 'HTTP').toLowerCase();
  const path = h.path?.startsWith('/') ? h.path : `/${h.path ?? ''}`;
  return new URL(`${scheme}://${hostPort(h.host || podIP, portOf(h.port, c))}${path}`);
}

/** What is sent: own headers, in place of ours where they have the same names. An empty one is left out. */
export function headersOf(h: HttpGet, purpose: 'probe' | 'lifecycle'): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (const { name, value } of h.httpHeaders ?? []) {
    const known = Object.keys(headers).find((k) => k.toLowerCase() === name.toLowerCase()) ?? name;
    headers[known] = [...(headers[known] ?? []), value];
  }
  const has = (name: string) => Object.keys(headers).some((k) => k.toLowerCase() === name.toLowerCase());
  if (!has('user-agent')) headers['User-Agent'] = [`kube-${purpose}/1.37`];
  if (!has('accept')) headers.Accept = ['*/*'];
  for (const [name, values] of Object.entries(headers))
    if (/^(accept|user-agent)$/i.test(name) && values[0] === '') delete headers[name];
  return headers;
}

/**
 * Asks a URL, certificates unverified, redirects followed on the same host alone: what another host is named in is the answer. Rejects with Go's
 * words when there is none within `timeoutMs` (0: however long it takes).
 */
export async function httpGet(url: URL, headers: Record<string, string[]>, timeoutMs: number): Promise<Answer> {
  const signal = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined;
  let at = url;
  for (let hops = 0; ; hops++) {
    const answer = await ask(at, headers, signal);
    const location = answer.code >= 300 && answer.code < 400 && answer.code !== 304 ? answer.location : undefined;
    if (location === undefined) return answer;
    const next = new URL(location, at);
    if (next.hostname !== url.hostname) return answer;
    if (hops + 1 >= REDIRECTS_MAX) throw new Error(`Get "${next}": stopped after ${REDIRECTS_MAX} redirects`);
    at = next;
  }
}

function ask(
  url: URL,
  headers: Record<string, string[]>,
  signal: AbortSignal | undefined,
): Promise<Answer & { location: string | undefined }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new Error(`Get "${url}": ${goText(error, url)}`));
    const take = (answer: IncomingMessage) => {
      const parts: Buffer[] = [];
      let size = 0;
      const end = () => {
        const body = Buffer.concat(parts).subarray(0, BODY_BYTES_MAX).toString();
        resolve({ code: answer.statusCode ?? 0, body, location: answer.headers.location });
      };
      answer.on('data', (b: Buffer) => {
        parts.push(b);
        size += b.length;
        if (size < BODY_BYTES_MAX) return;
        end();
        answer.destroy();
      });
      answer.on('end', end);
      answer.on('error', fail);
    };
    const secure = url.protocol === 'https:';
    // Node takes a list for no header that comes once, as Host.
    const sent = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, v.length === 1 ? (v[0] ?? '') : v]));
    const o = { headers: { ...sent, connection: 'close' }, agent: false as const, ...(signal ? { signal } : {}) };
    const r: ClientRequest = secure
      ? httpsRequest(url, { ...o, rejectUnauthorized: false }, take)
      : httpRequest(url, o, take);
    r.on('error', fail);
    r.end();
  });
}

const CODES: Record<string, string> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
};
/** The error as Go's client words it. */
function goText(error: Error & { code?: string }, url: URL): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError')
    return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
  if (error.code === 'ENOTFOUND') return `dial tcp: lookup ${url.hostname}: no such host`;
  if (error.code === 'ECONNRESET') return error.message === 'socket hang up' ? 'EOF' : 'read: connection reset by peer';
  if (error.code === 'EPROTO' || error.code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return 'http: server gave HTTP response to HTTPS client';
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const text = CODES[error.code ?? ''];
  return text ? `dial tcp ${hostPort(url.hostname.replace(/^\[|\]$/g, ''), port)}: ${text}` : error.message;
}

/** How Go words a failed dial of an address. */
export const dialText = (error: Error & { code?: string }, host: string, port: number): string =>
  `dial tcp ${hostPort(host, port)}: ${CODES[error.code ?? ''] ?? error.message}`;

/** A port number of a number or of a container port's name. */
export function portOf(port: number | string, c: Container): number {
  const n = Number(port);
  if (Number.isInteger(n)) return n;
  const named = c.ports?.find((p) => p.name === port);
  if (!named) throw new Error(`couldn't find port: ${port} in container ${c.name}`);
  return named.containerPort;
}
