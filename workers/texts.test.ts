import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTexts } from './texts.ts';

const INDEX = {
  minor: '1.37',
  version: 'a',
  documents: { 'api/v1': ['core.v1', 'meta.v1'], 'apis/x/v1': ['gone.v1'] },
};
const CORE = { 'core.v1.Pod': { '': 'What runs.', spec: 'What it should be.' } };

/** Files in memory, with what was asked for. */
function world(content: Record<string, unknown>) {
  const asked: string[] = [];
  let now = 0;
  const texts = createTexts(
    async (url) => {
      const name = new URL(url).pathname.slice(1);
      asked.push(name);
      return name in content
        ? new Response(typeof content[name] === 'string' ? content[name] : JSON.stringify(content[name]))
        : new Response('', { status: 404 });
    },
    { now: () => now, log: () => undefined },
  );
  return { asked, texts, pass: (ms: number) => (now += ms) };
}

test('a document gets the texts of the packages that its index names', async () => {
  const { texts, asked } = world({ 'index.json': INDEX, 'core.v1.json': CORE, 'meta.v1.json': {} });
  const found = await texts('1.37');
  assert.equal(found?.version, 'a');
  const describe = await found?.of('api/v1');
  assert.equal(describe?.('core.v1.Pod'), 'What runs.');
  assert.equal(describe?.('core.v1.Pod', 'spec'), 'What it should be.');
  assert.equal(describe?.('core.v1.Pod', 'status'), undefined);
  assert.deepEqual(asked, ['index.json', 'core.v1.json', 'meta.v1.json']);
});

test('there are no texts without an index, with a damaged one, and with one of another minor', async () => {
  assert.equal(await world({}).texts('1.37'), undefined);
  assert.equal(await world({ 'index.json': '{' }).texts('1.37'), undefined);
  assert.equal(await world({ 'index.json': { minor: '1.37' } }).texts('1.37'), undefined);
  assert.equal(await world({ 'index.json': INDEX }).texts('1.38'), undefined);
});

test('a package that is missing or damaged leaves its structs without texts', async () => {
  const { texts } = world({ 'index.json': INDEX, 'core.v1.json': { 'core.v1.Pod': 5 } });
  const found = await texts('1.37');
  assert.equal((await found?.of('api/v1'))?.('core.v1.Pod'), undefined);
  assert.equal((await found?.of('apis/x/v1'))?.('gone.v1.X'), undefined);
  assert.equal((await found?.of('apis/none/v1'))?.('none.v1.X'), undefined);
});

test('the index is read again after some seconds, so that new texts are served without a restart', async () => {
  const content: Record<string, unknown> = {};
  const { texts, asked, pass } = world(content);
  assert.equal(await texts('1.37'), undefined);
  content['index.json'] = INDEX;
  assert.equal(await texts('1.37'), undefined);
  assert.equal(asked.length, 1);
  pass(5_000);
  assert.equal((await texts('1.37'))?.version, 'a');
});
