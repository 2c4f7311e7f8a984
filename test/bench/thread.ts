/** From kubectl apply to Running and the first log line: each hop's share. `node test/bench/thread.ts [PODS]`; starts a system of its own, prints medians in ms. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApi } from '../../node-agent/api.ts';
import { BUSYBOX, startSystem } from '../e2e/system.ts';

const pods = Number(process.argv[2] ?? 10);
const s = await startSystem(9, { debug: true });
const rows: Record<string, number>[] = [];
try {
  const token = join(s.home, 'token');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(token, s.token);
  const api = createApi({ url: s.url, caFile: join(s.home, 'state/tls/ca.crt'), tokenFile: token });
  // The image is there and everything has run once.
  await one('warm');
  for (let i = 0; i < pods; i++) rows.push(await one(`p${i}`));

  async function one(name: string): Promise<Record<string, number>> {
    const abort = new AbortController();
    const seen: Record<string, number> = {};
    const mark = (what: string) => {
      seen[what] ??= Date.now();
    };
    const watching = (async () => {
      for await (const event of api.watch(
        `/api/v1/namespaces/default/pods?watch=true&fieldSelector=metadata.name=${name}`,
        abort.signal,
      )) {
        const o = event.object as { spec: { nodeName?: string }; status: { phase?: string } };
        mark('stored');
        if (o.spec.nodeName) mark('bound');
        if (o.status.phase === 'Running') {
          mark('running');
          return;
        }
      }
    })();
    await new Promise((next) => setTimeout(next, 100));
    const begin = Date.now();
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image: BUSYBOX, command: ['sh', '-c', 'echo up; sleep 1000'] }],
      },
    };
    await s.kubectlWith(JSON.stringify(manifest), 'apply', '-f', '-');
    const applied = Date.now();
    await watching;
    const log0 = Date.now();
    await s.kubectl('logs', name);
    const logged = Date.now();
    abort.abort();
    const agent = readFileSync(join(s.home, 'state/node/agent.log'), 'utf8')
      .split('\n')
      .filter((l) => l.includes(`"pod":"${name}"`))
      .map((l) => JSON.parse(l) as { time: string; event: string });
    const at = (event: string) => Date.parse(agent.find((l) => l.event === event)?.time ?? '') || 0;
    await s.kubectl('delete', 'pod', name, '--grace-period=0', '--force');
    return {
      'kubectl: start, discovery, POST until stored': (seen.stored ?? 0) - begin,
      'scheduler: stored until bound': (seen.bound ?? 0) - (seen.stored ?? 0),
      'watch: bound until the agent sees it': at('pod.seen') - (seen.bound ?? 0),
      'agent: sandbox with its network': at('sandbox.started') - at('pod.seen'),
      'agent: volumes, container created and started': at('container.started') - at('sandbox.started'),
      'status: started until Running is seen': (seen.running ?? 0) - at('container.started'),
      'all: kubectl started until Running is seen': (seen.running ?? 0) - begin,
      'stored until Running is seen': (seen.running ?? 0) - (seen.stored ?? 0),
      'kubectl apply, whole command': applied - begin,
      'kubectl logs, whole command': logged - log0,
    };
  }
} finally {
  await s.close();
}
const median = (name: string) => rows.map((r) => r[name] ?? 0).sort((a, b) => a - b)[Math.floor(rows.length / 2)] ?? 0;
for (const name of Object.keys(rows[0] ?? {}))
  console.log(`${name.padEnd(50)} ${median(name).toFixed(0).padStart(6)} ms`);
