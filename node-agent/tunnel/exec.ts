import { badRequest, failure, notFound, type Status } from '../../kube/meta/status.ts';
import type { Dial } from '../../kube/wire/messages.ts';
import { attachStream, execStream } from '../streaming/remotecommand.ts';
import { CHANNEL_PROTOCOLS, channelsOf } from './channels.ts';
import { dialRelay, refuse, type StreamParts } from './stream.ts';

/** PodExecOptions and PodAttachOptions, as the API server has checked them. */
interface Options {
  container?: string;
  command?: string[];
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  tty?: boolean;
}

/** Serves one exec or attach: asks the runtime for a stream, dials the relay, joins the two. */
export async function serveExec(parts: StreamParts, dial: Dial): Promise<void> {
  const { api, kubelet, runtime } = parts;
  const o = dial.options as Options;
  const protocol = CHANNEL_PROTOCOLS.find((p) => dial.protocols?.includes(p));
  if (protocol === undefined)
    return refuse(
      parts,
      dial,
      badRequest(`unable to upgrade: none of the subprotocols [${(dial.protocols ?? []).join(' ')}] is served`).status,
    );
  const worker = await kubelet.observed(dial.namespace, dial.pod, dial.uid);
  if (!worker) return refuse(parts, dial, notFound({ group: '', resource: 'pods' }, dial.pod).status);
  const name = o.container ?? worker.pod.spec.containers[0]?.name ?? '';
  const id = worker.containerId(name);
  if (id === undefined) return refuse(parts, dial, missing(name, dial.pod));
  const tty = o.tty ?? false;
  const wanted = { tty, stdin: o.stdin ?? false, stdout: o.stdout ?? false, stderr: (o.stderr ?? false) && !tty };
  let url: string;
  try {
    url =
      dial.kind === 'exec'
        ? await runtime.exec({ containerId: id, cmd: o.command ?? [], ...wanted })
        : await runtime.attach({ containerId: id, ...wanted });
  } catch (error) {
    return refuse(parts, dial, failure('InternalError', error instanceof Error ? error.message : String(error)).status);
  }
  const abort = new AbortController();
  const head = { status: 101, headers: { 'sec-websocket-protocol': protocol } };
  const channels = await dialRelay(api, dial, head, (socket) => {
    socket.on('close', () => abort.abort());
    return channelsOf(socket, protocol);
  });
  if (!wanted.stdin) channels.stdin.resume();
  const status = await (dial.kind === 'exec' ? execStream : attachStream)(url, {
    tty,
    stdin: wanted.stdin ? channels.stdin : undefined,
    stdout: wanted.stdout ? channels.stdout : undefined,
    stderr: wanted.stderr ? channels.stderr : undefined,
    resize: tty ? channels.sizes : undefined,
    signal: abort.signal,
  });
  await channels.finish(status);
}

function missing(container: string, pod: string): Status {
  return failure('InternalError', `container not found (${JSON.stringify(container)})`, { name: pod, kind: 'pods' })
    .status;
}
