import { type Case, configMap, get, NS, pod, post, type Step } from '../case.ts';

const CM = `${NS}/configmaps`;
const three: Step[] = ['a', 'b', 'c'].map((n, i) =>
  post(CM, configMap(n, {}, { labels: { n, odd: String(i % 2 === 0), common: 'x' } })),
);
const sel = (s: string) => get(`${CM}?labelSelector=${encodeURIComponent(s)}`);
const fld = (s: string) => get(`${CM}?fieldSelector=${encodeURIComponent(s)}`);
export const lists: readonly Case[] = [
  { name: 'a list in name order', steps: [...three, get(CM)] },
  { name: 'an empty list', steps: [get(CM)] },
  { name: 'a list of a namespace that is absent is empty', steps: [get('/api/v1/namespaces/absent-{ns}/configmaps')] },
  {
    name: 'label selectors',
    steps: [
      ...three,
      ...[
        'n=a',
        'n!=a',
        'n in (a,b)',
        'n notin (a,b)',
        'n',
        '!n',
        'odd=true,n!=a',
        'n==b',
        'absent',
        'n in (a), odd',
      ].map(sel),
    ],
  },
  {
    name: 'malformed label selectors are 400',
    steps: ['n in', 'n=a=b', 'a b', 'n in (', '=x', 'n>x', 'n in ()', 'a=b c'].map(sel),
  },
  {
    name: 'field selectors',
    steps: [
      ...three,
      ...[
        'metadata.name=b',
        'metadata.name!=b',
        'metadata.namespace={ns}',
        'metadata.name=b,metadata.namespace=other',
        '',
      ].map(fld),
    ],
  },
  {
    name: 'unknown field selectors are 400',
    steps: ['data.a=1', 'metadata.labels=x', 'metadata.name', 'spec=1'].map(fld),
  },
  {
    name: 'field selectors of pods',
    steps: [
      post(`${NS}/pods`, pod('p')),
      post(`${NS}/pods`, pod('q', { nodeName: 'n1' })),
      ...[
        'spec.nodeName=n1',
        'spec.nodeName!=n1',
        'status.phase=Pending',
        'spec.restartPolicy=Never',
        'spec.schedulerName=default-scheduler',
        'status.podIP=',
        'spec.hostNetwork=false',
        'spec.nope=1',
      ].map((s) =>
        get(`${NS}/pods?fieldSelector=${encodeURIComponent(s)}`, {
          accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
        }),
      ),
    ],
  },
  {
    name: 'pages',
    steps: [
      ...three,
      get(`${CM}?limit=2`),
      get(`${CM}?limit=2&continue={{3.metadata.continue}}`),
      get(`${CM}?limit=3`),
      get(`${CM}?limit=7`),
    ],
  },
  {
    name: 'pages with a selector tell no remaining count',
    steps: [...three, get(`${CM}?limit=1&labelSelector=common%3Dx`)],
  },
  {
    name: 'a malformed continue token is 400',
    steps: [
      get(`${CM}?limit=2&continue=nonsense`),
      get(`${CM}?limit=2&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIifQ`),
    ],
  },
  {
    name: 'continue with a resourceVersion is 400',
    steps: [...three, get(`${CM}?limit=2`), get(`${CM}?limit=2&resourceVersion=1&continue={{3.metadata.continue}}`)],
  },
  { name: 'a negative limit is 400', steps: [get(`${CM}?limit=-1`)] },
  {
    name: 'resourceVersion 0 and the newest',
    steps: [
      ...three,
      get(`${CM}?resourceVersion={{2.metadata.resourceVersion}}`),
      get(`${CM}?resourceVersion={{2.metadata.resourceVersion}}&resourceVersionMatch=NotOlderThan`),
    ],
  },
  {
    name: 'resourceVersionMatch needs a resourceVersion',
    steps: [
      get(`${CM}?resourceVersionMatch=Exact`),
      get(`${CM}?resourceVersionMatch=Nearly&resourceVersion=1`),
      get(`${CM}?resourceVersionMatch=Exact&resourceVersion=0`),
    ],
  },
  {
    name: 'an exact resourceVersion is the past',
    steps: [...three, get(`${CM}?resourceVersion={{1.metadata.resourceVersion}}&resourceVersionMatch=Exact`)],
  },
  { name: 'a resourceVersion of the future is 504', steps: [get(`${CM}?resourceVersion=999999999&timeoutSeconds=1`)] },
  {
    name: 'a resourceVersion that is no number is 400',
    steps: [get(`${CM}?resourceVersion=x`), get(`${CM}/a?resourceVersion=x`)],
  },
  {
    name: 'a list over all namespaces by field',
    steps: [...three, get(`/api/v1/configmaps?fieldSelector=metadata.namespace%3D{ns}`)],
  },
  { name: 'a list of one name has the kinds of its items left out', steps: [...three, fld('metadata.name=a')] },
  { name: 'sendInitialEvents is for watches', steps: [get(`${CM}?sendInitialEvents=true`)] },
  { name: 'a list as YAML', steps: [post(CM, configMap('a')), get(CM, { accept: 'application/yaml' })] },
];
