import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { checked } from './checked.ts';

test('what is wrong with a body is one line that names each field', () => {
  const schema = v.object({
    metadata: v.object({ name: v.pipe(v.string(), v.maxLength(3, 'too long')) }),
    n: v.number(),
  });
  assert.deepEqual(checked(schema, { metadata: { name: 'abc' }, n: 1 }), { metadata: { name: 'abc' }, n: 1 });
  assert.throws(() => checked(schema, { metadata: { name: 'abcd' }, n: '1' }), {
    message: 'metadata.name: too long; n: Invalid type: Expected number but received "1"',
  });
  assert.throws(() => checked(schema, 'x'), { message: /^body: Invalid type: [^\n]+$/ });
});
