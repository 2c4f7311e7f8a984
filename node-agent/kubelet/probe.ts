import { connect } from 'node:net';
import { RuntimeError } from '../runtime/error.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { expandVariables } from './container.ts';
import { grpcHealth } from './grpchealth.ts';
import { dialText, headersOf, hostPort, httpGet, portOf, urlOf } from './httpget.ts';
import type { Container, Probe } from './pod.ts';

export type ProbeKind = 'startupProbe' | 'livenessProbe' | 'readinessProbe';
export interface ProbeResult {
  ok: boolean;
  output: string;
  /** It passed, and something is to be told. */
  warning?: boolean;
  /** It couldn't be tried: the result doesn't count. */
  unknown?: boolean;
}

/** Upstream caps what it keeps of a probe's output. */
const OUTPUT_BYTES = 10 * 1024;
/** What can't be tried is tried so often at once. */
const TRIES = 3;

/** Runs one probe once against a container. Never throws. */
export async function runProbe(
  p: Probe,
  c: Container,
  containerId: string,
  podIP: string,
  runtime: Runtime,
): Promise<ProbeResult> {
  let result: ProbeResult = { ok: false, unknown: true, output: '' };
  for (let i = 0; i < TRIES && result.unknown; i++) {
    result = await tryOnce(p, c, containerId, podIP, runtime).catch(
      (error: unknown): ProbeResult => ({
        ok: false,
        unknown: true,
        output: error instanceof Error ? error.message : String(error),
      }),
    );
  }
  return result;
}

async function tryOnce(p: Probe, c: Container, id: string, podIP: string, runtime: Runtime): Promise<ProbeResult> {
  const timeoutSeconds = p.timeoutSeconds ?? 1;
  if (p.exec) {
    const own = (c.env ?? []).map((e) => ({ key: e.name, value: e.value ?? '' }));
    const command = p.exec.command.map((t) => expandVariables(t, own));
    return execProbe(command, id, timeoutSeconds, runtime);
  }
  if (p.httpGet) return httpProbe(urlOf(p.httpGet, c, podIP), headersOf(p.httpGet, 'probe'), timeoutSeconds * 1000);
  if (p.tcpSocket) return tcpProbe(p.tcpSocket.host || podIP, portOf(p.tcpSocket.port, c), timeoutSeconds * 1000);
  if (p.grpc) return grpcHealth(podIP, p.grpc.port, p.grpc.service ?? '', timeoutSeconds);
  throw new Error(`missing probe handler for ${c.name}`);
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

async function httpProbe(url: URL, headers: Record<string, string[]>, timeoutMs: number): Promise<ProbeResult> {
  try {
    const { code, body } = await httpGet(url, headers, timeoutMs);
    if (code >= 200 && code < 300) return { ok: true, output: body };
    if (code >= 300 && code < 400)
      return { ok: true, warning: true, output: `Probe terminated redirects, Response body: ${body}` };
    return { ok: false, output: `HTTP probe failed with statuscode: ${code}` };
  } catch (error) {
    return { ok: false, output: error instanceof Error ? error.message : String(error) };
  }
}

function tcpProbe(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const s = connect({ host, port, timeout: timeoutMs });
    const done = (ok: boolean, output: string) => {
      s.destroy();
      resolve({ ok, output });
    };
    s.on('connect', () => done(true, ''));
    s.on('timeout', () => done(false, `dial tcp ${hostPort(host, port)}: i/o timeout`));
    s.on('error', (e) => done(false, dialText(e, host, port)));
  });
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
