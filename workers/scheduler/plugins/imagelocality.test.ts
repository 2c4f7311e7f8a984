import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeInfo, Pod } from '../framework.ts';
import { filtered, node, pod, scores } from '../testing/pods.ts';
import { imagelocality } from './imagelocality.ts';
import { nodedeclaredfeatures } from './nodedeclaredfeatures.ts';

const MIB = 1024 * 1024;
/** Two containers with these images. */
const of = (...images: string[]): Pod => ({
  ...pod('p'),
  spec: { containers: images.map((image, i) => ({ name: `c${i}`, image })) },
});

// After imagelocality/image_locality_test.go: each image is on one of two nodes.
describe('ImageLocality', () => {
  const a = node('a', {
    images: { 'gcr.io/40:latest': 40 * MIB, 'gcr.io/300:latest': 300 * MIB, 'gcr.io/2000:latest': 2000 * MIB },
  });
  const b = node('b', { images: { 'gcr.io/250:latest': 250 * MIB, 'gcr.io/10:latest': 10 * MIB } });
  const table: { what: string; pod: Pod; nodes: NodeInfo[]; is: number[] | undefined }[] = [
    // 250 MiB on half of the nodes: (125 - 23) of (2000 - 23).
    { what: 'the node with the larger image', pod: of('gcr.io/40', 'gcr.io/250'), nodes: [a, b], is: [0, 5] },
    // 40 and 300 on half of the nodes: (170 - 23) of (2000 - 23).
    { what: 'sizes add up', pod: of('gcr.io/40', 'gcr.io/300'), nodes: [a, b], is: [7, 0] },
    {
      what: 'no more than the most counts',
      pod: of('gcr.io/2000', 'gcr.io/10'),
      nodes: [a, node('c', { images: { 'gcr.io/2000:latest': 2000 * MIB } })],
      is: [100, 100],
    },
    { what: 'images that nobody has', pod: of('gcr.io/none'), nodes: [a, b], is: undefined },
    { what: 'an image by its tag', pod: of('gcr.io/300:v1'), nodes: [a, b], is: undefined },
  ];
  for (const { what, pod: p, nodes, is } of table)
    it(what, () => assert.deepEqual(scores(imagelocality, p, nodes), is));

  it('counts init containers and volumes of images too', () => {
    const p = of('gcr.io/none');
    const more: Pod = {
      ...p,
      spec: {
        ...p.spec,
        initContainers: [{ name: 'i', image: 'gcr.io/300' }],
        volumes: [{ name: 'v', image: { reference: 'gcr.io/2000' } }],
      },
    };
    // 1150 MiB of three images: (1150 - 23) of (3000 - 23).
    assert.deepEqual(scores(imagelocality, more, [a, b]), [37, 0]);
  });
});

describe('NodeDeclaredFeatures', () => {
  const needs = pod('p', { requires: ['A', 'B'] } as never);
  const no = ["node(s) didn't match Pod's required features"];
  const table: [string, Pod, NodeInfo, string[] | undefined][] = [
    ['nothing needed', pod('p'), node('n'), undefined],
    ['all there', needs, node('n', { declared: ['A', 'B', 'C'] }), undefined],
    ['one missing', needs, node('n', { declared: ['A'] }), no],
  ];
  for (const [what, p, n, is] of table)
    it(what, () => assert.deepEqual(filtered(nodedeclaredfeatures, p, n)?.reasons, is));
});
