import * as grpc from '@grpc/grpc-js';
import { hostPort } from './httpget.ts';

/** grpc.health.v1 HealthCheckResponse.ServingStatus. */
const STATES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const SERVING = 1;
/** Field 1 of both messages: a string, and a varint. */
const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;

function request(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length === 0) return Buffer.alloc(0);
  const size: number[] = [];
  for (let n = name.length; ; n >>= 7) {
    size.push(n > 0x7f ? (n & 0x7f) | 0x80 : n);
    if (n <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([SERVICE_TAG, ...size]), name]);
}
/** The state is small: one byte after its tag. */
const status = (b: Buffer): number => (b[0] === STATUS_TAG ? (b[1] ?? 0) : 0);

/** Asks the gRPC health service of a container once, in upstream's words: pkg/probe/grpc. */
export function grpcHealth(
  host: string,
  port: number,
  service: string,
  timeoutSeconds: number,
): Promise<{ ok: boolean; output: string }> {
  const address = hostPort(host, port);
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    'grpc.primary_user_agent': 'kube-probe/1.37',
    'grpc.enable_retries': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
  });
  const deadline = Date.now() + timeoutSeconds * 1000;
  return new Promise((resolve) => {
    const done = (ok: boolean, output: string) => {
      client.close();
      resolve({ ok, output });
    };
    client.waitForReady(deadline, (error) => {
      if (error) {
        const why = `failed to connect service ${JSON.stringify(address)} within ${timeoutSeconds}s`;
        return done(false, `timeout: ${why}: context deadline exceeded`);
      }
      const path = '/grpc.health.v1.Health/Check';
      client.makeUnaryRequest(path, request, status, service, new grpc.Metadata(), { deadline }, (e, state) => {
        if (e?.code === grpc.status.UNIMPLEMENTED) {
          const why = 'this server does not implement the grpc health protocol (grpc.health.v1.Health)';
          return done(false, `error: ${why}: ${e.details}`);
        }
        if (e?.code === grpc.status.DEADLINE_EXCEEDED)
          return done(false, `timeout: health rpc did not complete within ${timeoutSeconds}s`);
        if (e) {
          const code = grpcCode(e.code);
          return done(false, `error: health rpc probe failed: rpc error: code = ${code} desc = ${e.details}`);
        }
        if (state === SERVING) return done(true, 'service healthy');
        done(false, `service unhealthy (responded with ${JSON.stringify(STATES[state ?? 0] ?? String(state))})`);
      });
    });
  });
}

/** `NOT_FOUND` as Go names it: `NotFound`. */
const grpcCode = (code: number): string =>
  (grpc.status[code] ?? 'UNKNOWN')
    .toLowerCase()
    .replace(/(^|_)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
