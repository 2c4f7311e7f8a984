/** One flooding tenant: so many connections that each ask again as soon as they are answered. `node test/density/flood.ts FILE`; prints a line of counts at SIGTERM. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';

export interface FloodInput {
  port: number;
  ca: string;
  /** Path of the cluster, `/clusters/<id>`. */
  base: string;
  token: string;
  connections: number;
  what: 'get' | 'create' | 'list' | 'connect';
}

const input = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as FloodInput;
const mapsOf = (namespace: string) => `${input.base}/api/v1/namespaces/${namespace}/configmaps`;
const codes: Record<string, number> = {};
let n = 0;

function once(agent: Agent | false): Promise<void> {
  const create = input.what === 'create';
  // Not where others list: what they get stays as long as it was.
  const path = create
    ? mapsOf('kube-public')
    : input.what === 'list'
      ? mapsOf('default')
      : `${input.base}/api/v1/namespaces/default`;
  const body = create
    ? JSON.stringify({ metadata: { name: `flood-${n++}` }, data: { a: 'x'.repeat(1000) } })
    : undefined;
  return new Promise((resolve) => {
    const headers = {
      authorization: `Bearer ${input.token}`,
      ...(body ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } : {}),
    };
    const r = request(
      { host: '127.0.0.1', port: input.port, path, method: create ? 'POST' : 'GET', ca: input.ca, headers, agent },
      (answer) => {
        const code = String(answer.statusCode);
        codes[code] = (codes[code] ?? 0) + 1;
        answer.on('error', () => resolve());
        answer.on('end', () => resolve());
        answer.resume();
      },
    );
    r.on('error', () => {
      codes.error = (codes.error ?? 0) + 1;
      resolve();
    });
    r.end(body);
  });
}

async function connection(): Promise<void> {
  const agent = input.what === 'connect' ? false : new Agent({ keepAlive: true, maxSockets: 1 });
  for (;;) await once(agent);
}
process.once('SIGTERM', () => {
  console.log(JSON.stringify(codes));
  process.exit(0);
});
for (let i = 0; i < input.connections; i++) void connection();
