import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeInfo, Pod, PodAffinityTerm } from '../framework.ts';
import { filtered, node, pod, scores } from '../testing/pods.ts';
import { interpodaffinity } from './interpodaffinity.ts';

// Cases after interpodaffinity/filtering_test.go and scoring_test.go.

const AFFINITY = ["node(s) didn't match pod affinity rules"];
const ANTI = ["node(s) didn't match pod anti-affinity rules"];
const EXISTING = ["node(s) didn't satisfy existing pods anti-affinity rules"];

type Expressions = { key: string; operator: string; values?: string[] }[];
const term = (
  topologyKey: string,
  matchExpressions: Expressions,
  more: Partial<PodAffinityTerm> = {},
): PodAffinityTerm => ({
  topologyKey,
  labelSelector: { matchExpressions },
  ...more,
});
const isIn = (key: string, ...values: string[]) => [{ key, operator: 'In', values }];
const exists = (key: string) => [{ key, operator: 'Exists' }];
const near = (...requiredDuringSchedulingIgnoredDuringExecution: PodAffinityTerm[]) => ({
  podAffinity: { requiredDuringSchedulingIgnoredDuringExecution },
});
const apart = (...requiredDuringSchedulingIgnoredDuringExecution: PodAffinityTerm[]) => ({
  podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution },
});
const s1 = { service: 'securityscan' };
const s2 = { service: 'other' };
const region = { region: 'r1' };

