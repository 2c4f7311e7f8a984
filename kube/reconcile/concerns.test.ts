import assert from 'node:assert/strict';
import { it } from 'node:test';
import { concernsOf, wakesNobody } from './concerns.ts';
import type { Controller, Watch } from './controller.ts';
import { configmaps, NOTHING, pods, sets } from './testing/runner.ts';

const controller = (name: string, more: Partial<Controller>): Controller => ({
  name,
  rules: [],
  for: configmaps,
  reconcile: () => NOTHING,
  ...more,
});

it('a resource concerns whose roots, owned objects or watched ones it holds, and nobody who only reads it', () => {
  const watch: Watch = { kind: pods, map: () => [] };
  const reads: Watch = { kind: sets, map: wakesNobody };
  const all = concernsOf([
    controller('a', { owns: [pods], watches: [reads] }),
    controller('b', { for: sets, watches: [watch, { kind: configmaps, map: wakesNobody }] }),
  ]);
  const of = (resource: string) =>
    (all.get(resource) ?? []).map((c) => [c.controller.name, c.isRoot, c.owns, c.watches.length]);
  assert.deepEqual(of('configmaps'), [['a', true, false, 0]]);
  assert.deepEqual(of('pods'), [
    ['a', false, true, 0],
    ['b', false, false, 1],
  ]);
  assert.deepEqual(of('replicasets.apps'), [['b', true, false, 0]]);
  assert.deepEqual(of('secrets'), []);
});
