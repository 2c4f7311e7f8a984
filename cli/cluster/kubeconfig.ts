import type { Endpoint } from '../endpoint.ts';
import { coracleHome, writeAtomic } from '../home.ts';
import { kubeconfig } from '../kubeconfig.ts';
import { remember } from '../remembered.ts';
import type { ClusterObject } from '../tenancy.ts';

/** Prints the administrator's kubeconfig of a cluster that was just made, or writes it to a file; says where the cluster is. The token is kept for `coracle kubeconfig`. */
export function giveKubeconfig(e: Endpoint, made: ClusterObject, output: string | undefined): void {
  const { name } = made.metadata;
  const { url, adminToken = '' } = made.status;
  if (adminToken !== '') remember(coracleHome(), { name, url, adminToken });
  const text = kubeconfig({ name, url, caPem: e.caPem, token: adminToken });
  if (output === undefined) process.stdout.write(text);
  else writeAtomic(output, text);
  console.error(`coracle: cluster ${name} is ${url}`);
}
