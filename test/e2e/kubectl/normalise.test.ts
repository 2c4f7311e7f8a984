import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Facts, normalise } from './normalise.ts';

const FACTS: Facts = {
  node: 'node-1',
  server: 'https://127.0.0.1:6443/clusters/x',
  tmp: '/tmp/kubectl-1',
  port: 4567,
  namespace: 'kubectl-pods',
};

const CASES: readonly (readonly [what: string, given: string, is: string])[] = [
  ['columns are two spaces apart', 'NAME     READY   AGE\na-b      1/1     3m2s', 'NAME  READY  AGE\na-b  1/1  AGE'],
  ['indents stay', 'a:\n    b: 5s', 'a:\n    b: 5s'],
  ['what somebody set is no age', 'Requests:\n  cpu:   10m\nAge:   10m', 'Requests:\n  cpu:  10m\nAge:  AGE'],
  ['a repeated Event has an age too', '3s (x12 over 2m)   Normal', 'AGE  Normal'],
  ['restarts are counted by time', 'a  0/1  Error  3 (48s ago)  61s', 'a  0/1  Error  N (AGE ago)  AGE'],
  ['made-up names', 'web-6bb5d4b9db-frtkl web-6bb5d4b9db each-dc6nw', 'web-HASH-RAND web-HASH each-RAND'],
  ['names that somebody gave', 'kube-system kube-node-lease sleeper-main', 'kube-system kube-node-lease sleeper-main'],
  ['what is known', 'node-1 at https://127.0.0.1:6443/clusters/x, port 4567', 'NODE at SERVER, port PORT'],
  ['times', '2026-11-22T03:20:42Z Sun, 22 Nov 2026 03:20:42 +0000', 'TIME TIME'],
  ['addresses but for the steps’ own', '10.244.1.7:8080 127.0.0.1:80 203.0.113.7', 'IP:8080 127.0.0.1:80 203.0.113.7'],
  ['versions of the node', 'v1.37.1+coracle', 'v1.37.1'],
  ['ends of terminals', 'a\r\n\x1b[6nb', 'a\nb'],
];

for (const [what, given, is] of CASES) test(what, () => assert.equal(normalise(given, FACTS), is));

test("a node's description says nothing of its machine", () => {
  const given =
    'Capacity:\n  cpu:            2\n  hugepages-2Mi:  0\n  pods:           110\nSystem Info:\n  Boot ID:  x\n';
  assert.equal(normalise(given, FACTS), 'Capacity:\n  cpu: MACHINE\n  pods:  110\nSystem Info:\n  Boot ID: MACHINE\n');
});
