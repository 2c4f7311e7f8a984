/**
 * Connected nodes without machines: what the agent does towards the control plane (control channel, Lease, status, its watch of pods), for many clusters in one
 * process. `node test/density/agents.ts FILE`: FILE holds AgentsInput as JSON. Prints "connected" once all are; ends with its parent's SIGTERM.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApi } from '../../node-agent/api.ts';
import { machineEnv } from '../../node-agent/env.ts';
import { keepLease, reportNode, STATUS_MS } from '../../node-agent/kubelet/node.ts';
import { followPods } from '../../node-agent/kubelet/source.ts';
import type { Runtime } from '../../node-agent/runtime/runtime.ts';
import { keepControl, type Link } from '../../node-agent/tunnel/control.ts';

export interface AgentsInput {
  ca: string;
  nodes: { url: string; token: string; node: string }[];
}

const env = machineEnv((level, event, fields) => {
  if (level !== 'debug') console.error(level, event, JSON.stringify(fields ?? {}));
});

/** The two calls that the node's status needs. */
const runtime = {
  version: async () => ({ runtimeName: 'none', runtimeVersion: '0' }),
  status: async () => ({
    status: { conditions: [{ type: 'RuntimeReady', status: true, reason: '', message: '' }] },
    runtimeHandlers: [],
  }),
} as unknown as Runtime;

async function agent(folder: string, ca: string, n: AgentsInput['nodes'][number], signal: AbortSignal): Promise<Link> {
  const tokenFile = join(folder, `${n.node}-${n.url.slice(n.url.lastIndexOf('/') + 1)}`);
  writeFileSync(tokenFile, n.token);
  const api = createApi({ url: n.url, tokenFile, caFile: ca });
  const link: Link = { heardMs: 0 };
  const settings = { name: n.node, addresses: ['10.0.0.1'], labels: {}, taints: [], podCIDRs: [] };
  await reportNode(api, runtime, settings, env);
  void keepControl(api, n.node, { dial: () => undefined, wake: () => undefined }, env, signal, link);
  void keepLease(api, n.node, link, env, signal);
  const nothing = () => undefined;
  void followPods(api, n.node, { replace: nothing, upsert: nothing, remove: nothing, reachable: nothing }, env, signal);
  setInterval(
    () => void reportNode(api, runtime, settings, env).catch((e: Error) => env.log('warn', 'status', { e })),
    STATUS_MS,
  );
  return link;
}

const input = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as AgentsInput;
const folder = mkdtempSync(join(tmpdir(), 'coracle-agents-'));
const ca = join(folder, 'ca');
writeFileSync(ca, input.ca);
const { signal } = new AbortController();
const links: Link[] = [];
// Spread, as machines are: what each does every ten seconds shall not come at once.
for (const n of input.nodes) links.push(await agent(folder, ca, n, signal));
while (links.some((l) => l.heardMs === 0)) await new Promise((next) => setTimeout(next, 50));
console.log('connected');
