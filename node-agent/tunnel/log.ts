import { join } from 'node:path';

import { badRequest, type Status } from '../../kube/meta/status.ts';
import type { Dial } from '../../kube/wire/messages.ts';

import { logDirectory } from '../kubelet/container.ts';
import type { Kubelet } from '../kubelet/kubelet.ts';
import { type LogOptions, readLog } from '../kubelet/logs.ts';
import { waitingReason } from '../kubelet/status.ts';
import { bodySender, dialRelay, refuse, type StreamParts } from './stream.ts';

/** Serves one log request of the cloud: finds the file, dials the relay, sends it. */
export async function serveLog(parts: StreamParts, dial: Dial): Promise<void> {
  const { api, kubelet, logRoot, env } = parts;
  const found = await locate(kubelet, logRoot, dial, dial.options);
  if ('status' in found) return refuse(parts, dial, found.status);
  const abort = new AbortController();
  const send = await dialRelay(api, dial, { status: 200, headers: { 'content-type': 'text/plain' } }, (socket) => {
    socket.on('close', () => abort.abort());
    return bodySender(socket);
  });
  await send(readLog(found.path, dial.options as LogOptions, found.running, env.now(), abort.signal));
}

/** The log file of a container's newest or previous run; the Status that says why there is none, in upstream's words. */
export async function locate(
  kubelet: Kubelet,
  logRoot: string,
  { namespace, pod, uid }: { namespace: string; pod: string; uid?: string },
  options: LogOptions & { container?: string },
): Promise<{ path: string; running: () => boolean } | { status: Status }> {
  const worker = await kubelet.observed(namespace, pod, uid);
  const name = options.container ?? worker?.pod.spec.containers[0]?.name ?? '';
  if (!worker) return { status: badRequest(`pod ${JSON.stringify(pod)} is not on this node yet`).status };
  const attempt = worker.attempt(name, options.previous ?? false);
  if (attempt === undefined) {
    const text = options.previous
      ? `previous terminated container ${JSON.stringify(name)} in pod ${JSON.stringify(pod)} not found`
      : `container ${JSON.stringify(name)} in pod ${JSON.stringify(pod)} is waiting to start: ${waitingReason(worker.pod, name)}`;
    return { status: badRequest(text).status };
  }
  const path = join(logDirectory(logRoot, worker.pod), name, `${attempt}.log`);
  return { path, running: () => options.previous !== true && worker.isRunning(name, attempt) };
}
