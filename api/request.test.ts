import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequest } from './request.ts';

// Cases of apiserver pkg/endpoints/request/requestinfo_test.go: method, path, verb, group, version, namespace, resource, subresource, name.
const RESOURCES: [string, string, string, string, string, string, string, string, string][] = [
  ['GET', '/api/v1/namespaces', 'list', '', 'v1', '', 'namespaces', '', ''],
  ['GET', '/api/v1/namespaces/other', 'get', '', 'v1', 'other', 'namespaces', '', 'other'],
  ['GET', '/api/v1/namespaces/other/pods', 'list', '', 'v1', 'other', 'pods', '', ''],
  ['GET', '/api/v1/namespaces/other/pods/foo', 'get', '', 'v1', 'other', 'pods', '', 'foo'],
  ['HEAD', '/api/v1/namespaces/other/pods/foo', 'get', '', 'v1', 'other', 'pods', '', 'foo'],
  ['GET', '/api/v1/pods', 'list', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/namespaces/other/pods/foo/status', 'get', '', 'v1', 'other', 'pods', 'status', 'foo'],
  ['PUT', '/api/v1/namespaces/other/finalize', 'update', '', 'v1', 'other', 'namespaces', 'finalize', 'other'],
  ['PUT', '/api/v1/namespaces/other/status', 'update', '', 'v1', 'other', 'namespaces', 'status', 'other'],
  ['GET', '/api/v1/watch/pods', 'watch', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch=true', 'watch', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch=false', 'list', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/watch/namespaces/other/pods', 'watch', '', 'v1', 'other', 'pods', '', ''],
  ['GET', '/api/v1/pods?fieldSelector=metadata.name%3Dfoo', 'list', '', 'v1', '', 'pods', '', 'foo'],
  ['POST', '/api/v1/namespaces/other/pods', 'create', '', 'v1', 'other', 'pods', '', ''],
  ['PUT', '/apis/apps/v1/namespaces/other/deployments/foo', 'update', 'apps', 'v1', 'other', 'deployments', '', 'foo'],
  [
    'PATCH',
    '/apis/apps/v1/namespaces/other/deployments/foo/scale',
    'patch',
    'apps',
    'v1',
    'other',
    'deployments',
    'scale',
    'foo',
  ],
  ['DELETE', '/api/v1/namespaces/other/pods/foo', 'delete', '', 'v1', 'other', 'pods', '', 'foo'],
  ['DELETE', '/api/v1/namespaces/other/pods', 'deletecollection', '', 'v1', 'other', 'pods', '', ''],
  ['GET', '/api/v1/proxy/namespaces/other/pods/foo', 'proxy', '', 'v1', 'other', 'pods', '', 'foo'],
];

test('a resource path is taken apart as upstream does', () => {
  for (const [method, target, verb, group, version, namespace, resource, subresource, name] of RESOURCES) {
    const url = new URL(`http://x${target}`);
    const i = parseRequest(method, url.pathname, url.searchParams);
    assert.deepEqual(
      [i.isResource, i.verb, i.group, i.version, i.namespace, i.resource, i.subresource, i.name],
      [true, verb, group, version, namespace, resource, subresource, name],
      `${method} ${target}`,
    );
  }
});

test('what stands after the subresource is kept for proxies', () => {
  const i = parseRequest('GET', '/api/v1/namespaces/a/services/s/proxy/b/c', new URLSearchParams());
  assert.deepEqual([i.subresource, i.rest], ['proxy', ['b', 'c']]);
});

test('paths that name no resource keep their method as the verb', () => {
  for (const path of ['/', '/api', '/api/v1', '/apis', '/apis/apps', '/apis/apps/v1', '/healthz', '/foo/bar/baz']) {
    const i = parseRequest('GET', path, new URLSearchParams());
    assert.deepEqual([i.isResource, i.verb, i.path], [false, 'get', path]);
  }
});

test('a field selector of a list is there for authorizers', () => {
  const url = new URL('http://x/api/v1/pods?fieldSelector=spec.nodeName%3Dn1');
  const i = parseRequest('GET', url.pathname, url.searchParams);
  assert.deepEqual(i.fields, [{ field: 'spec.nodeName', op: '=', value: 'n1' }]);
});
