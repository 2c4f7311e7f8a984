import { createWebSocketStream } from 'ws';
import { badRequest, failure, notFound } from '../../kube/meta/status.ts';
import type { Dial } from '../../kube/wire/messages.ts';
import { PORT_FORWARD_TUNNEL_PROTOCOL, relayPortForward } from '../streaming/portforward.ts';
import { dialRelay, refuse, type StreamParts } from './stream.ts';

/** Serves one port-forward: the client's SPDY bytes, tunnelled in WebSocket messages, go to the runtime as they are. */
export async function servePortForward(parts: StreamParts, dial: Dial): Promise<void> {
  const { api, kubelet, runtime } = parts;
  if (!dial.protocols?.includes(PORT_FORWARD_TUNNEL_PROTOCOL)) {
    return refuse(
      parts,
      dial,
      badRequest(`unable to upgrade: port forwarding is served over ${PORT_FORWARD_TUNNEL_PROTOCOL}`).status,
    );
  }
  const sandbox = (await kubelet.observed(dial.namespace, dial.pod, dial.uid))?.sandboxId;
  if (sandbox === undefined) return refuse(parts, dial, notFound({ group: '', resource: 'pods' }, dial.pod).status);
  let url: string;
  try {
    url = await runtime.portForward(sandbox, []);
  } catch (error) {
    return refuse(parts, dial, failure('InternalError', error instanceof Error ? error.message : String(error)).status);
  }
  const abort = new AbortController();
  const head = { status: 101, headers: { 'sec-websocket-protocol': PORT_FORWARD_TUNNEL_PROTOCOL } };
  const tunnel = await dialRelay(api, dial, head, (socket) => {
    socket.on('close', () => abort.abort());
    return createWebSocketStream(socket);
  });
  await relayPortForward(url, tunnel, abort.signal);
}
