import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { AT_ROOT } from '../../kube/wire/clusteraddresses.ts';

/** Of one connection, not of the message (RFC 9110 7.6.1); HTTP/2 has none of them. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** The headers of a message without those of its connection: those that it names too. */
export function endToEnd(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = String(headers.connection ?? '')
    .split(',')
    .map((n) => n.trim().toLowerCase());
  const out: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !name.startsWith(':') && !HOP_BY_HOP.has(name) && !named.includes(name))
      out[name] = value;
  return out;
}

/** Those of a request as it goes on: to another host, with the client's address appended. */
export function forwarded(headers: IncomingHttpHeaders, host: string, client: string): OutgoingHttpHeaders {
  const before = headers['x-forwarded-for'];
  const address = client.replace(/^::ffff:/, '');
  return {
    ...endToEnd(headers),
    [AT_ROOT]: '1',
    host,
    'x-forwarded-for': before ? `${String(before)}, ${address}` : address,
  };
}

/** What a path is below the cluster's URL; null for one that would lead out of it, once whoever reads it next has normalised it. */
export function pathBelow(base: URL, path: string): string | null {
  if (!path.startsWith('/')) return null;
  const [before = ''] = path.split('?', 1);
  const steps = before.replace(/%2e/gi, '.').split(/[/\\]|%5c/i);
  if (steps.includes('..')) return null;
  return base.pathname.replace(/\/$/, '') + path;
}
