import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectRequest } from '../attributes.ts';
import { bench } from '../testing.ts';

const NS = '/api/v1/namespaces/default';
const SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const POD = { kind: 'Pod', name: 'p' };

/** A cluster with pod `p` of two containers on node `n1`; what nodes are asked is kept. */
async function reachable() {
  const b = await bench();
  const asked: [string, ConnectRequest][] = [];
  b.cluster.connect = async (node, request) => {
    asked.push([node, request]);
    return new Response('from the node');
  };
  const containers = ['c', 'd'].map((name) => ({ name, image: 'i', ports: [{ containerPort: 8080 }] }));
  await b.ask('POST', `${NS}/pods`, { metadata: { name: 'p' }, spec: { containers } });
  await b.ask('POST', `${NS}/pods/p/binding`, { metadata: { name: 'p' }, target: { name: 'n1' } });
  await hasAddress(b, '10.0.0.1');
  return { b, asked };
}

const hasAddress = (b: Awaited<ReturnType<typeof bench>>, ip: string) =>
  b.ask('PATCH', `${NS}/pods/p/status`, { status: { podIP: ip, podIPs: [{ ip }] } }, MERGE);

test('logs are asked of the pod node, with their options read', async () => {
  const { b, asked } = await reachable();
  const r = await b.ask('GET', `${NS}/pods/p/log?container=d&tailLines=5&follow=true`);
  assert.equal(r.text, 'from the node');
  const [node, request] = asked[0] ?? [];
  assert.deepEqual(
    [node, request?.kind, request?.pod, request?.options],
    ['n1', 'log', 'p', { container: 'd', tailLines: 5, follow: true }],
  );
});

test('a container must be named where there are several, and must exist', async () => {
  const { b } = await reachable();
  const none = await b.ask('POST', `${NS}/pods/p/exec?command=ls&stdout=1`);
  assert.deepEqual(
    [none.code, none.body.message],
    [400, 'a container name must be specified for pod p, choose one of: [c d]'],
  );
  const wrong = await b.ask('GET', `${NS}/pods/p/log?container=x`);
  assert.deepEqual([wrong.code, wrong.body.message], [400, 'container x is not valid for pod p']);
});

test('the root of what is proxied gets its slash, in the eyes of who asked', async () => {
  const { b } = await reachable();
  const moved = await b.ask('GET', `${NS}/pods/p/proxy?x=1`);
  assert.deepEqual([moved.code, moved.headers.get('location')], [301, `${NS}/pods/p/proxy/?x=1`]);
  const post = await b.ask('POST', `${NS}/pods/p/proxy`, '');
  assert.notEqual(post.code, 301);
});

test('a proxy request goes to the pod port, to an endpoint of a service, or to the kubelet', async () => {
  const { b, asked } = await reachable();
  await b.ask('GET', `${NS}/pods/https:p:9443/proxy/a/b?x=1`);
  await b.ask('POST', `${NS}/services`, { metadata: { name: 's' }, spec: { ports: [{ name: 'web', port: 80 }] } });
  const nobody = await b.ask('GET', `${NS}/services/s:web/proxy/`);
  assert.deepEqual([nobody.code, nobody.body.message], [503, 'no endpoints available for service "s"']);
  const slice = {
    metadata: { name: 's-1', labels: { 'kubernetes.io/service-name': 's' } },
    addressType: 'IPv4',
    endpoints: [
      // Others' pods, and addresses that are no pod's, are nobody's to be reached from a node.
      { addresses: ['10.0.0.1'], nodeName: 'n1' },
      { addresses: ['10.0.0.1'], nodeName: 'n1', targetRef: { kind: 'Pod', namespace: 'kube-system', name: 'p' } },
      { addresses: ['10.0.0.9'], nodeName: 'n1', targetRef: { kind: 'Pod', namespace: 'default', name: 'p' } },
    ],
    ports: [{ name: 'web', port: 8080, protocol: 'TCP' }],
  };
  const made = await b.ask('POST', SLICES, slice);
  assert.equal(made.code, 201, made.text);
  assert.equal((await b.ask('GET', `${NS}/services/s:web/proxy/c`)).code, 503);
  const right = { addresses: ['10.0.0.1'], nodeName: 'n1', targetRef: { ...POD, namespace: 'default' } };
  await b.ask('PATCH', `${SLICES}/s-1`, { endpoints: [...slice.endpoints, right] }, MERGE);
  await b.ask('GET', `${NS}/services/s:web/proxy/c`);
  await b.ask('POST', '/api/v1/nodes', { metadata: { name: 'n1' } });
  await b.ask('GET', '/api/v1/nodes/n1/proxy/metrics');
  assert.deepEqual(
    asked.map(([node, r]) => [node, r.pod, r.options]),
    [
      ['n1', 'p', { scheme: 'https', path: '/a/b', query: 'x=1', port: 9443, address: '10.0.0.1' }],
      ['n1', 'p', { scheme: 'http', path: '/c', query: '', port: 8080, address: '10.0.0.1' }],
      ['n1', '', { scheme: 'https', path: '/metrics', query: '', port: 10250 }],
    ],
  );
});

test('a proxied path is asked for as Go writes it', async () => {
  const { b, asked } = await reachable();
  const table: [string, string][] = [
    ['/a%20b', '/a%20b'],
    ['/a%20b/', '/a%20b/'],
    ["/it's(a)!*", '/it%27s%28a%29%21%2A'],
    ['/%C3%A4/%3Fx=1;y,z@:$&+', '/%C3%A4/%3Fx=1;y,z@:$&+'],
    ['/50%25', '/50%25'],
    ['/a%2Fb//c', '/a/b//c'],
  ];
  for (const [path, wanted] of table) {
    await b.ask('GET', `${NS}/pods/p/proxy${path}`);
    assert.equal(asked.at(-1)?.[1].options.path, wanted, path);
  }
});

test('a pod that has no address of its own is no target', async () => {
  const { b } = await reachable();
  for (const ip of ['127.0.0.1', '169.254.169.254', '::1', 'fe80::1']) {
    await hasAddress(b, ip);
    const r = await b.ask('GET', `${NS}/pods/p/proxy/`);
    assert.deepEqual([r.code, r.body.message], [400, 'address not allowed'], ip);
  }
});
