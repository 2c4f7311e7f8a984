import { createServer, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { CommandError } from './command.ts';

/** An address and a port that the control plane listens on. */
export interface Listen {
  /** IPv6 without brackets. */
  host: string;
  port: number;
}

/** Options of `up` and `serve`. */
export const listenOptions = {
  listen: { type: 'string', multiple: true },
  port: { type: 'string' },
  name: { type: 'string', multiple: true },
} as const;

export const listenUsage = `  --listen ADDRESS[:PORT]  where the API listens, and what its certificate names; may be repeated (default 127.0.0.1); 0.0.0.0: everywhere
  --port N                 (default 6443)
  --name NAME              a further name or address for the certificate; may be repeated`;

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = '6443';
const WILDCARDS = ['0.0.0.0', '::', '*'];

/** What `--listen` and `--port` say. The first is the one that this machine's own programs and kubeconfig use. */
export function listensOf(addresses: readonly string[] | undefined, port: string | undefined): Listen[] {
  const common = portOf(port ?? DEFAULT_PORT);
  const given = addresses && addresses.length > 0 ? addresses : [DEFAULT_HOST];
  const all = given.map((text) => listenOf(text, common));
  const twice = all.find((a, i) => all.findIndex((b) => b.host === a.host && b.port === a.port) !== i);
  if (twice) throw new CommandError(`--listen ${hostPort(twice)}: said twice`, 2);
  return all;
}

function listenOf(text: string, port: number): Listen {
  if (isIP(text) !== 0 || /^[^:[\]\s]+$/.test(text)) return { host: text, port };
  const [, v6, name, own] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(.*))?$/.exec(text) ?? [];
  const host = v6 ?? name;
  if (host === undefined) throw new CommandError(`--listen ${text}: an address is needed, or ADDRESS:PORT`, 2);
  return { host, port: own === undefined ? port : portOf(own, `--listen ${text}`) };
}

/** A port number or a CommandError. */
export function portOf(text: string, what = `--port ${text}`): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new CommandError(`${what}: a number from 1 to 65535 is needed`, 2);
  return port;
}

/** As URLs and workerd have it. */
export const hostPort = (l: Listen): string => `${isIP(l.host) === 6 ? `[${l.host}]` : l.host}:${l.port}`;

/** True where it listens on every address of the machine. */
export const isWildcard = (l: Listen): boolean => WILDCARDS.includes(l.host);

/** True where only this machine reaches it. */
export const isLoopback = (l: Listen): boolean =>
  l.host === 'localhost' || l.host === '::1' || l.host.startsWith('127.');

/** Where this machine reaches it. */
export const urlOf = (l: Listen): string =>
  `https://${hostPort(isWildcard(l) ? { host: DEFAULT_HOST, port: l.port } : l)}`;

/** What the certificate names: loopback, each address that is listened on (of a wildcard: all that the machine has, and its name), and what `more` says. */
export function certificateNames(
  listens: readonly Listen[],
  machine: { addresses: readonly string[]; hostname: string },
  more: readonly string[],
): string[] {
  const own = listens.flatMap((l) => (isWildcard(l) ? [...machine.addresses, machine.hostname] : [l.host]));
  return [...new Set(['localhost', DEFAULT_HOST, ...own, ...more])];
}

/** They as words of a command line again. */
export const listenWords = (listens: readonly Listen[], names: readonly string[]): string[] => [
  ...listens.flatMap((l) => ['--listen', hostPort(l)]),
  ...names.flatMap((n) => ['--name', n]),
];

/** Rejects where something else listens: a taken port is no reason to try again and again. */
export function checkFree(l: Listen): Promise<void> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.on('error', (error) => fail(new CommandError(`${hostPort(l)} can't be listened on: ${error.message}`)));
    probe.listen({ host: l.host === '*' ? '0.0.0.0' : l.host, port: l.port }, () => probe.close(() => done()));
  });
}

/** This machine's addresses but loopback and those of one link. */
export function machineAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.filter((a) => !a.internal && !a.scopeid).map((a) => a.address);
}
