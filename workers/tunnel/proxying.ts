import type { JsonObject } from '../../kube/meta/json.ts';
import { AT_ROOT } from '../../kube/wire/clusteraddresses.ts';
import { PROXIED_HEADER_BYTES } from '../../kube/wire/messages.ts';

// What a proxied request takes along, and what is made of its answer: apimachinery pkg/util/proxy, v0.37.1.

/** Of one connection, or of this server's own concern: the pod gets neither the client's credential nor the platform's headers. */
const OWN =
  /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|authorization|accept-encoding|impersonate-.*|coracle-.*|cf-.*|sec-websocket-.*)$/;

/** Where the proxied server's root is in the client's eyes: the request's path, decoded, without the part that the server is asked for. */
export function prefixOf(request: Request, escapedPath: string): string {
  const pathname = decodeURIComponent(new URL(request.url).pathname);
  const path = decodeURIComponent(escapedPath);
  const whole = request.headers.has(AT_ROOT) ? pathname.replace(/^\/clusters\/[^/]+/, '') : pathname;
  const suffix = whole.endsWith('/') && !path.endsWith('/') ? `${path}/` : path;
  return whole.endsWith(suffix) ? whole.slice(0, -suffix.length) : whole;
}

/** Method and headers for the agent; null when the headers are more than a dial request takes. */
export function forwarded(request: Request, prefix: string, path: string): JsonObject | null {
  const headers: Record<string, string> = { 'x-forwarded-uri': prefix + path };
  let bytes = 0;
  for (const [name, value] of request.headers) {
    if (OWN.test(name)) continue;
    bytes += name.length + value.length;
    headers[name] = value;
  }
  if (bytes > PROXIED_HEADER_BYTES) return null;
  const upgrade = request.headers.get('upgrade')?.toLowerCase() === 'websocket';
  return { method: request.method, headers, body: request.body !== null, ...(upgrade && { upgrade }) };
}

/** An absolute path of the server's own gets the prefix; other hosts' and relative links stay. */
export function relink(link: string, prefix: string, host: string): string {
  const [, , authority, rest = ''] = /^([a-z][a-z0-9+.-]*:)?(?:\/\/([^/?#]*))?(.*)$/is.exec(link) ?? [];
  if (authority !== undefined && authority !== '' && authority !== host) return link;
  if (!rest.startsWith('/') || rest.startsWith(prefix)) return rest.startsWith('/') ? rest : link;
  return prefix + rest;
}
