import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Env } from '../../kube/meta/env.ts';
import { badRequest, type Status, tooMany, unavailable } from '../../kube/meta/status.ts';
import { endToEnd, forwarded, pathBelow } from './headers.ts';

/** Requests under way to the control plane, watches among them: each has a connection of its own there. */
const REQUESTS_MAX = 1_000;
/** Idle connections that are kept. */
const IDLE_MAX = 16;
/** How long a connection to the control plane may take to come about. */
const CONNECT_MS_MAX = 10_000;
/** When clients may ask again while the control plane is away. */
const RETRY_SECONDS = 1;

export type FrontRequest = IncomingMessage | Http2ServerRequest;
export type FrontResponse = ServerResponse | Http2ServerResponse;

/** Where requests go. */
export interface Target {
  /** The cluster's. */
  url: URL;
  /** Opens a request there. */
  open(options: RequestOptions): ReturnType<typeof httpsRequest>;
  ca: string | undefined;
}

export function targetOf(url: string, ca: string | undefined): Target {
  const at = new URL(url);
  const secure = at.protocol === 'https:';
  const kept = { keepAlive: true, maxFreeSockets: IDLE_MAX };
  const agent = secure ? new HttpsAgent({ ...kept, ...(ca ? { ca } : {}) }) : new HttpAgent(kept);
  return {
    url: at,
    ca,
    open(options) {
      const r = (secure ? httpsRequest : httpRequest)({
        host: at.hostname.replace(/^\[|\]$/g, ''),
        port: at.port || (secure ? 443 : 80),
        agent,
        ...(secure && ca && options.agent === false ? { ca } : {}),
        ...options,
      });
      r.once('socket', (socket) => {
        if (!socket.connecting) return;
        const late = () => socket.destroy(new Error(`no connection to ${at.host} within ${CONNECT_MS_MAX} ms`));
        const timer = setTimeout(late, CONNECT_MS_MAX);
        socket.once(secure ? 'secureConnect' : 'connect', () => clearTimeout(timer));
        socket.once('close', () => clearTimeout(timer));
      });
      return r;
    },
  };
}

/** A request as it goes on; null for a path that leads out of the cluster. */
export function onward(req: FrontRequest, target: Target): RequestOptions | null {
  const path = pathBelow(target.url, req.url ?? '/');
  if (path === null) return null;
  return {
    method: req.method ?? 'GET',
    path,
    headers: forwarded(req.headers, target.url.host, (req.socket as TLSSocket).remoteAddress ?? ''),
  };
}

export function statusHeaders(status: Status): Record<string, string> {
  const after = status.details?.retryAfterSeconds;
  return {
    'content-type': 'application/json',
    ...(after === undefined ? {} : { 'retry-after': String(after) }),
  };
}

/** While the control plane can't be reached. */
export function away(error: unknown): Status {
  const why = error instanceof Error ? error.message : String(error);
  const { status } = unavailable(`the control plane can't be reached from this node: ${why}`);
  return { ...status, details: { ...status.details, retryAfterSeconds: RETRY_SECONDS } };
}

/** Passes requests on to the control plane and its answers back, as they come. */
export function createForwarding(target: Target, env: Env) {
  let underWay = 0;

  return (req: FrontRequest, res: FrontResponse): void => {
    const options = onward(req, target);
    if (options === null) {
      say(res, badRequest('the path leads out of the cluster').status);
      return;
    }
    if (underWay >= REQUESTS_MAX) {
      say(res, tooMany('too many requests, please try again later', RETRY_SECONDS).status);
      return;
    }
    underWay++;
    res.once('close', () => underWay--);
    pass(req, res, options, true);
  };

  function pass(req: FrontRequest, res: FrontResponse, options: RequestOptions, again: boolean): void {
    const bodiless = hasNoBody(req);
    const up = target.open(options);
    const leave = () => up.destroy();
    res.once('close', leave);
    up.once('response', (answer) => give(answer, res));
    up.once('error', (error: NodeJS.ErrnoException) => {
      res.off('close', leave);
      // The other end had closed a kept connection just when it was used: nothing of the request was read.
      const unread = again && bodiless && up.reusedSocket && error.code === 'ECONNRESET';
      if (res.headersSent || isGone(res)) end(res);
      else if (unread) pass(req, res, options, false);
      else {
        env.log('debug', 'front.failed', { path: options.path, error: String(error) });
        say(res, away(error));
      }
    });
    if (bodiless) up.end();
    else req.pipe(up);
  }

  function give(answer: IncomingMessage, res: FrontResponse): void {
    const headers = endToEnd(answer.headers);
    if (isGone(res)) {
      answer.destroy();
      return;
    }
    (res as ServerResponse).writeHead(answer.statusCode ?? 502, headers);
    // A watch may have nothing to say for long: its client waits for the head.
    (res as ServerResponse).flushHeaders();
    answer.pipe(res as ServerResponse);
    // Cut short there: cut short here, so that nobody takes it for whole.
    answer.once('error', () => end(res));
    answer.once('aborted', () => end(res));
  }
}

function hasNoBody(req: FrontRequest): boolean {
  if ('stream' in req && req.stream && 'endAfterHeaders' in req.stream) return req.stream.endAfterHeaders;
  const length = req.headers['content-length'];
  return req.headers['transfer-encoding'] === undefined && (length === undefined || length === '0');
}

/** The client has left. */
const isGone = (res: FrontResponse): boolean =>
  'stream' in res && res.stream ? res.stream.destroyed : (res as ServerResponse).destroyed;

/** Ends an answer that isn't whole. */
function end(res: FrontResponse): void {
  if ('stream' in res && res.stream && 'close' in res.stream) res.stream.close(2 /* INTERNAL_ERROR, RFC 9113 7 */);
  else res.destroy();
}

/** Answers with a Status. */
function say(res: FrontResponse, status: Status): void {
  const body = JSON.stringify(status);
  (res as ServerResponse).writeHead(status.code ?? 500, {
    ...statusHeaders(status),
    'content-length': String(Buffer.byteLength(body)),
  });
  res.end(body);
}