describe('InterPodAffinity', () => {
  const one = (labels: Record<string, string>, ...on: Pod[]) => node('n', { labels, on });
  const table: { what: string; pod: Pod; on: NodeInfo; among?: NodeInfo[]; is?: string[]; final?: boolean }[] = [
    { what: 'nothing asked for', pod: pod('p'), on: one(region, pod('x', { labels: s1 })) },
    {
      what: 'company that is there',
      pod: pod('p', { labels: s2, affinity: near(term('region', isIn('service', 'securityscan', 'value2'))) }),
      on: one(region, pod('x', { labels: s1 })),
    },
    {
      what: 'company that is none of those named',
      pod: pod('p', {
        labels: s2,
        affinity: near(term('region', [{ key: 'service', operator: 'NotIn', values: ['no'] }])),
      }),
      on: one(region, pod('x', { labels: s1 })),
    },
    {
      what: 'company in another namespace than the pod',
      pod: pod('p', { labels: s2, affinity: near(term('region', isIn('service', 'securityscan'))) }),
      on: one(region, pod('x', { labels: s1, namespace: 'ns' })),
      is: AFFINITY,
      final: true,
    },
    {
      what: 'company in a namespace that is named',
      pod: pod('p', {
        labels: s2,
        affinity: near(term('region', isIn('service', 'securityscan'), { namespaces: ['ns'] })),
      }),
      on: one(region, pod('x', { labels: s1, namespace: 'ns' })),
    },
    {
      what: 'company that is not there',
      pod: pod('p', { labels: s2, affinity: near(term('region', isIn('service', 'antivirus'))) }),
      on: one(region, pod('x', { labels: s1 })),
      is: AFFINITY,
      final: true,
    },
    {
      what: 'all of several terms by one pod',
      pod: pod('p', {
        affinity: near(term('region', exists('service')), term('region', [{ key: 'wrong', operator: 'DoesNotExist' }])),
      }),
      on: one(region, pod('x', { labels: s1 })),
    },
    {
      what: 'terms that no single pod meets',
      pod: pod('p', { affinity: near(term('region', exists('a')), term('region', exists('b'))) }),
      on: one(region, pod('x', { labels: { a: '' } }), pod('y', { labels: { b: '' } })),
      is: AFFINITY,
      final: true,
    },
    {
      what: 'a node without the topology label',
      pod: pod('p', { affinity: near(term('zone', exists('service'))) }),
      on: one(region, pod('x', { labels: s1 })),
      is: AFFINITY,
      final: true,
    },
    {
      what: 'company on another node of the place',
      pod: pod('p', { affinity: near(term('region', exists('service'))) }),
      on: node('n', { labels: region }),
      among: [node('n', { labels: region }), node('m', { labels: region, on: [pod('x', { labels: s1 })] })],
    },
    {
      what: 'company on a node of another place',
      pod: pod('p', { affinity: near(term('region', exists('service'))) }),
      on: node('n', { labels: region }),
      among: [node('n', { labels: region }), node('m', { labels: { region: 'r2' }, on: [pod('x', { labels: s1 })] })],
      is: AFFINITY,
      final: true,
    },
    {
      what: 'the first of those who want to be together',
      pod: pod('p', { labels: s1, affinity: near(term('region', exists('service'))) }),
      on: one(region),
    },
    {
      what: 'the first of those who want to be together, on a node without the label',
      pod: pod('p', { labels: s1, affinity: near(term('region', exists('service'))) }),
      on: one({}),
      is: AFFINITY,
      final: true,
    },
    {
      what: 'the second of them elsewhere',
      pod: pod('p', { labels: s1, affinity: near(term('region', exists('service'))) }),
      on: node('n', { labels: region }),
      among: [node('n', { labels: region }), node('m', { labels: { region: 'r2' }, on: [pod('x', { labels: s1 })] })],
      is: AFFINITY,
      final: true,
    },
    {
      what: 'the first of those who want to be together, in a namespace of another name',
      pod: pod('p', { labels: s1, affinity: near(term('region', exists('service'), { namespaces: ['ns'] })) }),
      on: one(region),
      is: AFFINITY,
      final: true,
    },
    {
      what: 'nobody by a term without a selector',
      pod: pod('p', { labels: s1, affinity: near({ topologyKey: 'region' }) }),
      on: one(region, pod('x', { labels: s1 })),
      is: AFFINITY,
      final: true,
    },
    {
      what: 'company that it wants to avoid',
      pod: pod('p', { affinity: apart(term('region', isIn('service', 'securityscan'))) }),
      on: one(region, pod('x', { labels: s1 })),
      is: ANTI,
    },
    {
      what: 'company that it wants to avoid, on a node without the label',
      pod: pod('p', { affinity: apart(term('zone', isIn('service', 'securityscan'))) }),
      on: one(region, pod('x', { labels: s1 })),
    },
    {
      what: 'company that it wants to avoid elsewhere in the place',
      pod: pod('p', { affinity: apart(term('region', isIn('service', 'securityscan'))) }),
      on: node('n', { labels: region }),
      among: [node('n', { labels: region }), node('m', { labels: region, on: [pod('x', { labels: s1 })] })],
      is: ANTI,
    },
    {
      what: 'others that want to avoid it',
      pod: pod('p', { labels: s1 }),
      on: one(region, pod('x', { affinity: apart(term('region', exists('service'))) })),
      is: EXISTING,
    },
    {
      what: 'others that want to avoid it, of another namespace',
      pod: pod('p', { labels: s1 }),
      on: one(region, pod('x', { namespace: 'ns', affinity: apart(term('region', exists('service'))) })),
    },
    {
      what: 'others that want to avoid somebody else',
      pod: pod('p', { labels: s1 }),
      on: one(region, pod('x', { affinity: apart(term('region', exists('no'))) })),
    },
    {
      what: 'others elsewhere in the place that want to avoid it',
      pod: pod('p', { labels: s1 }),
      on: node('n', { labels: region }),
      among: [
        node('n', { labels: region }),
        node('m', { labels: region, on: [pod('x', { affinity: apart(term('region', exists('service'))) })] }),
      ],
      is: EXISTING,
    },
    {
      what: 'mutual dislike is told as its own',
      pod: pod('p', { labels: s1, affinity: apart(term('region', exists('service'))) }),
      on: one(region, pod('x', { labels: s2, affinity: apart(term('region', exists('service'))) })),
      is: ANTI,
    },
    {
      what: 'affinity is looked at before anti-affinity',
      pod: pod('p', {
        labels: s1,
        affinity: { ...near(term('region', exists('no'))), ...apart(term('region', exists('service'))) },
      }),
      on: one(region, pod('x', { labels: s1 })),
      is: AFFINITY,
      final: true,
    },
  ];
  for (const { what, pod: p, on, among, is, final } of table)
    it(what, () => {
      const r = filtered(interpodaffinity, p, on, among);
      assert.deepEqual(r?.reasons, is);
      if (is) assert.equal(r?.final ?? false, final ?? false);
    });

  const namespaces = { default: { team: 'a' }, other: { team: 'b' } };
  const byTeam = (team: string) => ({ namespaceSelector: { matchLabels: { team } } });
  const selected: [string, Pod, Pod, string[] | undefined][] = [
    [
      'namespaces by their labels',
      pod('p', { affinity: near(term('region', exists('service'), byTeam('b'))) }),
      pod('x', { namespace: 'other', labels: s1 }),
      undefined,
    ],
    [
      'not its own where labels say so',
      pod('p', { affinity: near(term('region', exists('service'), byTeam('b'))) }),
      pod('x', { labels: s1 }),
      AFFINITY,
    ],
    [
      'all namespaces by an empty selector',
      pod('p', { affinity: apart(term('region', exists('service'), { namespaceSelector: {} })) }),
      pod('x', { namespace: 'nowhere', labels: s1 }),
      ANTI,
    ],
    [
      'named ones and selected ones alike',
      pod('p', { affinity: apart(term('region', exists('service'), { ...byTeam('b'), namespaces: ['default'] })) }),
      pod('x', { labels: s1 }),
      ANTI,
    ],
    [
      "others' terms by the labels of its own",
      pod('p', { labels: s1 }),
      pod('x', { namespace: 'other', affinity: apart(term('region', exists('service'), byTeam('a'))) }),
      EXISTING,
    ],
    [
      "others' terms that select other namespaces",
      pod('p', { labels: s1 }),
      pod('x', { affinity: apart(term('region', exists('service'), byTeam('b'))) }),
      undefined,
    ],
  ];
  for (const [what, p, there, is] of selected)
    it(what, () =>
      assert.deepEqual(filtered(interpodaffinity, p, one(region, there), undefined, { namespaces })?.reasons, is),
    );
});

