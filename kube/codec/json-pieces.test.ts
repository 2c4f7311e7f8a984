import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../meta/json.ts';
import { JsonError, parseJson } from './json.ts';
import { parseSteps } from './json-pieces.ts';

const LARGE = 300 * 1024;

function read(text: string): { value?: Json; error?: string; steps: number } {
  const all = parseSteps(text);
  for (let steps = 1; ; steps++) {
    try {
      const step = all.next();
      if (step.done) return { value: step.value, steps };
    } catch (e) {
      assert.ok(e instanceof JsonError, String(e));
      return { error: e.message, steps };
    }
  }
}
function whole(text: string): { value?: Json; error?: string } {
  try {
    return { value: parseJson(text) };
  } catch (e) {
    return { error: (e as Error).message };
  }
}
function same(text: string): number {
  const { steps, ...got } = read(text);
  const want = whole(text);
  assert.deepStrictEqual(got, want);
  // Members in the same order too.
  if ('value' in want && !text.includes('12345678901234567890'))
    assert.equal(JSON.stringify(got.value), JSON.stringify(want.value));
  return steps;
}

/** A generator of numbers that a seed decides. */
function seeded(seed: number): () => number {
  let s = seed;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
}

const map = (keys: number, value = 'x'.repeat(100)) =>
  `{"kind":"ConfigMap","data":{${Array.from({ length: keys }, (_, i) => `"key-${i}":"${value}"`).join(',')}},"metadata":{"name":"a"}}`;

test('a text of many members is parsed in many steps, each a piece of it', () => {
  assert.ok(same(map(10_000)) >= 8);
  assert.equal(read(map(10)).steps, 1, 'a small one at once');
});

test('nested objects and arrays are cut too, down to some depth', () => {
  const item = `{"name":"c","env":[${Array.from({ length: 50 }, (_, i) => `{"name":"V${i}","value":"${'y'.repeat(60)}"}`).join(', ')}]}`;
  const list = `[${Array.from({ length: 200 }, () => item).join(' ,\n')}]`;
  assert.ok(list.length > LARGE);
  assert.ok(same(`{"spec": {"template" : {"containers":${list}}} , "status":{} }`) >= 4);
  assert.ok(same(list) >= 4, 'an array outermost');
  same(`{"a":[[[[[[${list}]]]]]],"b":1}`);
  same(`{"a":{},"b":[],"c":"${'z'.repeat(LARGE)}","d":{"e":"${'z'.repeat(LARGE)}"}}`);
});

test('keys that need care come out as of JSON.parse: __proto__, numbers, twice, escaped', () => {
  const filler = Array.from({ length: 4_000 }, (_, i) => `"k${i}":"${'v'.repeat(90)}"`).join(',');
  same(`{"__proto__":{"x":1},${filler},"10":1,"2":2,"k1":"again","\\u006b2":"escaped","":0,"q\\"":"\\\\"}`);
  same(`{"a":{${filler},"__proto__":{"${'p'.repeat(10)}":{${filler}}}},"a":{"b":1}}`);
  const { value } = read(`{"n":12345678901234567890,${filler},"m":-9007199254740993,"s":"\\ud800"}`);
  const { n, m, s } = value as Record<string, unknown>;
  assert.deepEqual([n, m, s], [12345678901234567890n, -9007199254740993n, '\ufffd']);
});

test('what is wrong with a text is said as for the whole of it', () => {
  const good = map(4_000);
  for (const bad of [
    `${good}x`,
    `${good}}`,
    good.slice(0, -1),
    good.slice(0, good.length / 2),
    good.replace('"key-3000":', '"key-3000"'),
    good.replace('"key-3000":', '"key-3000"::'),
    good.replace('"key-3000":"', '"key-3000":tru,"x":"'),
    good.replace(',"key-3000"', ',,"key-3000"'),
    good.replace('"metadata"', ',"metadata"'),
    good.replace('}}', ',}}'),
    good.replace('"kind"', 'kind'),
    `[${good},]`,
    `[${good} ${good}]`,
    `\ufeff${good}`,
    `"${'x'.repeat(LARGE)}`,
    ' '.repeat(LARGE),
    `{"a":${'['.repeat(LARGE)}${']'.repeat(LARGE)}}`,
  ])
    same(bad);
});

test('texts at random, whole and cut and with a character changed, are read as JSON.parse reads them', () => {
  const random = seeded(7);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const space = () => pick(['', '', '', ' ', '\n', '\t ']);
  const text = (units: number, depth: number): string => {
    const kind = random();
    if (depth > 5 || units < 200 || kind < 0.15)
      return pick([
        '1',
        '-2.5e3',
        'true',
        'null',
        '""',
        `"${'s'.repeat(Math.max(0, Math.floor(units * random())))}"`,
        '"a\\"b,{[\\\\"',
      ]);
    const parts = 1 + Math.floor(random() * 12);
    const inner = Array.from({ length: parts }, (_, i) => {
      const v = `${space()}${text(units / parts, depth + 1)}${space()}`;
      return kind < 0.7 ? `${space()}"m${Math.floor(random() * 30)}\\n${i % 5}"${space()}:${v}` : v;
    }).join(',');
    return kind < 0.7 ? `{${inner}}` : `[${inner}]`;
  };
  for (let i = 0; i < 60; i++) {
    const good = `{"fill":${text(900_000, 0)},"rest":${text(900_000, 0)},"pad":"${'p'.repeat(LARGE)}"}`;
    same(good);
    const at = Math.floor(random() * good.length);
    same(good.slice(0, at));
    same(good.slice(0, at) + pick(['"', ',', '}', '{', ']', ':', '\\', 'x', ' ']) + good.slice(at + 1));
  }
});
