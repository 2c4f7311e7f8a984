// What the official JavaScript client does inside a pod: list, watch, create, exec; and what names resolve to. Prints a line for each.
import { lookup } from 'node:dns/promises';
import { createRequire } from 'node:module';
import { PassThrough } from 'node:stream';

const k8s = createRequire(`${process.env.MODULES}/`)('@kubernetes/client-node');
const config = new k8s.KubeConfig();
config.loadFromCluster();
const api = config.makeApiClient(k8s.CoreV1Api);
const { NAMESPACE: namespace = '', HOSTNAME: name = '' } = process.env;

const pods = await api.listNamespacedPod({ namespace });
console.log('list', pods.items.some((p) => p.metadata?.name === name));

const fieldSelector = `metadata.name=${name}`;
const seen = Promise.withResolvers();
const path = `/api/v1/namespaces/${namespace}/configmaps`;
const watch = await new k8s.Watch(config).watch(
  path,
  { fieldSelector },
  (type, object) => seen.resolve(`${type} ${object.data?.by}`),
  (error) => error && seen.reject(error),
);
await api.createNamespacedConfigMap({ namespace, body: { metadata: { name }, data: { by: 'javascript' } } });
console.log('watch', await seen.promise);
watch.abort();

const out = new PassThrough();
let said = '';
out.on('data', (part) => (said += part));
const over = Promise.withResolvers();
const command = ['echo', 'through'];
await new k8s.Exec(config).exec(namespace, name, 'main', command, out, null, null, false, (s) => over.resolve(s.status));
console.log('exec', await over.promise, said.trim());

for (const host of (process.env.HOSTS ?? '').split(' '))
  console.log(host, await lookup(host).then((a) => a.address, (e) => e.code));
process.exit(0);
