import { type Case, get, NS, patch, post, put, service } from '../case.ts';

const SVC = `${NS}/services`;
const dry = (spec: object) => post(`${SVC}?dryRun=All`, service('s', spec));
export const services: readonly Case[] = [
  { name: 'a Service gets an address and defaults', steps: [post(SVC, service('s')), get(`${SVC}/s`)] },
  {
    name: 'a given address is taken once',
    steps: [
      post(SVC, service('s', { clusterIP: '10.96.77.7' })),
      post(SVC, service('t', { clusterIP: '10.96.77.7' })),
      { method: 'DELETE', path: `${SVC}/s` },
      post(SVC, service('t', { clusterIP: '10.96.77.7' })),
      { method: 'DELETE', path: `${SVC}/t` },
    ],
  },
  {
    name: 'an address outside the range is refused',
    steps: [
      dry({ clusterIP: '192.168.1.1' }),
      dry({ clusterIP: 'x' }),
      dry({ clusterIP: '10.96.0.0' }),
      dry({ clusterIP: 'fd00::1' }),
    ],
  },
  {
    name: 'headless',
    steps: [
      post(SVC, service('s', { clusterIP: 'None' })),
      post(SVC, service('t', { clusterIP: 'None', selector: null })),
      dry({ clusterIP: 'None', type: 'NodePort' }),
      dry({ clusterIP: 'None', ports: null }),
    ],
  },
  {
    name: 'node ports',
    steps: [
      post(
        SVC,
        service('s', {
          type: 'NodePort',
          ports: [
            { name: 'a', port: 80 },
            { name: 'b', port: 81 },
          ],
        }),
      ),
      post(SVC, service('t', { type: 'NodePort', ports: [{ port: 80, nodePort: 31999 }] })),
      post(SVC, service('u', { type: 'NodePort', ports: [{ port: 80, nodePort: 31999 }] })),
      dry({ type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }),
      dry({ ports: [{ port: 80, nodePort: 31000 }] }),
    ],
  },
  {
    name: 'one node port for TCP and UDP',
    steps: [
      post(
        SVC,
        service('s', {
          type: 'NodePort',
          ports: [
            { name: 'a', port: 53, protocol: 'TCP' },
            { name: 'b', port: 53, protocol: 'UDP' },
          ],
        }),
      ),
    ],
  },
  {
    name: 'load balancers',
    steps: [
      post(SVC, service('s', { type: 'LoadBalancer' })),
      patch('merge', `${SVC}/s/status`, { status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } } }),
      patch('merge', `${SVC}/s`, { spec: { type: 'ClusterIP' } }),
    ],
  },
  {
    name: 'load balancers with local traffic',
    steps: [
      post(SVC, service('s', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' })),
      patch('merge', `${SVC}/s`, { spec: { externalTrafficPolicy: 'Cluster' } }),
    ],
  },
  {
    name: 'external names',
    steps: [
      post(SVC, service('s', { type: 'ExternalName', externalName: 'a.example.com', ports: null })),
      dry({ type: 'ExternalName' }),
      dry({ type: 'ExternalName', externalName: 'A_', clusterIP: '10.96.1.1' }),
    ],
  },
  {
    name: 'an update keeps the address',
    steps: [
      post(SVC, service('s')),
      put(`${SVC}/s`, service('s', { ports: [{ port: 81 }] })),
      patch('merge', `${SVC}/s`, { spec: { clusterIP: '10.96.1.2', clusterIPs: ['10.96.1.2'] } }),
      patch('merge', `${SVC}/s`, { spec: { clusterIP: '', clusterIPs: [] } }),
    ],
  },
  {
    name: 'from NodePort to ClusterIP and back',
    steps: [
      post(SVC, service('s', { type: 'NodePort' })),
      patch('merge', `${SVC}/s`, { spec: { type: 'ClusterIP' } }),
      patch('merge', `${SVC}/s`, { spec: { type: 'NodePort' } }),
    ],
  },
  {
    name: 'from ClusterIP to ExternalName',
    steps: [
      post(SVC, service('s')),
      patch('merge', `${SVC}/s`, { spec: { type: 'ExternalName', externalName: 'x.y' } }),
    ],
  },
  {
    name: 'session affinity',
    steps: [
      dry({ sessionAffinity: 'ClientIP' }),
      dry({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } }),
      dry({ sessionAffinity: 'Sometimes' }),
      dry({ sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }),
    ],
  },
  {
    name: 'ports are checked',
    steps: [
      dry({ ports: null }),
      dry({ ports: [{ port: 0 }] }),
      dry({ ports: [{ port: 80 }, { port: 81 }] }),
      dry({
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 80 },
        ],
      }),
      dry({ ports: [{ port: 80, protocol: 'X' }] }),
      dry({ ports: [{ port: 80, targetPort: 'A_' }] }),
      dry({ ports: [{ port: 80, targetPort: 70000 }] }),
      dry({ ports: [{ name: 'A_', port: 80 }] }),
      dry({ ports: [{ port: 80, appProtocol: 'a b' }] }),
    ],
  },
  {
    name: 'types and policies are checked',
    steps: [
      dry({ type: 'X' }),
      dry({ externalTrafficPolicy: 'Local' }),
      dry({ type: 'NodePort', externalTrafficPolicy: 'X' }),
      dry({ internalTrafficPolicy: 'X' }),
      dry({ trafficDistribution: 'X' }),
      dry({ allocateLoadBalancerNodePorts: true }),
      dry({ loadBalancerClass: 'a/b' }),
      dry({ healthCheckNodePort: 30001 }),
      dry({ loadBalancerSourceRanges: ['x'] }),
      dry({ selector: { 'a b': 'c' } }),
    ],
  },
  {
    name: 'families are checked',
    steps: [
      dry({ ipFamilies: ['IPv5'] }),
      dry({ ipFamilies: ['IPv6'] }),
      dry({ ipFamilyPolicy: 'RequireDualStack' }),
      dry({ ipFamilyPolicy: 'PreferDualStack' }),
      dry({ ipFamilyPolicy: 'X' }),
      dry({ ipFamilies: ['IPv4', 'IPv4'] }),
      dry({ clusterIPs: ['10.96.1.1'] }),
      dry({ clusterIP: '10.96.1.1', clusterIPs: ['10.96.1.2'] }),
    ],
  },
  {
    name: 'external addresses are checked',
    steps: [
      dry({ externalIPs: ['1.2.3.4'] }),
      dry({ externalIPs: ['x'] }),
      dry({ externalIPs: ['127.0.0.1'] }),
      dry({ externalIPs: ['01.2.3.4'] }),
    ],
  },
  {
    name: 'names are DNS labels',
    steps: ['1a', 'A', 'a.b', 'x'.repeat(64)].map((n) => post(`${SVC}?dryRun=All`, service(n))),
  },
];
