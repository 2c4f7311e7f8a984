import { badRequest, failure, internal, notFound, type Status } from '../../kube/meta/status.ts';
import type { Dial } from '../../kube/wire/messages.ts';
import { attachStream, execStream, exitCodeOf } from '../streaming/remotecommand.ts';
import { CHANNEL_PROTOCOLS, channelsOf } from './channels.ts';
import { dialRelay, refuse, refuseInText, type StreamParts } from './stream.ts';

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
  const worker = await kubelet.observed(dial.namespace, dial.pod, dial.uid);
  if (!worker) return refuse(parts, dial, notFound({ group: '', resource: 'pods' }, dial.pod).status);
  const name = o.container ?? worker.pod.spec.containers[0]?.name ?? '';
  const id = worker.containerId(name);
  if (id === undefined) {
    // Who comes without WebSockets is told by the kubelet itself upstream, which writes plain text.
    const text = `container not found (${JSON.stringify(name)})`;
    return dial.protocols === undefined
      ? refuseInText(parts, dial, text)
      : refuse(parts, dial, failure('InternalError', text, { name: dial.pod, kind: 'pods' }).status);
  }
  // Only now: a client that falls back to SPDY is to hear what is wrong with the container.
  const protocol = CHANNEL_PROTOCOLS.find((p) => dial.protocols?.includes(p));
  if (protocol === undefined)
    return refuse(
      parts,
      dial,
      badRequest(`unable to upgrade: none of the subprotocols [${(dial.protocols ?? []).join(' ')}] is served`).status,
    );
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
  await channels.finish(toldTo(protocol, status));
}

/** kube-apiserver makes an error of its own of a v5 client's error, which isn't an exit code; the words stand there twice then. */
function toldTo(protocol: string, status: Status): Status {
  const translated = protocol === 'v5.channel.k8s.io' && status.status !== 'Success' && exitCodeOf(status) === null;
  return translated ? internal(status.message ?? '').status : status;
}
