import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Facts } from '../meta/facts.ts';
import { coarse, type Interest, Interests, newsOf, parseInterest } from './interest.ts';

const KEY = 'pods/default/a';
const pod = (fields: Record<string, string>, more: Partial<Facts> = {}): Facts => ({ uid: 'u', fields, ...more });
const waits = pod({ 'spec.nodeName': '', 'status.phase': 'Pending' });
const bound = pod({ 'spec.nodeName': 'n', 'status.phase': 'Pending' });
const runs = pod({ 'spec.nodeName': 'n', 'status.phase': 'Running' });
const ended = pod({ 'spec.nodeName': 'n', 'status.phase': 'Failed' });

describe('a change is news', () => {
  const all: Interest = { resource: 'pods' };
  const unbound: Interest = { ...all, fields: [{ field: 'spec.nodeName', op: '=', value: '' }] };
  const live: Interest = {
    ...all,
    fields: [
      { field: 'spec.nodeName', op: '!=', value: '' },
      { field: 'status.phase', op: '!=', value: 'Failed' },
    ],
    of: ['labels', 'generation'],
    wakes: 'end',
  };
  const owned: Interest = { ...all, owned: true };
  const ending: Interest = { ...unbound, terminating: true };
  const table: [what: string, i: Interest, prev: Facts | null, next: Facts | null, is: ReturnType<typeof newsOf>][] = [
    ['of any row, for who wants all', all, waits, bound, 'wake'],
    ['that came', unbound, null, waits, 'wake'],
    ['that came and does not match: not', unbound, null, bound, 'none'],
    ['of a row that matches on', unbound, waits, waits, 'wake'],
    ['of a row that no longer matches', unbound, waits, bound, 'wake'],
    ['of a row that never did: not', unbound, bound, runs, 'none'],
    ['of a row that matched and went', unbound, waits, null, 'wake'],
    ['of a row that did not match and went: not', unbound, bound, null, 'none'],
    ['of a row that is not ending, for who wants those that are: not', ending, null, waits, 'none'],
    ['of a row that ends, for who wants those', ending, waits, { ...waits, terminating: true }, 'wake'],
    ['that begins to match, quietly', live, waits, bound, 'quiet'],
    ['that leaves the facts in question as they were: not', live, bound, runs, 'none'],
    ['that moves one of them, quietly', live, bound, { ...bound, generation: 2 }, 'quiet'],
    ['that moves the labels, quietly', live, bound, { ...bound, labels: { a: 'b' } }, 'quiet'],
    ['that ends what matched, aloud', live, runs, ended, 'wake'],
    ['of a row that went, aloud', live, runs, null, 'wake'],
    ['for who never wakes, quietly', { ...all, wakes: 'never' }, runs, null, 'quiet'],
    ['of a row with an owner', owned, null, { ...waits, owners: ['o'] }, 'wake'],
    ['of a row that lost its owner', owned, { ...waits, owners: ['o'] }, waits, 'wake'],
    ['of a row without one: not', owned, null, waits, 'none'],
    ['of a row without one, for who wants those', { ...all, owned: false }, null, { ...waits, owners: [] }, 'wake'],
    ['in one of the namespaces', { ...all, namespaces: ['x', 'default'] }, null, waits, 'wake'],
    ['in another namespace: not', { ...all, namespaces: ['x'] }, null, waits, 'none'],
    ['of the name', { ...all, name: 'a' }, null, waits, 'wake'],
    ['of another name: not', { ...all, name: 'b' }, null, waits, 'none'],
  ];
  for (const [what, i, prev, next, is] of table) it(what, () => assert.equal(newsOf(i, KEY, prev, next), is));
});

it('everybody is found who wants a resource, or all of them, and each is told whether it wakes', () => {
  const who = new Interests<string>([
    [{ resource: 'pods' }, 'a'],
    [{ resource: 'pods', wakes: 'never' }, 'b'],
    ['nodes', 'c'],
    ['*', 'd'],
  ]);
  const told: [string, boolean][] = [];
  const look = () => who.news(KEY, null, waits, (loop, wakes) => told.push([loop, wakes]));
  look();
  assert.deepEqual(told.splice(0), [
    ['a', true],
    ['b', false],
    ['d', true],
  ]);
  who.remove('a');
  who.remove('d');
  look();
  assert.deepEqual(told, [['b', false]]);
});

it('what loops of the release before wrote is read, and what is written for them is no narrower', () => {
  assert.deepEqual(parseInterest('pods'), { resource: 'pods' });
  assert.deepEqual(parseInterest('configmaps/*/x'), { resource: 'configmaps', name: 'x' });
  assert.equal(coarse({ resource: 'pods', owned: true, namespaces: ['a'] }), 'pods');
  assert.equal(coarse({ resource: 'configmaps', name: 'x' }), 'configmaps/*/x');
});
