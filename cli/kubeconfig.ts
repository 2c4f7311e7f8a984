import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { type Command, CommandError } from './command.ts';
import { ask, call, type Endpoint, localEndpoint } from './endpoint.ts';
import { coracleHome, writeAtomic } from './home.ts';
import { idOf, remember, remembered } from './remembered.ts';
import { type ClusterObject, clusterPath } from './tenancy.ts';

/** A kubeconfig (client.authentication v1 Config) of one cluster and one bearer token. */
export function kubeconfig(c: { name: string; url: string; caPem: string; token: string }): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: c.name,
        cluster: { server: c.url, 'certificate-authority-data': Buffer.from(c.caPem).toString('base64') },
      },
    ],
    users: [{ name: c.name, user: { token: c.token } }],
    contexts: [{ name: c.name, context: { cluster: c.name, user: c.name } }],
    'current-context': c.name,
  });
}

const USAGE = 'coracle kubeconfig CLUSTER [--output FILE] [--new-token]';

export const kubeconfigCommand: Command = {
  name: 'kubeconfig',
  summary: "print an administrator's kubeconfig of a cluster",
  usage: `  ${USAGE}

  --output FILE   write it to FILE instead
  --new-token     with a token of its own, not the one that this machine has already`,
  async run(args) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { output: { type: 'string', short: 'o' }, 'new-token': { type: 'boolean', default: false } },
    });
    const [name, more] = positionals;
    if (name === undefined || more !== undefined) throw new CommandError(`usage: ${USAGE}`, 2);
    const home = coracleHome();
    const e = localEndpoint(home);
    const { status } = (await ask(e, 'GET', clusterPath(name))) as unknown as ClusterObject;
    const token =
      (values['new-token'] ? undefined : await knownToken(home, e, name, status)) ?? (await newToken(e, name));
    if (!values['new-token']) remember(home, { name, url: status.url, adminToken: token });
    const text = kubeconfig({ name, url: status.url, caPem: e.caPem, token });
    if (values.output === undefined) process.stdout.write(text);
    else writeAtomic(values.output, text);
    return 0;
  },
};

/** The token that this machine has, where it is this cluster's (a name may have been another's before) and still counts. */
async function knownToken(
  home: string,
  e: Endpoint,
  name: string,
  { id, url }: ClusterObject['status'],
): Promise<string | undefined> {
  const known = remembered(home, name);
  if (known === undefined || idOf(known.url) !== id) return undefined;
  const { code } = await call({ ...e, url, token: known.adminToken }, 'GET', '/version');
  return code === 200 ? known.adminToken : undefined;
}

async function newToken(e: Endpoint, name: string): Promise<string> {
  const given = (await ask(e, 'POST', `${clusterPath(name)}/admintokens`, {})) as { status?: { adminToken: string } };
  return given.status?.adminToken ?? '';
}
