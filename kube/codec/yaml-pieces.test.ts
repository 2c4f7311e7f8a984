import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../meta/json.ts';
import { finish } from '../meta/steps.ts';
import { parseYaml, printYaml, YamlError, yamlSteps } from './yaml.ts';

// Long texts are read in steps, some items at a time: what comes of it is what it would be of the whole.

const MANY = 3_000;
const lines = (n: number, line: (i: number) => string) => Array.from({ length: n }, (_, i) => line(i)).join('\n');

function counted(text: string): { value: Json; duplicates: string; steps: number } {
  const steps = yamlSteps(text);
  for (let n = 1; ; n++) {
    const step = steps.next();
    if (step.done) return { ...step.value, steps: n };
  }
}

const values: Record<string, Json> = {
  'a map of many values': {
    kind: 'ConfigMap',
    data: Object.fromEntries(Array.from({ length: MANY }, (_, i) => [`k${i}`, `v ${i}`])),
  },
  'a list of many values': { items: Array.from({ length: MANY }, (_, i) => i) },
  'a list at the top': Array.from({ length: MANY }, (_, i) => `item ${i}`),
  'lists of maps of lists': {
    spec: {
      rules: Array.from({ length: 400 }, (_, i) => ({
        name: `r${i}`,
        paths: ['/a', '/b'],
        to: { port: i, list: [[1], []] },
      })),
    },
  },
  'texts of several lines among others': {
    data: Object.fromEntries(
      Array.from({ length: 1_500 }, (_, i) => [`f${i}`, i % 3 ? `one\ntwo: ${i}\n  three\n` : `"${i}"`]),
    ),
  },
  'one very long text': { data: { big: `${'x'.repeat(70)} `.repeat(5_000) }, last: true },
  'large maps in large maps': Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [
      `m${i}`,
      Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`k${n}`, { a: n, b: null }])),
    ]),
  ),
};
for (const [name, value] of Object.entries(values))
  test(`${name}: read as written`, () => {
    const text = printYaml(value);
    const { value: got, duplicates, steps } = counted(text);
    assert.deepEqual([got, duplicates], [value, '']);
    assert.ok(steps >= 5, `${steps} steps for ${text.length} units`);
  });

const padding = lines(MANY, (i) => `  k${i}: value`);
const cases: [name: string, text: string, value: (v: Record<string, Json>) => Json, expected: Json][] = [
  [
    'comments, empty lines and a new document mark',
    `# top\n---\n\ndata:\n${padding}\n  # inner\n\n  end: 1\nlast: x\n`,
    (v) => [Object.keys(v), (v.data as { end: Json }).end],
    [['data', 'last'], 1],
  ],
  ['what follows a second document', `data:\n${padding}\n---\nother: 1\n`, (v) => Object.keys(v), ['data']],
  ['anchors and aliases', `a: &x {b: 1}\ndata:\n${padding}\nc: *x\n`, (v) => v.c as Json, { b: 1 }],
  ['a merge key among many', `base: {z: 1}\ndata:\n${padding}\n  <<: {m: 2}\n`, (v) => (v.data as { m: Json }).m, 2],
  [
    'tags before a large value',
    `data: !!map\n${padding}\nlast: !!str 1\n`,
    (v) => [Object.keys(v.data as object).length, v.last as Json],
    [MANY, '1'],
  ],
  [
    'flow collections as values',
    `data:\n${padding}\n  f: [1, {a: b}]\n`,
    (v) => (v.data as { f: Json }).f,
    [1, { a: 'b' }],
  ],
  [
    'keys that are no text',
    `data:\n${padding}\n  1: one\n  true: yes\n`,
    (v) => (v.data as Record<string, Json>)['1'] as Json,
    'one',
  ],
  [
    'a list at the indentation of its key',
    `items:\n${lines(MANY, (i) => `- n${i}`)}\nlast: 1\n`,
    (v) => [(v.items as Json[]).length, v.last as Json],
    [MANY, 1],
  ],
];
for (const [name, text, pick, expected] of cases)
  test(name, () => {
    const { value, steps } = counted(text);
    assert.deepEqual(pick(value as Record<string, Json>), expected);
    assert.ok(steps > 3, `${steps} steps`);
  });

test('keys that come twice are named with their lines, wherever they stand', () => {
  const text = `data:\n${padding}\n  k0: again\n  k1:\n    x: 1\nkind: a\nkind: b\n`;
  assert.equal(
    counted(text).duplicates,
    [
      'yaml: unmarshal errors:',
      `line ${MANY + 2}: key "k0" already set in map`,
      `line ${MANY + 4}: key "k1" already set in map`,
      `line ${MANY + 6}: key "kind" already set in map`,
    ].join('\n  '),
  );
});

test('what is wrong with a long text is said as of the whole', () => {
  const wrong = [
    `data:\n${padding}\n  bad: "unclosed\n`,
    `data:\n${padding}\n bad: 1\n`,
    `data:\n${padding}\n  a: b: c\n`,
    `data:\n${padding}\n  ? [1]\n  : 2\n`,
    `data:\n${padding}\n  ~: 2\n`,
    `data:\n${padding}\n\tx: 2\n`,
  ];
  const said = wrong.map((text) => {
    try {
      finish(yamlSteps(text));
      return 'nothing';
    } catch (e) {
      assert.ok(e instanceof YamlError);
      return e.message;
    }
  });
  // Of short texts the same, but for their lines.
  const short = wrong.map((text) => {
    try {
      parseYaml(text.replace(`${padding}\n`, `${padding.split('\n')[0]}\n`));
      return 'nothing';
    } catch (e) {
      return (e as Error).message;
    }
  });
  const plain = (s: string) => s.replace(/line \d+/, 'line N');
  assert.deepEqual(said.map(plain), short.map(plain));
  assert.ok(
    said.every((s) => s !== 'nothing'),
    said.join('\n'),
  );
});
