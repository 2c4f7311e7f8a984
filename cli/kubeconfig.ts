import { stringify } from 'yaml';

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
