import { createReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../kube/meta/json.ts';
import type { Dial, Head } from '../../kube/wire/messages.ts';
import type { LogOptions } from '../kubelet/logs.ts';
import { readLog } from '../kubelet/logs.ts';
import { MAX_PODS } from '../kubelet/nodestatus.ts';
import { containerMetrics, printMetrics, resourceMetrics } from '../kubelet/stats/metrics.ts';
import { isWithin } from '../kubelet/volumes/mounter.ts';
import { locate } from './log.ts';
import { bodySender, dialRelay, type StreamParts } from './stream.ts';

/** The kubelet's own port: what a Node's status tells, and where `nodes/NAME/proxy` goes unless another is named. */
export const KUBELET_PORT = 10250;
/** What /logs/ shows. */
const LOGS = '/var/log';

const TEXT = 'text/plain; charset=utf-8';
const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

interface Answer {
  status: number;
  type: string;
  body: string | AsyncIterable<Uint8Array>;
}
const text = (body: string, type = TEXT, status = 200): Answer => ({ status, type, body });
const json = (value: unknown): Answer => text(JSON.stringify(value), 'application/json');
const missing = () => text('404 page not found\n', TEXT, 404);

type Endpoint = (parts: StreamParts, query: URLSearchParams, signal: AbortSignal) => Promise<Answer> | Answer;

/** What the kubelet's server answers to GET, by path. It listens nowhere: the API server's proxy subresource of nodes is its only client. */
const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  '/healthz': () => text('ok'),
  '/healthz/ping': () => text('ok'),
  '/healthz/log': () => text('ok'),
  '/healthz/syncloop': () => text('ok'),
  '/pods': ({ kubelet }) => {
    const items = [...kubelet.workers.values()].map((w) => w.pod);
    return json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
  },
  '/configz': () => json({ kubeletconfig: configuration() }),
  '/stats/summary': async ({ kubelet }) => json(await kubelet.stats.summary()),
  '/metrics': ({ kubelet }) => text(ownMetrics(kubelet.workers.size), METRICS),
  '/metrics/resource': async ({ kubelet }) => text(resourceMetrics(await kubelet.stats.summary()), METRICS),
  '/metrics/cadvisor': async ({ kubelet }) => text(containerMetrics(await kubelet.stats.summary()), METRICS),
  '/metrics/probes': () => text('', METRICS),
};

/** Answers one GET of the kubelet's endpoints over the relay. */
export async function serveKubelet(parts: StreamParts, dial: Dial, path: string, query: string): Promise<void> {
  const abort = new AbortController();
  const params = new URLSearchParams(query);
  const trimmed = path.length > 1 ? path.replace(/\/$/, '') : path;
  const answer = await (ENDPOINTS[trimmed]?.(parts, params, abort.signal) ?? deeper(parts, path, params, abort.signal));
  const head: Head = { status: answer.status, headers: { 'content-type': answer.type } };
  const send = await dialRelay(parts.api, dial, head, (socket) => {
    socket.on('close', () => abort.abort());
    return bodySender(socket);
  });
  await send(typeof answer.body === 'string' ? once(answer.body) : answer.body);
}

async function* once(body: string): AsyncIterable<Uint8Array> {
  if (body !== '') yield Buffer.from(body);
}

async function deeper(parts: StreamParts, path: string, q: URLSearchParams, signal: AbortSignal): Promise<Answer> {
  const [, first, namespace = '', pod = '', container = '', more] = path.split('/');
  if (first === 'logs') return machineLog(path.slice('/logs'.length));
  if (first !== 'containerLogs' || container === '' || more !== undefined) return missing();
  const options: LogOptions & { container: string } = { container };
  for (const name of ['follow', 'previous', 'timestamps'] as const)
    if (q.has(name)) options[name] = q.get(name) !== 'false' && q.get(name) !== '0';
  for (const name of ['sinceSeconds', 'tailLines', 'limitBytes'] as const)
    if (q.has(name)) options[name] = Number(q.get(name));
  const sinceTime = q.get('sinceTime');
  if (sinceTime !== null) options.sinceTime = sinceTime;
  const found = await locate(parts.kubelet, parts.logRoot, { namespace, pod }, options);
  if ('status' in found) return text(String(found.status.message), TEXT, found.status.code);
  return { status: 200, type: TEXT, body: readLog(found.path, options, found.running, parts.env.now(), signal) };
}

/** A file of the machine's logs, or what a folder of them holds; nothing that lies elsewhere, whatever a link says. */
async function machineLog(path: string): Promise<Answer> {
  const real = await realpath(join(LOGS, decodeURIComponent(path))).catch(() => null);
  if (real === null || !isWithin(real, LOGS)) return missing();
  const s = await stat(real);
  if (s.isFile()) return { status: 200, type: TEXT, body: createReadStream(real) };
  if (!s.isDirectory()) return missing();
  const entries = await readdir(real, { withFileTypes: true });
  const names = entries.map((e) => `${e.name}${e.isDirectory() ? '/' : ''}`).sort();
  const escaped = (name: string) => name.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const links = names.map((n) => `<a href="${encodeURIComponent(n).replace('%2F', '/')}">${escaped(n)}</a>`);
  return text(`<!doctype html>\n<pre>\n${links.join('\n')}\n</pre>\n`, 'text/html; charset=utf-8');
}

/** The settings that this node goes by, as a KubeletConfiguration says them. */
function configuration(): JsonObject {
  return {
    kind: 'KubeletConfiguration',
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    maxPods: MAX_PODS,
    containerLogMaxSize: '10Mi',
    containerLogMaxFiles: 5,
    imageGCHighThresholdPercent: 85,
    imageGCLowThresholdPercent: 80,
    imageMinimumGCAge: '2m0s',
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '10%',
      'nodefs.inodesFree': '5%',
      'imagefs.available': '15%',
      'imagefs.inodesFree': '5%',
    },
    evictionPressureTransitionPeriod: '5m0s',
    nodeStatusReportFrequency: '5m0s',
    nodeStatusUpdateFrequency: '10s',
    nodeLeaseDurationSeconds: 40,
    syncFrequency: '1m0s',
    cgroupDriver: 'cgroupfs',
  };
}

function ownMetrics(pods: number): string {
  const { rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const gauge = (name: string, help: string, value: number) => ({
    ...{ name, help, type: 'gauge' as const },
    rows: [[{}, value] as [Record<string, string>, number]],
  });
  return printMetrics([
    gauge('kubelet_running_pods', 'Number of pods that have a running pod sandbox', pods),
    gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', rss),
    {
      ...gauge('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', (user + system) / 1e6),
      type: 'counter',
    },
  ]);
}
