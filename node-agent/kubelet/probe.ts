import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { type Env, sleep } from '../../kube/meta/env.ts';
import { RuntimeError } from '../runtime/error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Container, Handler, Probe } from './pod.ts';

export type ProbeKind = 'startupProbe' | 'livenessProbe' | 'readinessProbe';
export interface ProbeResult {
  ok: boolean;
  output: string;
}

/** Upstream caps what it keeps of a probe's output. */
const OUTPUT_BYTES = 10 * 1024;

/** Runs one handler once against a container. Never throws: what goes wrong is a failure with its text. */
export async function runHandler(
  h: Handler,
  c: Container,
  containerId: string,
  podIP: string,
  timeoutSeconds: number,
  runtime: Runtime,
  env: Env,
): Promise<ProbeResult> {
  try {
    if (h.exec) return await execProbe(h.exec.command, containerId, timeoutSeconds, runtime);
    if (h.httpGet) return await httpProbe(h.httpGet, c, podIP, timeoutSeconds * 1000);
    if (h.tcpSocket)
      return await tcpProbe(h.tcpSocket.host ?? podIP, portOf(h.tcpSocket.port, c), timeoutSeconds * 1000);
    if (h.sleep) {
      await sleep(env, h.sleep.seconds * 1000);
      return { ok: true, output: '' };
    }
    return { ok: false, output: 'missing probe handler' };
  } catch (error) {
    return { ok: false, output: error instanceof Error ? error.message : String(error) };
  }
}

async function execProbe(cmd: string[], id: string, timeoutSeconds: number, runtime: Runtime): Promise<ProbeResult> {
  try {
    const r = await runtime.execSync(id, cmd, timeoutSeconds);
    const text = new TextDecoder().decode(Buffer.concat([r.stdout, r.stderr]).subarray(0, OUTPUT_BYTES));
    return { ok: r.exitCode === 0, output: text };
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'DeadlineExceeded')
      return { ok: false, output: `command timed out: "${cmd.join(' ')}" timed out after ${timeoutSeconds}s` };
    throw error;
  }
}

function httpProbe(
  h: NonNullable<Handler['httpGet']>,
  c: Container,
  podIP: string,
  timeoutMs: number,
): Promise<ProbeResult> {
  const secure = h.scheme === 'HTTPS';
  const host = h.host ?? podIP;
  const port = portOf(h.port, c);
  const path = h.path?.startsWith('/') ? h.path : `/${h.path ?? ''}`;
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.37', accept: '*/*', connection: 'close' };
  for (const x of h.httpHeaders ?? []) headers[x.name.toLowerCase()] = x.value;
  return new Promise((resolve) => {
    const r = (secure ? httpsRequest : httpRequest)(
      { host, port, path, headers, timeout: timeoutMs, ...(secure ? { rejectUnauthorized: false } : {}) },
      (answer) => {
        const code = answer.statusCode ?? 0;
        let text = '';
        answer.on('data', (b: Buffer) => {
          if (text.length < OUTPUT_BYTES) text += b.toString();
        });
        answer.on('end', () =>
          resolve(
            code >= 200 && code < 400
              ? { ok: true, output: text }
              : { ok: false, output: `HTTP probe failed with statuscode: ${code}` },
          ),
        );
        answer.on('error', (e) => resolve({ ok: false, output: e.message }));
      },
    );
    const url = `${secure ? 'https' : 'http'}://${host}:${port}${path}`;
    r.on('timeout', () =>
      r.destroy(new Error('context deadline exceeded (Client.Timeout exceeded while awaiting headers)')),
    );
    r.on('error', (e) => resolve({ ok: false, output: `Get "${url}": ${e.message}` }));
    r.end();
  });
}

function tcpProbe(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const s = connect({ host, port, timeout: timeoutMs });
    const done = (ok: boolean, output: string) => {
      s.destroy();
      resolve({ ok, output });
    };
    s.on('connect', () => done(true, ''));
    s.on('timeout', () => done(false, `dial tcp ${host}:${port}: i/o timeout`));
    s.on('error', (e) => done(false, `dial tcp ${host}:${port}: ${e.message}`));
  });
}

/** A port number of a number or of a container port's name. */
export function portOf(port: number | string, c: Container): number {
  const n = Number(port);
  if (Number.isInteger(n)) return n;
  const named = c.ports?.find((p) => p.name === port);
  if (!named) throw new Error(`couldn't find port: ${port} in container ${c.name}`);
  return named.containerPort;
}

/** Counts results up to the thresholds; `verdict` changes only when one is reached. */
export class ProbeState {
  readonly probe: Probe;
  readonly kind: ProbeKind;
  verdict: boolean | undefined;
  #last: boolean | undefined;
  #run = 0;
  /** `first`: the verdict to begin with, of an agent that ran before. */
  constructor(kind: ProbeKind, probe: Probe, first?: boolean) {
    this.kind = kind;
    this.probe = probe;
    // Readiness begins as not ready, liveness as alive, startup as not started.
    this.verdict = first ?? (kind === 'livenessProbe' ? true : kind === 'readinessProbe' ? false : undefined);
  }
  /** True when the verdict changed. */
  take(ok: boolean): boolean {
    this.#run = this.#last === ok ? this.#run + 1 : 1;
    this.#last = ok;
    const threshold = ok ? (this.probe.successThreshold ?? 1) : (this.probe.failureThreshold ?? 3);
    if (this.#run < threshold || this.verdict === ok) return false;
    this.verdict = ok;
    return true;
  }
}
