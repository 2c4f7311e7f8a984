import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificateNames, hostPort, listensOf, urlOf } from './listen.ts';

const cases: [addresses: string[], port: string | undefined, listens: string[]][] = [
  [[], undefined, ['127.0.0.1:6443']],
  [[], '7443', ['127.0.0.1:7443']],
  [['10.0.0.1'], undefined, ['10.0.0.1:6443']],
  [['10.0.0.1', '127.0.0.1:8443'], '7443', ['10.0.0.1:7443', '127.0.0.1:8443']],
  [['k8s.example.net:443'], undefined, ['k8s.example.net:443']],
  [['fd00::1'], undefined, ['[fd00::1]:6443']],
  [['[fd00::1]:443'], undefined, ['[fd00::1]:443']],
  [['0.0.0.0:6443'], undefined, ['0.0.0.0:6443']],
];
for (const [addresses, port, listens] of cases)
  test(`--listen ${addresses.join(' --listen ')} --port ${port} is ${listens}`, () => {
    assert.deepEqual(listensOf(addresses, port).map(hostPort), listens);
  });

for (const [addresses, port, message] of [
  [['10.0.0.1:'], undefined, '--listen 10.0.0.1:: a number from 1 to 65535 is needed'],
  [['10.0.0.1:70000'], undefined, '--listen 10.0.0.1:70000: a number from 1 to 65535 is needed'],
  [['a b'], undefined, '--listen a b: an address is needed, or ADDRESS:PORT'],
  [['10.0.0.1', '10.0.0.1:6443'], undefined, '--listen 10.0.0.1:6443: said twice'],
  [[], 'x', '--port x: a number from 1 to 65535 is needed'],
] as const)
  test(`${message}`, () => {
    assert.throws(() => listensOf(addresses, port), { message });
  });

test('this machine reaches a control plane that listens everywhere at its loopback address', () => {
  assert.equal(urlOf({ host: '0.0.0.0', port: 443 }), 'https://127.0.0.1:443');
  assert.equal(urlOf({ host: 'fd00::1', port: 443 }), 'https://[fd00::1]:443');
});

test('the certificate names each address once, and all of the machine where it listens on all', () => {
  const machine = { addresses: ['192.0.2.7', 'fd00::7'], hostname: 'lab' };
  const of = (hosts: string[], more: string[] = []) =>
    certificateNames(
      hosts.map((host) => ({ host, port: 1 })),
      machine,
      more,
    );
  assert.deepEqual(of(['10.0.0.1', '10.0.0.2'], ['k8s.example.net']), [
    'localhost',
    '127.0.0.1',
    '10.0.0.1',
    '10.0.0.2',
    'k8s.example.net',
  ]);
  assert.deepEqual(of(['0.0.0.0'], ['lab']), ['localhost', '127.0.0.1', '192.0.2.7', 'fd00::7', 'lab']);
});
