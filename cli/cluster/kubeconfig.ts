import type { Endpoint } from '../endpoint.ts';
import { writeAtomic } from '../home.ts';
import { kubeconfig } from '../kubeconfig.ts';
import type { ClusterObject } from '../tenancy.ts';

/** Prints the administrator's kubeconfig of a cluster that was just made, or writes it to a file; says where the cluster is. */
export function giveKubeconfig(e: Endpoint, made: ClusterObject, output: string | undefined): void {
  const { name } = made.metadata;
  const text = kubeconfig({ name, url: made.status.url, caPem: e.caPem, token: made.status.adminToken ?? '' });
  if (output === undefined) process.stdout.write(text);
  else writeAtomic(output, text);
  console.error(`coracle: cluster ${name} is ${made.status.url}`);
}
