import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CommandError } from '../command.ts';
import type { NodeOptions } from './options.ts';

/** What the command line doesn't say of a node. */
export interface NodeFacts {
  /** The cluster's. */
  url: string;
  caFile?: string | undefined;
  tokenFile: string;
  /** Absolute. */
  state: string;
  hostname: string;
  /** This machine's own, the first one preferred. */
  addresses: readonly string[];
  /** What --registries names, parsed. */
  registries?: unknown;
}

/** Where a machine that is one node keeps it; such a node has the usual places for its sockets and logs too. */
export const DEFAULT_STATE = '/var/lib/coracle-node';

/** The text of a file that an option names. Throws CommandError where it can't be read. */
export function readGiven(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (e) {
    throw new CommandError(`${option} ${path} can't be read: ${(e as Error).message}`, 2);
  }
}

/** What --registries names, parsed. Throws CommandError for what is no YAML. */
export function readRegistries(path: string | undefined): unknown {
  if (path === undefined) return undefined;
  const text = readGiven('--registries', path);
  try {
    return parse(text);
  } catch (e) {
    throw new CommandError(`--registries ${path}: ${(e as Error).message.split('\n')[0]}`, 2);
  }
}

/** The agent's settings (node-agent/settings.ts) of these options. Pure. */
export function agentSettings(o: NodeOptions, f: NodeFacts): Record<string, unknown> {
  const usual = f.state === DEFAULT_STATE;
  return {
    url: f.url,
    caFile: f.caFile,
    tokenFile: f.tokenFile,
    node: o['node-name'] ?? f.hostname.toLowerCase(),
    stateDir: f.state,
    runDir: o['run-dir'] ?? (usual ? '/run/coracle' : join(f.state, 'run')),
    // Beside the rest: agents that share a machine would take each other's logs for those of pods that are gone.
    logDir: o['log-dir'] ?? (usual ? '/var/log/pods' : join(f.state, 'logs')),
    addresses: o['node-ip'] ?? f.addresses,
    podCIDRs: o['pod-cidr'],
    bridge: o.bridge,
    criSocket: o['cri-socket'],
    cgroupRoot: o['cgroup-root'],
    resolvConf: o['resolv-conf'],
    registries: f.registries,
    mirrors: o.mirror && mirrorsOf(o.mirror),
    ...(o['cluster-dns'] ? { dns: { servers: o['cluster-dns'], domain: 'cluster.local' } } : {}),
    ...(o['no-services'] ? { services: false, proxy: false } : {}),
  };
}

function mirrorsOf(pairs: readonly string[]): Record<string, string[]> {
  const out: Record<string, string[]> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw new CommandError(`--mirror ${pair}: HOST=URL is needed`, 2);
    const host = pair.slice(0, at);
    out[host] = [...(out[host] ?? []), pair.slice(at + 1)];
  }
  return out;
}
