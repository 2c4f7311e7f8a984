import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type WebSocket from 'ws';
import type { Dial } from '../../kube/wire/messages.ts';
import { createApi } from '../../node-agent/api.ts';
import { machineEnv } from '../../node-agent/env.ts';
import { keepControl } from '../../node-agent/tunnel/control.ts';
import { dialRelay } from '../../node-agent/tunnel/stream.ts';
import { ask } from './http.ts';
import type { Target } from './load.ts';
import type { TestSystem } from './system.ts';

const env = machineEnv(() => undefined);

/** A node without a runtime: the agent's own control channel and relay, and a log that always says the same. */
export interface TestNode {
  name: string;
  /** Whether the channel is open and answered. */
  connected(): boolean;
  dials: number;
  end(): Promise<void>;
}

export const LOG = 'a line of the log\n';

/** Registers a node as its agent would and keeps its tunnel open through the load balancer. */
export async function startNode(target: Target, s: TestSystem): Promise<TestNode> {
  const { url, agent, dir } = s;
  const name = `node-${target.name}`;
  const path = `/apis/tenancy.coracle.dev/v1/clusters/${target.name}/node`;
  const made = await ask(agent, 'POST', url + path, { token: s.token, body: { metadata: { name } } });
  const { token } = made.body.status as { token: string };
  const tokenFile = join(dir, `${target.name}.token`);
  const caFile = join(dir, 'secrets', 'ca.crt');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const base = url + target.path;
  const object = { kind: 'Node', apiVersion: 'v1', metadata: { name } };
  await ask(agent, 'POST', `${base}/api/v1/nodes`, { token: target.token, body: object });
  const room = { cpu: '64', memory: '256Gi', pods: '500' };
  // As a kubelet does when it was taken for dead.
  const report = async () => {
    const now = new Date().toISOString().replace(/\.\d+/, '');
    const times = { lastHeartbeatTime: now, lastTransitionTime: now };
    const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready', ...times };
    const { code } = await ask(agent, 'PATCH', `${base}/api/v1/nodes/${name}/status`, {
      token: target.token,
      body: { status: { capacity: room, allocatable: room, conditions: [ready] } },
      contentType: 'application/strategic-merge-patch+json',
    }).catch(() => ({ code: 0 }));
    if (code !== 200) setTimeout(report, 1_000).unref();
  };
  await report();
  const api = createApi({ url: base, caFile, tokenFile });
  const over = new AbortController();
  const link = { heardMs: 0 };
  const node: TestNode = {
    name,
    dials: 0,
    connected: () => link.heardMs > 0,
    async end() {
      over.abort();
      await running;
    },
  };
  const dial = (request: Dial) => {
    node.dials++;
    const head = { status: 200, headers: { 'content-type': 'text/plain' } };
    void dialRelay(api, request, head, (socket: WebSocket) => {
      socket.once('message', () => {
        socket.send(Buffer.from(LOG));
        socket.send(JSON.stringify({ type: 'end' }));
      });
    }).catch(() => undefined);
  };
  const running = keepControl(
    api,
    name,
    { dial, wake: () => undefined, back: () => void report() },
    env,
    AbortSignal.any([over.signal, s.over]),
    link,
  );
  return node;
}
