import { type Case, configMap, del, get, NS, patch, post, put, watch } from '../case.ts';

const CM = `${NS}/configmaps`;
const at = (i: number) => `resourceVersion={{${i}.metadata.resourceVersion}}`;
export const watches: readonly Case[] = [
  {
    name: 'a watch without resourceVersion begins with what exists',
    steps: [post(CM, configMap('a')), post(CM, configMap('b')), watch(`${CM}?watch=1`, 2)],
  },
  {
    name: 'a watch from a resourceVersion gives what came after',
    steps: [
      post(CM, configMap('a')),
      put(`${CM}/a`, configMap('a', { a: '2' })),
      del(`${CM}/a`),
      watch(`${CM}?watch=1&${at(0)}`, 2),
    ],
  },
  {
    name: 'a deleted event carries the last state and a new resourceVersion',
    steps: [post(CM, configMap('a')), del(`${CM}/a`), watch(`${CM}?watch=1&${at(0)}`, 1)],
  },
  {
    name: 'a watch with a label selector sees objects come and go',
    steps: [
      post(CM, configMap('a', {}, { labels: { x: '1' } })),
      patch('merge', `${CM}/a`, { metadata: { labels: { x: '2' } } }),
      patch('merge', `${CM}/a`, { metadata: { labels: { x: '1' } } }),
      watch(`${CM}?watch=1&${at(0)}&labelSelector=x%3D1`, 2),
    ],
  },
  {
    name: 'a watch of one object by field',
    steps: [
      post(CM, configMap('a')),
      post(CM, configMap('b')),
      put(`${CM}/b`, configMap('b', { z: '1' })),
      watch(`${CM}?watch=1&${at(0)}&fieldSelector=metadata.name%3Db`, 2),
    ],
  },
  {
    name: 'a watch that ends by timeout',
    steps: [post(CM, configMap('a')), { method: 'GET', path: `${CM}?watch=1&timeoutSeconds=1` }],
  },
  {
    name: 'sendInitialEvents ends with a bookmark',
    steps: [
      post(CM, configMap('a')),
      watch(`${CM}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`, 2),
    ],
  },
  {
    name: 'sendInitialEvents without resourceVersionMatch is 422',
    steps: [
      get(`${CM}?watch=1&sendInitialEvents=true`),
      get(`${CM}?watch=1&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1`),
    ],
  },
  {
    name: 'resourceVersionMatch is not for plain watches',
    steps: [get(`${CM}?watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1`)],
  },
  {
    name: 'a watch as a Table',
    steps: [
      post(CM, configMap('a')),
      { ...watch(`${CM}?watch=1`, 1), headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } },
    ],
  },
  {
    name: 'a watch of metadata only',
    steps: [
      post(CM, configMap('a')),
      {
        ...watch(`${CM}?watch=1`, 1),
        headers: { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' },
      },
    ],
  },
  {
    name: 'the old watch path',
    steps: [post(CM, configMap('a')), watch('/api/v1/watch/namespaces/{ns}/configmaps', 1)],
  },
  { name: 'a watch on one name by path', steps: [post(CM, configMap('a')), watch(`${CM}/a?watch=1`, 1)] },
  { name: 'a watch with a malformed resourceVersion is 400', steps: [get(`${CM}?watch=1&resourceVersion=x`)] },
];