describe('InterPodAffinity scores', () => {
  const soft = (weight: number, podAffinityTerm: PodAffinityTerm) => ({ weight, podAffinityTerm });
  const likes = (...preferredDuringSchedulingIgnoredDuringExecution: ReturnType<typeof soft>[]) => ({
    podAffinity: { preferredDuringSchedulingIgnoredDuringExecution },
  });
  const dislikes = (...preferredDuringSchedulingIgnoredDuringExecution: ReturnType<typeof soft>[]) => ({
    podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution },
  });
  const at = (name: string, labels: Record<string, string>, ...on: Pod[]) => node(name, { labels, on });
  const china = { region: 'China', az: 'az1' };
  const india = { region: 'India', az: 'az2' };
  const s = (name: string, labels: Record<string, string>, affinity = {}) => pod(name, { labels, affinity });
  const wants = (key: string, value: string, topology = 'region') => term(topology, isIn(key, value));
  const table: { what: string; pod: Pod; nodes: NodeInfo[]; is: number[] | undefined }[] = [
    { what: 'nobody prefers anything', pod: s('p', s1), nodes: [at('a', china), at('b', india)], is: undefined },
    {
      what: 'nodes in the place of company get the most',
      pod: s('p', s1, likes(soft(2, wants('service', 'other')))),
      nodes: [at('a', china, s('x', s2)), at('b', { region: 'China' }), at('c', india)],
      is: [100, 100, 0],
    },
    {
      what: 'each pod counts',
      pod: s('p', s1, likes(soft(2, wants('service', 'other')))),
      nodes: [at('a', china, s('x', s2), s('y', s2)), at('b', india, s('z', s2)), at('c', {})],
      is: [100, 50, 0],
    },
    {
      what: 'several terms add up',
      pod: s('p', s1, likes(soft(4, wants('service', 'other')), soft(1, wants('service', 'other', 'az')))),
      nodes: [at('a', china, s('x', s2)), at('b', { region: 'China', az: 'az9' }), at('c', india)],
      is: [100, 80, 0],
    },
    {
      what: 'company that is disliked',
      pod: s('p', s1, dislikes(soft(5, wants('service', 'other')))),
      nodes: [at('a', china, s('x', s2)), at('b', india)],
      is: [0, 100],
    },
    {
      what: 'being liked by others counts',
      pod: s('p', s1),
      nodes: [at('a', china, s('x', s2, likes(soft(3, wants('service', 'securityscan'))))), at('b', india)],
      is: [100, 0],
    },
    {
      what: 'being needed by others counts by one',
      pod: s('p', s1),
      nodes: [
        at('a', china, s('x', s2, near(wants('service', 'securityscan')))),
        at('b', india, s('y', s2, likes(soft(4, wants('service', 'securityscan'))))),
        at('c', { region: 'Peru' }),
      ],
      is: [25, 100, 0],
    },
    {
      what: 'being disliked by others counts',
      pod: s('p', s1),
      nodes: [at('a', china, s('x', s2, dislikes(soft(3, wants('service', 'securityscan'))))), at('b', india)],
      is: [0, 100],
    },
    {
      what: 'required terms of its own do not',
      pod: s('p', s1, near(wants('service', 'other'))),
      nodes: [at('a', china, s('x', s2)), at('b', india)],
      is: undefined,
    },
  ];
  for (const { what, pod: p, nodes, is } of table)
    it(what, () => assert.deepEqual(scores(interpodaffinity, p, nodes), is));
});
