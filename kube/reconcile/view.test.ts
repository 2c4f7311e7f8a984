import assert from 'node:assert/strict';
import { it } from 'node:test';
import { suffix } from './view.ts';

it("a suffix depends on its seed alone and is of upstream's alphabet", () => {
  assert.equal(suffix('a', 5), suffix('a', 5));
  const many = new Set(Array.from({ length: 1_000 }, (_, i) => suffix(`pods/${i}`, 5)));
  assert.ok(many.size > 990, `${many.size} of 1,000 differ`);
  for (const s of many) assert.match(s, /^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
});
