import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Family } from './table.ts';

const run = promisify(execFile);
/** All UDP flows of a busy node: some hundred bytes each. */
const OUTPUT_MAX = 64 * 1024 * 1024;
/** Deletions at a time: each is a process. */
const AT_ONCE = 8;

/** A UDP flow that the kernel remembers, as its first packet was sent and as answers come. */
export interface Flow {
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  /** Who answers: the endpoint, where the flow was sent on to one. */
  replySource: string;
  replyPort: number;
}

/** UDP Services: who may answer at an address and port (`ip port`), at a node port. */
export interface UdpTargets {
  addresses: ReadonlyMap<string, ReadonlySet<string>>;
  nodePorts: ReadonlyMap<number, ReadonlySet<string>>;
}

/**
 * The flows to a Service that go to what isn't an endpoint of it (any more): a client that goes on sending would never reach
 * another. pkg/proxy/conntrack/cleanup.go, v1.37.1.
 */
export function staleFlows(flows: readonly Flow[], t: UdpTargets): Flow[] {
  return flows.filter((f) => {
    const answers = t.addresses.get(`${f.destination} ${f.destinationPort}`) ?? t.nodePorts.get(f.destinationPort);
    return answers !== undefined && !answers.has(`${f.replySource} ${f.replyPort}`);
  });
}

/** What `conntrack -L -p udp` prints, a flow a line. */
export function parseFlows(text: string): Flow[] {
  const flows: Flow[] = [];
  for (const line of text.split('\n')) {
    const all = (name: string) => [...line.matchAll(new RegExp(`\\b${name}=(\\S+)`, 'g'))].map((m) => m[1] as string);
    const [sources, destinations, sourcePorts, ports] = [all('src'), all('dst'), all('sport'), all('dport')];
    if (sources.length < 2) continue;
    flows.push({
      source: sources[0] as string,
      destination: destinations[0] as string,
      sourcePort: Number(sourcePorts[0]),
      destinationPort: Number(ports[0]),
      replySource: sources[1] as string,
      replyPort: Number(sourcePorts[1]),
    });
  }
  return flows;
}

/** Forgets stale UDP flows through the program `conntrack`; how many. Throws where there is none. */
export async function forgetStale(family: Family, t: UdpTargets): Promise<number> {
  const version = family === 'ip' ? 'ipv4' : 'ipv6';
  const { stdout } = await run('conntrack', ['-L', '-p', 'udp', '-f', version], { maxBuffer: OUTPUT_MAX });
  const stale = staleFlows(parseFlows(stdout), t);
  for (let i = 0; i < stale.length; i += AT_ONCE) {
    await Promise.all(
      stale.slice(i, i + AT_ONCE).map((f) => {
        const flow = ['-s', f.source, '-d', f.destination, '--sport', String(f.sourcePort)];
        const more = ['--dport', String(f.destinationPort)];
        // It may have ended by itself meanwhile.
        return run('conntrack', ['-D', '-p', 'udp', '-f', version, ...flow, ...more]).catch(() => undefined);
      }),
    );
  }
  return stale.length;
}
