import { createHash, X509Certificate } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type Command, CommandError } from './command.ts';
import { secondsOf } from './duration.ts';
import { localEndpoint } from './endpoint.ts';
import { coracleHome } from './home.ts';
import { knownUp } from './install/controlplane.ts';
import { hostPort, isLoopback, isWildcard, type Listen, machineAddresses } from './listen.ts';
import { makeJoinToken } from './tenancy.ts';

/** What a join command says. */
export interface JoinCommand {
  /** The cluster's, where the other machine reaches it. */
  url: string;
  token: string;
  /** Absent where every machine trusts who issued the endpoint's certificate. */
  caHash?: string;
}

/** SHA-256 of a certificate's public key (its SPKI), in hex: kubeadm's --discovery-token-ca-cert-hash without `sha256:`. */
export function spkiHash(pem: string): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}

/** What has to be there for the line itself; the package manager that everybody trusts brings it. */
const NEEDS =
  'for p in curl openssl; do command -v $p >/dev/null || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y curl openssl; } >/dev/null || exit 1; done';

/**
 * One line for a root shell: fetches the CA, compares its key with the hash, and runs the script that comes over TLS to who has that key. Options of the node can be
 * added behind it. Only the first certificate of what was fetched is kept: one more behind it would be trusted too.
 */
export function joinLine(j: JoinCommand): string {
  const base = j.url.slice(0, j.url.lastIndexOf('/clusters/'));
  for (const word of [j.url, j.token, j.caHash ?? ''])
    if (!/^[\w.:/[\]-]*$/.test(word)) throw new Error(`${word} can't stand in a command`);
  const steps = [
    'set -e',
    'd=$(mktemp -d)',
    'trap "rm -r $d" EXIT',
    NEEDS,
    ...(j.caHash === undefined
      ? []
      : [
          `curl -fsSk ${base}/install/ca.crt | openssl x509 -out $d/ca.crt`,
          `h=$(openssl x509 -in $d/ca.crt -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum)`,
          `[ "\${h%% *}" = ${j.caHash} ] || { echo "coracle: ${base} shows another CA than this command names: nothing of it was run" >&2; exit 1; }`,
        ]),
    `curl -fsS ${j.caHash === undefined ? '' : '--cacert $d/ca.crt '}-o $d/install.sh ${base}/install.sh`,
    `CORACLE_TOKEN=${j.token} sh $d/install.sh --server ${j.url}${j.caHash === undefined ? '' : ' --ca-file $d/ca.crt'} "$@"`,
  ];
  return `sh -c '${steps.join('; ')}' coracle`;
}

export const joinCommand: Command = {
  name: 'join-command',
  summary: 'print the line that makes another machine a node of a cluster',
  usage: `  coracle join-command CLUSTER [--ttl 24h] [--url URL]

  --ttl DURATION   how long machines may join with it (default 24h)
  --url URL        the endpoint as the other machine reaches it (default: where it listens)

The line is for a root shell. It names the endpoint's CA by the hash of its key, as kubeadm does: what comes from the endpoint is run only after that was compared.
Options of the node can be added at its end (--node-name, --node-ip, --pod-cidr, --cri-socket, --registries, ...); --uninstall takes the node away again.
Until it expires, whoever has the line can add nodes, which read the Secrets of pods that they are given.`,
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { ttl: { type: 'string' }, url: { type: 'string' } },
    });
    const [cluster, more] = positionals;
    if (cluster === undefined || more !== undefined)
      throw new CommandError('usage: coracle join-command CLUSTER [--ttl 24h] [--url URL]', 2);
    const home = coracleHome();
    const e = localEndpoint(home);
    const given = await makeJoinToken(e, cluster, values.ttl === undefined ? undefined : secondsOf(values.ttl));
    const url = reachable(home, given.url, values.url);
    console.log(joinLine({ url, token: given.token, caHash: spkiHash(e.caPem) }));
    return 0;
  },
};

/**
 * The endpoint as another machine reaches it: what is `said`, else the URL that is known (`known`, an origin) unless it is loopback, else the first that is listened on
 * elsewhere. Null where only this machine reaches it. Pure.
 */
export function endpointFor(
  known: string,
  said: string | undefined,
  listens: readonly Listen[],
  addresses: readonly string[],
): string | null {
  if (said !== undefined) return said.replace(/\/$/, '');
  const { hostname } = new URL(known);
  if (!isLoopback({ host: hostname.replace(/^\[|\]$/g, ''), port: 0 })) return known;
  const elsewhere = listens.find((l) => !isLoopback(l));
  if (elsewhere === undefined) return null;
  const [first] = [...addresses].sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')));
  if (!isWildcard(elsewhere)) return `https://${hostPort(elsewhere)}`;
  return first === undefined ? null : `https://${hostPort({ host: first, port: elsewhere.port })}`;
}

/** The cluster's URL as another machine reaches it. */
function reachable(home: string, cluster: string, said: string | undefined): string {
  if (said !== undefined && !/^https:\/\/[^/]+\/?$/.test(said))
    throw new CommandError(`--url ${said}: https://HOST[:PORT] is needed`, 2);
  const { origin, pathname } = new URL(cluster);
  const found = endpointFor(origin, said, knownUp(home)?.listen ?? [], machineAddresses());
  if (found === null)
    throw new CommandError(
      `the endpoint is ${origin}, which only this machine reaches: coracle up --listen ADDRESS lets it listen elsewhere too, --url names another address of it`,
    );
  return found + pathname;
}
