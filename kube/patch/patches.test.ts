import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Json, JsonObject } from '../meta/json.ts';
import { StatusError } from '../meta/status.ts';
import { schemas } from '../schema/schemas.ts';
import { applyJsonPatch, decodeJsonPatch, PatchError, unknownPatchFields, unprocessablePatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicPatch, strategicStatus, unsupportedStrategic } from './strategic.ts';
import { StrategicError } from './strategic-errors.ts';

function statusOf(run: () => unknown): [number, string] {
  try {
    run();
  } catch (e) {
    if (e instanceof StatusError) return [e.code, e.message];
    throw e;
  }
  return [200, ''];
}

describe('the form of a JSON patch', () => {
  const cases: [string, Json, boolean, [number, string]][] = [
    ['null is no operations', null, true, [200, '']],
    [
      'an object is refused',
      { op: 'add' },
      true,
      [400, 'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp'],
    ],
    [
      'an object is refused without field validation',
      { op: 'add' },
      false,
      [400, 'json: cannot unmarshal object into Go value of type jsonpatch.Patch'],
    ],
    [
      'a path that is no text is refused',
      [{ op: 'add', path: 3 }],
      true,
      [400, 'error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.path of type string'],
    ],
    [
      'more than 10,000 operations are refused',
      Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a' })),
      true,
      [413, 'The allowed maximum operations in a JSON patch is 10000, got 10001'],
    ],
  ];
  for (const [name, patch, strict, want] of cases) {
    test(name, () =>
      assert.deepEqual(
        statusOf(() => decodeJsonPatch(patch, strict)),
        want,
      ),
    );
  }
  test('unknown members are reported', () => {
    assert.deepEqual(unknownPatchFields([{ op: 'add' }, { op: 'add', zap: 1 }]), [
      'json patch unknown field "[1].zap"',
    ]);
  });
  test('a patch that does not apply is 422 without the reason', () => {
    const { code, reason, message } = unprocessablePatch();
    assert.deepEqual(
      [code, reason, message],
      [422, 'Invalid', 'the server rejected our request due to an error in our request'],
    );
  });
});

describe('a JSON patch', () => {
  test('leaves the document alone and shares what it did not touch', () => {
    const doc = { a: { x: [1, 2] }, b: { y: 1 } };
    const out = applyJsonPatch(doc, [
      { op: 'add', path: '/a/x/-', value: 3 },
      { op: 'remove', path: '/a/x/0' },
    ]) as typeof doc;
    assert.deepEqual(doc, { a: { x: [1, 2] }, b: { y: 1 } });
    assert.deepEqual(out.a, { x: [2, 3] });
    assert.equal(out.b, doc.b);
  });
  test('leaves its own values alone', () => {
    const patch = [
      { op: 'add', path: '/a', value: { l: [] } },
      { op: 'add', path: '/a/l/-', value: 1 },
    ];
    assert.deepEqual(applyJsonPatch({}, patch), { a: { l: [1] } });
    assert.deepEqual(patch[0]?.value, { l: [] });
  });
  test('may not grow the document by copies without end', () => {
    const copies = Array.from({ length: 40 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }));
    assert.throws(
      () => applyJsonPatch({ a: ['x'.repeat(1000)] }, copies),
      (e) =>
        e instanceof PatchError &&
        e.message.startsWith('Unable to complete the copy, the accumulated size increase of copy is '),
    );
  });
  test('finds no inherited names', () => {
    assert.throws(() => applyJsonPatch({}, [{ op: 'remove', path: '/constructor' }]), PatchError);
    const out = applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { x: 1 } }]) as JsonObject;
    assert.equal(Object.getPrototypeOf(out), Object.prototype);
    assert.deepEqual(Object.keys(out), ['__proto__']);
  });
});

describe('a merge patch', () => {
  test('leaves both sides alone and shares what it did not touch', () => {
    const doc = { a: { x: 1 }, b: { y: 1 } };
    const patch = { a: { x: null, z: 2 } };
    const out = applyMergePatch(doc, patch, true) as JsonObject;
    assert.deepEqual([doc, patch], [{ a: { x: 1 }, b: { y: 1 } }, { a: { x: null, z: 2 } }]);
    assert.equal(out.b, doc.b);
  });
  test('that is no object is refused in the words of field validation', () => {
    assert.deepEqual(
      statusOf(() => applyMergePatch({}, [1], true)),
      [400, 'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}'],
    );
    assert.deepEqual(
      statusOf(() => applyMergePatch({}, null, true)),
      [400, 'Invalid JSON Patch'],
    );
  });
  test('finds no inherited names', () => {
    const patch = JSON.parse('{"__proto__":{"x":1},"constructor":{"y":1}}') as JsonObject;
    const out = applyMergePatch({}, patch, true) as JsonObject;
    assert.equal(Object.getPrototypeOf(out), Object.prototype);
    assert.deepEqual(Object.keys(out).sort(), ['__proto__', 'constructor']);
  });
});

describe('the answer to a strategic merge patch that fails', () => {
  const pod = schemas.kind({ group: '', version: 'v1', kind: 'Pod' });
  const cases: [string, JsonObject, [number, string]][] = [
    [
      'a missing merge key is 500',
      { spec: { containers: [{ image: 'x' }] } },
      [500, 'map: map[image:x] does not contain declared merge key: name'],
    ],
    ['a bad retainKeys is 400', { spec: { $retainKeys: 'x' } }, [400, 'invalid patch format of retainKeys']],
    [
      'a list of lists is 422',
      { spec: { containers: [['a']] } },
      [422, 'the server rejected our request due to an error in our request'],
    ],
  ];
  for (const [name, patch, want] of cases) {
    test(name, () => {
      assert.ok(pod);
      const live = { spec: { containers: name.includes('lists') ? [] : [{ name: 'a' }] } };
      try {
        applyStrategicPatch(pod, live, patch);
        assert.fail('applied');
      } catch (e) {
        assert.ok(e instanceof StrategicError, String(e));
        const status = strategicStatus(e);
        assert.deepEqual([status.code, status.message], want);
      }
    });
  }
  test('custom resources have none', () => {
    assert.deepEqual(
      [unsupportedStrategic().code, unsupportedStrategic().message],
      [400, 'strategic merge patch format is not supported'],
    );
  });
});
