import { type Case, configMap, del, get, NS, PARTIAL_LIST, patch, post, type Step, TABLE } from '../case.ts';

const CM = `${NS}/configmaps`;
/** Steps 0 to 5: a, b and c come, b changes, a goes, d comes. */
const story: Step[] = [
  post(CM, configMap('a', { v: '1' }, { labels: { n: 'a', common: 'x' } })),
  post(CM, configMap('b', { v: '1' }, { labels: { n: 'b', common: 'x' } })),
  post(CM, configMap('c', { v: '1' }, { labels: { n: 'c', common: 'x' } })),
  patch('merge', `${CM}/b`, { data: { v: '2' }, metadata: { labels: { n: 'other' } } }),
  del(`${CM}/a`),
  post(CM, configMap('d', { v: '1' }, { labels: { n: 'd', common: 'x' } })),
];
const at = (step: number, rest = '') =>
  `${CM}?resourceVersion={{${step}.metadata.resourceVersion}}&resourceVersionMatch=Exact${rest}`;
const FUTURE = '999999999';

/** Reads of the past. */
export const travel: readonly Case[] = [
  {
    name: 'a list at an exact resourceVersion is what stood then',
    steps: [...story, get(at(0)), get(at(2)), get(at(3)), get(at(5))],
  },
  {
    name: 'selectors see the labels and names of then',
    steps: [
      ...story,
      get(at(2, '&labelSelector=n%3Db')),
      get(at(3, '&labelSelector=n%3Db')),
      get(at(2, '&labelSelector=n+in+(a,other)')),
      get(at(2, '&fieldSelector=metadata.name%3Da')),
      get(at(1, '&fieldSelector=metadata.name%3Dc')),
    ],
  },
  {
    name: 'pages of a list at an exact resourceVersion all show that moment',
    steps: [
      ...story,
      get(at(2, '&limit=1')),
      get(`${CM}?limit=1&continue={{6.metadata.continue}}`),
      get(`${CM}?limit=5&continue={{7.metadata.continue}}`),
    ],
  },
  {
    name: 'pages of a past list go on while the present changes',
    steps: [
      ...story.slice(0, 3),
      get(`${CM}?limit=1`),
      ...story.slice(3),
      get(`${CM}?limit=1&continue={{3.metadata.continue}}`),
      get(`${CM}?limit=5&labelSelector=common%3Dx&continue={{3.metadata.continue}}`),
    ],
  },
  {
    name: 'a limited list with a resourceVersion and no match is exact',
    steps: [...story, get(`${CM}?limit=2&resourceVersion={{2.metadata.resourceVersion}}`)],
  },
  {
    name: 'a limited list of one name with a resourceVersion and no match is the present',
    steps: [
      ...story,
      get(`${CM}?limit=2&resourceVersion={{2.metadata.resourceVersion}}&fieldSelector=metadata.name%3Db`),
    ],
  },
  {
    name: 'the past as a table and as partial objects',
    steps: [...story, get(at(2), TABLE), get(at(2), PARTIAL_LIST)],
  },
  {
    name: 'the past as YAML',
    steps: [post(CM, configMap('a')), del(`${CM}/a`), get(at(0), { accept: 'application/yaml' })],
  },
  {
    name: 'the past of all namespaces by field',
    steps: [
      ...story,
      get(
        '/api/v1/configmaps?resourceVersion={{2.metadata.resourceVersion}}&resourceVersionMatch=Exact&fieldSelector=metadata.namespace%3D{ns}',
      ),
    ],
  },
  {
    name: 'an exact resourceVersion of the future is refused',
    steps: [get(`${CM}?resourceVersion=${FUTURE}&resourceVersionMatch=Exact`)],
  },
  {
    name: 'a limited list at a resourceVersion of the future is refused',
    steps: [get(`${CM}?resourceVersion=${FUTURE}&limit=1`)],
  },
  {
    name: 'a list not older than the future is refused',
    steps: [get(`${CM}?resourceVersion=${FUTURE}&resourceVersionMatch=NotOlderThan&limit=1`)],
  },
  {
    name: 'one object not older than a resourceVersion is the present one, or 504 of the future',
    steps: [
      ...story.slice(0, 4),
      get(`${CM}/b?resourceVersion={{1.metadata.resourceVersion}}`),
      get(`${CM}/b?resourceVersion=${FUTURE}`),
    ],
  },
  {
    name: 'who may not list may not list the past',
    tokens: true,
    steps: [...story.slice(0, 2), { ...get(at(1)), as: 'user' }],
  },
];
