import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as q from './quantity.ts';

test('a quantity prints in its canonical form', () => {
  const cases: [text: string, canonical: string][] = [
    ['0', '0'],
    ['0.5', '500m'],
    ['1.5', '1500m'],
    ['1000m', '1'],
    ['1024Ki', '1Mi'],
    ['1.5Gi', '1536Mi'],
    ['0.1Mi', '104857600m'],
    ['1000000', '1M'],
    ['1e3', '1e3'],
    ['12e6', '12e6'],
    ['500Ki', '500Ki'],
    ['2048Mi', '2Gi'],
    ['0.0000000001', '1n'],
    ['10Ei', '9223372036854775807'],
    ['100000000000000000000', '100E'],
  ];
  for (const [text, canonical] of cases) assert.equal(q.canonicalQuantity(text), canonical, text);
});

test('spellings that upstream keeps are kept', () => {
  for (const text of ['1E3', '+1', '01', '1.500', '-1', '65Mi']) assert.equal(q.canonicalQuantity(text), text);
});

test('what is not a quantity is refused with the reason', () => {
  for (const text of ['', 'foo', '1.2.3', '1 ', '12.5%']) {
    assert.equal(q.parseQuantity(text), null, text);
    assert.equal(q.quantityProblem(text), q.QUANTITY_SHAPE, text);
  }
  for (const text of ['1ki', '1Kii', '1i', '1e', '--1'])
    assert.equal(q.quantityProblem(text), "unable to parse quantity's suffix", text);
  assert.equal(q.quantityProblem('Pi'), 'unable to parse numeric part of quantity');
});

test('sums and comparisons are exact and keep the first format', () => {
  const add = (a: string, b: string) => q.addQuantities(q.quantity(a), q.quantity(b)).text;
  assert.equal(add('100m', '0.9'), '1');
  assert.equal(add('1Gi', '1024Mi'), '2Gi');
  assert.equal(add('0', '1Ki'), '1Ki');
  assert.equal(add('9223372036854775807', '1'), '9223372036854775808');
  assert.equal(q.subtractQuantities(q.quantity('1'), q.quantity('100m')).text, '900m');
  assert.equal(q.multiplyQuantity(q.quantity('250m'), 4).text, '1');
  assert.equal(q.compareQuantities(q.quantity('1'), q.quantity('1000m')), 0);
  assert.equal(q.compareQuantities(q.quantity('1Ki'), q.quantity('1k')), 1);
  assert.equal(q.compareQuantities(q.quantity('9223372036854775806'), q.quantity('9223372036854775807')), -1);
});

test('whole and milli values round up', () => {
  assert.equal(q.wholeValue(q.quantity('100m')), 1);
  assert.equal(q.wholeValue(q.quantity('1.5Gi')), 1610612736);
  assert.equal(q.milliValue(q.quantity('0.0001')), 1);
  assert.equal(q.milliValue(q.quantity(2)), 2000);
  assert.equal(q.scaledValue(q.quantity('100E'), 0), 9223372036854775807n);
});
