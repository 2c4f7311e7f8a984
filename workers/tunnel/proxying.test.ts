import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AT_ROOT } from '../../kube/wire/clusteraddresses.ts';
import { forwarded, prefixOf, relink } from './proxying.ts';

const PREFIX = '/clusters/a/api/v1/namespaces/d/pods/p/proxy';

test("links to the server's own root go through the proxy, all others stay", () => {
  const table: [string, string][] = [
    ['/a', `${PREFIX}/a`],
    ['/a/?q=1#f', `${PREFIX}/a/?q=1#f`],
    ['a', 'a'],
    ['#f', '#f'],
    ['mailto:x@y', 'mailto:x@y'],
    ['http://elsewhere/a', 'http://elsewhere/a'],
    ['http://10.0.0.1:80/a', `${PREFIX}/a`],
    [`${PREFIX}/a`, `${PREFIX}/a`],
  ];
  for (const [link, wanted] of table) assert.equal(relink(link, PREFIX, '10.0.0.1:80'), wanted, link);
});

test('the prefix is what stands before the path that the server is asked for', () => {
  const table: [string, string, string][] = [
    [`${PREFIX}/a/b`, '/a/b', PREFIX],
    [`${PREFIX}/`, '/', PREFIX],
    [`${PREFIX}/a/`, '/a/', PREFIX],
    [`${PREFIX}/a%20b/it's/`, '/a%20b/it%27s/', PREFIX],
  ];
  for (const [url, path, wanted] of table) assert.equal(prefixOf(new Request(`https://h${url}`), path), wanted);
  const atNode = new Request(`https://h${PREFIX}/a`, { headers: { [AT_ROOT]: '1' } });
  assert.equal(prefixOf(atNode, '/a'), PREFIX.slice('/clusters/a'.length));
});

test("the client's credential and the connection's own headers stay here, and too many headers are refused", () => {
  const headers = { authorization: 'Bearer x', 'accept-encoding': 'gzip', 'x-own': '1', 'impersonate-user': 'u' };
  const sent = forwarded(new Request('https://h/', { method: 'PUT', headers, body: 'b' }), PREFIX, '/a');
  assert.equal(sent?.method, 'PUT');
  assert.equal(sent?.body, true);
  const names = Object.keys(sent?.headers ?? {}).filter((n) => n !== 'content-type');
  assert.deepEqual(names.sort(), ['x-forwarded-uri', 'x-own']);
  assert.equal(forwarded(new Request('https://h/', { headers: { big: 'x'.repeat(40_000) } }), PREFIX, '/'), null);
});

test('that a client wants a WebSocket is said, whatever its subprotocols', () => {
  const upgraded = (headers: Record<string, string>) =>
    forwarded(new Request('https://h/', { headers }), PREFIX, '/')?.upgrade;
  assert.deepEqual([upgraded({ upgrade: 'WebSocket' }), upgraded({})], [true, undefined]);
});
